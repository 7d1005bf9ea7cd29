r"""Estimates of the test risk of kernel ridge regression from training data alone.

One eigendecomposition of K serves every ridge and every output. The ridge is absolute, in
$K + r I$, as in `observables.regression`; for an averaged loss with penalty $\lambda$ it is
$r = n \lambda$. With eigenvalues $w_j$ of K, shrinkages $q_j = r / (w_j + r)$ and the matrix of
residuals $Q = r (K + r I)^{-1}$, whose diagonal is $1 - h_i$, $h_i$ the leverages:

| here | literature | formula |
|---|---|---|
| `train_error` | $R_{\text{emp}}$ | $\frac1n \|Q y\|^2$ |
| `gcv` | GCV, generalized cross-validation | $R_{\text{emp}} / (\frac1n \operatorname{tr} Q)^2$ |
| `kare` | KARE, kernel alignment risk estimator | $n\|(K + rI)^{-1} y\|^2 / \operatorname{tr}^2$ |
| `leave_one_out` | LOO, PRESS / n | $\frac1n \sum_i (Q y)_i^2 / (1 - h_i)^2$ |
| `threshold` | $\hat\kappa$ | $1 / \operatorname{tr} (K + r I)^{-1}$ |
| `effective_dimension` | $\operatorname{tr} H$ | $\sum_j w_j / (w_j + r)$ |
| `overfitting` | $\hat E_0 = n\, d\hat\kappa / dr$ | $\overline{q^2} / \bar q^2$ |
| `leverage_dispersion` | | standard deviation of $1 - h_i$ over their mean |

`tr` in the row of KARE is that of $(K + r I)^{-1}$. GCV and KARE are equal; they are computed by
different expressions. GCV replaces each $1 - h_i$ of LOO by their mean: the two part where
`leverage_dispersion` is large. Errors are sums over outputs and means over samples, and count the
noise of the labels.

GCV and LOO are means over samples of squared errors: GCV of $(Q y)_i^2 / (\frac1n \operatorname{tr}
Q)^2$. `gcv_terms` and `leave_one_out_terms` have them, whose spread is the estimates' own.

Ridge 0 is the limit $r \to 0$: with an invertible K the common factor r cancels, with rank
$p < n$ GCV is $(\text{RSS} / n) / (1 - p / n)^2$. Residuals are computed from the spectrum, never
as a difference of labels and fitted values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ntval.arrays import ArrayLike, as_float64, require_gram
from ntval.errors import GramError, InputError
from ntval.observables.regression import (
    Labels,
    clear_of_zero,
    input_rounding,
    require_labels,
    require_positive,
)

Each = Float[np.ndarray, "ridges"]
Terms = Float[np.ndarray, "ridges n"]


@dataclass(frozen=True)
class CrossValidation:
    """Estimates of the risk, and what they are made of: a number for each ridge.

    The module's table says what each is. `coefficients`: $(K + r I)^{-1} y$; rows k(x, X) times
    them are predictions.
    """

    ridges: Each
    train_error: Each
    gcv: Each
    kare: Each
    leave_one_out: Each
    threshold: Each
    effective_dimension: Each
    overfitting: Each
    leverage_dispersion: Each
    gcv_terms: Terms
    leave_one_out_terms: Terms
    coefficients: Float[np.ndarray, "ridges n outputs"]


def cross_validation(
    gram: Float[np.ndarray, "n n"] | ArrayLike,
    y: Labels | ArrayLike,
    *,
    ridges: Float[np.ndarray, "ridges"] | ArrayLike,
    cutoff: float | None = None,
    rounding: float | None = None,
) -> CrossValidation:
    r"""Estimates of the risk at every ridge.

    `cutoff` says, relative to the largest, which eigenvalues count as 0 for ridge 0, as in
    `kernel_ridge`. `rounding` is that of the entries relative to the largest eigenvalue, where they
    were of a lower precision than they are passed in.

    Accuracy: n u times the condition number of $K + r I$, relative; for ridge 0 that of K without
    what counts as 0. A row that K's null space does not reach, up to n u, has leverage 1 for
    ridge 0 when K is singular: its share of LOO is then the limit in the range of K.
    Raises: `InputError` on entries, shapes or ridges that cannot be; `GramError` on a matrix that
    is no Gram matrix, on a ridge > 0 that a singular K loses in rounding, and for ridge 0 when the
    rank cannot be told from rounding.
    """
    matrix = require_gram("gram", gram)
    labels = require_labels(y, len(matrix)).reshape(len(matrix), -1)
    grid = require_ridges(ridges)
    w, vectors = np.linalg.eigh(matrix)
    rounding = input_rounding(gram) if rounding is None else rounding
    require_positive(w, rounding)
    projected = vectors.T @ labels
    rows = []
    for ridge in grid:
        kept = w > 0
        if ridge == 0:
            kept = clear_of_zero("gram", w, 0.0, cutoff, rounding)
        else:
            require_seen(ridge, w, input_rounding(matrix))
        rows.append(_at_ridge(np.where(kept, w, 0.0), kept, vectors, projected, float(ridge)))
    return CrossValidation(grid, *(np.array(column) for column in zip(*rows, strict=True)))


def _at_ridge(
    w: Float[np.ndarray, "n"],
    kept: Bool[np.ndarray, "n"],
    vectors: Float[np.ndarray, "n n"],
    projected: Float[np.ndarray, "n outputs"],
    ridge: float,
) -> tuple[float | np.ndarray, ...]:
    """Every column of `CrossValidation` at one ridge, in its order.

    `relative` is q / max(q), which has a limit for ridge 0 where q may vanish altogether.
    """
    n, smallest = len(w), float(w.min())
    singular = smallest + ridge == 0
    powers = np.sum(projected**2, axis=1)
    if singular:
        relative, top = np.where(kept, 0.0, 1.0), 1.0
    else:
        relative, top = (smallest + ridge) / (w + ridge), ridge / (smallest + ridge)
    mean = relative.mean()
    error = top**2 * float(relative**2 @ powers) / n
    if singular:
        threshold = 0.0
        gcv = kare = error / mean**2
    else:
        inverse = 1 / (w + ridge)
        threshold = 1 / inverse.sum()
        kare = n * float((inverse * threshold) ** 2 @ powers)
        shrinkage = top * mean
        gcv = error / shrinkage**2 if top > 0 else float(relative**2 @ powers) / n / mean**2
    learned = 1 - top * relative if singular else w / (w + ridge)
    missed = vectors**2 @ relative
    residuals = vectors @ (relative[:, None] * projected)
    errors = (residuals**2).sum(axis=1)
    left_out = _left_out(missed, errors, w, vectors, projected, singular=singular)
    return (
        error,
        gcv,
        kare,
        float(left_out.mean()),
        threshold,
        float(learned.sum()),
        float((relative**2).mean() / mean**2),
        float(missed.std() / mean),
        errors / mean**2,
        left_out,
        _pseudo_solution(w, vectors, projected) if singular else residuals / (smallest + ridge),
    )


def _left_out(
    missed: Float[np.ndarray, "n"],
    errors: Float[np.ndarray, "n"],
    w: Float[np.ndarray, "n"],
    vectors: Float[np.ndarray, "n n"],
    projected: Float[np.ndarray, "n outputs"],
    *,
    singular: bool,
) -> Float[np.ndarray, "n"]:
    """Squared error at each sample of the fit to the others.

    Rows of leverage 1 for ridge 0 and a singular K: residual and 1 - h vanish like the ridge, and
    the quotient of their first orders is the limit.
    """
    determined = singular & (missed <= len(w) * np.finfo(np.float64).eps)
    found = errors / np.where(determined, 1.0, missed) ** 2
    if determined.any():
        inverse = np.divide(1.0, w, out=np.zeros_like(w), where=w > 0)
        values = _pseudo_solution(w, vectors, projected)[determined]
        found[determined] = (values**2).sum(axis=1) / (vectors[determined] ** 2 @ inverse) ** 2
    return found


def _pseudo_solution(
    w: Float[np.ndarray, "n"],
    vectors: Float[np.ndarray, "n n"],
    projected: Float[np.ndarray, "n outputs"],
) -> Float[np.ndarray, "n outputs"]:
    """The coefficients of least norm that solve for the labels in the range of K."""
    inverse = np.divide(1.0, w, out=np.zeros_like(w), where=w > 0)
    return vectors @ (inverse[:, None] * projected)


def require_ridges(ridges: ArrayLike) -> Each:
    """A grid of ridges as a float64 array.

    Raises: `InputError` on another shape than (ridges,), and on numbers below 0 or not finite.
    """
    grid = as_float64("ridges", ridges)
    if grid.ndim != 1 or len(grid) == 0:
        raise InputError(
            f"ridges needs shape (ridges,) with one or more, got {grid.shape}; pass "
            "numpy.array([ridge]) for a single one."
        )
    if (grid < 0).any():
        raise InputError(
            f"ridges needs numbers >= 0, got {grid.min():.3g}; 0 is the interpolator of least norm."
        )
    return grid


def require_seen(ridge: float, w: Float[np.ndarray, "n"], rounding: float) -> None:
    """Refuse a ridge > 0 that is lost in the rounding of a singular matrix."""
    lost = max(rounding * w[-1], -float(w[0]))
    if w[0] <= rounding * w[-1] and ridge <= lost:
        raise GramError(
            f"ridges needs numbers above {lost:.3g}, the rounding of a gram with eigenvalues from "
            f"{w[0]:.3g} to {w[-1]:.3g}, got {ridge:.3g}; pass a larger one, or 0 for the "
            "interpolator of least norm."
        )
