"""Wei, Hu & Steinhardt, 2203.06176: cross-validation of ensembles on their features."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Int

from ntval.claims.claim import Claim
from ntval.claims.domain import Interval
from ntval.claims.procedures import Means
from ntval.claims.sampling import looped
from ntval.claims.wei_hu_steinhardt.setting import (
    SETTING,
    FeatureDraw,
    arguments,
    features_of,
    points,
    power_laws,
)
from ntval.observables.ensembles import EnsembleCrossValidation, ensemble_cross_validation
from ntval.regimes import PowerLaw
from ntval.subjects.subject import FeatureSubject
from ntval.theory import wei_hu_steinhardt as theory

# Ensembles that are tried: the number of members, and the share of the samples of each.
_ENSEMBLES = ((1, 0.5), (4, 0.5), (2, 0.8))

Estimate = Callable[..., EnsembleCrossValidation]


class EnsembleDraw(FeatureDraw):
    """Fresh features, and samples of members."""

    def __init__(self, key: Array, point: PowerLaw, subject: FeatureSubject) -> None:
        super().__init__(key, point, subject)
        self._seed = np.asarray(jax.random.key_data(jax.random.fold_in(key, 1))).tolist()

    def members(self, count: int, share: float) -> list[Int[np.ndarray, "k"]]:
        """Rows of each member, drawn without replacement."""
        rng = np.random.default_rng([*self._seed, count])
        size = round(share * self.point.n)
        return [rng.permutation(self.point.n)[:size] for _ in range(count)]


def _risk(draw: EnsembleDraw, coefficients: np.ndarray) -> float:
    """The risk on noisy labels of a prediction with these coefficients of the samples."""
    subject = draw.subject
    gap = draw.x.T @ coefficients
    gap[:, : len(subject.coefficients)] -= np.diag(subject.coefficients)
    return float(subject.eigenvalues @ (gap**2).sum(axis=1)) + subject.noise_std**2


@functools.partial(looped, replicate=EnsembleDraw)
def _cgcv(
    draw: EnsembleDraw,
    estimate: Estimate = ensemble_cross_validation,
) -> list[float]:
    """CGCV over the risk of the same ensemble."""
    ratios = []
    for count, share in _ENSEMBLES:
        members = draw.members(count, share)
        found = estimate(draw.gram, draw.labels, members, ridge=draw.point.ridge)
        ratios.append(found.cgcv / _risk(draw, found.coefficients))
    return ratios


_NOISY = {"ridge": 0.1, "noise_std": 0.3}

ensembles = Claim(
    name="wei_hu_steinhardt.ensembles",
    source="Bellec, Du, Koriyama, Patil & Tan, 2310.01374 (abstract read; formula derived again "
    "and verified in the spec wei_hu_steinhardt, X3).",
    statement="Of the mean of ridge regressions on subsamples of the features, CGCV is the risk, "
    "up to 2/n; GCV without its correction is not.",
    needs=SETTING,
    points={
        "quick": points((80, 300), **_NOISY),
        "standard": points((80, 300), (100, 300), **_NOISY),
        "thorough": (
            *points((80, 300), (100, 300), (120, 360), **_NOISY),
            *points((100, 300), decay=2.2, ridge=1.0, law="rademacher"),
        ),
    },
    domain=power_laws(ridge=Interval(0.01, 10.0)),
    subject=features_of,
    procedure=Means(
        _cgcv,
        labels=tuple(
            f"CGCV / risk of {count} on {share:.0%} of samples" for count, share in _ENSEMBLES
        ),
        formula=1.0,
        remainder=theory.ensemble_remainder,
        at=arguments,
        resolution=0.015,
        pilot=24,
        first=128,
        most=512,
    ),
    faults=(
        "ensemble_correction_of_one_member",
        "ensemble_dimension_summed",
        "ensemble_correction_left_out",
        "ensemble_trained_error_for_risk",
    ),
)
