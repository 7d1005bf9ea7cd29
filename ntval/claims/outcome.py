"""What came of a claim: a result a point, an outcome over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ntval.errors import RefutedError
from ntval.evidence import e_values
from ntval.evidence.verdict import Decision, Verdict, finite, worst
from ntval.regimes import Point


@dataclass(frozen=True)
class Result:
    """A claim's decision in one point; `record` is one JSON line."""

    claim: str
    point: Point
    seed: int
    decision: Decision
    seconds: float

    def record(self) -> dict:
        """The result as JSON-ready values (schema: README, "Machine-readable output")."""
        decision = self.decision
        return {
            "claim": self.claim,
            "verdict": decision.verdict.value,
            "point": self.point.as_dict(),
            "seed": self.seed,
            "evidence": {
                "kind": decision.kind,
                "summary": decision.summary,
                "gap": finite(decision.gap),
                "allowed": finite(decision.allowed),
                "smallest_gap": finite(decision.smallest_gap),
                "alpha": decision.alpha,
                "miss": decision.miss,
                "log_e": finite(decision.log_e),
                "draws": decision.draws,
                "details": {name: finite(value) for name, value in decision.details.items()},
            },
            "seconds": round(self.seconds, 3),
        }

    def raise_if_refuted(self) -> None:
        """Raise `RefutedError` when the claim was refuted; the only place that does."""
        if self.decision.verdict is Verdict.REFUTED:
            raise RefutedError(
                f"{self.claim} is REFUTED at {self.point}: {self.decision.summary}. "
                f"Replay: ntval check {self.claim} --seed {self.seed}"
            )


@dataclass(frozen=True)
class Outcome:
    """A claim's verdict over its points.

    `share` is the claim's part of alpha, `planned` the number of points fixed beforehand;
    `repetitions` are the results of each repetition on fresh keys, of a refuted claim.
    """

    claim: str
    results: tuple[Result, ...]
    planned: int
    share: float
    repetitions: tuple[tuple[Result, ...], ...] = ()

    @property
    def log_e(self) -> float:
        """Log evidence against the claim, repetitions included."""
        first = self._combined(self.results, self.planned)
        return first + sum(self._combined(again, len(again)) for again in self.repetitions)

    @staticmethod
    def _combined(results: Sequence[Result], planned: int) -> float:
        return e_values.combined([result.decision.log_e for result in results], planned)

    @property
    def certain(self) -> bool:
        """Whether a refutation rests on a certificate: no repetition can undo it."""
        return any(math.isinf(result.decision.log_e) for result in self.results)

    @property
    def suspected(self) -> bool:
        """Whether the claim was refuted before any repetition."""
        first = self._combined(self.results, self.planned)
        return first > 0 and (self.share == 0 or first >= -math.log(self.share))

    @property
    def confirmed(self) -> int:
        """Number of repetitions that speak against the claim as well."""
        return sum(self._combined(again, len(again)) > math.log(20) for again in self.repetitions)

    @property
    def verdict(self) -> Verdict:
        """REFUTED when the evidence reaches 1/share, and stays there through the repetitions."""
        if self.certain or (self.suspected and self.log_e >= -math.log(self.share)):
            return Verdict.REFUTED
        if self.suspected:
            return Verdict.INCONCLUSIVE
        verdicts = [result.decision.verdict for result in self.results]
        return worst(verdicts) if verdicts else Verdict.INCONCLUSIVE

    def suspects(self) -> tuple[Result, ...]:
        """Results to repeat: those that refute by themselves, or all when only together."""
        alone = tuple(r for r in self.results if r.decision.verdict is Verdict.REFUTED)
        return alone or self.results
