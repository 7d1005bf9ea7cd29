"""Planted faults of claims about the local law, spectra, and exponents of risk and norm bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from ntval.faults.fault import Fault
from ntval.faults.sites import in_option, in_prediction
from ntval.observables.spectral_moments import unbiased_moments
from ntval.theory import wei_hu_steinhardt as theory

Matrix = Float[np.ndarray, "n n"]
Outputs = Float[np.ndarray, "n outputs"]

_RANGES = (((1, 5), (6, 20)), ((6, 20), (21, 60)), ((21, 60), (61, 120)))


def _spreads(
    n: int, features: int, decay: float, ridge: float, kind: str
) -> Float[np.ndarray, "blocks"]:
    """Wrong mean squares of the local law."""
    levels = theory.power_law(features, decay)
    ridge = ridge * features / n if kind == "features" else ridge
    samples = features if kind == "features" else n
    kappa = theory.threshold(samples, features, decay=decay, ridge=ridge)
    learned = levels / (levels + kappa)
    each = learned * learned if kind == "learnabilities" else learned * (1 - learned)
    factor = 1.0 if kind == "overfitting" else 1 / (1 - learned @ learned / n)
    blocks = [each[a - 1 : b].sum() * each[c - 1 : d].sum() for (a, b), (c, d) in _RANGES]
    return factor / n * np.array(blocks)


def _mixing_by(kind: str) -> Callable[..., Any]:
    def broken(n: int, features: int, decay: float, ridge: float) -> Float[np.ndarray, "blocks"]:
        return _spreads(n, features, decay, ridge, kind)

    return broken


def _curve_of_squares(features: int, *, decay: float, kappa: float) -> float:
    levels = theory.power_law(features, decay)
    return float(((levels / (levels + kappa)) ** 2).sum())


def _scaled_rows(x: Outputs) -> Outputs:
    return np.sqrt(theory.row_variances(len(x), 0.3))[:, None] * x


def _copied_rows(x: Outputs) -> Float[np.ndarray, "m outputs"]:
    return np.concatenate([x, x])


def _over_powers(gram: Matrix) -> tuple[float, float, float]:
    n = len(gram)
    first, second, third = unbiased_moments(gram)
    return first, second * (n - 1) / n, third * (n - 1) * (n - 2) / n**2


def _with_the_diagonal(gram: Matrix) -> tuple[float, float, float]:
    n = len(gram)
    squared = gram @ gram
    return (
        float(np.trace(gram)) / n,
        float(np.trace(squared)) / n**2,
        float((squared * gram).sum()) / n**3,
    )


def _squares_for_triangles(gram: Matrix) -> tuple[float, float, float]:
    """Triangles of which two corners may be one sample: K_ij^2 K_ii among them."""
    n = len(gram)
    first, second, _ = unbiased_moments(gram)
    others = gram - np.diag(np.diag(gram))
    return first, second, float((others @ others * gram).sum()) / (n * (n - 1) * (n - 2))


def _slope(formula: Callable[..., float]) -> Callable[..., float]:
    """Slope between n and 2 n at one penalty."""

    def named(
        n: int, features: int, decay: float, alignment: float, ridge: float, noise_std: float
    ) -> float:
        fields = {"decay": decay, "alignment": alignment, "noise_std": noise_std}
        few, many = (
            formula(times * n, features, ridge=times * ridge, **fields) for times in (1, 2)
        )
        return math.log(many / few) / math.log(2)

    return named


def _norm_without_samples(n: float, features: int, **fields: Any) -> float:
    return theory.squared_norm(n, features, **fields) ** 0.5


def _norm_of_target(n: float, features: int, **fields: Any) -> float:
    """The bound with the norm of the target in place of that of the fit."""
    return n**-0.5


def _risk_at_absolute_ridge(
    n: int, features: int, decay: float, alignment: float, ridge: float, noise_std: float
) -> float:
    fields = {"decay": decay, "alignment": alignment, "ridge": ridge, "noise_std": noise_std}
    few, many = (theory.omniscient_risk(times * n, features, **fields) for times in (1, 2))
    return math.log(many / few) / math.log(2)


def _limit(decay: float, alignment: float) -> float:
    return theory.ridgeless_risk_exponent(decay=decay, alignment=alignment)


def _clean(n: float, features: int, *, noise_std: float, **fields: Any) -> float:
    return theory.omniscient_risk(n, features, noise_std=0.0, **fields)


def _rate(of_overfitting: Callable[[float], float]) -> Callable[..., float]:
    """The rate of GCV as another function of the overfitting coefficient."""

    def named(n: int, features: int, decay: float, ridge: float) -> float:
        return of_overfitting(theory.overfitting(n, features, decay=decay, ridge=ridge))

    return named


FAULTS = (
    Fault(
        "prediction_rate_of_overfitting",
        "the mean square error of GCV is that of errors with variance E_0",
        in_prediction(_rate(lambda factor: 2 * factor)),
    ),
    Fault(
        "prediction_rate_without_overfitting",
        "the mean square error of GCV is that of independent errors",
        in_prediction(2.0),
    ),
    Fault(
        "prediction_rate_of_correlated_errors",
        "errors at two samples are correlated twice as much in the rate of GCV",
        in_prediction(_rate(lambda factor: 2 + 8 * (factor - 1))),
    ),
    Fault(
        "prediction_mixing_without_overfitting",
        "the overfitting coefficient is left out of the local law's fluctuations",
        in_prediction(_mixing_by("overfitting")),
    ),
    Fault(
        "prediction_mixing_of_features_for_samples",
        "learnabilities are averaged over features in the local law",
        in_prediction(_mixing_by("features")),
    ),
    Fault(
        "prediction_mixing_of_learnabilities",
        "L_i^2 in place of L_i (1 - L_i) in the local law's fluctuations",
        in_prediction(_mixing_by("learnabilities")),
    ),
    Fault(
        "curve_of_squares",
        "squared learnabilities on the curve of effective dimensions",
        in_option(curve=_curve_of_squares),
    ),
    Fault(
        "curve_of_scaled_rows",
        "every tenth sample is larger",
        in_option(rows=_scaled_rows),
    ),
    Fault(
        "curve_of_copied_rows",
        "every sample occurs twice",
        in_option(rows=_copied_rows),
    ),
    Fault(
        "moments_over_powers_of_n",
        "sums over different samples are divided by n^2 and n^3",
        in_option(moments=_over_powers),
    ),
    Fault(
        "moments_with_the_diagonal",
        "moments are those of the Gram matrix with its diagonal",
        in_option(moments=_with_the_diagonal),
    ),
    Fault(
        "moments_of_squares_for_triangles",
        "triangles of which two corners are one sample are counted",
        in_option(moments=_squares_for_triangles),
    ),
    Fault(
        "exponent_of_the_limit",
        "the exponent of infinitely many samples in place of the local one",
        in_prediction((_limit, _limit)),
    ),
    Fault(
        "exponent_without_noise",
        "the exponent of the risk without noise",
        in_prediction((_slope(_clean), _slope(_clean))),
    ),
    Fault(
        "exponent_at_an_absolute_ridge",
        "the ridge of K is kept, not that of K / n",
        in_prediction((_risk_at_absolute_ridge, _risk_at_absolute_ridge)),
    ),
    Fault(
        "norm_bound_without_samples",
        "the norm bound is not divided by the root of n",
        in_prediction((_slope(_norm_without_samples), theory.local_exponent)),
    ),
    Fault(
        "norm_bound_of_the_target",
        "the norm of the target in place of that of the fit",
        in_prediction((_slope(_norm_of_target), theory.local_exponent)),
    ),
)
