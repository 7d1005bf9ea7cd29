"""What is worse than in a baseline, and how sure that is.

| kind | what | false alarms |
|---|---|---|
| drift | a mean has moved | an e-value of two samples, `two_samples.log_evidence` |
| lost power | more goes unseen, by a factor `GROWTH` on every key | `two_samples.growth_evidence` |
| lost power | what was SUPPORTED is INCONCLUSIVE, four times in four | not controlled |
| refuted | what was not | the claim's own e-value, or a certificate |
| gone | it is no longer measured | there are none |
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ntval.baselines.entries import Entry
from ntval.baselines.statistics import SUSPICION
from ntval.claims.budget import CONFIRMATIONS
from ntval.claims.outcome import Outcome, Result
from ntval.evidence import e_values, two_samples
from ntval.evidence.verdict import SEVERITY, Verdict
from ntval.regimes import Point

# Growth of what goes unseen that counts: `ntval power` tells sizes of faults no better apart.
GROWTH = 1.25


@dataclass(frozen=True)
class Finding:
    """Something that is worse than in the baseline: `before` and `now`, and what speaks for it."""

    kind: str
    name: str
    point: Point
    what: str
    before: str
    now: str
    evidence: str

    def __str__(self) -> str:
        """One line of a baseline's history."""
        return f"{self.kind}: {self.name}, {self.what}, {self.before} -> {self.now}"


@dataclass(frozen=True)
class Pair:
    """An entry of a baseline, and the same measured anew: once, and again if it was suspected.

    `level` is the probability of each of the findings that chance can feign.
    """

    frozen: Entry
    looks: tuple[Entry, ...]
    level: float

    @functools.cached_property
    def drift(self) -> tuple[float, ...]:
        """Log evidence, a statistic each, that its mean has moved."""
        samples = [look.statistics for look in self.looks if look.statistics]
        if not samples or len(samples[0]) != len(self.frozen.statistics):
            return ()
        return tuple(
            two_samples.log_evidence(
                np.array(frozen.counts), np.sum([found[i].counts for found in samples], axis=0)
            )
            for i, frozen in enumerate(self.frozen.statistics)
        )

    @functools.cached_property
    def growth(self) -> dict[str, float]:
        """Log evidence that more goes unseen, by name."""
        return {
            name: two_samples.growth_evidence(
                np.array(before), np.array(self.limits(name)), factor=GROWTH
            )
            for name, before in self.frozen.detection_limits.items()
        }

    def limits(self, name: str) -> list[float]:
        """What goes unseen now, a key each."""
        return [value for look in self.looks for value in look.detection_limits.get(name, ())]

    @property
    def outcome(self) -> Outcome:
        """The claim's outcome over the looks."""
        first, *again = (
            (Result(look.name, look.point, 0, look.decision, 0.0),) for look in self.looks
        )
        return Outcome(self.frozen.name, first, 1, self.level, tuple(again))

    @property
    def moved(self) -> bool:
        """Whether the first look speaks of a drift."""
        return mean_of(self.drift) >= SUSPICION

    @property
    def grown(self) -> bool:
        """Whether the first look speaks of lost power."""
        return mean_of(list(self.growth.values())) > 0

    @property
    def suspected(self) -> bool:
        """Whether the first look has to be repeated."""
        before, now = (entry.decision.verdict for entry in (self.frozen, self.looks[0]))
        return self.moved or self.grown or SEVERITY.index(now) < SEVERITY.index(before)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is worse."""
        found = (*self._drifts(), *self._losses(), *self._verdicts())
        return tuple(Finding(f[0], self.frozen.name, self.frozen.point, *f[1:]) for f in found)

    def _drifts(self) -> Iterator[tuple[str, ...]]:
        before, now = self.frozen.statistics, self.looks[0].statistics
        if len(before) != len(now):
            yield "gone", "statistics", str(len(before)), str(len(now)), "not the same ones"
        elif before and (log_e := mean_of(self.drift)) >= -math.log(self.level):
            i = max(range(len(before)), key=lambda i: self.drift[i])
            values = (f"{s.estimate:.5g} ± {s.standard_error:.2g}" for s in (before[i], now[i]))
            confirmed = sum(
                mean_of(replace(self, looks=(look,)).drift) >= SUSPICION for look in self.looks[1:]
            )
            yield "drift", before[i].label, *values, _confirmed(log_e, confirmed)

    def _losses(self) -> Iterator[tuple[str, ...]]:
        gone = [
            name
            for name in self.frozen.detection_limits
            if name not in self.looks[0].detection_limits
        ]
        if gone:
            yield "lost power", gone[0], "examined", "not examined", "not there on any key"
        elif self.growth and (log_e := mean_of(list(self.growth.values()))) >= -math.log(
            self.level
        ):
            name = max(self.growth, key=lambda name: self.growth[name])
            most, least = max(self.frozen.detection_limits[name]), min(self.limits(name))
            keys = f"{e_values.text(log_e)} on {len(self.limits(name))} fresh keys"
            yield "lost power", name, f"at most {most:.2g}", f"at least {least:.2g}", keys

    def _verdicts(self) -> Iterator[tuple[str, ...]]:
        before, now = self.frozen.decision.verdict, self.outcome.verdict
        decision, times = self.looks[0].decision, len(self.looks)
        if now is Verdict.REFUTED is not before:
            outcome = self.outcome
            words = _confirmed(outcome.log_e, outcome.confirmed)
            words = "by a certificate" if outcome.certain else words
            yield "refuted", decision.summary, before.value, now.value, words
        elif before is Verdict.SUPPORTED and all(
            look.decision.verdict is not before for look in self.looks
        ):
            yield "lost power", decision.summary, before.value, now.value, f"{times}/{times} times"


def mean_of(log_e: Sequence[float]) -> float:
    """Log of the mean of e-values; that of none is evidence of nothing."""
    return float(e_values.log_mean(np.array(log_e))) if len(log_e) else 0.0


def _confirmed(log_e: float, times: int) -> str:
    return f"{e_values.text(log_e)}, confirmed {times}/{CONFIRMATIONS} on fresh keys"
