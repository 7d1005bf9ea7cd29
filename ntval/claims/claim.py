"""The claim: what a theorem says, where, how it is measured and decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Array

from ntval.arrays import float64
from ntval.claims.outcome import Result
from ntval.claims.sampling import key_for
from ntval.evidence.allowance import Allowance
from ntval.evidence.verdict import Decision
from ntval.regimes import Regime
from ntval.subjects.subject import NEEDS, Subject


@dataclass(frozen=True)
class Claim:
    """A statement that can be refuted.

    `regimes` maps a profile to regimes; `subject` builds what is examined in a regime;
    `predict(regime)` is the paper's number and `allowance(key, regime, subject)` how far theory
    lets the mean depart; `measure(key, regime, subject)` gives what `decide` takes (comparisons,
    brackets, or a function that draws replicates). Both have the same key: where all draws have
    the same inputs, an allowance speaks of these, by a pilot of its own (`PILOT`). `faults` names
    the planted faults that must be refuted. `formula` names the function of `theory` where it is
    not the claim's own word.
    `space` are all the regimes that Hypothesis may draw from, those of the profile standard when
    there are none. `weight` is the claim's part in the split of alpha, when chance decides.
    `every_input` says that a network of the user's is examined at all of its inputs.
    `diagnose(key, regime, subject)` says in words what a refuted claim looks like.
    `by_chance` says that chance decides though weights may be fixed.
    `prerequisite`, a rule and a way out, says that a network that breaks it is unusable input.
    """

    name: str
    source: str
    statement: str
    needs: tuple[str, ...]
    regimes: Mapping[str, tuple[Regime, ...]]
    subject: Callable[[Regime], Subject]
    measure: Callable
    decide: Callable[..., Decision]
    predict: Callable[[Regime], object] = lambda regime: 0.0
    allowance: Callable[[Array, Regime, Subject], Allowance | None] = lambda key, regime, it: None
    faults: tuple[str, ...] = ()
    formula: str = ""
    space: tuple[Regime, ...] = ()
    weight: float = 1.0
    prerequisite: tuple[str, str] | None = None
    every_input: bool = False
    diagnose: Callable[[Array, Regime, Subject], str | None] | None = None
    by_chance: bool = False

    @property
    def random(self) -> bool:
        """Whether a refutation can be a false alarm: the others rest on certificates."""
        return self.by_chance or "random weights" in self.needs

    def unmet_need(self, subject: Subject) -> str | None:
        """Why the claim does not apply to `subject`, or None when it does."""
        for need in self.needs:
            holds, reason = NEEDS[need]
            if not holds(subject):
                return reason
        return None

    def check(
        self,
        seed: int,
        regime: Regime,
        *,
        alpha: float = 1e-6,
        effort: float = 1.0,
    ) -> Result:
        """The claim's verdict in one regime, on the randomness that `seed` gives it.

        `alpha` is the probability that this regime alone refutes a true claim. A claim examines
        something else after `dataclasses.replace(claim, subject=...)`.
        """
        start = time.perf_counter()
        with float64():
            subject = self.subject(regime)
            key = key_for(self.name, regime, seed)
            decision = self.decide(
                self.measure(key, regime, subject),
                predicted=self.predict(regime),
                allowance=self.allowance(key, regime, subject),
                alpha=alpha,
                effort=effort,
            )
        return Result(self.name, regime, seed, decision, time.perf_counter() - start)

    def diagnosis(self, seed: int, regime: Regime) -> str | None:
        """In words what a refuted claim looks like; None when it has none."""
        if self.diagnose is None:
            return None
        with float64():
            return self.diagnose(key_for(self.name, regime, seed), regime, self.subject(regime))
