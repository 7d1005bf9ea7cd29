"""Calibration: how often correct code is refuted, at a level where that can be seen.

The level of a decision is proved; what it is proved from - the allowances, the independence of
keys, the code - is not. At alpha = 0.05 some hundred runs on fresh seeds show it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from ntval.claims.budget import fresh_seed
from ntval.claims.claim import Claim
from ntval.claims.outcome import Result
from ntval.evidence import e_values
from ntval.evidence.verdict import Verdict
from ntval.runs import engine
from ntval.runs.cell import Cell, run_cell
from ntval.runs.settings import Settings

SCHEMA = "ntval.calibration/1"

# Probability that a calibrated claim is called miscalibrated, for each of the two tests.
ALPHA = 1e-6


@dataclass(frozen=True)
class Calibration:
    """A claim's verdicts on independent seeds, at level `alpha`."""

    claim: str
    alpha: float
    results: tuple[Result, ...]

    @property
    def refuted(self) -> int:
        """Number of runs that refuted the true claim."""
        return sum(r.decision.verdict is Verdict.REFUTED for r in self.results)

    @property
    def most(self) -> int:
        """The largest number of refutations that a level of `alpha` explains."""
        return int(scipy.stats.binom.isf(ALPHA, len(self.results), self.alpha))

    @property
    def inconclusive(self) -> int:
        """Number of runs that said neither."""
        return sum(r.decision.verdict is Verdict.INCONCLUSIVE for r in self.results)

    @property
    def mean_e(self) -> float:
        """Mean e-value, at most 1 in expectation."""
        return float(self._e().mean())

    @property
    def log_evidence(self) -> float:
        """Log evidence against "the mean e-value is at most 1"."""
        return float(np.sum(e_values.log_capital(self._e(), 1.0, 0.0)))

    @property
    def holds(self) -> bool:
        """Whether neither test speaks against the level."""
        return self.refuted <= self.most and self.log_evidence < -math.log(ALPHA)

    def _e(self) -> np.ndarray:
        return np.exp(np.minimum([r.decision.log_e for r in self.results], 700.0))

    def record(self) -> dict:
        """The calibration as JSON-ready values."""
        return {
            "claim": self.claim,
            "runs": len(self.results),
            "alpha": self.alpha,
            "refuted": self.refuted,
            "most": self.most,
            "inconclusive": self.inconclusive,
            "mean_e": self.mean_e,
            "log_evidence": self.log_evidence,
            "holds": self.holds,
            "seconds": round(sum(r.seconds for r in self.results), 1),
        }


def cells(claims: Sequence[Claim], settings: Settings, *, runs: int) -> list[Cell]:
    """A cell for each run of each claim in which chance has a part, at its first point; each at
    the whole of the settings' alpha, and a seed of its own."""
    return [
        Cell(
            claim.name,
            claim.points[settings.profile][0],
            settings.alpha,
            replace(settings, seed=fresh_seed(settings.seed, run)),
        )
        for claim in claims
        if claim.statistical
        for run in range(runs)
    ]


def calibrations(planned: Sequence[Cell], *, workers: int = 1) -> Iterator[Calibration]:
    """After every run, the calibration of its claim as far as it is."""
    found: dict[str, list[Result]] = {}
    with engine.engine(workers, run_cell) as results:
        for cell, result in results(planned):
            so_far = found.setdefault(cell.claim, [])
            so_far.append(result)
            yield Calibration(cell.claim, cell.alpha, tuple(so_far))


def document(found: Mapping[str, Calibration], settings: Settings) -> dict[str, Any]:
    """The calibrations as JSON-ready values, schema `SCHEMA`."""
    records = [calibrated.record() for calibrated in found.values()]
    return {"schema": SCHEMA, "alpha": settings.alpha, "seed": settings.seed, "claims": records}
