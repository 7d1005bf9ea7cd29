"""Decisions without chance: identities within rounding, bounds by certificates from both sides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ntval.evidence.verdict import Decision, Verdict, malformed, percent

_TINY = 1e-300  # in place of a divisor of 0


@dataclass(frozen=True)
class Comparison:
    """Two expressions of one quantity, and how far rounding alone can part them.

    `left`, `right` are arrays of one shape, `allowance` broadcasts against them; `scale` is the
    quantity's own size, so that an allowance as large as the quantity is seen to be vacuous.
    """

    label: str
    left: Float[np.ndarray, "..."]
    right: Float[np.ndarray, "..."]
    allowance: Float[np.ndarray, "..."]
    scale: Float[np.ndarray, "..."]


def identity(comparisons: Sequence[Comparison]) -> Decision:
    """Two expressions are equal up to rounding: refuted when any entry departs by more.

    An allowance that reaches the quantity's own size, or is not a number, is vacuous, and so are
    comparisons without an entry, or of quantities that are all 0: INCONCLUSIVE.
    """
    worst_ratio, worst_gap, worst_allowance, place, blind = -1.0, 0.0, 0.0, "", 0.0
    apart, largest = 0.0, 0.0  # the largest gap in units of the quantity, the largest quantity
    for comparison in comparisons:
        left, right = np.asarray(comparison.left), np.asarray(comparison.right)
        if left.shape != right.shape:
            words = f"shapes {left.shape} and {right.shape} differ"
            return malformed("identity", comparison.label, words)
        allowance, scale = (
            np.broadcast_to(np.asarray(a, dtype=float), left.shape)
            for a in (comparison.allowance, comparison.scale)
        )
        allowance = np.where(np.isnan(allowance), np.inf, allowance)
        # A gap where nothing is allowed, and values that are no finite numbers.
        with np.errstate(over="ignore", invalid="ignore"):
            gap = np.abs(left - right)
            ratio = np.asarray(gap / np.maximum(allowance, _TINY))
        ratio[~np.isfinite(gap)] = np.inf
        size = np.maximum(np.where(np.isnan(scale), 0.0, scale), _TINY)
        blind = max(blind, float((allowance / size).max(initial=0.0)))
        apart = max(apart, float((gap / size).max(initial=0.0)))
        sizes = (size, np.abs(left), np.abs(right))
        largest = max(largest, *(float(np.nan_to_num(part).max(initial=0.0)) for part in sizes))
        index = np.unravel_index(int(ratio.argmax()), ratio.shape) if ratio.size else ()
        if ratio.size and float(ratio[index]) > worst_ratio:
            worst_ratio, worst_gap = float(ratio[index]), float(gap[index])
            worst_allowance = float(allowance[index])
            place = f"{comparison.label} at {[int(i) for i in index]}"
    vacuous = ""
    if not place:
        vacuous = "VACUOUS: nothing was compared; "
    elif largest <= _TINY:
        vacuous = "VACUOUS: 0 was compared with 0, and nothing else; "
    elif blind >= 1:
        vacuous = "VACUOUS: the allowance is as large as the quantity; "
    verdict = Verdict.INCONCLUSIVE if vacuous else Verdict.SUPPORTED
    if worst_ratio > 1:
        verdict, vacuous = Verdict.REFUTED, ""
    if not math.isfinite(worst_gap):
        words = f"a value that is no finite number ({place})"
    elif verdict is Verdict.SUPPORTED:
        within = f"equal within {percent(apart)}" if apart else "equal"
        seen = percent(blind) if blind else "any difference"
        words = f"{within}; would see {seen} ({place})"
    else:
        words = (
            f"{vacuous}largest gap {worst_gap:.2g}, rounding allows {worst_allowance:.2g} ({place})"
        )
    return Decision(
        verdict,
        "identity",
        words,
        gap=worst_gap,
        allowed=worst_allowance,
        smallest_gap=blind,
        log_e=_certain(verdict),
        details={
            "where": place,
            "would_see": blind,
            "comparisons": [c.label for c in comparisons],
        },
    )


def _certain(verdict: Verdict) -> float:
    """Log evidence of a decision without chance: all or nothing."""
    return math.inf if verdict is Verdict.REFUTED else 0.0


@dataclass(frozen=True)
class Bracket:
    """A quantity enclosed from both sides, and the lower bound claimed for it.

    `trivial` is a bound known without the theorem: a claimed bound at or below it is vacuous.
    `note` says in words what the quantity looks like.
    """

    label: str
    lower: float
    upper: float
    bound: float
    scale: float
    trivial: float = -math.inf
    note: str = ""


def bound(brackets: Sequence[Bracket]) -> Decision:
    """An inequality `quantity >= bound`, decided by certificates from both sides.

    SUPPORTED when the certified lower end respects the bound, REFUTED when the certified upper
    end breaks it, INCONCLUSIVE between, or when the bound is vacuous. `details["tightness"]` is
    the room left, in the quantity's own scale.
    """
    tightest = min(brackets, key=lambda b: (b.upper - b.bound) / max(b.scale, _TINY))
    vacuous = ""
    if any(b.bound <= b.trivial for b in brackets):
        vacuous = "VACUOUS: the bound is known without the theorem; "
    elif all(b.scale <= _TINY for b in brackets):
        vacuous = "VACUOUS: it is of a quantity that is 0; "
    if any(b.upper < b.bound or math.isnan(b.upper) for b in brackets):
        verdict = Verdict.REFUTED
    elif all(b.lower >= b.bound for b in brackets) and not vacuous:
        verdict = Verdict.SUPPORTED
    else:
        verdict = Verdict.INCONCLUSIVE
    return Decision(
        verdict,
        "bound",
        f"{vacuous}{tightest.label} in [{tightest.lower:.3g}, {tightest.upper:.3g}], "
        f"claimed >= {tightest.bound:.2g}" + (f"; {tightest.note}" if tightest.note else ""),
        gap=max(0.0, tightest.bound - tightest.upper),
        allowed=0.0,
        smallest_gap=max(b.upper - b.lower for b in brackets),
        log_e=_certain(verdict),
        details={
            "where": tightest.label,
            "notes": [f"{b.label}: {b.note}" for b in brackets if b.note],
            "would_see": max((b.upper - b.lower) / max(b.scale, _TINY) for b in brackets),
            "tightness": (tightest.upper - tightest.bound) / max(tightest.scale, _TINY),
        },
    )
