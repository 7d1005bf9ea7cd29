"""One budget: the probability that a correct suite turns red, over claims and their regimes.

`shares` splits alpha over claims. Within a claim no alpha is divided: the evidence of its regimes
is combined into one e-value (`e_values.combined`), and a refutation is repeated on fresh keys,
whose evidence multiplies. With p-values such repetition would destroy the level; a capital may be
staked again as often as one likes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ntval import e_values
from ntval.claims.claim import Claim, Result
from ntval.decisions import Verdict, worst

CONFIRMATIONS = 3


def shares(claims: Sequence[Claim], alpha: float) -> dict[str, float]:
    """The part of `alpha` that each claim may spend, by its weight; 0 where chance has no part."""
    weights = {claim.name: claim.weight if claim.random else 0.0 for claim in claims}
    total = sum(weights.values()) or 1.0
    return {name: alpha * weight / total for name, weight in weights.items()}


def regime_alpha(share: float, planned: int) -> float:
    """The level at which one of `planned` regimes refutes its claim alone.

    At 2 planned / share its part of the mean in `e_values.combined` reaches 1 / share by itself.
    """
    return share if planned == 1 else share / (2 * planned)


def share_of(alpha: float, planned: int) -> float:
    """A claim's share, from the level of one of its `planned` regimes: undoes `regime_alpha`."""
    return alpha if planned == 1 else alpha * 2 * planned


def fresh_seed(seed: int, repetition: int) -> int:
    """Seed of a repetition of a run on fresh keys: a hash, so that no run meets another's."""
    digest = hashlib.sha256(f"repetition {repetition} of {seed}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


@dataclass(frozen=True)
class Outcome:
    """A claim's verdict over its regimes.

    `share` is the claim's part of alpha, `planned` the number of regimes fixed beforehand;
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
