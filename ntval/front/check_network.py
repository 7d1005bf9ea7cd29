"""Check a network of your own, in Python and in pytest.

    ntval.check_network(model, params, x)              # every claim that applies, at once

    @ntval.parametrize_with_claims({"mine": model})    # one test a claim
    def test_ntk(check, check_claim):
        check_claim(check)

| model | see `ntval.networks.loading` |
|---|---|
| `kernel_fn` | its infinite-width twin, `kernel_fn(x1, x2, get)` as of `neural_tangents.stax` |
| `init(key, width)` | its weights, or all of it, at any width: claims about rates then apply |
| x | inputs at which it is examined; on the sphere without any |
| y | labels: `run.risk` then has GCV, LOO and the held-out risk of regression on its kernel |
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Literal

from ntval.claims.catalogue import CLAIMS, OURS, Catalogue, find
from ntval.claims.claim import Claim
from ntval.errors import InputError, NtvalError, RefutedError
from ntval.regimes import Point
from ntval.reports import live
from ntval.reports.words import evidence_words, replay, weakest
from ntval.runs import suite
from ntval.runs.applicable import Applied, NotRun, claims_about
from ntval.runs.gcv import risk_of
from ntval.runs.risk_estimates import RiskEstimates
from ntval.runs.settings import Settings
from ntval.runs.suite import Run
from ntval.subjects.arguments import WIDTHS, subject_of
from ntval.subjects.subject import GramSubject, NetworkSubject

OnFail = Literal["raise", "warn", "return"]


class RefutedWarning(UserWarning):
    """A claim was refuted, under `on_fail="warn"`."""


def check_network(
    model: Any,
    params: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    kernel_fn: Any = None,
    init: Callable[..., Any] | None = None,
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
    kernel_fn: its infinite-width twin, a function of (x1, x2, get), (x1, x2) or x; of a Gram matrix
        also an array (n, n).
    x: inputs of shape (n, *input_shape).
    y: labels as `ntval.gcv` takes them, for `run.risk`; no verdict rests on them.
    init: `init(key, width)` gives weights, or a model with them, at any of `widths`; `init(key)` at
        one, and claims about rates then do not apply.
    claims: names, last words or papers; all without any.
    expected_refutations: {claim: reason}; such a claim must be refuted.
    on_fail: raise `RefutedError`, warn, or leave it to you to read the `Run`.
    callback: is called with the run after every check, instead of a live table on a terminal's or
        notebook's standard error.
    alpha: probability that a network of which all is true is refuted anywhere in this run.

    Returns: the `Run`: `run.outcomes`, `run.refuted`, `run.not_run`, `run.risk`.
    Raises: `RefutedError`; `InputError` and `NetworkError`, each one line, for what cannot be used.
    """
    if on_fail not in ("raise", "warn", "return"):
        raise InputError(f"on_fail needs 'raise', 'warn' or 'return', got {on_fail!r}.")
    settings = Settings(profile, alpha, seed)
    subject = subject_of(model, params, x, kernel_fn=kernel_fn, init=init, widths=widths, name=name)
    found = applying(subject, claims, profile)
    expected = _expected(expected_refutations, found)
    risk = None if y is None else risk_of(subject, x, y, seed=seed)
    return decided(
        found,
        replace(settings, network=subject.name),
        expected=expected,
        on_fail=on_fail,
        callback=callback,
        risk=risk,
    )


def failure_message(run: Run, command: str | None = None) -> str:
    """What a refuted run says: each claim in words, its evidence, the replay, the way out.

    command: what repeats the run, where it is not a call of `check_network`.
    """
    lines = []
    for name, outcome in run.refuted.items():
        result = weakest(outcome.results)
        lines += [
            f"{name} is REFUTED" + (f" for {run.settings.network}" if run.settings.network else ""),
            f"  claimed:  {CLAIMS[name].statement}",
            f"  measured: {result.decision.summary}",
            f"  evidence: {evidence_words(outcome)}",
            *([f"  looks like: {run.diagnoses[name]}"] if name in run.diagnoses else []),
            f"  replay:   {command or replay(run, name)}",
            f"  if it is known: expected_refutations={{{name.rpartition('.')[2]!r}: 'the reason'}}",
        ]
    for name in run.stale:
        lines += [
            f"{name} was expected to be refuted for {run.settings.network} ({run.expected[name]}), "
            "but is SUPPORTED: take it out of expected_refutations.",
        ]
    return "\n".join(lines)


def _expected(given: Mapping[str, str] | None, found: Sequence[Applied]) -> dict[str, str]:
    """Reasons by claim, of keys that name claims, or tests of pytest: "network-claim".

    Raises: `UnknownNameError` for what names no claim, `InputError` for claims that are not run.
    """
    run = [item[0].name for item in found if not isinstance(item, NotRun)]
    expected = {}
    for key, reason in (given or {}).items():
        meant = [claim.name for claim in find(key.rpartition("-")[2], CLAIMS)]
        if not set(meant) & set(run):
            words = ", ".join(name.rpartition(".")[2] for name in run)
            raise InputError(
                f"expected_refutations needs claims that are run, got {key!r}; one of {words}."
            )
        expected |= dict.fromkeys(meant, reason)
    return expected


def quiet(run: Run) -> None:
    """A callback that shows nothing."""


def decided(
    found: Sequence[tuple[Claim, Point] | NotRun],
    settings: Settings,
    *,
    on_fail: OnFail,
    expected: Mapping[str, str] | None = None,
    callback: Callable[[Run], None] | None = None,
    risk: Callable[[], RiskEstimates] | None = None,
) -> Run:
    """The run of what was found, in this process, with estimates of a risk at its end."""
    run = suite.run_of(found, settings)
    run = replace(run, expected=expected or {})
    given = Catalogue({item[0].name: item[0] for item in found if not isinstance(item, NotRun)})
    with live.watched(run) if callback is None else nullcontext(callback) as update:
        for run in suite.states(run, catalogue=given):  # noqa: B020
            update(run)
    if risk is not None:
        run = _with_risk(run, risk)
    if run.refuted or run.stale:
        if on_fail == "raise":
            raise RefutedError(failure_message(run))
        if on_fail == "warn":
            warnings.warn(failure_message(run), RefutedWarning, stacklevel=3)
    return run


def _with_risk(run: Run, risk: Callable[[], RiskEstimates]) -> Run:
    """The run with estimates, or a note of what stands against them."""
    if (broken := run.broken_prerequisite) is not None:
        reason = f"{broken.claim} is refuted."
    else:
        try:
            return replace(run, risk=risk())
        except NtvalError as error:
            reason = str(error)
    return replace(run, note=f"{run.note} No estimates of a risk: {reason}".strip())


def applying(
    subject: NetworkSubject | GramSubject, claims: Sequence[str] | None, profile: str
) -> list[Applied]:
    """Claims of these names about a subject, and the prerequisites that they rest on."""
    prerequisites = {name: claim for name, claim in CLAIMS.items() if claim.prerequisite}
    chosen = {**prerequisites, **OURS.chosen(claims)}
    return claims_about(subject, claims=chosen, profile=profile)
