"""Planted faults of claims about features that the theorem of Wei, Hu & Steinhardt leaves out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from ntval.claims.wei_hu_steinhardt.rows import RowsDraw
from ntval.faults.fault import Fault
from ntval.faults.sites import in_option, in_prediction
from ntval.observables.correlated_rows import correlated_cross_validation
from ntval.observables.ensembles import (
    EnsembleCrossValidation,
    Members,
    ensemble_cross_validation,
)
from ntval.observables.generalized_cross_validation import CrossValidation, cross_validation
from ntval.theory import wei_hu_steinhardt as theory

Matrix = Float[np.ndarray, "n n"]
Outputs = Float[np.ndarray, "n outputs"]
Rows = Float[np.ndarray, "n"]


def _left_out_of_gcv(
    gram: Matrix, y: Outputs, *, ridges: Float[np.ndarray, "ridges"]
) -> CrossValidation:
    found = cross_validation(gram, y, ridges=ridges)
    return replace(found, leave_one_out=found.gcv)


def _squared_spread(
    n: int,
    features: int,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
    row_spread: float,
) -> float:
    """GCV over the risk with squared variances of the samples."""
    rows = theory.row_variances(n, row_spread) ** 2
    found = theory.rows_equivalent(
        rows,
        np.ones(n),
        features,
        decay=decay,
        alignment=alignment,
        ridge=ridge,
        noise_std=noise_std,
    )
    return found.gcv / found.risk


def _one_copy_more(
    n: int,
    features: int,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
    copies: int,
) -> float:
    """The ratio with one copy of each sample too many."""
    return theory.dependent_rows_gcv_ratio(
        n,
        features,
        decay=decay,
        alignment=alignment,
        ridge=ridge,
        noise_std=noise_std,
        row_correlation=0.0,
        copies=copies + 1,
    )


def _uncorrelated(gram: Matrix, y: Outputs, rows: Rows, *, ridge: float) -> float:
    return correlated_cross_validation(gram, y, np.ones(len(rows)), ridge=ridge)


def _parts(gram: Matrix, y: Outputs, rows: Rows, ridge: float) -> tuple[float, float, float]:
    """Share that is fitted, train error, and CorrGCV over it."""
    found = cross_validation(gram, y, ridges=np.array([ridge]))
    error = float(found.train_error[0])
    factor = correlated_cross_validation(gram, y, rows, ridge=ridge) / error
    return float(found.effective_dimension[0]) / len(gram), error, factor


def _rows_alike(gram: Matrix, y: Outputs, rows: Rows, *, ridge: float) -> float:
    """a / t1 of correlated rows, and t1 / (t1 - t2) of rows that are alike."""
    fitted, error, factor = _parts(gram, y, rows, ridge)
    coupling = _coupling(rows, fitted, factor)
    return error * coupling / (fitted * (1 - fitted))


def _without_coupling(gram: Matrix, y: Outputs, rows: Rows, *, ridge: float) -> float:
    """t1 / (t1 - t2) of the train error, without a / t1."""
    fitted, error, factor = _parts(gram, y, rows, ridge)
    return error * factor * fitted / _coupling(rows, fitted, factor)


def _coupling(rows: Rows, fitted: float, factor: float) -> float:
    """The a of the estimate, by bisection."""
    rows = rows / rows.mean()
    low, high = fitted, 1e6
    for _ in range(100):
        a = np.sqrt(low * high)
        low, high = (a, high) if (a * rows / (1 + a * rows)).mean() < fitted else (low, a)
    return float(low)


def _independent_noise(draw: RowsDraw) -> Outputs:
    noise = draw.subject.noise_std * np.eye(len(draw.x))
    return np.concatenate([draw.x * draw.subject.coefficients, noise], axis=1)


def _ensemble(change: Callable[..., EnsembleCrossValidation]) -> Callable[..., Any]:
    """Estimates of an ensemble that are `change(found, members, n)`."""

    def broken(
        gram: Matrix, y: Outputs, members: Members, *, ridge: float
    ) -> EnsembleCrossValidation:
        found = ensemble_cross_validation(gram, y, members, ridge=ridge)
        return change(found, members, gram, ridge)

    return broken


def _dimension(members: Members, gram: Matrix, ridge: float) -> float:
    """The mean of the members' degrees of freedom."""
    found = []
    for rows in members:
        w = np.linalg.eigvalsh(gram[np.ix_(rows, rows)])
        found.append(float((w / (w + ridge)).sum()))
    return float(np.mean(found))


def _dimension_summed(
    found: EnsembleCrossValidation, members: Members, gram: Matrix, ridge: float
) -> EnsembleCrossValidation:
    """Degrees of freedom in GCV's denominator of all members together."""
    share = _dimension(members, gram, ridge) / len(gram)
    return replace(found, gcv=found.gcv * ((1 - share) / (1 - len(members) * share)) ** 2)


def _trained_error_for_risk(
    found: EnsembleCrossValidation, members: Members, gram: Matrix, ridge: float
) -> EnsembleCrossValidation:
    """The members' errors on all samples in place of their risks."""
    n, k = len(gram), len(members[0])
    d = _dimension(members, gram, ridge)
    return replace(found, correction=found.correction * (1 - 2 * d / n + d**2 / (k * n)))


FAULTS = (
    Fault(
        "leave_one_out_of_gcv",
        "residuals that are left out are divided by the mean of 1 - h_i",
        in_option(estimates=_left_out_of_gcv),
    ),
    Fault(
        "prediction_rows_alike",
        "GCV is taken for the risk where samples are of unlike size",
        in_prediction((1.0, theory.unlike_rows_leave_one_out_ratio)),
    ),
    Fault(
        "prediction_rows_squared",
        "the variances of samples are squared in GCV",
        in_prediction((_squared_spread, theory.unlike_rows_leave_one_out_ratio)),
    ),
    Fault(
        "prediction_one_copy_too_many",
        "each sample is taken to occur once more than it does",
        in_prediction((_one_copy_more, _one_copy_more)),
    ),
    Fault(
        "prediction_rows_independent",
        "GCV is taken for the risk where samples occur twice",
        in_prediction(1.0),
    ),
    Fault(
        "correlation_ignored",
        "the samples' covariance is taken for the identity in CorrGCV",
        in_option(estimate=_uncorrelated),
    ),
    Fault(
        "correlation_of_rows_alike",
        "the spread of the samples' covariance is left out of t2 in CorrGCV",
        in_option(estimate=_rows_alike),
    ),
    Fault(
        "correlation_without_coupling",
        "the factor a / t1 is left out of CorrGCV",
        in_option(estimate=_without_coupling),
    ),
    Fault(
        "correlation_of_independent_noise",
        "the noise of correlated samples is independent",
        in_option(labels=_independent_noise),
    ),
    Fault(
        "ensemble_correction_left_out",
        "GCV of an ensemble is not corrected",
        in_option(estimate=_ensemble(lambda found, *_: replace(found, correction=0.0))),
    ),
    Fault(
        "ensemble_correction_of_one_member",
        "the correction of an ensemble's GCV is not divided by the number of members",
        in_option(
            estimate=_ensemble(
                lambda found, members, *_: replace(
                    found, correction=found.correction * len(members)
                )
            )
        ),
    ),
    Fault(
        "ensemble_dimension_summed",
        "degrees of freedom are summed over members, not averaged",
        in_option(estimate=_ensemble(_dimension_summed)),
    ),
    Fault(
        "ensemble_trained_error_for_risk",
        "errors on all samples stand for the risks of members in the correction",
        in_option(estimate=_ensemble(_trained_error_for_risk)),
    ),
)
