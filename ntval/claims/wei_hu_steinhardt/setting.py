r"""The setting of Wei, Hu & Steinhardt: features of a power law, and scores of regressions.

Scores are means over the noise and over the signs of the target's coefficients, given the features.
Both means are exact. Labels that are sums over outputs give them: an output for each feature,
$x_i \beta_i$, and an output $\sigma e_j$ for the noise of each sample, since
$\sum_o y_o y_o^\top = \sum_i \beta_i^2 x_i x_i^\top + \sigma^2 I$. The features' law does not
change with their signs, so the mean over the signs is the mean at any of them.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from ntval.claims import sampling
from ntval.claims.domain import Domain, Hypothesis, Interval, OneOf, Range, Sizes
from ntval.claims.sampling import kept
from ntval.observables import regression
from ntval.observables.generalized_cross_validation import CrossValidation, cross_validation
from ntval.regimes import LAWS, PowerLaw
from ntval.subjects.features import power_law_features
from ntval.subjects.subject import FeatureSubject

PAPER = "Wei, Hu & Steinhardt, 2203.06176"
SETTING = ("features", "theorem's setting")

features_of = kept(power_law_features)


class FeatureDraw:
    """What one replicate sees: fresh features, and scores computed when they are asked for."""

    def __init__(self, key: Array, point: PowerLaw, subject: FeatureSubject) -> None:
        self.point, self.subject = point, subject
        self.x = np.asarray(subject.draw(key, point.n), dtype=np.float64)

    @functools.cached_property
    def gram(self) -> Float[np.ndarray, "n n"]:
        """The Gram matrix of the features."""
        return self.x @ self.x.T

    @functools.cached_property
    def labels(self) -> Float[np.ndarray, "n outputs"]:
        """An output a feature, and an output a noisy sample: see the module."""
        noise = self.subject.noise_std * np.eye(len(self.x))
        return np.concatenate([self.x * self.subject.coefficients, noise], axis=1)

    def solution(self, ridge: float) -> Float[np.ndarray, "features outputs"]:
        """Coefficients of every output, by the Cholesky factor of K + ridge I."""
        fit = regression.kernel_ridge(self.gram, self.labels, ridge=ridge)
        return self.x.T @ fit.coefficients

    def scores(self, ridge: float) -> CrossValidation:
        """Estimates from the training data alone."""
        return cross_validation(self.gram, self.labels, ridges=np.array([ridge]))


def excess_risk(draw: FeatureDraw, ridge: float) -> float:
    r"""$\sum_i \lambda_i (\hat\beta_i - \beta_i)^2$ of the population, summed over outputs."""
    subject = draw.subject
    gap = draw.solution(ridge)
    gap[:, : len(subject.coefficients)] -= np.diag(subject.coefficients)
    return float(subject.eigenvalues @ (gap**2).sum(axis=1))


def risk(draw: FeatureDraw, ridge: float) -> float:
    """The risk on noisy labels."""
    return excess_risk(draw, ridge) + draw.subject.noise_std**2


looped = functools.partial(sampling.looped, replicate=FeatureDraw)


def arguments(point: PowerLaw) -> dict[str, Any]:
    """Arguments of theory's formulas at a point, by name."""
    left_out = ("law", "row_spread", "row_correlation", "copies")
    return {name: value for name, value in vars(point).items() if name not in left_out}


def ridge_of(point: PowerLaw) -> float:
    """The absolute ridge."""
    return point.ridge


# Sizes for which remainders are measured.
SAMPLES = (50, 57, 64, 75, 88, 100, 120)
FEATURES = (240, 300, 360)
MORE_FEATURES = Hypothesis(
    "there are at least twice as many features as samples",
    lambda point: point.features >= 2 * point.n,
)


def points(*sizes: tuple[int, int], **fields: Any) -> tuple[PowerLaw, ...]:
    """Points of each size (n, features)."""
    return tuple(PowerLaw(n=n, features=features, **fields) for n, features in sizes)


def power_laws(*where: Hypothesis, **ranges: Range) -> Domain:
    """Points with what is drawn of each field."""
    usual: dict[str, Range] = {
        "n": Sizes(SAMPLES),
        "features": Sizes(FEATURES),
        "decay": Interval(1.1, 2.5),
        "alignment": Interval(1.1, 3.0),
        "ridge": Interval(0.01, 10.0, zero=True),
        "noise_std": Interval(0.05, 1.0, zero=True),
        "law": OneOf(LAWS),
    }
    return Domain({**usual, **ranges}, (MORE_FEATURES, *where), kind=PowerLaw)
