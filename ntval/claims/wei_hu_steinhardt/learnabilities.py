"""Wei, Hu & Steinhardt, 2203.06176: what is learned of each feature, and the threshold."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from ntval.claims.claim import Claim
from ntval.claims.procedures import Means
from ntval.claims.wei_hu_steinhardt.identities import Estimates
from ntval.claims.wei_hu_steinhardt.risk import LARGE, MIDDLE, SMALL, Ridge
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
)
from ntval.observables import regression
from ntval.observables.generalized_cross_validation import cross_validation
from ntval.regimes import PowerLaw
from ntval.theory import wei_hu_steinhardt as theory

# Features whose learnabilities are measured, counted from 1.
_MODES = (1, 3, 10, 30)


@looped
def _learnabilities(draw: FeatureDraw, ridge: Ridge = ridge_of) -> list[float]:
    r"""Diagonal of $X^\top (K + r I)^{-1} X$: its sum, and entries of some features."""
    fit = regression.kernel_ridge(draw.gram, draw.x, ridge=ridge(draw.point))
    learned = (draw.x * fit.coefficients).sum(axis=0)
    return [float(learned.sum()), *(float(learned[mode - 1]) for mode in _MODES)]


def _resolution(point: PowerLaw) -> Float[np.ndarray, "labels"]:
    arguments_ = _spectrum(point)
    return np.array([0.005 * theory.effective_dimension(**arguments_), *[0.01] * len(_MODES)])


def _spectrum(point: PowerLaw) -> dict[str, Any]:
    """Arguments of formulas that know nothing of the target."""
    kept = ("n", "features", "decay", "ridge")
    return {name: value for name, value in arguments(point).items() if name in kept}


def _the_opposite(n: int, features: int, *, decay: float, ridge: float, mode: int) -> float:
    """Nothing learned of a feature of which most is, and all of another."""
    learned = theory.learnability(n, features, decay=decay, ridge=ridge, mode=mode)
    return 0.0 if learned > 0.5 else 1.0


learnability_conservation = Claim(
    name="wei_hu_steinhardt.learnability_conservation",
    source=f"{PAPER}; eigenlearning literature; derived and checked in the spec, section 1.3; C6.",
    statement="Of feature i the share L_i = l_i/(l_i + kappa) is learned, up to 1/n; the shares "
    "sum to n - ridge/kappa, to n without a ridge.",
    needs=SETTING,
    points={
        "quick": points(MIDDLE, ridge=0.1),
        "standard": (*points(SMALL, MIDDLE, ridge=0.05), *points(SMALL)),
        "thorough": (
            *points(SMALL, MIDDLE, LARGE, ridge=0.05),
            *points(SMALL, MIDDLE),
            *points(MIDDLE, decay=1.2, ridge=1.0, law="rademacher"),
        ),
    },
    domain=power_laws(),
    subject=features_of,
    procedure=Means(
        _learnabilities,
        labels=("sum of learnabilities", *(f"learnability of feature {mode}" for mode in _MODES)),
        formula=(
            theory.effective_dimension,
            *(partial(theory.learnability, mode=mode) for mode in _MODES),
        ),
        wrong=(0.0, *(partial(_the_opposite, mode=mode) for mode in _MODES)),
        remainder=(
            theory.effective_dimension_remainder,
            *[theory.learnability_remainder] * len(_MODES),
        ),
        at=arguments,
        resolution=_resolution,
        pilot=24,
        first=24,
        most=512,
    ),
    faults=(
        "prediction_learned_of_features_for_samples",
        "prediction_learned_of_squared_learnabilities",
        "ridge_over_n",
        "ridge_times_n",
    ),
)


@looped
def _threshold(
    draw: FeatureDraw, estimates: Estimates = cross_validation, ridge: Ridge = ridge_of
) -> list[float]:
    """Threshold and overfitting from the training data alone."""
    found = estimates(draw.gram, draw.labels, ridges=np.array([ridge(draw.point)]))
    return [float(found.threshold[0]), float(found.overfitting[0])]


def _share_of_both(point: PowerLaw) -> Float[np.ndarray, "labels"]:
    arguments_ = _spectrum(point)
    return 0.015 * np.array([theory.threshold(**arguments_), theory.overfitting(**arguments_)])


threshold = Claim(
    name="wei_hu_steinhardt.threshold",
    source=f"{PAPER}; derived and checked in the spec, section 1.3; C5.",
    statement="The threshold kappa and its derivative E_0 in the ridge are those of 1/tr(K + "
    "ridge I)^{-1}, which needs no population, up to 1.2 E_0/n of them.",
    needs=SETTING,
    points={
        "quick": points(MIDDLE, ridge=0.1),
        "standard": (*points(SMALL, MIDDLE, ridge=0.05), *points(SMALL)),
        "thorough": (*points(SMALL, MIDDLE, LARGE, ridge=0.05), *points(SMALL, MIDDLE)),
    },
    domain=power_laws(),
    subject=features_of,
    procedure=Means(
        _threshold,
        labels=("kappa from data", "E_0 from data"),
        formula=(theory.threshold, theory.overfitting),
        remainder=(theory.threshold_remainder, theory.overfitting_remainder),
        at=arguments,
        resolution=_share_of_both,
        pilot=24,
        first=24,
        most=512,
    ),
    faults=(
        "gcv_ridge_over_n",
        "prediction_threshold_of_features_for_samples",
        "prediction_threshold_of_squared_learnabilities",
        "gcv_ridge_times_n",
        "threshold_trace_averaged",
    ),
)
