"""Wei, Hu & Steinhardt, 2203.06176: samples that are not alike or not independent.

The law on which GCV rests fails for them. By how much GCV is off then is predicted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ntval.claims.claim import Claim
from ntval.claims.domain import Hypothesis, Interval, Sizes
from ntval.claims.procedures import Means
from ntval.claims.sampling import looped
from ntval.claims.wei_hu_steinhardt.identities import Estimates
from ntval.claims.wei_hu_steinhardt.risk import Ridge, Truth
from ntval.claims.wei_hu_steinhardt.setting import (
    PAPER,
    SETTING,
    FeatureDraw,
    arguments,
    features_of,
    points,
    power_laws,
    ridge_of,
    risk,
)
from ntval.observables.correlated_rows import correlated_cross_validation
from ntval.observables.generalized_cross_validation import cross_validation
from ntval.regimes import PowerLaw
from ntval.subjects.subject import FeatureSubject
from ntval.theory import wei_hu_steinhardt as theory


class RowsDraw(FeatureDraw):
    """Fresh features of samples that are scaled, correlated and copied as the point says.

    Noise is correlated and copied with them, and is not scaled.
    """

    def __init__(self, key: Array, point: PowerLaw, subject: FeatureSubject) -> None:
        super().__init__(key, point, subject)
        scales = np.sqrt(theory.row_variances(point.n, point.row_spread))
        mixing = np.linalg.cholesky(theory.row_covariance(point.n, point.row_correlation))
        self.x = np.repeat(scales[:, None] * (mixing @ self.x), point.copies, axis=0)
        self._noise = np.repeat(mixing, point.copies, axis=0)

    @property
    def noise(self) -> Float[np.ndarray, "n draws"]:
        """An output for the noise of each sample before it is copied."""
        return self.subject.noise_std * self._noise

    @functools.cached_property
    def labels(self) -> Float[np.ndarray, "n outputs"]:
        """An output a feature, and the outputs of the noise."""
        return np.concatenate([self.x * self.subject.coefficients, self.noise], axis=1)


_RIDGE = Interval(0.01, 10.0)
_NOISE = Interval(0.05, 1.0)
_TENS = Sizes((50, 60, 70, 80, 90, 100, 120))
_WHOLE_TENS = Hypothesis("n is a multiple of 10", lambda point: point.n % 10 == 0)


@functools.partial(looped, replicate=RowsDraw)
def _gcv_and_leave_one_out(
    draw: RowsDraw,
    estimates: Estimates = cross_validation,
    truth: Truth = risk,
    ridge: Ridge = ridge_of,
) -> list[float]:
    """GCV and leave-one-out over the risk of the same regression."""
    found = estimates(draw.gram, draw.labels, ridges=np.array([ridge(draw.point)]))
    true = truth(draw, draw.point.ridge)
    return [float(found.gcv[0]) / true, float(found.leave_one_out[0]) / true]


def _unlike_ratio(point: PowerLaw) -> float:
    return theory.unlike_rows_gcv_ratio(**arguments(point), row_spread=point.row_spread)


def _at(*names: str) -> Callable[[PowerLaw], dict[str, Any]]:
    """Arguments of theory's formulas at a point, and these fields."""
    return lambda point: {**arguments(point), **{name: getattr(point, name) for name in names}}


_SPREAD = {"ridge": 0.1, "noise_std": 0.3, "row_spread": 0.7}

elliptical_counterexample = Claim(
    name="wei_hu_steinhardt.elliptical_counterexample",
    source=f"{PAPER}; what fails without its local law: spec, 1.6 and C8; GCV, leave-one-out and "
    "risk by equivalents derived here and checked by simulation.",
    statement="Where a tenth of the samples is larger than the others, GCV is not the risk: it is "
    "off by the factor of the equivalent with the scales of the samples, up to 3/n; leave-one-out "
    "is the risk, up to 4/n.",
    needs=SETTING,
    points={
        "quick": points((100, 300), **_SPREAD),
        "standard": points((60, 240), (100, 300), (120, 360), **_SPREAD),
        "thorough": (
            *points((60, 240), (100, 300), (120, 360), **_SPREAD),
            *points((100, 300), decay=2.2, ridge=1.0, row_spread=0.8, law="rademacher"),
        ),
    },
    domain=power_laws(
        _WHOLE_TENS,
        Hypothesis(
            "GCV misses the risk by at least 10 %", lambda point: _unlike_ratio(point) <= 0.9
        ),
        n=_TENS,
        ridge=_RIDGE,
        row_spread=Interval(0.3, 0.8),
    ),
    subject=features_of,
    procedure=Means(
        _gcv_and_leave_one_out,
        labels=("GCV / risk", "leave-one-out / risk"),
        formula=(theory.unlike_rows_gcv_ratio, theory.unlike_rows_leave_one_out_ratio),
        wrong=(1.0, 0.0),
        remainder=(theory.unlike_rows_gcv_remainder, theory.unlike_rows_leave_one_out_remainder),
        at=_at("row_spread"),
        resolution=0.01,
        pilot=48,
        first=96,
        most=1024,
    ),
    faults=(
        "gcv_of_leave_one_out",
        "leave_one_out_of_gcv",
        "prediction_rows_alike",
        "prediction_rows_squared",
        "risk_without_noise",
        "gcv_denominator_not_squared",
        "ridge_times_n",
    ),
)

_TWICE = {"ridge": 0.1, "noise_std": 0.3, "copies": 2}


def _copied_ratio(point: PowerLaw) -> float:
    extra = {"row_correlation": point.row_correlation, "copies": point.copies}
    return theory.dependent_rows_gcv_ratio(**arguments(point), **extra)


duplicates_counterexample = Claim(
    name="wei_hu_steinhardt.duplicates_counterexample",
    source=f"{PAPER}; what fails without independent samples: spec, C10; the ratio by an "
    "equivalent derived here and checked by simulation.",
    statement="Where each of n samples occurs k times, with its noise, GCV is the risk times "
    "(m / (1 - (1 - m)/k))^2, m the shrinkage of the n samples at ridge r/k, up to 2 E_0/n of it, "
    "and so is leave-one-out: nearly 0 for a small ridge.",
    needs=SETTING,
    points={
        "quick": points((100, 300), **_TWICE),
        "standard": points((60, 240), (100, 300), (120, 360), **_TWICE),
        "thorough": (
            *points((60, 240), (100, 300), (120, 360), **_TWICE),
            *points((100, 300), decay=1.2, ridge=0.05, noise_std=1.0, copies=3, law="uniform"),
        ),
    },
    domain=power_laws(
        Hypothesis(
            "GCV misses the risk by at least a half", lambda point: _copied_ratio(point) <= 0.5
        ),
        ridge=_RIDGE,
        copies=Sizes((2, 3)),
    ),
    subject=features_of,
    procedure=Means(
        _gcv_and_leave_one_out,
        labels=("GCV / risk", "leave-one-out / risk"),
        formula=(theory.dependent_rows_gcv_ratio, theory.dependent_rows_gcv_ratio),
        wrong=1.0,
        remainder=theory.copied_rows_remainder,
        at=_at("row_correlation", "copies"),
        resolution=lambda point: np.full(2, 0.01 * _copied_ratio(point)),
        pilot=48,
        first=96,
        most=1024,
    ),
    faults=(
        "prediction_one_copy_too_many",
        "risk_without_noise",
        "prediction_rows_independent",
        "gcv_denominator_not_squared",
        "gcv_of_train_error",
        "ridge_times_n",
    ),
)

Correlated = Callable[..., float]
LabelsOf = Callable[[RowsDraw], Float[np.ndarray, "n outputs"]]


def labels_of(draw: RowsDraw) -> Float[np.ndarray, "n outputs"]:
    """Labels whose noise is correlated as the samples are."""
    return draw.labels


@functools.partial(looped, replicate=RowsDraw)
def _correlated_gcv(
    draw: RowsDraw,
    estimate: Correlated = correlated_cross_validation,
    labels: LabelsOf = labels_of,
    ridge: Ridge = ridge_of,
) -> list[float]:
    """CorrGCV over the risk of the same regression on the labels that the draw has."""
    point = draw.point
    covariance = theory.row_covariance(point.n, point.row_correlation, point.copies)
    rows = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    found = estimate(draw.gram, labels(draw), rows, ridge=ridge(point))
    return [found / risk(draw, point.ridge)]


_CORRELATED = {"ridge": 0.1, "noise_std": 0.3, "row_correlation": 0.6}

correlated_rows = Claim(
    name="wei_hu_steinhardt.correlated_rows",
    source="Atanasov, Zavatone-Veth & Pehlevan, 2408.04607 (recalled at second hand, verified "
    "numerically in the spec wei_hu_steinhardt, X1); the ratio of GCV derived here.",
    statement="Where samples and their noise have the covariance C, CorrGCV is the risk of a fresh "
    "sample, up to 2 tr(C^2)/n^2, where GCV is not.",
    needs=SETTING,
    points={
        "quick": points((100, 300), **_CORRELATED),
        "standard": points((60, 240), (100, 300), (120, 360), **_CORRELATED),
        "thorough": (
            *points((60, 240), (100, 300), (120, 360), **_CORRELATED),
            *points((100, 300), ridge=0.1, noise_std=0.3, copies=2, law="rademacher"),
        ),
    },
    domain=power_laws(
        Hypothesis(
            "GCV misses the risk by at least a fifth", lambda point: _copied_ratio(point) <= 0.8
        ),
        ridge=_RIDGE,
        row_correlation=Interval(0.2, 0.8, zero=True),
        copies=Sizes((1, 2)),
    ),
    subject=features_of,
    procedure=Means(
        _correlated_gcv,
        labels=("CorrGCV / risk",),
        formula=1.0,
        wrong=theory.dependent_rows_gcv_ratio,
        remainder=theory.correlated_gcv_remainder,
        at=_at("row_correlation", "copies"),
        resolution=0.01,
        pilot=48,
        first=96,
        most=1024,
    ),
    faults=(
        "correlation_of_rows_alike",
        "correlation_of_independent_noise",
        "correlation_ignored",
        "correlation_without_coupling",
        "ridge_times_n",
    ),
)
