r"""Ridge regression: on kernels, on features, on polynomial kernels; train error and test risk.

One ridge everywhere, absolute: $\hat f(x) = k(x, X) (K + \text{ridge}\, I)^{-1} y$.

| convention | objective or system | `ridge` here |
|---|---|---|
| Montanari & Zhong, primal | $\frac1n \|y - \Phi a\|^2 + \frac{\lambda}{n} \|a\|^2$ | $\lambda$ |
| primal; sklearn `Ridge(alpha)` | $\|y - \Phi a\|^2 + \alpha \|a\|^2$ | $\alpha$ |
| sklearn `KernelRidge(alpha)` | $(K + \alpha I)^{-1} y$ | $\alpha$ |
| averaged loss in the RKHS | $\frac1n \sum_i (y_i - f(x_i))^2 + \lambda' \|f\|^2$ | $n \lambda'$ |
| neural-tangents `diag_reg` | $K + \text{diag\_reg} \frac{\operatorname{tr} K}{n} I$ | see below |
| the same with `diag_reg_absolute_scale` | $K + \text{diag\_reg}\, I$ | diag_reg |

`ridge_from_averaged` and `ridge_from_relative` convert the averaged loss and `diag_reg`,
`averaged_from_ridge` and `relative_from_ridge` convert back. sklearn's `Ridge` must have
`fit_intercept=False`: no estimator here has an intercept.

Ridge 0 is the interpolator of least norm. What counts as 0 among eigenvalues or singular values
then is a cut-off, relative to the largest: by default the longest side times $\epsilon$ of the
input's precision. Values up to 1000 times that are in doubt, and refused unless a cut-off is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float

from ntval.arrays import ArrayLike, as_float64, require_gram
from ntval.errors import GramError, InputError

Labels = Float[np.ndarray, "n *outputs"]

# Values this much above the cut-off are neither clearly 0 nor clearly not.
_DOUBTFUL = 1e3


@dataclass(frozen=True)
class Fit:
    """Solution of a ridge regression, with its fit to the training data.

    `predictions` multiplies rows k(x, X) or features of x by `coefficients`. `rank` is the
    numerical rank of K or of the features, None where the solver had no need of it.
    """

    coefficients: Float[np.ndarray, "directions *outputs"]
    fitted: Labels
    residuals: Labels
    rank: int | None
    ridge: float


def kernel_ridge(
    gram: Float[np.ndarray, "n n"] | ArrayLike,
    y: Labels | ArrayLike,
    *,
    ridge: float,
    cutoff: float | None = None,
) -> Fit:
    r"""Kernel ridge regression, the dual: $\alpha = (K + \text{ridge}\, I)^{-1} y$.

    By Cholesky. For `ridge` = 0 by eigenvectors, of which those with eigenvalues up to `cutoff`
    times the largest are left out: the least-squares solution of minimum norm.

    Accuracy: n u times the condition number of $K + \text{ridge}\, I$, without what is left out.
    Raises: `InputError` on entries, shapes or a ridge that cannot be; `GramError` on a matrix
    that is no Gram matrix, for `ridge` = 0 when its rank cannot be told from rounding, and on a
    ridge so small that a singular K loses it in rounding.
    """
    matrix = require_gram("gram", gram)
    labels, ridge = require_labels(y, len(matrix)), _require_ridge(ridge)
    if ridge > 0:
        coefficients = _cholesky_solution(matrix, labels, ridge, input_rounding(gram))
        return _fit(matrix, coefficients, labels, None, ridge)
    w, vectors = np.linalg.eigh(matrix)
    require_positive(w, input_rounding(gram))
    clear = clear_of_zero("gram", w, ridge, cutoff, input_rounding(gram))
    factors = np.divide(1.0, w, out=np.zeros_like(w), where=clear)
    coefficients = vectors @ _scaled(factors, vectors.T @ labels)
    return _fit(matrix, coefficients, labels, int(clear.sum()), ridge)


def feature_ridge(
    features: Float[np.ndarray, "n p"] | ArrayLike,
    y: Labels | ArrayLike,
    *,
    ridge: float,
    cutoff: float | None = None,
) -> Fit:
    r"""Ridge regression on features, the primal: $\arg\min_a \|y - \Phi a\|^2 + \text{ridge}
    \|a\|^2$. With the features of a neural tangent model it is NT ridge regression; with
    $K = \Phi \Phi^\top$ its predictions are those of `kernel_ridge`.

    By singular values, of which those up to `cutoff` times the largest count as 0.

    Accuracy: max(n, p) u times the condition number of $\Phi$, squared where residuals are large.
    Raises: `InputError` on entries, shapes or a ridge that cannot be; `GramError` for
    `ridge` = 0 when the rank cannot be told from rounding.
    """
    matrix = as_float64("features", features)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"features needs shape (n, p), n, p >= 1, got {matrix.shape}; reshape it.")
    labels, ridge = require_labels(y, len(matrix)), _require_ridge(ridge)
    left, s, right = np.linalg.svd(matrix, full_matrices=False)
    clear = clear_of_zero("features", s, ridge, cutoff, input_rounding(features))
    factors = np.divide(s, s**2 + ridge, out=np.zeros_like(s), where=clear)
    coefficients = right.T @ _scaled(factors, left.T @ labels)
    return _fit(matrix, coefficients, labels, int(clear.sum()), ridge)


def polynomial_gram(
    energies: Float[np.ndarray, "degrees"] | ArrayLike,
    harmonics: Float[np.ndarray, "degrees m n"] | ArrayLike,
) -> Float[np.ndarray, "m n"]:
    r"""$K^p = \sum_k \gamma_k P_k$ of energies $\gamma_k$ and matrices $P_k(x, x')$.

    Raises: `InputError` unless there is one energy >= 0 a matrix.
    """
    weights, matrices = as_float64("energies", energies), as_float64("harmonics", harmonics)
    if weights.ndim != 1 or matrices.ndim != 3 or len(weights) != len(matrices):
        raise InputError(
            "energies needs shape (degrees,) and harmonics (degrees, m, n), got "
            f"{weights.shape} and {matrices.shape}; give each degree its matrix."
        )
    if (weights < 0).any():
        raise InputError(
            f"energies needs numbers >= 0, got {weights.min():.3g}; clip what rounding made "
            "negative."
        )
    return np.tensordot(weights, matrices, axes=1)


def polynomial_ridge(
    energies: Float[np.ndarray, "degrees"] | ArrayLike,
    harmonics: Float[np.ndarray, "degrees n n"] | ArrayLike,
    y: Labels | ArrayLike,
    *,
    ridge: float,
    cutoff: float | None = None,
) -> Fit:
    r"""Polynomial ridge regression: `kernel_ridge` with $K^p$ = `polynomial_gram`.

    `ridge` is all of its ridge. Where it stands for kernel ridge regression of ridge $\lambda$,
    that is $\lambda$ plus the energy of the degrees left out. Predict by rows of
    `polynomial_gram` at new points.

    Accuracy, Raises: as `kernel_ridge`.
    """
    return kernel_ridge(polynomial_gram(energies, harmonics), y, ridge=ridge, cutoff=cutoff)


def predictions(
    fit: Fit, rows: Float[np.ndarray, "m directions"] | ArrayLike
) -> Float[np.ndarray, "m *o"]:
    """Predicted values: `rows` are k(x, X) after `kernel_ridge`, features of x after
    `feature_ridge`, one row a point.

    Raises: `InputError` unless a row has as many entries as the fit has coefficients.
    """
    matrix = as_float64("rows", rows)
    if matrix.ndim != 2 or matrix.shape[1] != len(fit.coefficients):
        raise InputError(
            f"rows needs shape (m, {len(fit.coefficients)}), got {matrix.shape}; pass k(x, X), a "
            "row a new point, after kernel_ridge, and features after feature_ridge."
        )
    return matrix @ fit.coefficients


def train_error(fit: Fit) -> float:
    r"""$n^{-1} \sum_i \|y_i - \hat f(x_i)\|^2$."""
    return _mean_square(fit.residuals)


def risk(
    predicted: Float[np.ndarray, "m *o"] | ArrayLike, target: Float[np.ndarray, "m *o"] | ArrayLike
) -> float:
    r"""$m^{-1} \sum_i \|f_*(x_i) - \hat f(x_i)\|^2$; the excess risk when `target` has no noise.

    Raises: `InputError` on shapes that differ.
    """
    values, truth = as_float64("predicted", predicted), as_float64("target", target)
    if values.shape != truth.shape or values.size == 0:
        raise InputError(
            f"predicted and target need one shape, got {values.shape} and {truth.shape}; "
            "evaluate both at the same points."
        )
    return _mean_square(values - truth)


def ridge_from_averaged(averaged: float, n: int) -> float:
    r"""Absolute ridge $n \lambda'$ of a penalty $\lambda'$ on an averaged loss."""
    return _require_ridge(averaged) * _require_count(n)


def averaged_from_ridge(ridge: float, n: int) -> float:
    r"""Penalty $\lambda' = \text{ridge} / n$ on an averaged loss."""
    return _require_ridge(ridge) / _require_count(n)


def ridge_from_relative(diag_reg: float, gram: Float[np.ndarray, "n n"] | ArrayLike) -> float:
    r"""Absolute ridge $\text{diag\_reg} \operatorname{tr} K / n$ of neural-tangents' `diag_reg`."""
    return _require_ridge(diag_reg) * _mean_trace(gram)


def relative_from_ridge(ridge: float, gram: Float[np.ndarray, "n n"] | ArrayLike) -> float:
    r"""neural-tangents' `diag_reg` $= \text{ridge} / (\operatorname{tr} K / n)$."""
    return _require_ridge(ridge) / _mean_trace(gram)


def _fit(
    matrix: np.ndarray, coefficients: np.ndarray, labels: np.ndarray, rank: int | None, ridge: float
) -> Fit:
    fitted = matrix @ coefficients
    return Fit(coefficients, fitted, labels - fitted, rank, ridge)


def _mean_square(values: np.ndarray) -> float:
    return float((values**2).sum() / len(values))


def _cholesky_solution(
    matrix: np.ndarray, labels: np.ndarray, ridge: float, rounding: float
) -> np.ndarray:
    """(K + ridge I)^-1 y, refused when the condition number reaches 1 / (n epsilon) of float64.

    `rounding` is that of the input, which may have made eigenvalues negative.
    """
    shifted = matrix + ridge * np.eye(len(matrix))
    try:
        factor = scipy.linalg.cho_factor(shifted, lower=True)
        (condition,) = scipy.linalg.get_lapack_funcs(("pocon",), (shifted,))
        reciprocal, _ = condition(factor[0], np.abs(shifted).sum(axis=0).max(), uplo="L")
    except np.linalg.LinAlgError:
        factor, reciprocal = None, 0.0
    lost = input_rounding(matrix)
    if factor is None or reciprocal < lost:
        w = np.linalg.eigvalsh(matrix)
        require_positive(w, rounding)
        raise GramError(
            f"ridge needs to exceed {max(lost * w[-1], -w[0]):.3g}, the rounding of a gram with "
            f"eigenvalues from {w[0]:.3g} to {w[-1]:.3g}, got {ridge!r}; pass a larger one, or "
            "ridge=0 for the interpolator of least norm."
        )
    return scipy.linalg.cho_solve(factor, labels)


def clear_of_zero(
    name: str, values: Float[np.ndarray, "k"], ridge: float, cutoff: float | None, rounding: float
) -> Bool[np.ndarray, "k"]:
    """Which eigenvalues or singular values are clearly not 0: those above the cut-off.

    Without a ridge, and with the default cut-off, none may be in doubt.
    Raises: `InputError` on a cut-off outside of [0, 1), `GramError` on values in doubt.
    """
    if cutoff is not None and not 0 <= cutoff < 1:
        raise InputError(
            f"cutoff needs 0 <= cutoff < 1, got {cutoff!r}; it is relative to the largest value."
        )
    largest = values.max()
    cut = (rounding if cutoff is None else cutoff) * largest
    doubtful = values[(values > cut) & (values <= _DOUBTFUL * cut)]
    if ridge == 0 and cutoff is None and len(doubtful):
        raise GramError(
            f"{name} needs a clear rank to be solved with ridge=0, got {len(doubtful)} of "
            f"{len(values)} values within {_DOUBTFUL:g} times rounding, the smallest "
            f"{doubtful.min():.3g} against the largest {largest:.3g}; pass ridge > 0, drop nearly "
            "equal rows, or say by cutoff=... what counts as 0."
        )
    return values > cut


def _scaled(factors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return (factors * rows.T).T


def require_positive(w: Float[np.ndarray, "n"], rounding: float) -> None:
    """Refuse eigenvalues, ascending, that are negative beyond `rounding` of the largest.

    Raises: `GramError` naming the smallest and the largest.
    """
    if w[0] < -_DOUBTFUL * rounding * np.abs(w).max():
        raise GramError(
            f"gram needs to be positive semi-definite, got eigenvalues from {w[0]:.3g} to "
            f"{w[-1]:.3g}; pass the Gram matrix of a kernel."
        )


def require_labels(y: Labels | ArrayLike, n: int) -> Labels:
    """Labels of n inputs as a float64 array of shape (n,) or (n, outputs).

    Raises: `InputError` on other shapes, and on entries that are not finite.
    """
    labels = as_float64("y", y)
    if labels.ndim not in (1, 2) or len(labels) != n:
        raise InputError(
            f"y needs shape ({n},) or ({n}, outputs), got {labels.shape}; give each of the {n} "
            "inputs its label."
        )
    return labels


def _require_ridge(ridge: float) -> float:
    if not (math.isfinite(ridge) and ridge >= 0):
        raise InputError(
            f"ridge needs a finite number >= 0, got {ridge!r}; 0 is the interpolator of least norm."
        )
    return float(ridge)


def _require_count(n: int) -> int:
    if n < 1:
        raise InputError(f"n needs to be >= 1, got {n!r}; pass the number of samples.")
    return n


def input_rounding(array: Float[np.ndarray, "..."] | ArrayLike) -> float:
    """Longest side times the precision of what was passed in, float64 at best."""
    array = np.asarray(array)
    return max(array.shape) * max(float(jnp.finfo(array.dtype).eps), np.finfo(np.float64).eps)


def _mean_trace(gram: ArrayLike) -> float:
    mean = float(np.trace(require_gram("gram", gram))) / len(gram)
    if mean <= 0:
        raise GramError(f"gram needs a positive trace, got mean {mean:.3g}; it is no kernel's.")
    return mean
