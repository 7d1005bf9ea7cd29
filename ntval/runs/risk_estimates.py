"""Estimates of a risk over a grid of ridges, beside what they estimate: the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

Each = Float[np.ndarray, "ridges"]


@dataclass(frozen=True)
class Curve:
    """Means over samples at each ridge, with their standard errors.

    `excess`: over the held-out risk, where it is an estimate of that; sample by sample.
    """

    mean: Each
    error: Each
    excess: Curve | None = None

    def interval(self, level: float = 0.95) -> tuple[Each, Each]:
        """Intervals of means of risks, which are never below 0; not of excesses or biases."""
        width = -ndtri((1 - level) / 2) * self.error
        return np.maximum(self.mean - width, 0.0), self.mean + width


@dataclass(frozen=True)
class RiskEstimates:
    """Estimates of the risk at each ridge, and what they say together.

    Risks are sums over outputs and means over samples, noise of the labels included.

    `ridges`: absolute, in K + ridge I; `trace`: of K at all samples.
    `gcv`, `leave_one_out`: from the training data alone. `held_out`: on samples left out.
    `bias`: of GCV, by its terms less those of LOO.
    `error_rate`: the share of samples left out that are put into a wrong class; None of numbers.
    `train_error`, `effective_dimension`, `leverage_dispersion`: as in `cross_validation`.
    `constant`: the risk of predicting the mean of the training labels.
    `gain`: (mean, standard error) of what the selected ridge gains on it, of the held-out risk.
    `regret`: (mean, standard error) of the held-out risk at the ridge that GCV selects over that
        at the best of the grid, minus 1.
    `agreement_ridge`: from which on the effective dimensions of n and n / 2 samples are one
        function of kappa, to 1 %; None where they never are.
    `repeated`: pairs of samples that K does not tell apart. `left_out`: ridges that were not used,
        each with the reason.
    """

    name: str
    n: int
    folds: int
    classes: tuple[str, ...] | None
    ridges: Each
    trace: float
    gcv: Curve
    leave_one_out: Curve
    held_out: Curve
    bias: Curve
    error_rate: Curve | None
    train_error: Each
    effective_dimension: Each
    leverage_dispersion: Each
    constant: float
    gain: tuple[float, float]
    regret: tuple[float, float]
    agreement_ridge: float | None
    repeated: tuple[tuple[int, int], ...]
    left_out: tuple[tuple[float, str], ...]

    def __repr__(self) -> str:
        """What was fitted to what, and the reading."""
        from ntval.runs.risk_reading import reading, title

        return "\n- ".join([title(self), *reading(self)])

    @property
    def selected(self) -> int:
        """The index of the ridge at which GCV is smallest."""
        return int(np.argmin(self.gcv.mean))

    @property
    def best(self) -> int:
        """The index of the ridge at which the held-out risk is smallest."""
        return int(np.argmin(self.held_out.mean))

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        from ntval.runs.risk_reading import reading

        rows = []
        for i, ridge in enumerate(self.ridges.tolist()):
            row: dict[str, Any] = {"ridge": ridge, "of_trace": ridge / self.trace}
            for name in ("gcv", "leave_one_out", "held_out", "error_rate"):
                curve = getattr(self, name)
                if curve is not None:
                    row[name] = float(curve.mean[i])
                    row[f"{name}_95"] = [float(end[i]) for end in curve.interval()]
            for name in ("train_error", "effective_dimension", "leverage_dispersion"):
                row[name] = float(getattr(self, name)[i])
            rows.append(row)
        return {
            "schema": "ntval.gcv/1",
            "name": self.name,
            "n": self.n,
            "folds": self.folds,
            "classes": self.classes,
            "selected_ridge": rows[self.selected]["ridge"],
            "regret": self.regret[0],
            "regret_error": self.regret[1],
            "constant_risk": self.constant,
            "agreement_ridge": self.agreement_ridge,
            "repeated": self.repeated,
            "left_out": [{"ridge": ridge, "reason": reason} for ridge, reason in self.left_out],
            "reading": list(reading(self)),
            "rows": rows,
        }
