"""The verdict and the record that carries it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np


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
    smallest departure that these draws would have refuted with probability 1 - `miss`; `alpha` is
    the probability of a false refutation (0 when no chance is involved); `log_e` is the log
    evidence against the claim, infinite for a certificate; `details` are JSON values.
    """

    verdict: Verdict
    kind: str
    summary: str
    gap: float
    allowed: float
    smallest_gap: float
    alpha: float = 0.0
    miss: float = 0.0
    log_e: float = 0.0
    draws: int = 1
    details: dict = field(default_factory=dict)


def malformed(kind: str, label: str, words: str, alpha: float = 0.0, draws: int = 1) -> Decision:
    """REFUTED, as there is nothing to compare."""
    return Decision(
        Verdict.REFUTED,
        kind,
        f"{label}: {words}",
        gap=math.inf,
        allowed=0.0,
        smallest_gap=0.0,
        alpha=alpha,
        log_e=math.inf,
        draws=draws,
        details={"where": label},
    )


def percent(share: float) -> str:
    """A share in words: "0.6 %", of more than tenfold "137 times", of a rounding "3e-12"."""
    if not math.isfinite(share):
        return "any amount"
    if abs(share) >= 10:
        return f"{abs(share):.0f} times"
    if 0 < abs(share) < 1e-6:
        return f"{abs(share):.0e}"
    return f"{100 * abs(share):.2g} %" if abs(share) < 1 else f"{100 * abs(share):.0f} %"


def finite(value: Any) -> Any:
    """`value` with non-finite floats as strings, since JSON has no word for them."""
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
