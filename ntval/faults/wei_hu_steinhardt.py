"""Planted faults of generalized cross-validation, and of the theory of ridge regression."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from ntval.claims.wei_hu_steinhardt.setting import excess_risk
from ntval.faults.fault import Fault
from ntval.faults.sites import in_option, in_prediction
from ntval.observables.generalized_cross_validation import CrossValidation, cross_validation
from ntval.theory import wei_hu_steinhardt as theory
from ntval.theory.levels import bracketed_root

Change = Callable[[CrossValidation, int], Float[np.ndarray, "ridges"]]


def _gcv_of(change: Change) -> Callable[..., CrossValidation]:
    """Estimates whose GCV is `change(estimates, n)`."""

    def broken(
        gram: Float[np.ndarray, "n n"],
        y: Float[np.ndarray, "n outputs"],
        *,
        ridges: Float[np.ndarray, "ridges"],
    ) -> CrossValidation:
        found = cross_validation(gram, y, ridges=ridges)
        return replace(found, gcv=change(found, len(gram)))

    return broken


def _shrinkage(found: CrossValidation, n: int) -> Float[np.ndarray, "ridges"]:
    """The mean of 1 - h_i."""
    return 1 - found.effective_dimension / n


def _with_ridge_times(power: int) -> Callable[..., CrossValidation]:
    """GCV and all that belongs to it at a ridge times n^power; the fit, and its train error, stay.

    That is the ridge of K held against the spectrum of K / n, or the reverse.
    """

    def broken(
        gram: Float[np.ndarray, "n n"],
        y: Float[np.ndarray, "n outputs"],
        *,
        ridges: Float[np.ndarray, "ridges"],
    ) -> CrossValidation:
        found = cross_validation(gram, y, ridges=ridges)
        wrong = cross_validation(gram, y, ridges=ridges * float(len(gram)) ** power)
        shrinkage = _shrinkage(wrong, len(gram))
        return replace(wrong, train_error=found.train_error, gcv=found.train_error / shrinkage**2)

    return broken


def _averaged_threshold(
    gram: Float[np.ndarray, "n n"],
    y: Float[np.ndarray, "n outputs"],
    *,
    ridges: Float[np.ndarray, "ridges"],
) -> CrossValidation:
    found = cross_validation(gram, y, ridges=ridges)
    return replace(found, threshold=found.threshold * len(gram))


def _noise_not_amplified(alignment: float, noise_std: float, **fields: Any) -> float:
    clean = theory.omniscient_risk(alignment=alignment, noise_std=0.0, **fields)
    return clean + noise_std**2


def _noise_twice(alignment: float, noise_std: float, **fields: Any) -> float:
    risk = theory.omniscient_risk(alignment=alignment, noise_std=noise_std, **fields)
    return risk + noise_std**2


def _without_overfitting(alignment: float, noise_std: float, **fields: Any) -> float:
    risk = theory.omniscient_risk(alignment=alignment, noise_std=noise_std, **fields)
    return risk / theory.overfitting(**fields)


def _of_squares(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""The root of $n = \sum_i L_i^2 + r / \kappa$, with squared learnabilities."""
    levels = theory.power_law(features, decay)

    def excess(log_kappa: float) -> float:
        kappa = math.exp(log_kappa)
        return float(((levels / (levels + kappa)) ** 2).sum() + ridge / kappa - n)

    high = math.log((float(levels.sum()) + ridge) / n) + 1
    return math.exp(bracketed_root(excess, -50.0, high))


def _features_for_samples(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""The root with 1 / P in place of 1 / n before the sum, P the number of features."""
    return theory.threshold(features, features, decay=decay, ridge=ridge * features / n)


Threshold = Callable[..., float]


def _risk_by(
    threshold: Threshold,
    n: int,
    features: int,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
) -> float:
    """The omniscient risk with another threshold."""
    levels = theory.power_law(features, decay)
    learned = levels / (levels + threshold(n, features, decay=decay, ridge=ridge))
    shares = np.array(theory.power_law_target(features, alignment, noise_std).energies)
    missed = (1 - learned) ** 2 @ shares + noise_std**2
    return float(missed / (1 - learned @ learned / n))


def _learned_by(
    threshold: Threshold, mode: int, n: int, features: int, decay: float, ridge: float
) -> float:
    """The learnability of a feature with another threshold; of mode 0 the sum of all."""
    levels = theory.power_law(features, decay)
    learned = levels / (levels + threshold(n, features, decay=decay, ridge=ridge))
    return float(learned.sum() if mode == 0 else learned[mode - 1])


def _overfitting_by(
    threshold: Threshold, n: int, features: int, decay: float, ridge: float
) -> float:
    levels = theory.power_law(features, decay)
    learned = levels / (levels + threshold(n, features, decay=decay, ridge=ridge))
    return float(1 / (1 - learned @ learned / n))


def _ratio_by(threshold: Threshold, n: int, features: int, decay: float, ridge: float) -> float:
    return (ridge / n / threshold(n, features, decay=decay, ridge=ridge)) ** 2


def _fields(formula: Callable[..., float]) -> Callable[..., float]:
    """A formula of all fields of a point by name."""

    def named(
        n: int, features: int, decay: float, alignment: float, ridge: float, noise_std: float
    ) -> float:
        return formula(
            n=n,
            features=features,
            decay=decay,
            alignment=alignment,
            ridge=ridge,
            noise_std=noise_std,
        )

    return named


# Wrong equations of the threshold: their names, and what is wrong.
_EQUATIONS: tuple[tuple[str, str, Threshold], ...] = (
    ("squared_learnabilities", "squared learnabilities are summed to n", _of_squares),
    ("features_for_samples", "learnabilities are averaged over features", _features_for_samples),
)
# Predictions that rest on the threshold, by the beginnings of their faults' names.
_PREDICTIONS: tuple[tuple[str, Callable[[Threshold], Any]], ...] = (
    ("prediction_of", lambda kappa: partial(_risk_by, kappa)),
    ("prediction_shrinkage_of", lambda kappa: partial(_ratio_by, kappa)),
    (
        "prediction_learned_of",
        lambda kappa: tuple(partial(_learned_by, kappa, mode) for mode in (0, 1, 3, 10, 30)),
    ),
    ("prediction_threshold_of", lambda kappa: (kappa, partial(_overfitting_by, kappa))),
)

FAULTS = (
    Fault(
        "gcv_of_leave_one_out",
        "each residual is divided by its own 1 - h_i, not by their mean",
        in_option(estimates=_gcv_of(lambda found, n: found.leave_one_out)),
    ),
    Fault(
        "gcv_of_train_error",
        "the train error in place of GCV",
        in_option(estimates=_gcv_of(lambda found, n: found.train_error)),
    ),
    Fault(
        "gcv_denominator_not_squared",
        "GCV is divided by the mean of 1 - h_i, not by its square",
        in_option(
            estimates=_gcv_of(lambda found, n: found.train_error / _shrinkage(found, n)),
        ),
    ),
    Fault(
        "gcv_of_fitted_trace",
        "the trace of H in place of that of I - H in GCV",
        in_option(
            estimates=_gcv_of(
                lambda found, n: found.train_error / (found.effective_dimension / n) ** 2
            ),
        ),
    ),
    Fault(
        "gcv_trace_summed",
        "the trace of I - H in GCV is not divided by n",
        in_option(estimates=_gcv_of(lambda found, n: found.gcv / n**2)),
    ),
    Fault(
        "gcv_residuals_summed",
        "squared residuals are summed over samples, not averaged",
        in_option(estimates=_gcv_of(lambda found, n: found.gcv * n)),
    ),
    Fault(
        "gcv_ridge_over_n",
        "the ridge of GCV's denominator is divided by n",
        in_option(estimates=_with_ridge_times(-1)),
    ),
    Fault(
        "gcv_ridge_times_n",
        "the ridge of GCV's denominator is multiplied by n",
        in_option(estimates=_with_ridge_times(1)),
    ),
    Fault(
        "threshold_trace_averaged",
        "the trace in the threshold from data is divided by n",
        in_option(estimates=_averaged_threshold),
    ),
    Fault(
        "risk_without_noise",
        "the risk leaves the noise of the labels out",
        in_option(truth=excess_risk),
    ),
    Fault(
        "prediction_noise_not_amplified",
        "the noise in the risk lacks the overfitting coefficient",
        in_prediction(_fields(_noise_not_amplified)),
    ),
    Fault(
        "prediction_noise_twice",
        "the noise is counted twice in the risk",
        in_prediction(_fields(_noise_twice)),
    ),
    Fault(
        "prediction_without_overfitting",
        "the risk lacks the overfitting coefficient",
        in_prediction(_fields(_without_overfitting)),
    ),
    Fault(
        "prediction_shrinkage_not_squared",
        "train error over risk is the shrinkage of residuals, not its square",
        in_prediction(theory.shrinkage),
    ),
    *(
        Fault(f"{beginning}_{name}", description, in_prediction(of(threshold)))
        for beginning, of in _PREDICTIONS
        for name, description, threshold in _EQUATIONS
    ),
)
