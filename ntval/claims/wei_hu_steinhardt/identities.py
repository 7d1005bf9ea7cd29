"""Wei, Hu & Steinhardt, 2203.06176: what is exact of generalized cross-validation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import rounding_allowance
from ntval.claims.claim import Claim
from ntval.claims.domain import Interval, Sizes
from ntval.claims.procedures import Identity
from ntval.claims.wei_hu_steinhardt.setting import (
    PAPER,
    SETTING,
    FeatureDraw,
    features_of,
    points,
    power_laws,
)
from ntval.evidence.exact import Comparison
from ntval.observables import regression
from ntval.observables.generalized_cross_validation import CrossValidation, cross_validation
from ntval.regimes import PowerLaw
from ntval.subjects.subject import FeatureSubject

Estimates = Callable[..., CrossValidation]

# Steps of the complex-step derivative: rounding of the imaginary part alone, no truncation.
_STEP = 1e-30


def _derivative_of_alignment(draw: FeatureDraw, penalty: float) -> float:
    r"""$\lambda^2 dF / d\lambda$ of $F = \lambda \beta^\top (\hat\Sigma + \lambda I)^{-1} \beta$,
    the mean over signs of the coefficients."""
    covariance = draw.x.T @ draw.x / len(draw.x)
    shifted = penalty + 1j * _STEP * penalty
    inverse = np.linalg.inv(covariance + shifted * np.eye(len(covariance)))
    alignment = shifted * (draw.subject.coefficients**2 @ np.diag(inverse))
    return penalty * float(alignment.imag) / _STEP


def _derivative_of_threshold(gram: Float[np.ndarray, "n n"], ridge: float) -> float:
    r"""$n\, d\hat\kappa / dr$."""
    inverse = np.linalg.inv(gram + ridge * (1 + 1j * _STEP) * np.eye(len(gram)))
    return len(gram) * float((1 / np.trace(inverse)).imag) / (_STEP * ridge)


def _error_of_refits(
    gram: Float[np.ndarray, "n n"], y: Float[np.ndarray, "n outputs"], ridge: float
) -> float:
    """Mean square of the errors of the fits to all samples but one."""
    errors = []
    for i in range(len(gram)):
        others = np.delete(np.arange(len(gram)), i)
        fit = regression.kernel_ridge(gram[np.ix_(others, others)], y[others], ridge=ridge)
        errors.append(((y[i] - gram[i, others] @ fit.coefficients) ** 2).sum())
    return float(np.mean(errors))


def _gcv_identities(
    key: Array,
    point: PowerLaw,
    subject: FeatureSubject,
    estimates: Estimates = cross_validation,
) -> list[Comparison]:
    """Estimates from one eigendecomposition, and each again by another way."""
    draw, n, ridge = FeatureDraw(key, point, subject), point.n, point.ridge
    gram, y = draw.gram, draw.labels

    def scores(
        gram: Float[np.ndarray, "n n"], y: Float[np.ndarray, "n outputs"], ridge: float
    ) -> CrossValidation:
        return estimates(gram, y, ridges=np.array([ridge]))

    found = scores(gram, y, ridge)
    noiseless = scores(gram, draw.x * subject.coefficients, ridge)
    inverse = np.linalg.inv(gram + ridge * np.eye(n))
    trace = float(np.trace(inverse))
    kare = n * float(((inverse @ y) ** 2).sum()) / trace**2
    twice, longer = scores(3.7 * gram, y, 3.7 * ridge), scores(gram, -0.3 * y, ridge)
    from_threshold = found.train_error * (n * found.threshold / ridge) ** 2
    learned = np.einsum("ni,nm,mi->i", draw.x, inverse, draw.x)
    derivative = _derivative_of_alignment(draw, ridge / n)
    pairs = {
        "GCV and KARE by a direct solve": (found.gcv, kare),
        "KARE by the spectrum and a direct solve": (found.kare, kare),
        "GCV and train error over squared shrinkage": (found.gcv, from_threshold),
        "GCV of a kernel and a ridge 3.7 times as large": (twice.gcv, found.gcv),
        "GCV of labels -0.3 times as large": (longer.gcv, 0.09 * found.gcv),
        "leave-one-out and refits": (found.leave_one_out, _error_of_refits(gram, y, ridge)),
        "threshold and its inverse trace": (found.threshold, 1 / trace),
        "effective dimension and sum of learnabilities": (
            found.effective_dimension,
            float(learned.sum()),
        ),
        "effective dimension and n - ridge / threshold": (
            found.effective_dimension,
            n - ridge / found.threshold,
        ),
        "overfitting and derivative of the threshold": (
            found.overfitting,
            _derivative_of_threshold(gram, ridge),
        ),
        "train error and derivative of the alignment": (noiseless.train_error, derivative),
    }
    # Each way inverts K + ridge I, or the covariance of the features, a few times.
    norm = float(np.linalg.norm(gram, 2))
    order = max(n, point.features)
    relative = rounding_allowance(16 * order * (norm + ridge) / ridge)
    comparisons = []
    for name, (left, right) in pairs.items():
        size = np.abs(np.atleast_1d(np.asarray(right, dtype=float)))
        # n - ridge / threshold is a difference, and learnabilities are at most 1 each.
        size = np.full_like(size, n) if name.startswith("effective") else size
        left = np.broadcast_to(np.asarray(left, dtype=float), size.shape)
        right = np.broadcast_to(np.asarray(right, dtype=float), size.shape)
        comparisons.append(Comparison(name, left, right, relative * size, size))
    return comparisons


gcv_identities = Claim(
    name="wei_hu_steinhardt.gcv_identities",
    source=f"{PAPER}; Craven & Wahba (1978); identities derived and checked in the spec, sections "
    "1.2, 1.3 and 1.5; C6, C7.",
    statement="GCV is KARE and the train error over (ridge / n kappa-hat)^2, whatever the scale of "
    "kernel and labels; leave-one-out is that of refits; the learnabilities sum to n - ridge / "
    "kappa-hat; the train error is l^2 d/dl of l b^T (S + l)^{-1} b.",
    needs=SETTING,
    points={
        "quick": points((15, 40), ridge=0.05, noise_std=0.3),
        "standard": (
            *points((15, 40), (30, 60), ridge=0.05, noise_std=0.3),
            *points((30, 60), decay=2.2, ridge=0.5),
        ),
        "thorough": (
            *points((15, 40), (30, 60), (45, 90), ridge=0.05, noise_std=0.3),
            *points((30, 60), (45, 90), decay=2.2, ridge=0.5, law="rademacher"),
        ),
    },
    domain=power_laws(
        n=Sizes((4, 7, 10, 15, 22, 30)),
        features=Sizes((40, 60, 75, 90)),
        decay=Interval(0.0, 2.5),
        alignment=Interval(0.0, 3.0),
        ridge=Interval(0.01, 10.0),
    ),
    subject=features_of,
    procedure=Identity(_gcv_identities),
    faults=(
        "gcv_of_leave_one_out",
        "gcv_denominator_not_squared",
        "gcv_of_fitted_trace",
        "gcv_trace_summed",
        "gcv_residuals_summed",
        "gcv_ridge_over_n",
        "gcv_ridge_times_n",
    ),
)
