"""Wei, Hu & Steinhardt, 2203.06176: how fast GCV tends to the risk, and the ridge that it picks."""

from __future__ import annotations

import numpy as np

from ntval.claims.claim import Claim
from ntval.claims.domain import Interval, OneOf
from ntval.claims.procedures import Means
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
from ntval.regimes import PowerLaw
from ntval.theory import wei_hu_steinhardt as theory


@looped
def _squared_error(
    draw: FeatureDraw, estimates: Estimates = cross_validation, ridge: Ridge = ridge_of
) -> list[float]:
    r"""$n\, E (\text{GCV} - R)^2 / (E R)^2$, means over noise and signs of the target.

    Both are quadratic forms in the signs and in Gaussian noise of variance 1, an output each:
    $u^\top M u$ has mean tr M and variance $2 \|M\|_F^2$, less $2 M_{ii}^2$ for each sign.
    """
    point, subject, labels = draw.point, draw.subject, draw.labels
    n, signs = len(draw.x), len(subject.coefficients)
    found = estimates(draw.gram, labels, ridges=np.array([ridge(point)]))
    fit = regression.kernel_ridge(draw.gram, labels, ridge=point.ridge)
    residual = point.ridge * fit.coefficients
    gap = draw.solution(point.ridge)
    gap[:, :signs] -= np.diag(subject.coefficients)
    risk = gap.T @ (subject.eigenvalues[:, None] * gap)
    factor = float(found.gcv[0] / found.train_error[0]) / n
    form = factor * (residual.T @ residual) - risk
    noise = subject.noise_std**2
    mean = float(np.trace(form)) - noise
    variance = 2 * float((form**2).sum() - (np.diag(form)[:signs] ** 2).sum())
    return [n * (mean**2 + variance) / (float(np.trace(risk)) + noise) ** 2]


def _share_of_rate(point: PowerLaw) -> np.ndarray:
    fields = {"decay": point.decay, "ridge": point.ridge}
    return np.array([0.02 * theory.gcv_rate(point.n, point.features, **fields)])


_NOISY = {"ridge": 0.1, "noise_std": 0.3}

gcv_rate = Claim(
    name="wei_hu_steinhardt.gcv_rate",
    source=f"{PAPER}, main theorem (read in the abstract; its rate n^(-1/2) recalled); the factor "
    "derived here and checked by simulation; C2.",
    statement="GCV / risk - 1 has mean square 2 (2 E_0 - 1) / n on Gaussian features, up to "
    "4 E_0/n of it: the rate n^(-1/2) with its factor, at each n.",
    needs=SETTING,
    points={
        "quick": points((80, 240), **_NOISY),
        "standard": (
            *points((80, 240), (120, 300), **_NOISY),
            *points((80, 240), ridge=1.0, noise_std=0.3),
        ),
        "thorough": (
            *points((80, 240), (120, 300), (120, 360), **_NOISY),
            *points((80, 240), ridge=1.0, noise_std=0.3),
            *points((120, 300), decay=2.2, alignment=1.3, ridge=0.05, noise_std=0.1),
        ),
    },
    domain=power_laws(
        law=OneOf(("gaussian",)),
        alignment=Interval(1.1, 2.2),
        ridge=Interval(0.01, 10.0),
        noise_std=Interval(0.1, 1.0),
    ),
    subject=features_of,
    procedure=Means(
        _squared_error,
        labels=("n (GCV / risk - 1)^2",),
        formula=theory.gcv_rate,
        remainder=theory.gcv_rate_remainder,
        at=arguments,
        resolution=_share_of_rate,
        pilot=24,
        first=96,
        most=1024,
    ),
    faults=(
        "prediction_rate_of_overfitting",
        "prediction_rate_without_overfitting",
        "prediction_rate_of_correlated_errors",
        "gcv_denominator_not_squared",
        "ridge_times_n",
    ),
)
