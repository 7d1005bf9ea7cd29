"""Decisions: how a measurement becomes a verdict.

| decision | of | a false refutation is excluded by |
|---|---|---|
| `identity` | two expressions are equal | a rounding allowance |
| `bound` | an inequality holds | a certificate |
| `probable_bound` | an inequality holds with probability at least 1 - delta | an e-value |
| `agreement` | means equal values, or lie within a margin of them | an e-value |
| `limit` | a quantity tends to a value | an e-value, in units of the theorem's remainder |
| `rate` | an error decays like a power | an e-value, of slopes |

Chance refutes correct code with probability at most alpha, whatever the distribution of the draws
and whenever one stops (`e_values`). Every decision that rests on chance draws until it is
decided, or says INCONCLUSIVE at its budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from ntval.evidence import e_values
from ntval.evidence.allowance import Allowance
from ntval.evidence.exact import Bracket as Bracket
from ntval.evidence.exact import Comparison as Comparison
from ntval.evidence.exact import bound as bound
from ntval.evidence.exact import identity as identity
from ntval.evidence.verdict import SEVERITY as SEVERITY
from ntval.evidence.verdict import Decision, Verdict, malformed
from ntval.evidence.verdict import worst as worst

# Draws come in looks that grow by a quarter: at most a quarter of the draws are spent in vain.
_GROWTH = 1.25

# Probability of SUPPORTED where a mean departs by as much as the resolution beyond its margin.
MISS = 1e-3


def _until_decided(
    draw: Callable[[int, int], np.ndarray],
    judge: Callable[[np.ndarray], Verdict | None],
    first: int,
    most: int,
) -> tuple[np.ndarray, Verdict]:
    """All draws and the verdict, at the first look that brings one, at the latest after `most`."""
    values = np.empty((0, 0))
    while True:
        step = first * math.ceil(len(values) * (_GROWTH - 1) / first) or first
        new = np.asarray(draw(len(values), min(step, most - len(values))), dtype=float)
        values = np.concatenate([values, new]) if len(values) else new
        verdict = judge(values)
        if verdict is not None:
            return values, verdict
        if len(values) >= most or not len(new):
            return values, Verdict.INCONCLUSIVE


def agreement(
    draw: Callable[[int, int], Float[np.ndarray, "draws k"]],
    *,
    predicted: Float[np.ndarray, "k"] | float,
    allowance: Allowance,
    alpha: float,
    effort: float,
    miss: float = MISS,
    first: int = 64,
    most: int = 4096,
    kind: str = "agreement",
    labels: Callable[[int, int], str] = lambda i, k: f"statistic {i}",
) -> Decision:
    """Means lie within a remainder of what is predicted, in every one of k statistics.

    `draw(start, count)` gives replicates number start, ..., start + count - 1, one a row, each
    independent of those before; fewer when there are no more. REFUTED when the evidence against
    "all means lie within `allowance.remainder`" reaches 1/alpha; SUPPORTED when the evidence
    against "some mean departs by `remainder + resolution`" reaches 1/miss; INCONCLUSIVE after
    `most` times `effort` draws, or when the allowance is too wide to see anything. `labels(i, k)`
    names one.

    Accuracy: level `alpha` at every number of draws, given the allowance.
    """

    def sides(values: np.ndarray) -> dict[str, np.ndarray]:
        parts = {"target": predicted, "margin": allowance.remainder, "span": allowance.span}
        return {
            n: np.broadcast_to(np.asarray(a, float), values.shape[1:]) for n, a in parts.items()
        }

    def clipped(values: np.ndarray) -> np.ndarray:
        at = sides(values)
        return np.clip(values, at["target"] - at["span"], at["target"] + at["span"])

    def evidence(values: np.ndarray) -> np.ndarray:
        return e_values.log_evidence(clipped(values), **sides(values))

    def blind(values: np.ndarray) -> bool:
        at = sides(values)
        return bool((at["margin"] + allowance.resolution >= at["span"]).any())

    def judge(values: np.ndarray) -> Verdict | None:
        at = sides(values)
        wider = at["margin"] + allowance.resolution
        if not np.isfinite(values).all():
            return Verdict.REFUTED
        if blind(values):
            return Verdict.INCONCLUSIVE
        if _mean_of(evidence(values)) >= -math.log(alpha):
            return Verdict.REFUTED
        if e_values.log_support(clipped(values), **{**at, "margin": wider}) >= -math.log(miss):
            return Verdict.SUPPORTED
        return None

    values, verdict = _until_decided(draw, judge, first, max(first, int(most * effort)))
    if not np.isfinite(values).all():
        label = labels(int((~np.isfinite(values)).any(axis=0).argmax()), values.shape[1])
        return malformed(kind, label, "draws are not finite", alpha, len(values))
    each = evidence(values)
    i = int(each.argmax())
    log_e = _mean_of(each)
    at = {name: float(value[i]) for name, value in sides(values).items()}
    ends = {"low": at["target"] - at["span"], "high": at["target"] + at["span"]}
    column, mean = clipped(values)[:, i], float(values[:, i].mean())
    low, high = e_values.interval(column, alpha=alpha / len(each), **ends)
    missed_low, missed_high = e_values.interval(column, alpha=min(1.0, 2 * miss), **ends)
    low, high = min(low, mean), max(high, mean)  # what lies beyond the span counts for the mean
    return Decision(
        verdict,
        kind,
        ("VACUOUS: the allowance is wider than the draws; " if blind(values) else "")
        + f"{labels(i, len(each))}: {mean:.5g} in [{low:.5g}, {high:.5g}], "
        f"predicted {at['target']:.5g} ± {at['margin']:.2g}, {e_values.text(log_e)}",
        gap=abs(mean - at["target"]),
        allowed=at["margin"],
        smallest_gap=at["margin"] + (high - low + missed_high - missed_low) / 2,
        alpha=alpha,
        miss=miss,
        log_e=log_e,
        draws=len(values),
        details={
            "where": labels(i, len(each)),
            "estimate": mean,
            "standard_error": float(values[:, i].std(ddof=1) / math.sqrt(len(values))),
            "interval": [low, high],
            "predicted": at["target"],
            "remainder": at["margin"],
            "statistics": len(each),
        },
    )


def _mean_of(log_e: np.ndarray) -> float:
    """Log of the mean of e-values: evidence that one of them is false, whichever."""
    return float(np.asarray(logsumexp(log_e))) - math.log(len(log_e))


def rate(draw: Callable, **settings) -> Decision:
    """An error decays like a power: agreement of slopes, one a block of independent draws."""
    return agreement(draw, kind="rate", labels=lambda i, k: "slope", **settings)


def limit(
    draw: Callable[[int, int], Float[np.ndarray, "draws k"]],
    *,
    predicted: float,
    remainders: Sequence[float],
    allowance: Allowance,
    **settings,
) -> Decision:
    """A quantity tends to `predicted`: on a ladder of k rungs, one a column, its mean departs by
    at most `remainders[rung]`.

    Decided in units of the remainder: `allowance` is in that unit, its remainder about 1. A ladder
    whose remainder does not at least halve says nothing of a limit, and is VACUOUS.
    """
    ladder = np.asarray(remainders, dtype=float)
    decision = agreement(
        lambda start, count: (np.asarray(draw(start, count)) - predicted) / ladder,
        predicted=0.0,
        allowance=allowance,
        kind="limit",
        labels=lambda i, k: f"rung {i}, in units of its remainder {ladder[i]:.2g}",
        **settings,
    )
    if decision.verdict is Verdict.SUPPORTED and ladder[-1] > ladder[0] / 2:
        return replace(
            decision,
            verdict=Verdict.INCONCLUSIVE,
            summary=f"VACUOUS: the remainder does not halve on the ladder; {decision.summary}",
        )
    return decision


def probable_bound(
    draw: Callable[[int, int], Float[np.ndarray, "draws 1"]],
    *,
    failure: float,
    alpha: float,
    effort: float,
    resolution: float,
    vacuous: bool = False,
    miss: float = MISS,
    first: int = 64,
    most: int = 1024,
    **_,
) -> Decision:
    """An inequality holds with probability at least 1 - `failure`.

    `draw(start, count)` gives the room left by the inequality on independent keys, negative where
    it is broken, in the quantity's own scale. REFUTED when the evidence against "broken with
    probability at most `failure`" reaches 1/alpha; SUPPORTED when that against "with probability
    `failure + resolution`" reaches 1/miss. `vacuous` says that the bound is known without the
    theorem. `details["tightness"]` is the median room.

    Accuracy: level `alpha` at every number of draws.
    """

    def broken(values: np.ndarray) -> np.ndarray:
        return np.where(values[:, 0] >= 0, 0.0, 1.0)  # nan counts as broken

    def judge(values: np.ndarray) -> Verdict | None:
        x = broken(values)
        if e_values.log_capital(x, failure, 0.0) >= -math.log(alpha):
            return Verdict.REFUTED
        if e_values.log_capital(-x, -failure - resolution, -1.0) >= -math.log(miss):
            return Verdict.INCONCLUSIVE if vacuous else Verdict.SUPPORTED
        return None

    values, verdict = _until_decided(draw, judge, first, max(first, int(most * effort)))
    x = broken(values)
    log_e = float(np.asarray(e_values.log_capital(x, failure, 0.0)))
    low, high = e_values.interval(x, low=0.0, high=1.0, alpha=alpha)
    share = float(x.mean())
    return Decision(
        verdict,
        "probable_bound",
        ("VACUOUS: the bound is known without the theorem; " if vacuous else "")
        + f"broken in {int(x.sum())} of {len(x)}, claimed at most {failure:.2g} "
        f"({e_values.text(log_e)}), median room {float(np.median(values)):.2g}",
        gap=share,
        allowed=failure,
        smallest_gap=high,
        alpha=alpha,
        miss=miss,
        log_e=log_e,
        draws=len(values),
        details={
            "where": "share of keys that break the bound",
            "estimate": share,
            "interval": [low, high],
            "predicted": 0.0,
            "remainder": failure,
            "tightness": float(np.median(values)),
        },
    )
