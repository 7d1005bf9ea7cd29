"""Spectra of Gram matrices: smallest eigenvalue, certificates, effective ranks, norms, distances.
NumPy in, out."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from jaxtyping import Float

from ntval.arrays import (
    UNIT_ROUNDOFF,
    AnyArray,
    ArrayLike,
    as_float64,
    require_gram,
    rounding_allowance,
)
from ntval.errors import GramError, InputError

# From here on Cholesky and inverse Lanczos beat a dense eigenvalue solver (DESIGN.md, section 7).
LANCZOS_FROM = 600


def min_eigenvalue(gram: Float[AnyArray, "n n"] | ArrayLike) -> float:
    r"""Smallest eigenvalue $\lambda_{\min}(K)$.

    Dense below `LANCZOS_FROM` rows; above, Lanczos on $K^{-1}$ by a Cholesky factor, which
    falls back to the dense solver when $K$ is not numerically positive definite.
    Duplicate rows make every kernel singular: the value is then rounding around 0.

    Accuracy: absolute error of a few n u ||K||, by either algorithm.
    Raises: `InputError`, `GramError` as `require_gram`.
    """
    matrix = require_gram("gram", gram)
    found = inverse_lanczos(matrix) if len(matrix) >= LANCZOS_FROM else None
    return dense_min_eigenvalue(matrix) if found is None else found


def dense_min_eigenvalue(matrix: Float[np.ndarray, "n n"]) -> float:
    """Smallest eigenvalue of a symmetric matrix, by a dense solver.

    Accuracy: as `min_eigenvalue`.
    """
    return float(scipy.linalg.eigvalsh(matrix, subset_by_index=[0, 0])[0])


def inverse_lanczos(matrix: Float[np.ndarray, "n n"]) -> float | None:
    """Smallest eigenvalue of a positive definite matrix, by Lanczos on its inverse; None where
    Cholesky or Lanczos fails.

    Accuracy: as `min_eigenvalue`.
    """
    n = len(matrix)
    try:
        factor = scipy.linalg.cho_factor(matrix, lower=True)
        inverse = scipy.sparse.linalg.LinearOperator(
            (n, n),
            matvec=lambda v: scipy.linalg.cho_solve(factor, v),  # pyright: ignore
            dtype=np.float64,  # pyright: ignore
        )
        start = np.random.default_rng(0).standard_normal(n)
        top = scipy.sparse.linalg.eigsh(
            inverse, k=1, which="LA", v0=start, return_eigenvectors=False
        )
    except (np.linalg.LinAlgError, scipy.sparse.linalg.ArpackNoConvergence):
        return None
    return float(1 / top[0])


def certified_min_eigenvalue(
    gram: Float[AnyArray, "n n"] | ArrayLike, *, entry_error: float = 0.0
) -> float:
    r"""Certified lower bound of $\lambda_{\min}(K)$, rounding included.

    When Cholesky of $\mathrm{fl}(K - \mu I)$ runs to its end,
    $$\lambda_{\min}(K) \ge \mu - \frac{\gamma_{n+1}}{1 - \gamma_{n+1}} \operatorname{tr}|K - \mu I|
      - u \max_i |K_{ii} - \mu| - e$$
    with $\gamma_m = m u / (1 - m u)$ and $e$ = `entry_error`, a bound on the Frobenius norm of
    the error already in $K$. The largest $\mu$ for which it runs is sought from the computed
    eigenvalue downwards.

    Source: Rump (2006), Verification of positive definiteness, BIT 46 (recalled);
    the margin is Demmel's (1989).
    Raises: `InputError`, `GramError` as `require_gram`.
    """
    matrix = require_gram("gram", gram)
    n = len(matrix)
    gamma = rounding_allowance(n + 1)
    diagonal = np.diag(matrix)

    def margin(mu: float) -> float:
        shifted = np.abs(diagonal - mu)
        rounding = UNIT_ROUNDOFF * shifted.max()
        # The last factor covers the rounding of this line itself.
        return (gamma / (1 - gamma) * shifted.sum() + rounding) * (1 + rounding_allowance(4 * n))

    estimate = min_eigenvalue(matrix)
    # A multiple of the identity has margin 0 at its own eigenvalue: start from the entries' size.
    step = max(margin(estimate), gamma * np.abs(diagonal).max(), np.finfo(np.float64).tiny)
    for _ in range(60):
        mu = estimate - step
        try:
            np.linalg.cholesky(matrix - mu * np.eye(n))
        except np.linalg.LinAlgError:
            step *= 2
            continue
        return float(mu - margin(mu) - entry_error)
    raise GramError("gram needs entries of a common scale: no shift makes its Cholesky factor run.")


def effective_ranks(
    eigenvalues: Float[np.ndarray, "n"] | ArrayLike,
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    r"""Both effective ranks of what the k largest eigenvalues leave, for k = 0, ..., n - 1.

    $$r_k = \sum_{i > k} \lambda_i / \lambda_{k+1}, \qquad
      R_k = \Bigl(\sum_{i > k} \lambda_i\Bigr)^2 / \sum_{i > k} \lambda_i^2$$

    with $\lambda_1 \ge \lambda_2 \ge \dots$, in whatever order they are passed. Both are at least 1
    and at most the number of eigenvalues > 0 left; where none is, both are 0.

    Source: Bartlett, Long, Lugosi & Tsigler (2020), Benign overfitting (recalled).
    Accuracy: relative error of a few n u, whatever the eigenvalues' scales: sums are relative to
    their largest term, and made from the smallest end.
    Raises: `InputError` unless they are a row of finite floats, negative by no more than rounding,
    which counts as 0.
    """
    w = as_float64("eigenvalues", eigenvalues)
    if w.ndim != 1 or len(w) == 0:
        raise InputError(f"eigenvalues needs shape (n,) with n >= 1, got {w.shape}; pass one row.")
    if w.min() < -rounding_allowance(4 * len(w)) * w.max():
        raise InputError(
            f"eigenvalues needs numbers >= 0 up to rounding, got {w.min():.3g} beside "
            f"{w.max():.3g}; pass those of a Gram matrix."
        )
    ascending = np.maximum(np.sort(w), 0.0)
    larger = ascending[1:]
    steps = np.divide(ascending[:-1], larger, out=np.zeros(len(larger)), where=larger > 0)
    ranks = np.zeros((2, len(w)))
    first = second = float(ascending[0] > 0)  # sums of the eigenvalues and of their squares
    for place, (step, value) in enumerate(zip((0.0, *steps), ascending, strict=True)):
        if value > 0:
            first, second = 1 + step * first, 1 + step**2 * second
            ranks[:, -1 - place] = first, first**2 / second
    return ranks[0], ranks[1]


def operator_norm(matrix: Float[AnyArray, "m n"] | ArrayLike) -> float:
    """Largest singular value of a matrix, by its eigenvalues when it is symmetric to the bit.

    Raises: `InputError` unless the entries are finite floats; `GramError` unless rank 2.
    """
    array = np.asarray(as_float64("matrix", matrix))
    if array.ndim != 2 or array.size == 0:
        raise GramError(f"matrix needs shape (n, m), got {array.shape}.")
    if array.shape[0] != array.shape[1] or not np.array_equal(array, array.T):
        return float(np.linalg.norm(array, 2))
    if len(array) < LANCZOS_FROM:
        return float(np.abs(np.linalg.eigvalsh(array)).max())
    start = np.random.default_rng(0).standard_normal(len(array))
    top = scipy.sparse.linalg.eigsh(array, k=1, which="LM", v0=start, return_eigenvectors=False)
    return float(abs(top[0]))


def relative_distance(
    gram: Float[AnyArray, "n n"] | ArrayLike, reference: Float[AnyArray, "n n"] | ArrayLike
) -> float:
    r"""$\| K^{-1/2} \hat K K^{-1/2} - I \|$ of `gram` $\hat K$ and `reference` $K$.

    Computed as $\|L^{-1} \hat K L^{-\top} - I\|$ with $K = L L^\top$, which has the same
    eigenvalues.

    Raises: `GramError` unless both are symmetric of one shape and `reference` is positive definite.
    """
    measured, exact = require_gram("gram", gram), require_gram("reference", reference)
    if measured.shape != exact.shape:
        raise GramError(f"gram and reference need one shape, got {measured.shape}, {exact.shape}.")
    try:
        factor = np.linalg.cholesky(exact)
    except np.linalg.LinAlgError:
        raise GramError(
            f"reference needs to be positive definite, got smallest eigenvalue "
            f"{min_eigenvalue(exact):.3g}; drop duplicate rows or add a ridge."
        ) from None
    half = scipy.linalg.solve_triangular(factor, measured, lower=True)
    whitened = scipy.linalg.solve_triangular(factor, half.T, lower=True)
    return operator_norm((whitened + whitened.T) / 2 - np.eye(len(exact)))
