"""The pytest plugin of ntval: options, the fixtures `check_claim` and `ntval_key`, a summary.

pytest imports this module wherever ntval is installed, so it imports neither ntval nor JAX before
something uses them; what it does then is in `ntval.front.pytest`. It leaves JAX's flags and
Hypothesis's profiles alone.

| part | of alpha |
|---|---|
| a session | `--ntval-alpha`, split evenly over the tests that use `check_claim` |
| a test marked `ntval(alpha=...)` | its own, beside the session's |
| call k of `check_claim` in a test | 1 / (k (k + 1)) of the test's part: together below it |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ntval.front.pytest.session import Session
    from ntval.runs.suite import Run

_OPTIONS = (
    ("alpha", "A", "Probability that a session refutes correct code; 1e-6 without."),
    ("seed", "N|commit", "Seed of all checks, or 'commit' for that of HEAD; 0 without."),
    ("profile", "NAME", "quick, standard or thorough."),
    ("report", "FILE", "Write what was checked to FILE.html or FILE.json."),
    ("expected", "FILE", "Known refutations, lines 'claim-or-test-id: reason'."),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ntval", "ntval, claims about neural tangent kernels")
    for name, metavar, words in _OPTIONS:
        group.addoption(f"--ntval-{name}", metavar=metavar, help=words)
    group.addoption("--ntval-strict", action="store_true", help="Fail on INCONCLUSIVE.")
    group.addoption(
        "--ntval-network",
        action="append",
        default=[],
        metavar="MODULE:ATTR",
        help="Add a test for each claim about this network; may be given again.",
    )


# What uses ntval: an option, a test, or a test of another process.


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "ntval(alpha=..., seed=...): a budget of its own, or another seed, for check_claim.",
    )
    names = ("strict", "network", *(name for name, _, _ in _OPTIONS))
    if any(config.getoption(f"ntval_{name}") for name in names) or _inherited(config):
        _session(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if any("check_claim" in getattr(item, "fixturenames", ()) for item in items):
        _session(config)


@pytest.hookimpl(tryfirst=True)
def pytest_report_from_serializable(config: pytest.Config, data: dict[str, Any]) -> None:
    """The controller of pytest-xdist sees here that a worker's test has used ntval."""
    if "ntval" in data:
        _session(config)


def _inherited(config: pytest.Config) -> bool:
    """Whether the controller of pytest-xdist has told this worker what the options say."""
    return "ntval" in getattr(config, "workerinput", {})


def _session(config: pytest.Config) -> Session:
    """What the session knows. Its hooks are registered, and ntval imported, at the first call."""
    from ntval.front.pytest import hooks

    return hooks.session_of(config)


# Fixtures.


@pytest.fixture(scope="session")
def check_claim(pytestconfig: pytest.Config) -> Callable[..., Run]:
    """Decide a claim inside of a test: raises `RefutedError`, skips what was not run.

    check_claim(check)                        a `Check` of `parametrize_with_claims`
    check_claim("mean_kernel", model, ...)    one claim; arguments as `ntval.check_network`
    check_claim(claim, point)                 a `Claim` about a network of ntval's own

    Returns the `Run`. Its seed is the session's, its alpha is this call's: the k-th call of a test
    spends 1 / (k (k + 1)) of the test's part of the session's alpha. That replaces the `share` of
    a `Check`, which is for checks that run without this fixture.

    The fixture holds nothing that one example could leave to the next, so it may be used under
    Hypothesis's `@given` as it is, with `@settings(deadline=None)`: compiling takes a second.
    """
    return _session(pytestconfig).check_claim


@pytest.fixture
def ntval_key(request: pytest.FixtureRequest) -> Any:
    """A JAX PRNG key of this test's own: a hash of its id and of `--ntval-seed`.

    Under `@given` all examples would have this one key, so Hypothesis refuses it: draw a number and
    make a key of it there.
    """
    return _session(request.config).key(request.node)
