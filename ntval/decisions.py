"""Decisions: how a measurement becomes a verdict.

Each decision is a plain function that returns a `Decision`. `identity` and `bound` are
deterministic: rounding allowances and certificates, no probability. `agreement` and `rate` rest
on Student's t for means of independent replicates, looked at a planned number of times with the
error split over looks and statistics: their level is asymptotic, in the number of replicates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import scipy.stats
from jaxtyping import Float


class Verdict(StrEnum):
    """What a check says of a claim."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"


# From worst to best: a claim's verdict over several regimes is the first of these found.
SEVERITY = (Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.SUPPORTED)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that decides over several regimes."""
    return min(verdicts, key=SEVERITY.index)


@dataclass(frozen=True)
class Decision:
    """A verdict with what it rests on.

    `kind` names the decision; `summary` is one line for people; `gap` is the largest departure
    seen and `allowed` what was allowed to it, in the statistic's own unit; `smallest_gap` is the
    smallest departure that this many draws would have refuted; `alpha` is the probability of a
    false refutation (0 when no chance is involved); `details` are JSON values.
    """

    verdict: Verdict
    kind: str
    summary: str
    gap: float
    allowed: float
    smallest_gap: float
    alpha: float = 0.0
    draws: int = 1
    details: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Two expressions of one quantity, and how far rounding alone can part them.

    `left`, `right` are arrays of one shape, `allowance` broadcasts against them; `scale` is the
    quantity's own size, so that an allowance as large as the quantity is seen to say nothing.
    """

    label: str
    left: Float[np.ndarray, "..."]
    right: Float[np.ndarray, "..."]
    allowance: Float[np.ndarray, "..."]
    scale: Float[np.ndarray, "..."]


def identity(comparisons: Sequence[Comparison], **_) -> Decision:
    """Two expressions are equal up to rounding: refuted when any entry departs by more.

    An allowance that reaches the quantity's own size is vacuous, and INCONCLUSIVE.
    """
    worst_ratio, worst_gap, worst_allowance, place, blind = -1.0, 0.0, 0.0, "", 0.0
    for comparison in comparisons:
        left, right = np.asarray(comparison.left), np.asarray(comparison.right)
        if left.shape != right.shape:
            return _refuted_shape(comparison.label, left.shape, right.shape)
        allowance, scale = (
            np.broadcast_to(np.asarray(a, dtype=float), left.shape)
            for a in (comparison.allowance, comparison.scale)
        )
        gap = np.abs(left - right)
        ratio = np.where(gap <= allowance, gap / np.maximum(allowance, 1e-300), np.inf)
        over = gap > allowance
        ratio[over] = gap[over] / np.maximum(allowance[over], 1e-300)
        ratio[~np.isfinite(gap)] = np.inf
        blind = max(blind, float((allowance / np.maximum(scale, 1e-300)).max(initial=0.0)))
        index = np.unravel_index(int(ratio.argmax()), ratio.shape) if ratio.size else ()
        if ratio.size and float(ratio[index]) > worst_ratio:
            worst_ratio, worst_gap = float(ratio[index]), float(gap[index])
            worst_allowance = float(allowance[index])
            place = f"{comparison.label} at {[int(i) for i in index]}"
    if worst_ratio > 1 or math.isnan(worst_ratio):
        verdict = Verdict.REFUTED
    elif blind >= 1:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.SUPPORTED
    vacuous = "VACUOUS: the allowance is as large as the quantity; " if blind >= 1 else ""
    return Decision(
        verdict,
        "identity",
        f"{vacuous}largest gap {worst_gap:.2g}, rounding allows {worst_allowance:.2g} ({place})",
        gap=worst_gap,
        allowed=worst_allowance,
        smallest_gap=blind,
        details={"where": place, "comparisons": [c.label for c in comparisons]},
    )


def _refuted_shape(label: str, left: tuple, right: tuple) -> Decision:
    return Decision(
        Verdict.REFUTED,
        "identity",
        f"{label}: shapes {left} and {right} differ",
        gap=math.inf,
        allowed=0.0,
        smallest_gap=0.0,
        details={"where": label},
    )


@dataclass(frozen=True)
class Bracket:
    """A quantity enclosed from both sides, and the bound it is claimed to respect from above."""

    label: str
    lower: float
    upper: float
    bound: float
    scale: float


def bound(brackets: Sequence[Bracket], **_) -> Decision:
    """An inequality `quantity >= bound`, decided by certificates from both sides.

    SUPPORTED when the certified lower end respects the bound, REFUTED when the certified upper
    end breaks it, INCONCLUSIVE between. `details["tightness"]` is the room left, in the
    quantity's own scale.
    """
    tightest = min(brackets, key=lambda b: (b.upper - b.bound) / max(b.scale, 1e-300))
    if any(b.upper < b.bound or math.isnan(b.upper) for b in brackets):
        verdict = Verdict.REFUTED
    elif all(b.lower >= b.bound for b in brackets):
        verdict = Verdict.SUPPORTED
    else:
        verdict = Verdict.INCONCLUSIVE
    if verdict is Verdict.REFUTED:
        tightest = min(brackets, key=lambda b: (b.upper - b.bound) / max(b.scale, 1e-300))
    return Decision(
        verdict,
        "bound",
        f"{tightest.label} in [{tightest.lower:.3g}, {tightest.upper:.3g}], "
        f"claimed >= {tightest.bound:.2g}",
        gap=max(0.0, tightest.bound - tightest.upper),
        allowed=0.0,
        smallest_gap=max(b.upper - b.lower for b in brackets),
        details={
            "where": tightest.label,
            "tightness": (tightest.upper - tightest.bound) / max(tightest.scale, 1e-300),
        },
    )


def agreement(
    draw: Callable[[int, int], Float[np.ndarray, "draws k"]],
    *,
    predicted: Float[np.ndarray, "k"],
    remainder: Float[np.ndarray, "k"],
    alpha: float,
    effort: float,
    resolution: float | Sequence[float] = 0.0,
    first: int = 64,
    most: int = 4096,
    kind: str = "agreement",
    labels: Sequence[str] = (),
) -> Decision:
    """Means lie within `remainder` of `predicted`, in every one of k statistics.

    `draw(start, count)` gives replicates number start, ..., start + count - 1, one a row.
    Draws come in looks that double from `first` to `most` times `effort`. REFUTED when an
    interval lies outside `predicted +- remainder`; SUPPORTED when every interval lies inside
    `predicted +- (remainder + resolution)`; else it draws on, and at the budget says
    INCONCLUSIVE. `resolution` is what the check promises to see, not a tolerance: it never keeps
    a departure from being refuted, it only says when to stop.

    Accuracy: level `alpha` asymptotically in the number of draws (Student's t, Bonferroni over
    looks and statistics).
    """
    budget = max(first, int(most * effort))
    looks = 1 + max(0, math.ceil(math.log2(budget / first)))
    values = np.empty((0, 0))
    while True:
        wanted = min(budget, 2 * len(values) if len(values) else first)
        new = np.asarray(draw(len(values), wanted - len(values)), dtype=float)
        values = np.concatenate([values, new]) if len(values) else new
        draws, k = values.shape
        target, margin, resolved = (
            np.broadcast_to(np.asarray(a, dtype=float), (k,))
            for a in (predicted, remainder, resolution)
        )
        mean = values.mean(axis=0)
        error = values.std(axis=0, ddof=1) / math.sqrt(draws)
        half = scipy.stats.t.isf(alpha / (2 * looks * k), draws - 1) * error
        # A statistic without spread still carries the rounding of its mean.
        half = half + np.finfo(float).eps * np.abs(values).max(axis=0)
        gap = np.abs(mean - target)
        finite = np.isfinite(values).all()
        if not finite or (gap - half > margin).any():
            verdict = Verdict.REFUTED
            break
        if (gap + half <= margin + resolved).all():
            verdict = Verdict.SUPPORTED
            break
        if draws >= budget:
            verdict = Verdict.INCONCLUSIVE
            break
    excess = (gap - margin) / np.maximum(half, 1e-300)
    i = int(np.nanargmax(excess)) if np.isfinite(excess).any() else 0
    label = labels[i] if labels else f"statistic {i}"
    return Decision(
        verdict,
        kind,
        f"{label}: {mean[i]:.5g} ± {half[i]:.2g}, predicted {target[i]:.5g} ± {margin[i]:.2g}"
        + ("" if finite else "; draws are not finite"),
        gap=float(gap[i]),
        allowed=float(margin[i]),
        smallest_gap=float((margin + 2 * half)[i]),
        alpha=alpha,
        draws=draws,
        details={
            "where": label,
            "estimate": float(mean[i]),
            "standard_error": float(error[i]),
            "interval": [float(mean[i] - half[i]), float(mean[i] + half[i])],
            "predicted": float(target[i]),
            "remainder": float(margin[i]),
            "statistics": k,
        },
    )


def rate(draw: Callable, **settings) -> Decision:
    """An error decays like a power: agreement of slopes, one a block of independent draws."""
    return agreement(draw, kind="rate", labels=("slope",), **settings)
