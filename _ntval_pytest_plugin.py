"""The pytest plugin of ntval: options, the fixtures `check_claim` and `ntval_key`, a summary.

pytest imports this module wherever ntval is installed, so it imports neither ntval nor JAX before
a test asks for them; it leaves JAX's flags and Hypothesis's profiles alone.

| part | of alpha |
|---|---|
| a session | `--ntval-alpha`, split evenly over the tests that use `check_claim` |
| a test marked `ntval(alpha=...)` | its own, beside the session's |
| call k of `check_claim` in a test | 1 / (k (k + 1)) of the test's part: together below it |

With pytest-xdist every worker collects all tests, hence knows all parts; what its checks found
travels to the controller on the reports of its tests.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ntval.front.checks import Check
    from ntval.runs.suite import Run


# Options and settings.


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ntval", "ntval, claims about neural tangent kernels")
    for name, metavar, words in (
        ("alpha", "A", "Probability that a session refutes correct code; 1e-6 without."),
        ("seed", "N|commit", "Seed of all checks, or 'commit' for that of HEAD; 0 without."),
        ("profile", "NAME", "quick, standard or thorough."),
        ("report", "FILE", "Write what was checked to FILE.html or FILE.json."),
        ("expected", "FILE", "Known refutations, lines 'claim-or-test-id: reason'."),
    ):
        group.addoption(f"--ntval-{name}", metavar=metavar, help=words)
    group.addoption("--ntval-strict", action="store_true", help="Fail on INCONCLUSIVE.")
    group.addoption(
        "--ntval-network",
        action="append",
        default=[],
        metavar="MODULE:ATTR",
        help="Add a test for each claim about this network; may be given again.",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "ntval(alpha=..., seed=...): a budget of its own, or another seed, for check_claim.",
    )
    inherited = getattr(config, "workerinput", {}).get("ntval")
    session = Session(config, inherited or _settings(config))
    config.stash[SESSION] = session
    config.pluginmanager.register(session, "ntval-session")


def _settings(config: pytest.Config) -> dict[str, Any]:
    """What the options say, as values that travel to a worker.

    Raises: `pytest.UsageError`, one line, for what cannot be used.
    """
    given: dict[str, Any] = {
        name: config.getoption(f"ntval_{name}")
        for name in ("alpha", "seed", "profile", "strict", "network", "report", "expected")
    }
    here = config.invocation_params.dir
    for path in given["network"]:
        if not all(path.partition(":")):
            raise _refused("network", "the form MODULE:ATTR", path, "for example nets:model")
    return {
        "used": any(given.values()),
        "alpha": 1e-6 if given["alpha"] is None else _read("alpha", given["alpha"], here),
        "seed": 0 if given["seed"] is None else _read("seed", given["seed"], here),
        "profile": given["profile"] and _profile(given["profile"]),
        "strict": given["strict"],
        "networks": list(dict.fromkeys(given["network"])),
        "report": given["report"] and _report_path(given["report"], here),
        "expected": [] if given["expected"] is None else _expected(given["expected"], here),
        "expected_path": given["expected"],
    }


def _refused(option: str, rule: str, value: object, way_out: str) -> pytest.UsageError:
    return pytest.UsageError(f"--ntval-{option} needs {rule}, got {value!r}; {way_out}.")


def _read(option: str, text: str, directory: Path) -> Any:
    """The alpha or seed that an option's text gives, by the rule of the command line."""
    from ntval.errors import InputError
    from ntval.runs.settings import alpha_of, seed_of

    name = f"--ntval-{option}"
    try:
        if option == "alpha":
            return alpha_of(text, name=name)
        return seed_of(text, name=name, directory=directory)
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def _profile(text: str) -> str:
    from ntval.runs.settings import PROFILES

    if text not in PROFILES:
        *first, last = PROFILES
        raise _refused("profile", f"{', '.join(first)} or {last}", text, "the default is quick")
    return text


def _report_path(text: str, here: Path) -> str:
    path = here / text
    if path.suffix not in (".html", ".json"):
        raise _refused("report", "a file that ends in .html or .json", text, "name it so")
    if not path.parent.is_dir():
        raise _refused("report", "an existing directory", text, "create it first")
    return str(path)


def _expected(text: str, here: Path) -> list[tuple[int, str, str]]:
    """(line number, key, reason) of each line."""
    try:
        lines = (here / text).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "no UTF-8"
        rule = f"a readable text file ({words})"
        raise _refused("expected", rule, text, "check the path") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = re.fullmatch(r"(.+?):\s+(.+)", line.strip())
        if parts is None:
            rule = "lines 'claim-or-test-id: reason'"
            place = f"give the reason on line {number} of {text}, after a colon and a space"
            raise _refused("expected", rule, line.strip(), place)
        found.append((number, parts[1], parts[2]))
    return found


# Fixtures.


@pytest.fixture(scope="session")
def check_claim(pytestconfig: pytest.Config) -> Callable[..., Run]:
    """Decide a claim inside of a test: raises `RefutedError`, skips what was not run.

    check_claim(check)                        a `Check` of `parametrize_with_claims`
    check_claim("mean_kernel", model, ...)    one claim; arguments as `ntval.check_network`
    check_claim(claim, point)                a `Claim` about a network of ntval's own

    Returns the `Run`. Its seed is the session's, its alpha is this call's: the k-th call of a test
    spends 1 / (k (k + 1)) of the test's part of the session's alpha. That replaces the `share` of
    a `Check`, which is for checks that run without this fixture.

    The fixture holds nothing that one example could leave to the next, so it may be used under
    Hypothesis's `@given` as it is, with `@settings(deadline=None)`: compiling takes a second.
    """
    return pytestconfig.stash[SESSION].check_claim


@pytest.fixture
def ntval_key(request: pytest.FixtureRequest) -> Any:
    """A JAX PRNG key of this test's own: a hash of its id and of `--ntval-seed`.

    Under `@given` all examples would have this one key, so Hypothesis refuses it: draw a number and
    make a key of it there.
    """
    import hashlib

    import jax

    seed = request.config.stash[SESSION].seed(request.node)
    digest = hashlib.sha256(f"{_id(request.node)} {seed}".encode()).digest()
    words = [int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:8], "big")]
    data = jax.numpy.asarray(words, dtype=jax.numpy.uint32)
    return jax.random.wrap_key_data(data, impl="threefry2x32")


# Generated tests.


class NetworkChecks(pytest.Collector):
    """A network of `--ntval-network`, with a test for each claim that applies to it."""

    def __init__(self, *, checks: list[Check], **options: Any) -> None:
        super().__init__(**options)
        self.checks = checks

    def collect(self) -> Iterator[pytest.Item]:
        for check in self.checks:
            name = check.claim.rpartition(".")[2]
            yield NetworkCheck.from_parent(self, name=name, check=check)


class NetworkCheck(pytest.Item):
    """One claim about a network of `--ntval-network`."""

    def __init__(self, *, check: Check, **options: Any) -> None:
        super().__init__(**options)
        self.check = check

    def runtest(self) -> None:
        self.config.stash[SESSION].check_claim(self.check)

    def repr_failure(self, excinfo: pytest.ExceptionInfo, style: Any = None) -> Any:
        from ntval.errors import NtvalError

        if isinstance(excinfo.value, NtvalError):
            return "\n".join([str(excinfo.value), *getattr(excinfo.value, "__notes__", ())])
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.nodeid


# A session.


class Session:
    """What one pytest process knows: settings, the budget's parts, and what its checks found."""

    def __init__(self, config: pytest.Config, settings: dict[str, Any]) -> None:
        self.config = config
        self.settings = settings
        self.item: pytest.Item | None = None  # the test that runs now
        self.tests = 0  # that share the session's alpha
        self.marked: dict[str, float] = {}  # the alpha of tests that have their own
        self.names: set[str] = set()  # by which an expected refutation may call a check
        self.files: set[str] = set()
        self.matched: set[int] = set()  # lines of --ntval-expected
        self.deselected = False
        self.records: list[dict[str, Any]] = []
        self.stale: list[str] = []
        self.written = ""

    def __repr__(self) -> str:
        return "ntval"

    @property
    def worker(self) -> bool:
        return hasattr(self.config, "workerinput")

    # Collection.

    @functools.cached_property
    def network_checks(self) -> dict[str, list[Check]]:
        """The checks of each network of `--ntval-network`."""
        if not self.settings["networks"]:
            return {}
        from ntval.errors import NtvalError
        from ntval.front.checks import checks_for

        profile = self.settings["profile"] or "quick"
        try:
            return {path: checks_for(path, profile=profile) for path in self.settings["networks"]}
        except NtvalError as error:
            raise pytest.UsageError(f"--ntval-network: {error}") from None

    def pytest_sessionstart(self) -> None:
        """Read the networks before any worker starts, so that a wrong name is one line."""
        if not self.worker:
            self.network_checks  # noqa: B018

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        for path, checks in self.network_checks.items():
            node = NetworkChecks.from_parent(session, name=path, nodeid=path, checks=checks)
            items.extend(session.genitems(node))
        if self.settings["expected"]:
            self.files = {item.nodeid.partition("::")[0] for item in items}
            for item in filter(_uses, items):
                self.expected(item, _check_of(item))

    def pytest_deselected(self) -> None:
        self.deselected = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in filter(_uses, session.items):
            own = _marked(item, "alpha")
            if own is None:
                self.tests += 1
            elif _is_probability(own):
                self.marked[item.nodeid] = own

    def pytest_report_header(self) -> str | None:
        return self._header() if self.settings["used"] else None

    def pytest_report_collectionfinish(self) -> str | None:
        used = self.tests or self.marked
        return self._header() if used and not self.settings["used"] else None

    def _header(self) -> str:
        from importlib.metadata import version

        profile = self.settings["profile"]
        return (
            f"ntval {version('ntval')}, jax {version('jax')}: alpha {self.settings['alpha']:g}, "
            f"seed {self.settings['seed']}" + (f", profile {profile}" if profile else "")
        )

    # A test.

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        self.item = item
        try:
            return (yield)
        finally:
            self.item = None

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(self, item: pytest.Item):
        found = item.stash.get(FOUND, None)
        if not found:
            return (yield)
        del item.stash[FOUND]
        from ntval.front.pytest import report

        item.user_properties += report.properties(found)
        report = yield
        report.ntval = found
        if isinstance(item, NetworkCheck) and report.skipped and not hasattr(report, "wasxfail"):
            report.longrepr = (item.nodeid.partition("::")[0], None, report.longrepr[2])
        return report

    def seed(self, item: pytest.Item) -> int:
        """The seed of a test: that of its marker, or the session's."""
        from ntval.runs.settings import is_seed

        seed = _marked(item, "seed")
        if seed is None:
            return self.settings["seed"]
        if not is_seed(seed):
            pytest.fail(
                f"@pytest.mark.ntval(seed=...) needs a whole number from 0 to 2^63 - 1, "
                f"got {seed!r}; leave it out for the session's.",
                pytrace=False,
            )
        return seed

    def part(self, item: pytest.Item) -> float:
        """The part of alpha that a test may spend."""
        own = _marked(item, "alpha")
        if own is None:
            return self.settings["alpha"] / self.tests
        if not _is_probability(own):
            pytest.fail(
                f"@pytest.mark.ntval(alpha=...) needs a probability between 0 and 1, got {own!r}; "
                "leave it out for a part of the session's.",
                pytrace=False,
            )
        return own

    def check_claim(self, what: Any, *arguments: Any, **options: Any) -> Run:
        """See the fixture."""
        __tracebackhide__ = True
        item = self.item
        if item is None or not _uses(item):
            pytest.fail(
                "check_claim needs to be an argument of the test, or of a fixture that the test "
                f"names, since alpha is split over such tests; got it in {item and item.nodeid!r} "
                "by another way; add the argument.",
                pytrace=False,
            )
        from dataclasses import replace

        from ntval.errors import NtvalError
        from ntval.front.pytest import report

        call = item.stash[CALLS] = item.stash.get(CALLS, 0) + 1
        alpha = self.part(item) / (call * (call + 1))
        try:
            check = replace(self._check(what, arguments, options), share=1.0)
            run = check.run(alpha=alpha, seed=self.seed(item))
        except NtvalError as error:
            raise error.with_traceback(None) from error.__cause__  # its message says all
        kind = Path(self.settings["report"] or "").suffix
        found = report.record(run, check.claim, check.network, _id(item), kind)
        item.stash.setdefault(FOUND, []).append(found)
        self._settle(item, check, run)
        return run

    def _check(self, what: Any, arguments: tuple, options: dict[str, Any]) -> Check:
        from dataclasses import replace

        from ntval.claims.catalogue import CLAIMS
        from ntval.claims.claim import Claim
        from ntval.errors import InputError
        from ntval.front.checks import Check, checks_for

        profile = self.settings["profile"]
        if isinstance(what, Check) and not arguments and not options:
            return replace(what, profile=profile) if profile else what
        if isinstance(what, Claim) and len(arguments) == 1 and not options:
            if what.name not in CLAIMS:
                raise InputError(
                    f"check_claim needs a claim that is listed in ntval.CLAIMS, got {what.name!r}; "
                    "list it, or decide it by claim.check(seed, point)."
                )
            return Check(
                what.name,
                None,
                ((what, arguments[0]),),
                profile=profile or "quick",
            )
        if isinstance(what, str) and (arguments or "model" in options):
            options = {"profile": profile or "quick", **options}
            checks = checks_for(*arguments, claims=[what], **options)
            if len(checks) == 1:
                return checks[0]
            names = ", ".join(check.claim for check in checks) or "none that applies"
            raise InputError(
                f"check_claim needs the name of one claim, got {what!r} ({names}); "
                "parametrize_with_claims makes a test of each claim of a paper."
            )
        raise InputError(
            "check_claim needs a Check, the name of a claim and a model, or a Claim and a Regime; "
            f"got {', '.join(type(it).__name__ for it in (what, *arguments))}."
        )

    def _again(self, item: pytest.Item | None, seed: int, part: float) -> str:
        """The command that repeats one test with the alpha that it had among others."""
        import shlex

        words = ["pytest", _id(item) if item else "TEST"]
        if isinstance(item, NetworkCheck):
            words = ["pytest", f"--ntval-network={item.nodeid.partition('::')[0]}", "-k", item.name]
        elif item is None and self.settings["networks"]:
            words = ["pytest", "-k", "TEST"]
            words += [f"--ntval-network={path}" for path in self.settings["networks"]]
        if self.settings["profile"]:
            words.append(f"--ntval-profile={self.settings['profile']}")
        return shlex.join([*words, f"--ntval-seed={seed}", f"--ntval-alpha={part!r}"])

    def expected(self, item: pytest.Item, check: Check | None) -> tuple[int, str] | None:
        """The first line of `--ntval-expected` that speaks of this check, and its reason."""
        names = {_id(item), item.name}
        if check is not None:
            word = check.claim.rpartition(".")[2]
            names |= {check.claim, word}
            if check.network:
                names.add(check.name)
        self.names |= names
        for number, key, reason in self.settings["expected"]:
            if key in names:
                self.matched.add(number)
                return number, reason
        return None

    def _settle(self, item: pytest.Item, check: Check, run: Run) -> None:
        """Raise what the test raises for this run."""
        __tracebackhide__ = True
        from ntval.errors import RefutedError
        from ntval.reports.words import weakest

        expected = self.expected(item, check)
        try:
            check.settle(run)
        except RefutedError as error:
            if expected is not None:
                pytest.xfail(expected[1])
            if check.network is None:
                error.add_note(f"  point:   {check.found[0][1]}")  # type: ignore[index]
            error.add_note(f"  or in --ntval-expected, a line '{_id(item)}: the reason'")
            error.add_note(f"  repeat:   {self._again(item, self.seed(item), self.part(item))}")
            raise
        outcome = run.outcomes[check.claim]
        if expected is not None and outcome.verdict == "SUPPORTED":
            pytest.fail(
                f"{check.claim} was expected to be refuted ({expected[1]}), but is SUPPORTED: "
                f"take line {expected[0]} out of {self.settings['expected_path']}, or name there "
                "the tests that it is about.",
                pytrace=False,
            )
        if self.settings["strict"] and outcome.verdict == "INCONCLUSIVE":
            summary = weakest(outcome.results).decision.summary
            pytest.fail(
                f"{check.claim} is INCONCLUSIVE, and --ntval-strict is given: {summary}; "
                "take more draws with --ntval-profile standard.",
                pytrace=False,
            )

    # The end.

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for record in getattr(report, "ntval", ()):
            expected = record["verdict"] == "REFUTED" and hasattr(report, "wasxfail")
            self.records.append({**record, "expected": expected})

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist the settings; 'commit' is read once."""
        node.workerinput["ntval"] = self.settings

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear what a worker collected."""
        told = getattr(node, "workeroutput", {}).get("ntval")
        if told:
            self.tests, self.marked = told["tests"], told["marked"]
            self.deselected |= told["deselected"]
            self.names.update(told["names"])
            self.files.update(told["files"])
            self.matched.update(told["matched"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.worker:
            self.config.workeroutput["ntval"] = {  # type: ignore[attr-defined]
                "tests": self.tests,
                "marked": self.marked,
                "deselected": self.deselected,
                "names": sorted(self.names),
                "files": sorted(self.files),
                "matched": sorted(self.matched),
            }
            return
        finished = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if self.config.option.collectonly or exitstatus not in (
            *finished,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            return
        self.stale = list(self._stale(session))
        if self.stale:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.settings["report"]:
            self._write()

    @property
    def alpha(self) -> float:
        """The session's alpha and those of marked tests."""
        return (self.settings["alpha"] if self.tests else 0.0) + sum(self.marked.values())

    def _write(self) -> None:
        from ntval.errors import InputError
        from ntval.front.pytest import report
        from ntval.runs.settings import Settings

        path = Path(self.settings["report"])
        alpha = self.alpha or self.settings["alpha"]
        settings = Settings(self.settings["profile"] or "quick", alpha, self.settings["seed"])
        try:
            report.write(self.records, path, stale=self.stale, settings=settings)
            self.written = f"wrote {path}"
        except InputError as error:
            self.written = f"FAILED to write: {error}"

    def _stale(self, session: pytest.Session) -> Iterator[str]:
        """A message for each line of `--ntval-expected` that no check answers to.

        A run of some tests only, by -k, -x or a file's name, is silent about all others.
        """
        named = [arg.partition("::")[0] for arg in self.config.args]
        whole = (
            all(os.path.isdir(self.config.invocation_params.dir / arg) for arg in named)
            and not any("::" in arg for arg in self.config.args)
            and not (self.deselected or session.shouldstop or session.shouldfail)
        )
        for number, key, reason in self.settings["expected"]:
            path, colons, _ = key.partition("::")
            if number in self.matched or not (whole or (colons and path in self.files)):
                continue
            from difflib import get_close_matches

            near = get_close_matches(key, sorted(self.names), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "take it out."
            yield (
                f"{self.settings['expected_path']}, line {number}: no check that was collected is "
                f"called {key!r} ({reason}); {hint}"
            )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not (self.records or self.stale):
            return
        terminalreporter.write_sep("=", "ntval")
        if self.records:
            from ntval.front.pytest import report

            tests = self.tests + len(self.marked)
            for line in report.summary(self.records, alpha=self.alpha, tests=tests):
                terminalreporter.write_line(line)
        if self.records and self.tests:
            part = self.settings["alpha"] / self.tests
            again = self._again(None, self.settings["seed"], part)
            terminalreporter.write_line(f"repeat a test: {again}")
        for line in self.stale:
            terminalreporter.write_line(f"FAILED {line}", red=True)
        if self.written:
            terminalreporter.write_line(self.written)


SESSION: pytest.StashKey[Session] = pytest.StashKey()
CALLS: pytest.StashKey[int] = pytest.StashKey()
FOUND: pytest.StashKey[list[dict[str, Any]]] = pytest.StashKey()


def _id(item: pytest.Item) -> str:
    """The test's id, without what `--dist loadgroup` of pytest-xdist appends to it."""
    return f"{item.parent.nodeid}::{item.name}" if item.parent else item.nodeid


def _uses(item: pytest.Item) -> bool:
    """Whether a test uses `check_claim`."""
    return isinstance(item, NetworkCheck) or "check_claim" in getattr(item, "fixturenames", ())


def _check_of(item: pytest.Item) -> Check | None:
    """The `Check` that a test was made for."""
    if isinstance(item, NetworkCheck):
        return item.check
    checks = sys.modules.get("ntval.front.checks")
    parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
    return next((it for it in parameters if checks and isinstance(it, checks.Check)), None)


def _marked(item: pytest.Item, name: str) -> Any:
    """What the nearest marker `ntval` that says so gives as `name`."""
    return next((m.kwargs[name] for m in item.iter_markers("ntval") if name in m.kwargs), None)


def _is_probability(value: object) -> bool:
    from ntval.runs.settings import is_alpha

    return is_alpha(value)
