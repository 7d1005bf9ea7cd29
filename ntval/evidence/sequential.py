"""Decisions that rest on chance: how draws become a verdict.

| decision | of | a false refutation is excluded by |
|---|---|---|
| `means` | means equal values, or lie within a margin of them | an e-value |
| `limit` | a quantity tends to a value along a ladder | an e-value |
| `probable_bound` | an inequality holds with probability at least 1 - delta | an e-value |

Correct code is refuted with probability at most alpha, whatever the distribution of the draws and
whenever one stops (`e_values`). Each decision draws until it is decided, or says INCONCLUSIVE when
its budget is spent.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from ntval.evidence import e_values
from ntval.evidence.allowance import Allowance, Each
from ntval.evidence.verdict import Decision, Verdict, malformed, percent

# Draws come in looks that grow by a quarter, so at most a quarter of the draws are wasted.
_GROWTH = 1.25

_TINY = 1e-300  # in place of a divisor of 0

# Probability of SUPPORTED where a mean departs by as much as the resolution beyond its margin.
MISS = 1e-3

# draw(start, count): replicates number start, ..., start + count - 1, one a row, each independent
# of those before; fewer rows when there are no more.
Draw = Callable[[int, int], Float[np.ndarray, "draws k"]]


@dataclass(frozen=True)
class Sample:
    """Replicates of k statistics, and what theory says of their means.

    `draw`: gives replicates, a statistic a column.
    `labels`: the names of the statistics.
    `predicted`: the means that theory predicts.
    `allowance`: how far the means may depart from them.
    `wrong`: the means of the nearest wrong theory; None where a claim names none.
    `unknown`: why a remainder that is infinite is not known, and the way out.
    """

    draw: Draw
    labels: tuple[str, ...]
    predicted: Each
    allowance: Allowance
    wrong: Each | None = None
    unknown: str = ""

    @functools.cached_property
    def target(self) -> Float[np.ndarray, "k"]:
        """The predicted mean of each statistic."""
        return self._each(self.predicted)

    @functools.cached_property
    def margin(self) -> Float[np.ndarray, "k"]:
        """The remainder of each statistic."""
        return self._each(self.allowance.remainder)

    @functools.cached_property
    def resolution(self) -> Float[np.ndarray, "k"]:
        """The departure beyond the remainder that has to be seen, of each statistic."""
        return self._each(self.allowance.resolution)

    @functools.cached_property
    def span(self) -> Float[np.ndarray, "k"]:
        """The distance from the prediction at which draws of each statistic are clipped."""
        return self._each(self.allowance.span)

    @functools.cached_property
    def distance(self) -> Float[np.ndarray, "k"]:
        """How far the nearest wrong theory lies from the prediction, of each statistic."""
        return self.span if self.wrong is None else np.abs(self._each(self.wrong) - self.target)

    @functools.cached_property
    def size(self) -> Float[np.ndarray, "k"]:
        """What a departure is a share of: the prediction, or where that is 0 the `distance`."""
        return np.where(self.target != 0, np.abs(self.target), self.distance)

    @property
    def blind(self) -> bool:
        """Whether no departure can be seen, or the theorem not be told from the nearest wrong."""
        return bool((self.margin + self.resolution >= self._reach).any())

    @functools.cached_property
    def _reach(self) -> Float[np.ndarray, "k"]:
        return np.minimum(self.distance, self.span)

    def blindness(self) -> str:
        """In words why the allowance shows nothing, and what would help."""
        i = int((self.margin + self.resolution - self._reach).argmax())
        margin, left = self.margin[i], self._reach[i] - self.resolution[i]
        if not np.isfinite(margin):
            return f"VACUOUS: {self.unknown or 'how far the mean may be off is not known here'}"
        words = (
            f"VACUOUS: the remainder of {self.labels[i]}, {margin:.2g}, and what has to be seen, "
            f"{self.resolution[i]:.2g}, reach the nearest wrong theory, {self.distance[i]:.2g} away"
        )
        smaller = f"; a remainder {margin / left:.1f} times smaller is needed" if left > 0 else ""
        return words + smaller

    def at_effort(self, effort: float) -> Sample:
        """The same, of which so much less has to be seen: a departure smaller by the root of
        `effort`, as that many times the draws see. Efforts below 1 have fewer draws alone."""
        finer = self.allowance.resolution / math.sqrt(max(effort, 1.0))
        return replace(self, allowance=replace(self.allowance, resolution=finer))

    def _each(self, value: Each) -> Float[np.ndarray, "k"]:
        return np.broadcast_to(np.asarray(value, dtype=float), (len(self.labels),))

    def clipped(self, values: Float[np.ndarray, "draws k"]) -> Float[np.ndarray, "draws k"]:
        """Draws within `span` of the prediction; further ones are moved to its ends."""
        return np.clip(values, self.target - self.span, self.target + self.span)

    def log_evidence(self, values: Float[np.ndarray, "draws k"]) -> Float[np.ndarray, "k"]:
        """Log evidence against "the mean lies within the remainder", a statistic each."""
        margin = np.minimum(self.margin, self.span)  # a remainder that is not known is infinite
        return e_values.log_evidence(
            self.clipped(values), target=self.target, margin=margin, span=self.span
        )

    def log_support(self, values: Float[np.ndarray, "draws k"]) -> float:
        """Log evidence against "some mean departs by the remainder and the resolution"."""
        wider = self.margin + self.resolution
        return e_values.log_support(
            self.clipped(values), target=self.target, margin=wider, span=self.span
        )


@dataclass(frozen=True)
class Trials:
    """Replicates of the room that an inequality leaves.

    `draw`: gives the room on independent keys, one column, negative where it is broken, in the
    quantity's own scale.
    `vacuous`: the bound is known without the theorem.
    """

    draw: Draw
    vacuous: bool = False


def _until_decided(
    draw: Draw,
    judge: Callable[[Float[np.ndarray, "draws k"]], Verdict | None],
    first: int,
    most: int,
) -> tuple[Float[np.ndarray, "draws k"], Verdict]:
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


def means(
    sample: Sample,
    *,
    alpha: float,
    effort: float = 1.0,
    miss: float = MISS,
    first: int = 64,
    most: int = 4096,
    kind: str = "means",
) -> Decision:
    """Means lie within a remainder of what is predicted, in every one of k statistics.

    `effort`: multiplies the draws, and divides what has to be seen by its root.

    REFUTED when the evidence against "all means lie within the remainder" reaches 1/alpha.
    SUPPORTED when the evidence against "some mean departs by remainder + resolution" reaches
    1/miss. INCONCLUSIVE after `most` times `effort` draws, or when the allowance is too wide to
    see anything.

    Accuracy: level `alpha` at every number of draws, given the allowance.
    """
    sample = sample.at_effort(effort)

    def judge(values: np.ndarray) -> Verdict | None:
        if not np.isfinite(values).all():
            return Verdict.REFUTED
        if e_values.log_mean(sample.log_evidence(values)) >= -math.log(alpha):
            return Verdict.REFUTED
        if sample.blind:
            return Verdict.INCONCLUSIVE
        if sample.log_support(values) >= -math.log(miss):
            return Verdict.SUPPORTED
        return None

    values, verdict = _until_decided(sample.draw, judge, first, max(first, int(most * effort)))
    if not np.isfinite(values).all():
        label = sample.labels[int((~np.isfinite(values)).any(axis=0).argmax())]
        return malformed(kind, label, "draws are not finite", alpha, len(values))
    each = sample.log_evidence(values)
    i = int(each.argmax())
    log_e = float(e_values.log_mean(each))
    low, high, missed = _enclosed(sample, values, i, alpha=alpha, miss=miss)
    mean, target = float(values[:, i].mean()), float(sample.target[i])
    margin = float(sample.margin[i])
    smallest = margin + (high - low + missed) / 2
    off, seen, where = _worth(sample, values, alpha=alpha, miss=miss)
    if verdict is Verdict.SUPPORTED:
        words = f"within {percent(off)}; would see a fault of {percent(seen)} ({where})"
    else:
        words = _measured(sample.labels[i], mean, low, high, target, margin)
        words += f", {e_values.text(log_e)}"
    if verdict is Verdict.INCONCLUSIVE:
        words = f"{sample.blindness()}; {words}" if sample.blind else words + _more(sample, values)
    return Decision(
        verdict,
        kind,
        words,
        gap=abs(mean - target),
        allowed=margin,
        smallest_gap=smallest,
        alpha=alpha,
        miss=miss,
        log_e=log_e,
        draws=len(values),
        details={
            "where": sample.labels[i],
            "estimate": mean,
            "standard_error": float(values[:, i].std(ddof=1) / math.sqrt(len(values))),
            "interval": [low, high],
            "predicted": target,
            "remainder": margin,
            "would_see": seen,
            "statistics": len(each),
        },
    )


def _measured(
    label: str, mean: float, low: float, high: float, target: float, margin: float
) -> str:
    if target == 0:  # that of a difference: the number is no entry of a kernel
        # What it looks like has a better estimate of its size: one size a refutation.
        return (
            f"departure of {label}, measured less claimed: from {low:.3g} to {high:.3g}, "
            f"allowed ± {margin:.2g}"
        )
    return f"{label}: {mean:.5g} in [{low:.5g}, {high:.5g}], predicted {target:.5g} ± {margin:.2g}"


def _enclosed(
    sample: Sample, values: Float[np.ndarray, "draws k"], i: int, *, alpha: float, miss: float
) -> tuple[float, float, float]:
    """The confidence interval of mean i at `alpha`, and the length of that at `miss`."""
    span, target = float(sample.span[i]), float(sample.target[i])
    column, mean = sample.clipped(values)[:, i], float(values[:, i].mean())
    ends = {"low": target - span, "high": target + span}
    low, high = e_values.interval(column, alpha=alpha / len(sample.labels), **ends)
    missed_low, missed_high = e_values.interval(column, alpha=min(1.0, 2 * miss), **ends)
    # What lies beyond the span counts for the mean.
    return min(low, mean), max(high, mean), missed_high - missed_low


def _worth(
    sample: Sample,
    values: Float[np.ndarray, "draws k"],
    *,
    alpha: float,
    miss: float,
) -> tuple[float, float, str]:
    """What SUPPORTED is worth, of the statistic that is known worst: how far off it
    can be, and how small a departure would have been seen, in units of its `size`; and which."""
    room = sample.margin + 6 * values.std(axis=0) / math.sqrt(len(values))
    i = int((room / np.maximum(sample.size, _TINY)).argmax())
    low, high, missed = _enclosed(sample, values, i, alpha=alpha, miss=miss)
    target, size = float(sample.target[i]), max(float(sample.size[i]), _TINY)
    off = max(abs(low - target), abs(high - target)) / size
    seen = (float(sample.margin[i]) + (high - low + missed) / 2) / size
    return off, seen, sample.labels[i]


def _more(sample: Sample, values: Float[np.ndarray, "draws k"]) -> str:
    """About how many draws would decide: those that bring the standard error of every mean to an
    eighth of what is left of its resolution."""
    left = sample.margin + sample.resolution - np.abs(values.mean(axis=0) - sample.target)
    if (left <= 0).any():
        return "; more draws would tell whether the departure is real"
    needed = float((8 * values.std(axis=0) / left).max()) ** 2
    return f"; about {max(needed, len(values) + 1):.1g} draws would decide"


def probable_bound(
    trials: Trials,
    *,
    failure: float,
    resolution: float,
    alpha: float,
    effort: float = 1.0,
    miss: float = MISS,
    first: int = 64,
    most: int = 1024,
) -> Decision:
    """An inequality holds with probability at least 1 - `failure`.

    REFUTED when the evidence against "broken with probability at most `failure`" reaches 1/alpha;
    SUPPORTED when that against "with probability `failure + resolution`" reaches 1/miss.
    `details["tightness"]` is the median room.

    Accuracy: level `alpha` at every number of draws.
    """

    def broken(values: Float[np.ndarray, "draws 1"]) -> Float[np.ndarray, "draws"]:
        kept: Bool[np.ndarray, "draws"] = values[:, 0] >= 0  # nan counts as broken
        return np.where(kept, 0.0, 1.0)

    def judge(values: np.ndarray) -> Verdict | None:
        x = broken(values)
        if e_values.log_capital(x, failure, 0.0) >= -math.log(alpha):
            return Verdict.REFUTED
        if e_values.log_capital(-x, -failure - resolution, -1.0) >= -math.log(miss):
            return Verdict.INCONCLUSIVE if trials.vacuous else Verdict.SUPPORTED
        return None

    values, verdict = _until_decided(trials.draw, judge, first, max(first, int(most * effort)))
    x = broken(values)
    log_e = float(np.asarray(e_values.log_capital(x, failure, 0.0)))
    low, high = e_values.interval(x, low=0.0, high=1.0, alpha=alpha)
    share = float(x.mean())
    return Decision(
        verdict,
        "probable_bound",
        ("VACUOUS: the bound is known without the theorem; " if trials.vacuous else "")
        + f"broken in {int(x.sum())} of {len(x)} draws, claimed of {percent(failure)} at most; "
        + (
            f"would see {percent(high)}"
            if verdict is Verdict.SUPPORTED
            else f"{e_values.text(log_e)}, median room {float(np.median(values)):.2g}"
        ),
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
