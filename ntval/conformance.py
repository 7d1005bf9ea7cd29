"""Check a network of your own, in Python and in pytest.

    ntval.check_network(model, params, x)              # every claim that applies, at once

    @ntval.parametrize_with_claims({"mine": model})    # one test a claim
    def test_ntk(check, check_claim):
        check_claim(check)

| model | see `ntval.adapters` |
|---|---|
| `kernel_fn` | its infinite-width twin, `kernel_fn(x1, x2, get)` as of `neural_tangents.stax` |
| `init(key, width)` | its weights, or all of it, at any width: claims about rates then apply |
| x | inputs at which it is examined; on the sphere without any |
| y | targets, kept for claims about regression |
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

from ntval import report, suite, tables
from ntval.claims import CLAIMS, Claim
from ntval.claims.claim import Subject, find
from ntval.errors import InputError, RefutedError, unknown_name
from ntval.regimes import Regime
from ntval.settings import alpha_of
from ntval.subjects import WIDTHS, NotRun, claims_about, claims_for, subject_of
from ntval.suite import Run

__all__ = [
    "WIDTHS",
    "Check",
    "check_network",
    "checks_for",
    "claims_for",
    "parametrize_with_claims",
]

OnFail = Literal["raise", "warn", "return"]


class RefutedWarning(UserWarning):
    """A claim was refuted, under `on_fail="warn"`."""


def check_network(
    model: Any,
    params: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    kernel_fn: Callable | None = None,
    init: Callable | None = None,
    widths: Sequence[int] = WIDTHS,
    claims: Sequence[str] | None = None,
    expected_refutations: Mapping[str, str] | None = None,
    on_fail: OnFail = "raise",
    callback: Callable[[Run], None] | None = None,
    profile: str = "quick",
    alpha: float = 1e-6,
    seed: int = 0,
    name: str | None = None,
) -> Run:
    """Every claim that applies to your network, decided.

    model: flax.linen, flax.nnx, equinox or haiku module, stax triple, `Network`, function
        `apply_fn(params, x)`, a path MODULE:ATTR; or an array, a Gram matrix (n, n) that was
        computed elsewhere, or several (draws, n, n) at independent weights.
    params: its weights, for a model that does not hold them.
    kernel_fn: its infinite-width twin, a function of (x1, x2, get) or (x1, x2); of a Gram matrix
        also an array (n, n).
    x: inputs of shape (n, *input_shape); y: targets of shape (n,).
    init: `init(key, width)` gives weights, or a model with them, at any of `widths`.
    claims: names, last words or papers; all without any.
    expected_refutations: {claim: reason}; such a claim must be refuted.
    on_fail: raise `RefutedError`, warn, or leave it to you to read the `Run`.
    callback: is called with the run after every check, instead of a live table on a terminal's or
        notebook's standard error.
    alpha: probability that a network of which all is true is refuted anywhere in this run.

    Returns: the `Run`: `run.outcomes`, `run.refuted`, `run.not_run`.
    Raises: `RefutedError`; `InputError` and `NetworkError`, each one line, for what cannot be used.
    """
    if on_fail not in ("raise", "warn", "return"):
        raise InputError(f"on_fail needs 'raise', 'warn' or 'return', got {on_fail!r}.")
    subject = subject_of(
        model, params, x, y, kernel_fn=kernel_fn, init=init, widths=widths, name=name
    )
    return _decided(
        _found(subject, claims, profile),
        subject.network.name,
        expected=_expected(expected_refutations),
        on_fail=on_fail,
        callback=callback,
        profile=profile,
        alpha=alpha,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class Check:
    """One claim about one network: a test. Prerequisites that the claim rests on come along.

    `share` is its part of a budget that several checks have together.
    """

    claim: str
    network: str | None
    found: tuple[tuple[Claim, Regime] | NotRun, ...]
    share: float = 1.0
    profile: str = "quick"

    @property
    def name(self) -> str:
        """A readable name, the test's: `mine-mean_kernel`."""
        return f"{self.network}-{self.claim.rpartition('.')[2]}"

    def run(self, *, alpha: float = 1e-6, seed: int = 0) -> Run:
        """The claim decided, after its prerequisites, at the check's share of `alpha`."""
        return _decided(
            self.found,
            self.network,
            on_fail="return",
            callback=_quiet,
            profile=self.profile,
            alpha=alpha * self.share,
            seed=seed,
        )

    def __call__(self, *, alpha: float = 1e-6, seed: int = 0) -> Run:
        """The run.

        Raises: `RefutedError` when the claim is refuted, `pytest.skip` when it was not run.
        """
        __tracebackhide__ = True
        run = self.run(alpha=alpha, seed=seed)
        self.settle(run)
        return run

    def settle(self, run: Run) -> None:
        """Raise what a test raises for this run."""
        __tracebackhide__ = True
        reasons = {item.claim: item.reason for item in run.not_run}
        if self.claim in reasons:
            import pytest

            pytest.skip(f"not run, because {reasons[self.claim]}")
        if self.claim in run.refuted:
            raise RefutedError(failure_message(run))


def checks_for(
    model: Any,
    params: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    kernel_fn: Callable | None = None,
    init: Callable | None = None,
    widths: Sequence[int] = WIDTHS,
    claims: Sequence[str] | None = None,
    profile: str = "quick",
    name: str | None = None,
) -> list[Check]:
    """A `Check` for each claim that applies to your network; arguments as `check_network`.

    One that does not apply is skipped with its reason when `claims` calls it by its own name.
    """
    subject = subject_of(
        model, params, x, y, kernel_fn=kernel_fn, init=init, widths=widths, name=name
    )
    network, found = subject.network, _found(subject, None, profile)
    cells = [item for item in found if not isinstance(item, NotRun)]
    chosen = [name for name in suite.chosen_claims(claims) if name in {c.name for c, _ in cells}]
    random = sum(CLAIMS[claim].random for claim in chosen) or 1
    checks = [
        Check(
            claim,
            network.name,
            tuple(item for item in cells if item[0].name == claim or item[0].prerequisite),
            1.0 / random,
            profile,
        )
        for claim in chosen
    ]
    return checks + [
        Check(item.claim, network.name, (item,), profile=profile)
        for item in found
        if isinstance(item, NotRun)
        and {item.claim, item.claim.rpartition(".")[2]} & set(claims or ())
    ]


def parametrize_with_claims(
    networks: Mapping[str, Any] | Sequence[Any],
    *,
    papers: Sequence[str] | None = None,
    expected_refutations: Mapping[str, str] | None = None,
    profile: str = "quick",
):
    """`pytest.mark.parametrize` of an argument `check`: a test for each network and claim.

    networks: {name: model} or a list of models; a model is whatever `check_network` takes, or a
        dict of its arguments (`dict(model=..., params=..., x=...)`).
    papers: names, last words or papers of claims; all without any.
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
        checks += checks_for(**given, claims=papers, profile=profile)
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


def failure_message(run: Run) -> str:
    """What a refuted run says: each claim in words, its evidence, the replay, the way out."""
    lines = []
    for name, outcome in run.refuted.items():
        result = report.weakest(outcome.results)
        lines += [
            f"{name} is REFUTED" + (f" for {run.network}" if run.network else ""),
            f"  claimed:  {CLAIMS[name].statement}",
            f"  measured: {result.decision.summary}",
            f"  evidence: {report.evidence_words(outcome)}",
            *([f"  looks like: {run.diagnoses[name]}"] if name in run.diagnoses else []),
            f"  replay:   {report.replay(run, name)}",
            f"  if it is known: expected_refutations={{{name.rpartition('.')[2]!r}: 'the reason'}}",
        ]
    for name in run.stale:
        lines += [
            f"{name} was expected to be refuted for {run.network} ({run.expected[name]}), "
            "but is SUPPORTED: take it out of expected_refutations.",
        ]
    return "\n".join(lines)


def _expected(given: Mapping[str, str] | None) -> dict[str, str]:
    return {
        claim.name: reason for key, reason in (given or {}).items() for claim in find(key, CLAIMS)
    }


def _quiet(run: Run) -> None:
    pass


def _decided(found, network, *, expected=None, on_fail, callback=None, profile, alpha, seed) -> Run:
    """The run of what was found, in this process."""
    alpha = alpha_of(alpha, name="alpha")
    run = suite.run_of(found, profile=profile, network=network, alpha=alpha, seed=seed)
    run = replace(run, expected=expected or {})
    claims = {item[0].name: item[0] for item in found if not isinstance(item, NotRun)}
    with tables.watched(run) if callback is None else nullcontext(callback) as update:
        for run in suite.states(run, claims=claims):  # noqa: B020
            update(run)
    if run.refuted or run.stale:
        if on_fail == "raise":
            raise RefutedError(failure_message(run))
        if on_fail == "warn":
            warnings.warn(failure_message(run), RefutedWarning, stacklevel=3)
    return run


def _found(
    subject: Subject, claims: Sequence[str] | None, profile: str
) -> list[tuple[Claim, Regime] | NotRun]:
    if profile not in suite.PROFILES:
        raise unknown_name("profile", profile, suite.PROFILES)
    prerequisites = {name: claim for name, claim in CLAIMS.items() if claim.prerequisite}
    chosen = {**prerequisites, **suite.chosen_claims(claims)}
    return claims_about(subject, claims=chosen, profile=profile)
