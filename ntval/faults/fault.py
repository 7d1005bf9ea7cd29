"""The record of a planted fault."""

from __future__ import annotations

from dataclasses import dataclass

from ntval.faults.sites import (
    Plant,
)


@dataclass(frozen=True)
class Fault:
    """A planted fault: `plant(claim)` is the claim about the broken implementation.

    A fault of a `family` comes in every `size`, a share of what it changes.
    """

    name: str
    description: str
    plant: Plant
    family: str | None = None
    size: float | None = None
