"""Wei, Hu & Steinhardt, 2203.06176: the local law, and spectra from data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float

from ntval.claims.claim import Claim
from ntval.claims.domain import Interval, Sizes
from ntval.claims.procedures import Means, value_of
from ntval.claims.wei_hu_steinhardt.identities import Estimates
from ntval.claims.wei_hu_steinhardt.risk import Ridge
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
from ntval.observables.spectral_moments import unbiased_moments
from ntval.regimes import PowerLaw
from ntval.theory import wei_hu_steinhardt as theory

# Pairs of ranges of features, counted from 1.
_RANGES = (((1, 5), (6, 20)), ((6, 20), (21, 60)), ((21, 60), (61, 120)))


@looped
def _mixing(draw: FeatureDraw, ridge: Ridge = ridge_of) -> list[float]:
    r"""Sums of squares of blocks of $X^\top (K + r I)^{-1} X$ off its diagonal."""
    fit = regression.kernel_ridge(draw.gram, draw.x, ridge=ridge(draw.point))
    squares = (draw.x.T @ fit.coefficients) ** 2
    return [
        float(squares[first[0] - 1 : first[1], second[0] - 1 : second[1]].sum())
        for first, second in _RANGES
    ]


_MIXING = tuple(partial(theory.mixing, first=first, second=second) for first, second in _RANGES)


def _share_of_mixing(point: PowerLaw) -> Float[np.ndarray, "labels"]:
    return 0.03 * value_of(_MIXING, arguments(point))


local_law = Claim(
    name="wei_hu_steinhardt.local_law",
    source=f"{PAPER}; the local law (recalled; spec, 1.6), and the size of its fluctuations, "
    "derived here and checked by simulation.",
    statement="Of feature j the regression puts S_ij on feature i, with mean square E_0 L_i (1 - "
    "L_i) L_j (1 - L_j) / n: the resolvent is diagonal up to n^(-1/2).",
    needs=SETTING,
    points={
        "quick": points((100, 300), ridge=0.1),
        "standard": (*points((100, 300), (120, 360), ridge=0.1), *points((100, 300))),
        "thorough": (
            *points((100, 300), (120, 360), ridge=0.1),
            *points((100, 300), (120, 360)),
            *points((100, 300), decay=2.2, ridge=1.0, law="rademacher"),
        ),
    },
    domain=power_laws(),
    subject=features_of,
    procedure=Means(
        _mixing,
        labels=tuple(f"S_ij^2, i {i[0]} to {i[1]}, j {j[0]} to {j[1]}" for i, j in _RANGES),
        formula=_MIXING,
        remainder=tuple(
            partial(theory.mixing_remainder, first=first, second=second, of_one_over_n=times)
            for (first, second), times in zip(_RANGES, (6.0, 3.0, 2.0), strict=True)
        ),
        at=arguments,
        resolution=_share_of_mixing,
        pilot=48,
        first=192,
        most=4096,
    ),
    faults=(
        "prediction_mixing_without_overfitting",
        "prediction_mixing_of_features_for_samples",
        "prediction_mixing_of_learnabilities",
        "ridge_over_n",
        "ridge_times_n",
    ),
)

Rows = Callable[[Float[np.ndarray, "n features"]], Float[np.ndarray, "m features"]]
Curve = Callable[..., float]


def as_drawn(x: Float[np.ndarray, "n features"]) -> Float[np.ndarray, "n features"]:
    """The samples as they are."""
    return x


@looped
def _on_the_curve(
    draw: FeatureDraw,
    estimates: Estimates = cross_validation,
    rows: Rows = as_drawn,
    curve: Curve = theory.dimension_at,
) -> list[float]:
    """Effective dimension over the curve at the threshold, both from data, of each n and ridge."""
    point, ratios = draw.point, []
    for n, times in ((point.n, 1.0), (point.n, 10.0), (point.n // 2, 1.0)):
        x = rows(draw.x[:n])
        found = estimates(x @ x.T, x[:, :1], ridges=np.array([times * point.ridge]))
        kappa = float(found.threshold[0])
        at = curve(point.features, decay=point.decay, kappa=kappa)
        ratios.append(float(found.effective_dimension[0]) / at)
    return ratios


curve_collapse = Claim(
    name="wei_hu_steinhardt.curve_collapse",
    source=f"{PAPER}; derived in the spec, X2, and measured there.",
    statement="Threshold and effective dimension from data lie on one curve, kappa -> sum_i "
    "l_i/(l_i + kappa), whatever n and ridge, up to 1/n.",
    needs=SETTING,
    points={
        "quick": points((100, 300), ridge=0.05),
        "standard": points((100, 300), (120, 360), ridge=0.05),
        "thorough": (
            *points((100, 300), (120, 360), ridge=0.05),
            *points((100, 300), decay=2.2, ridge=0.5, law="rademacher"),
        ),
    },
    domain=power_laws(ridge=Interval(0.01, 1.0)),
    subject=features_of,
    procedure=Means(
        _on_the_curve,
        labels=("n and ridge", "n and 10 ridge", "n/2 and ridge"),
        formula=1.0,
        remainder=(
            theory.curve_remainder,
            theory.curve_remainder,
            partial(theory.curve_remainder, share=0.5),
        ),
        at=arguments,
        resolution=0.003,
        pilot=48,
        first=96,
        most=1024,
    ),
    faults=(
        "curve_of_squares",
        "curve_of_scaled_rows",
        "curve_of_copied_rows",
        "threshold_trace_averaged",
    ),
)

Moments = Callable[..., tuple[float, float, float]]


@looped
def _moments(draw: FeatureDraw, moments: Moments = unbiased_moments) -> list[float]:
    r"""Unbiased moments, less what they owe to each sample by itself, which has mean 0.

    Of $K_{ij}^2$ that is $2 (x_i^\top \Sigma x_i - \operatorname{tr} \Sigma^2)$, of triangles
    three times that with $\Sigma^2$: means stay, variances are of order $n^{-2}$.
    """
    levels = draw.subject.eigenvalues
    squares = (draw.x**2).mean(axis=0)
    return [
        moment - order * float((squares - levels) @ levels ** (order - 1))
        for order, moment in zip((2, 3), moments(draw.gram)[1:], strict=True)
    ]


_MOMENTS = tuple(partial(theory.spectral_moment, order=order) for order in (2, 3))

spectral_moments = Claim(
    name="wei_hu_steinhardt.spectral_moments",
    source=f"{PAPER}; derived in the spec, X5, and measured there.",
    statement="Sums of K_ij^2 and of K_ij K_jk K_ki over different samples give tr S^2 and tr S^3 "
    "of the features' covariance without bias, at every n.",
    needs=SETTING,
    points={
        "quick": points((30, 120), decay=0.5),
        "standard": (*points((30, 120), decay=0.5), *points((20, 60), (50, 240), decay=1.0)),
        "thorough": (
            *points((30, 120), decay=0.5),
            *points((20, 60), (50, 240), (100, 300), decay=1.0),
            *points((50, 240), decay=2.0, law="rademacher"),
        ),
    },
    domain=power_laws(
        n=Sizes((20, 25, 30, 40, 50, 75, 100)),
        features=Sizes((60, 120, 240)),
        decay=Interval(0.0, 2.5),
    ),
    subject=features_of,
    procedure=Means(
        _moments,
        labels=("tr S^2", "tr S^3"),
        formula=_MOMENTS,
        at=arguments,
        resolution=lambda point: np.array(
            [0.05 * of(point.features, decay=point.decay) for of in _MOMENTS]
        ),
        pilot=128,
        first=256,
        most=16384,
    ),
    faults=(
        "moments_over_powers_of_n",
        "moments_with_the_diagonal",
        "moments_of_squares_for_triangles",
    ),
)
