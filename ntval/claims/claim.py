"""The claim: what a theorem says, where it says so, and how it is tested."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ntval.arrays import float64
from ntval.claims.domain import Domain
from ntval.claims.outcome import Result
from ntval.claims.procedures import Procedure
from ntval.claims.sampling import key_for
from ntval.data.sources import SOURCES, absent_words
from ntval.regimes import Point
from ntval.subjects.subject import NEEDS, Subject


@dataclass(frozen=True)
class Claim:
    """A statement that can be refuted.

    `name`: the paper or module, a dot, and the theorem's word.
    `source`: where it is from, and whether it was read, derived or recalled.
    `statement`: what is claimed, in a sentence.
    `needs`: what a subject needs to have, names of `NEEDS`.
    `points`: by profile, the points at which it is checked.
    `domain`: all points at which it is claimed; those of the profiles belong to it.
    `subject(point)`: builds what is examined.
    `procedure`: how it is tested.
    `faults`: names of the planted faults that it must refute, hardest to catch first.
    `diagnose(key, point, subject)`: says in words what a refuted claim looks like.
    `prerequisite`: (rule, way out); where it is refuted, no other claim has a meaning.
    `every_input`: whether a user's network is examined at all of its inputs.
    """

    name: str
    source: str
    statement: str
    needs: tuple[str, ...]
    points: Mapping[str, tuple[Point, ...]]
    subject: Callable[[Any], Subject]
    procedure: Procedure
    faults: tuple[str, ...] = ()
    diagnose: Callable[..., str | None] | None = None
    prerequisite: tuple[str, str] | None = None
    every_input: bool = False
    domain: Domain | None = None

    @property
    def statistical(self) -> bool:
        """Whether a refutation can be a false alarm: the others rest on certificates."""
        return self.procedure.statistical

    def unmet_need(self, subject: Subject) -> str | None:
        """Why the claim does not apply to `subject`, or None when it does."""
        for need in self.needs:
            holds, reason = NEEDS[need]
            if not holds(subject):
                return reason
        return None

    def missing_files(self) -> str | None:
        """Which real data or weights that the claim is about are not here, and the command that
        gets them; None when there are all."""
        return absent_words(*(need for need in self.needs if need in SOURCES))

    def check(self, seed: int, point: Point, *, alpha: float = 1e-6, effort: float = 1.0) -> Result:
        """The claim's verdict in one point, on the randomness that `seed` gives it.

        `alpha` is the probability that this point alone refutes a true claim. A claim examines
        something else after `dataclasses.replace(claim, subject=...)`.
        """
        start = time.perf_counter()
        with float64():
            key = key_for(self.name, point, seed)
            examination = self.procedure.examine(key, point, self.subject(point))
            decision = self.procedure.decide(examination, alpha=alpha, effort=effort)
        return Result(self.name, point, seed, decision, time.perf_counter() - start)

    def diagnosis(self, seed: int, point: Point) -> str | None:
        """In words what a refuted claim looks like; None when it has none."""
        if self.diagnose is None:
            return None
        with float64():
            return self.diagnose(key_for(self.name, point, seed), point, self.subject(point))
