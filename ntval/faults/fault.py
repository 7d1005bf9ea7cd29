"""The record of a planted fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ntval.claims.claim import Claim

Site = Literal[
    "empirical kernel",
    "analytic kernel",
    "forward pass",
    "weights",
    "inputs",
    "Gram matrix",
    "prediction",
    "measurement",
]


@dataclass(frozen=True)
class Plant:
    """How a fault is planted: `plant(claim)` is the claim about a broken implementation.

    `site`: where the fault sits.
    """

    site: Site
    change: Callable[[Claim], Claim]

    def __call__(self, claim: Claim) -> Claim:
        """The claim with the fault in what it examines or predicts."""
        return self.change(claim)


@dataclass(frozen=True)
class Fault:
    """A planted fault.

    `plant`: where it sits and what it changes.
    `family`, `size`: of a fault that comes in every size, a share of what it changes.
    `elsewhere`: it does no harm at the quick profile's points; points drawn from the domain of a
        claim that lists it must refute it.
    """

    name: str
    description: str
    plant: Plant
    family: str | None = None
    size: float | None = None
    elsewhere: bool = False
