"""Wei, Hu & Steinhardt, 2203.06176: GCV, risk and train error on features of a power law.

What a measurement takes for granted - the estimates, the risk, the ridge - is an argument, so that
a fault can be planted there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ntval.claims.claim import Claim
from ntval.claims.domain import Hypothesis, Interval
from ntval.claims.procedures import Means
from ntval.claims.wei_hu_steinhardt.identities import Estimates
from ntval.claims.wei_hu_steinhardt.setting import (
    PAPER,
    SETTING,
    FeatureDraw,
    arguments,
    features_of,
    looped,
    points,
    power_laws,
    ridge_of,
    risk,
)
from ntval.observables.generalized_cross_validation import cross_validation
from ntval.regimes import PowerLaw
from ntval.theory import wei_hu_steinhardt as theory

Ridge = Callable[[PowerLaw], float]
Truth = Callable[[FeatureDraw, float], float]

# Ridges of 0.001 n and less: where the ridge dominates, every risk is the same.
SMALL, MIDDLE, LARGE = (50, 240), (100, 300), (120, 360)
_NOISY = {"ridge": 0.1, "noise_std": 0.3}
_STANDARD = (
    *points(SMALL, MIDDLE, **_NOISY),
    *points(SMALL, ridge=1.0, noise_std=0.3),
    *points(SMALL, decay=2.2, ridge=0.05, law="rademacher"),
)
_THOROUGH = (
    *_STANDARD,
    *points(LARGE, **_NOISY),
    *points(MIDDLE, LARGE, decay=1.2, alignment=2.5, ridge=0.05, law="uniform"),
)
_RIDGELESS = points(SMALL, MIDDLE, noise_std=0.3)


@looped
def _gcv(
    draw: FeatureDraw,
    estimates: Estimates = cross_validation,
    truth: Truth = risk,
    ridge: Ridge = ridge_of,
) -> list[float]:
    """GCV over the risk of the same regression."""
    used = ridge(draw.point)
    found = estimates(draw.gram, draw.labels, ridges=np.array([used]))
    return [float(found.gcv[0]) / truth(draw, draw.point.ridge)]


gcv = Claim(
    name="wei_hu_steinhardt.gcv",
    source=f"{PAPER}, main theorem (read in the abstract; statement recalled, derived and checked "
    "in the spec, section 1.5; rate measured); C1, C9.",
    statement="GCV is the risk on noisy labels: given the features, its mean over noise and signs "
    "of the target is that of the risk, and the mean of their ratio is 1 up to 3/n.",
    needs=SETTING,
    points={
        "quick": points(MIDDLE, **_NOISY),
        "standard": (*_STANDARD, *_RIDGELESS),
        "thorough": (*_THOROUGH, *_RIDGELESS),
    },
    domain=power_laws(),
    subject=features_of,
    procedure=Means(
        _gcv,
        labels=("GCV / risk",),
        formula=1.0,
        remainder=theory.gcv_remainder,
        at=arguments,
        resolution=0.015,
        pilot=24,
        first=24,
        most=512,
    ),
    faults=(
        "ridge_times_n",
        "risk_without_noise",
        "gcv_denominator_not_squared",
        "gcv_of_fitted_trace",
        "gcv_of_train_error",
        "gcv_ridge_over_n",
        "gcv_ridge_times_n",
        "gcv_trace_summed",
        "gcv_residuals_summed",
    ),
)


@looped
def _risk(draw: FeatureDraw, truth: Truth = risk, ridge: Ridge = ridge_of) -> list[float]:
    """The risk on noisy labels."""
    return [truth(draw, ridge(draw.point))]


def _omniscient(point: PowerLaw) -> float:
    fields = arguments(point)
    return theory.omniscient_risk(**fields)


omniscient_risk = Claim(
    name="wei_hu_steinhardt.omniscient_risk",
    source=f"{PAPER}; the formula is of the eigenlearning literature, derived and checked in the "
    "spec, section 1.4; C3.",
    statement="The risk on noisy labels is E_0 (sum_i (1 - L_i)^2 v_i^2 + s^2) up to 3/n of it, "
    "with learnabilities L_i = l_i/(l_i + kappa).",
    needs=SETTING,
    points={
        "quick": points(MIDDLE, **_NOISY),
        "standard": (*_STANDARD, *_RIDGELESS),
        "thorough": (*_THOROUGH, *_RIDGELESS),
    },
    domain=power_laws(),
    subject=features_of,
    procedure=Means(
        _risk,
        labels=("risk on noisy labels",),
        formula=theory.omniscient_risk,
        remainder=theory.omniscient_risk_remainder,
        at=arguments,
        resolution=lambda point: np.array([0.015 * _omniscient(point)]),
        pilot=24,
        first=24,
        most=512,
    ),
    faults=(
        "prediction_noise_not_amplified",
        "prediction_of_features_for_samples",
        "prediction_of_squared_learnabilities",
        "prediction_without_overfitting",
        "prediction_noise_twice",
        "risk_without_noise",
        "ridge_times_n",
    ),
)


@looped
def _train_test_ratio(
    draw: FeatureDraw,
    estimates: Estimates = cross_validation,
    truth: Truth = risk,
    ridge: Ridge = ridge_of,
) -> list[float]:
    """Train error over the risk of the same regression."""
    used = ridge(draw.point)
    found = estimates(draw.gram, draw.labels, ridges=np.array([used]))
    return [float(found.train_error[0]) / truth(draw, used)]


def _ratio(point: PowerLaw) -> float:
    return theory.train_test_ratio(point.n, point.features, decay=point.decay, ridge=point.ridge)


_FITTED = Hypothesis("(ridge / n kappa)^2 is at most 0.6", lambda point: _ratio(point) <= 0.6)

train_test_ratio = Claim(
    name="wei_hu_steinhardt.train_test_ratio",
    source=f"{PAPER}; relation derived and checked in the spec, section 1.4; C4.",
    statement="The train error is (ridge / n kappa)^2 of the risk, up to 2 E_0/n of it, whatever "
    "the target and the noise.",
    needs=SETTING,
    points={
        "quick": points(MIDDLE, **_NOISY),
        "standard": points(SMALL, MIDDLE, **_NOISY),
        "thorough": points(SMALL, MIDDLE, LARGE, **_NOISY),
    },
    domain=power_laws(_FITTED, ridge=Interval(0.01, 10.0)),
    subject=features_of,
    procedure=Means(
        _train_test_ratio,
        labels=("train error / risk",),
        formula=theory.train_test_ratio,
        wrong=theory.shrinkage,
        remainder=theory.train_test_ratio_remainder,
        at=arguments,
        resolution=lambda point: np.array([0.02 * _ratio(point)]),
        pilot=24,
        first=24,
        most=512,
    ),
    faults=(
        "prediction_shrinkage_of_squared_learnabilities",
        "risk_without_noise",
        "prediction_shrinkage_of_features_for_samples",
        "prediction_shrinkage_not_squared",
        "ridge_over_n",
        "ridge_times_n",
    ),
)
