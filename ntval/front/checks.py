"""A claim about a network as a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ntval.claims.catalogue import CLAIMS, OURS
from ntval.claims.claim import Claim
from ntval.errors import RefutedError, unknown_name
from ntval.front.check_network import applying, decided, failure_message, quiet
from ntval.regimes import Point
from ntval.runs.applicable import NotRun
from ntval.runs.gcv import risk_of
from ntval.runs.settings import Settings
from ntval.runs.suite import Run
from ntval.subjects.arguments import WIDTHS, subject_of

if TYPE_CHECKING:
    import pytest

# The type of the fixture `check_claim`.
CheckClaim = Callable[..., Run]


@dataclass(frozen=True, eq=False)
class Check:
    """One claim about one network: a test. Prerequisites that the claim rests on come along.

    `share` is its part of a budget that several checks have together.
    """

    claim: str
    network: str | None
    found: tuple[tuple[Claim, Point] | NotRun, ...]
    share: float = 1.0
    profile: str = "quick"

    @property
    def name(self) -> str:
        """A readable name, the test's: `mine-mean_kernel`."""
        return f"{self.network}-{self.claim.rpartition('.')[2]}"

    def run(self, *, alpha: float = 1e-6, seed: int = 0) -> Run:
        """The claim decided, after its prerequisites, at the check's share of `alpha`."""
        settings = Settings(self.profile, alpha * self.share, seed, self.network)
        return decided(self.found, settings, on_fail="return", callback=quiet)

    def __call__(self, *, alpha: float = 1e-6, seed: int = 0) -> Run:
        """The run.

        Raises: `RefutedError` when the claim is refuted, `pytest.skip` when it was not run.
        """
        __tracebackhide__ = True
        run = self.run(alpha=alpha, seed=seed)
        self.settle(run)
        return run

    def settle(self, run: Run, command: str | None = None) -> None:
        """Raise what a test raises for this run; `command` is what repeats the test."""
        __tracebackhide__ = True
        reasons = {item.claim: item.reason for item in run.not_run}
        if self.claim in reasons:
            import pytest

            pytest.skip(f"not run, because {reasons[self.claim]}")
        if self.claim in run.refuted:
            raise RefutedError(failure_message(run, command))


def checks_for(
    model: Any,
    params: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    kernel_fn: Any = None,
    init: Callable[..., Any] | None = None,
    widths: Sequence[int] = WIDTHS,
    claims: Sequence[str] | None = None,
    profile: str = "quick",
    name: str | None = None,
) -> list[Check]:
    """A `Check` for each claim that applies to your network; arguments as `check_network`.

    No claim reads y.

    One that does not apply is skipped with its reason when `claims` calls it by its own name.
    """
    subject = subject_of(model, params, x, kernel_fn=kernel_fn, init=init, widths=widths, name=name)
    if y is not None:
        risk_of(subject, x, y, seed=0)  # refuses what is no labels
    name, found = subject.name, applying(subject, None, profile)
    cells = [item for item in found if not isinstance(item, NotRun)]
    chosen = [name for name in OURS.chosen(claims) if name in {c.name for c, _ in cells}]
    random = sum(CLAIMS[claim].statistical for claim in chosen) or 1
    checks = [
        Check(
            claim,
            name,
            tuple(item for item in cells if item[0].name == claim or item[0].prerequisite),
            1.0 / random,
            profile,
        )
        for claim in chosen
    ]
    return checks + [
        Check(item.claim, name, (item,), profile=profile)
        for item in found
        if isinstance(item, NotRun)
        and {item.claim, item.claim.rpartition(".")[2]} & set(claims or ())
    ]


def parametrize_with_claims(
    networks: Mapping[str, Any] | Sequence[Any],
    *,
    claims: Sequence[str] | None = None,
    expected_refutations: Mapping[str, str] | None = None,
    profile: str = "quick",
) -> pytest.MarkDecorator:
    """`pytest.mark.parametrize` of an argument `check`: a test for each network and claim.

    networks: {name: model} or a list of models; a model is whatever `check_network` takes, or a
        dict of its arguments (`dict(model=..., params=..., x=...)`).
    claims: names, last words or papers; all without any.
    expected_refutations: {claim or "network-claim": reason}. Such a test is xfail, and fails when
        the claim is supported after all.

    The checks of one call share one budget.
    """
    import pytest

    named = networks.items() if isinstance(networks, Mapping) else ((None, m) for m in networks)
    checks: list[Check] = []
    for name, model in named:
        given: dict[str, Any] = {"model": model}
        if isinstance(model, dict) and "model" in model:
            given = dict(model)
        if name is not None:
            given["name"] = name
        checks += checks_for(**given, claims=claims, profile=profile)
    networks_seen = len({check.network for check in checks}) or 1
    checks = [replace(check, share=check.share / networks_seen) for check in checks]
    expected = dict(expected_refutations or {})
    matched: set[str] = set()

    def marks(check: Check):
        for key in (check.name, check.claim, check.claim.rpartition(".")[2]):
            if key in expected:
                matched.add(key)
                yield pytest.mark.xfail(reason=expected[key], strict=True, raises=RefutedError)
                return

    parameters = [pytest.param(check, id=check.name, marks=[*marks(check)]) for check in checks]
    for key in expected.keys() - matched:
        raise unknown_name("check among expected_refutations", key, [c.name for c in checks])
    return pytest.mark.parametrize("check", parameters)
