"""Wei, Hu & Steinhardt, 2203.06176: the ridge that GCV picks."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.claims import sampling
from ntval.claims.claim import Claim
from ntval.claims.domain import Fixed, Hypothesis, Interval
from ntval.claims.procedures import Means
from ntval.claims.wei_hu_steinhardt.identities import Estimates
from ntval.claims.wei_hu_steinhardt.setting import (
    PAPER,
    SETTING,
    FeatureDraw,
    arguments,
    features_of,
    points,
    power_laws,
)
from ntval.observables.generalized_cross_validation import cross_validation
from ntval.regimes import PowerLaw
from ntval.subjects.features import labels_of
from ntval.subjects.subject import FeatureSubject
from ntval.theory import wei_hu_steinhardt as theory

# The ridges to choose from, in units of the number of samples.
_PENALTIES = 10.0 ** np.linspace(-5, 0, 16)


class LabelledDraw(FeatureDraw):
    """Fresh features with one set of noisy labels."""

    def __init__(self, key: Array, point: PowerLaw, subject: FeatureSubject) -> None:
        key_features, key_noise = jax.random.split(key)
        super().__init__(key_features, point, subject)
        self.y = np.asarray(labels_of(subject, key_noise, jax.numpy.asarray(self.x)))

    def risks(self, ridges: Float[np.ndarray, "ridges"]) -> Float[np.ndarray, "ridges"]:
        """The risk on noisy labels at each ridge."""
        w, vectors = np.linalg.eigh(self.gram)
        weights = (vectors.T @ self.y)[:, None] / (w[:, None] + ridges)
        gap = self.x.T @ (vectors @ weights) - self.subject.coefficients[:, None]
        return self.subject.eigenvalues @ gap**2 + self.subject.noise_std**2


def _log_regret(draw: LabelledDraw, estimates: Estimates = cross_validation) -> list[float]:
    """Log of the risk at the ridge of the least GCV over the least risk."""
    ridges = draw.point.n * _PENALTIES
    found = estimates(draw.gram, draw.y[:, None], ridges=ridges)
    risks = draw.risks(ridges)
    return [float(np.log(risks[found.gcv.argmin()] / risks.min()))]


def _without_selection(point: PowerLaw) -> float:
    """Log of the risk at the least ridge, which train error picks, over the least risk."""
    fields = {**arguments(point), "ridge": 0.0}
    risks = [
        theory.omniscient_risk(**{**fields, "ridge": point.n * float(penalty)})
        for penalty in _PENALTIES
    ]
    return float(np.log(risks[0] / min(risks)))


def _at(point: PowerLaw) -> dict[str, float]:
    return {"n": point.n, "features": point.features, "without": _without_selection(point)}


def _wrong(without: float) -> float:
    return without


ridge_selection = Claim(
    name="wei_hu_steinhardt.ridge_selection",
    source=f"{PAPER} (that GCV tracks the risk was read in the abstract; the regret is measured in "
    "the spec, C11, and here).",
    statement="Where the least ridge is not near the best, the ridge of the least GCV has nearly "
    "the least risk: the mean log of their ratio is at most 8/n, which is measured, not predicted.",
    needs=SETTING,
    points={
        "quick": points((100, 300), noise_std=0.5),
        "standard": (
            *points((100, 300), (120, 360), noise_std=0.5),
            *points((100, 300), noise_std=1.0),
        ),
        "thorough": (
            *points((100, 300), (120, 360), noise_std=0.5),
            *points((100, 300), noise_std=1.0),
            *points((120, 360), decay=2.2, alignment=2.5, noise_std=0.7, law="rademacher"),
        ),
    },
    domain=power_laws(
        Hypothesis(
            "the least ridge, 1e-5 n, has a risk at least 1.4 times the least",
            lambda point: _without_selection(point) >= 0.34,
        ),
        ridge=Fixed("0: those to choose from are 1e-5 n to n", lambda fields: 0.0),
        noise_std=Interval(0.2, 1.0),
    ),
    subject=features_of,
    procedure=Means(
        sampling.looped(_log_regret, replicate=LabelledDraw),
        labels=("log regret",),
        formula=0.0,
        wrong=_wrong,
        remainder=theory.regret_remainder,
        at=_at,
        resolution=0.02,
        pilot=64,
        first=128,
        most=2048,
    ),
    faults=(
        "gcv_denominator_not_squared",
        "gcv_of_train_error",
        "gcv_of_fitted_trace",
    ),
)
