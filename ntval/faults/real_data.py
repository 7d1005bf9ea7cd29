"""Planted faults of regressions on labelled data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from ntval.claims.wei_hu_steinhardt.splits import Split
from ntval.faults.fault import Fault
from ntval.faults.sites import in_labelled, in_option, in_prediction
from ntval.observables.generalized_cross_validation import CrossValidation
from ntval.subjects.subject import LabelledGram
from ntval.theory import wei_hu_steinhardt as theory
from ntval.theory.ridge_equivalents import ridge_equivalent


def _train_error(split: Split, ridge: float) -> float:
    """The error at the rows that were fitted: residuals are the ridge times the coefficients."""
    return float((ridge**2 * split.coefficients(ridge) ** 2).sum(axis=1).mean())


def _of_residuals(found: CrossValidation) -> Float[np.ndarray, "ridges"]:
    """The trace of I - H in place of that of H."""
    return found.ridges / found.threshold


def _random_weights(subject: LabelledGram) -> LabelledGram:
    assert subject.control is not None
    return replace(subject, gram=subject.control)


def _with_rows(
    rows: Callable[[int], np.ndarray], *, gram: bool
) -> Callable[[LabelledGram], LabelledGram]:
    """Labels of other rows, and the kernel of them as well or as it was."""

    def changed(subject: LabelledGram) -> LabelledGram:
        chosen = rows(len(subject.labels))
        kernel = subject.gram[np.ix_(chosen, chosen)] if gram else subject.gram
        return replace(subject, gram=kernel, labels=subject.labels[chosen])

    return changed


def _without_overfitting(
    eigenvalues: Float[np.ndarray, "M"],
    energies: Float[np.ndarray, "M"],
    n: int,
    *,
    ridge: float,
) -> float:
    equivalent = ridge_equivalent(eigenvalues, np.ones(len(eigenvalues)), n, ridge=ridge)
    return theory.plug_in_risk(eigenvalues, energies, n, ridge=ridge) / equivalent.overfitting


def _at_ridge_over_n(
    eigenvalues: Float[np.ndarray, "M"],
    energies: Float[np.ndarray, "M"],
    n: int,
    *,
    ridge: float,
) -> float:
    return theory.plug_in_risk(eigenvalues, energies, n, ridge=ridge / n)


FAULTS = (
    Fault(
        "pool_without_fitted_rows",
        "the rows that are fitted are left out of the error over the pool",
        in_option(error=Split.test_error),
    ),
    Fault(
        "plug_in_without_overfitting",
        "the omniscient risk of the pool lacks the overfitting coefficient",
        in_option(predicted=_without_overfitting),
    ),
    Fault(
        "plug_in_at_a_ridge_over_n",
        "the omniscient risk of the pool is that of a ridge over n",
        in_option(predicted=_at_ridge_over_n),
    ),
    Fault(
        "gcv_ridge_picked_largest",
        "the ridge with the largest GCV is picked",
        in_option(pick=lambda estimates: int(estimates.argmax())),
    ),
    Fault(
        "tested_on_train_rows",
        "the error that is compared with GCV is that of the rows that were fitted",
        in_option(error=_train_error),
    ),
    Fault(
        "prediction_gcv_exact",
        "GCV is said to be right near interpolation, as leave-one-out is",
        in_prediction((1.0, 1.0)),
    ),
    Fault(
        "rows_repeated",
        "every row is in the data twice, so that test rows are among the fitted ones",
        in_labelled(_with_rows(lambda n: np.repeat(np.arange((n + 1) // 2), 2)[:n], gram=True)),
    ),
    Fault(
        "labels_permuted",
        "labels are in another order than the inputs",
        in_labelled(_with_rows(lambda n: np.random.default_rng(0).permutation(n), gram=False)),
    ),
    Fault(
        "random_weights_for_pretrained",
        "the pretrained network has random weights",
        in_labelled(_random_weights),
    ),
    Fault(
        "ridge_not_of_trace",
        "the ridge is a number, not a share of the trace of the kernel",
        in_option(ridge=lambda gram, share: share),
    ),
    Fault(
        "dimension_of_residuals",
        "the effective dimension is the trace of I - H in place of H",
        in_option(dimension=_of_residuals),
    ),
    Fault(
        "norm_bound_of_test_error",
        "the norm bound is made of the test error",
        in_option(norm=Split.test_error),
    ),
)
