r"""Bounds on the smallest eigenvalue of a positive semidefinite matrix, from its entries.

| here | literature | meaning |
|---|---|---|
| `gram` | $K$, $N \times N$ | a Gram matrix: symmetric, positive semidefinite |
| `factor`, `other` | $A$, $B$ | those of a Hadamard product $A \circ B$ |

They hold surely, for every such matrix.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
from jaxtyping import Float

from ntval.errors import InputError

Gram = Float[np.ndarray, "n n"]


def gershgorin_lower_bound(gram: Gram) -> float:
    r"""$\min_i \big(2 K_{ii} - \sum_j |K_{ij}|\big) \le \lambda_{\min}(K)$; negative when it says
    nothing.

    Source: Gershgorin's circles (textbook); spec bombari_amani_mondelli, section 4.1 (derived and
    checked). Accuracy: rounding of the sums.
    """
    return float((2 * np.diag(gram) - np.abs(gram).sum(axis=1)).min())


def schur_lower_bound(factor: Gram, other: Gram) -> float:
    r"""$\max(\min_i A_{ii}\, \lambda_{\min}(B),\; \min_i B_{ii}\, \lambda_{\min}(A))
    \le \lambda_{\min}(A \circ B)$ for positive semidefinite A and B.

    Source: Schur's product theorem (textbook); spec, section 4.1 (derived and checked).
    Accuracy: rounding of two eigenvalue problems. An eigenvalue that rounding made negative is 0.
    """
    smallest = [max(float(np.linalg.eigvalsh(matrix)[0]), 0.0) for matrix in (factor, other)]
    diagonals = [float(np.diag(matrix).min()) for matrix in (factor, other)]
    return max(diagonals[0] * smallest[1], diagonals[1] * smallest[0])


def schur_upper_bound(factor: Gram, other: Gram) -> float:
    r"""$\lambda_{\max}(A \circ B) \le \max_i A_{ii}\, \lambda_{\max}(B)$, or with A and B
    exchanged if that is less.

    Source: Schur's product theorem (textbook); spec, section 4.1 (derived and checked).
    Accuracy: rounding of two eigenvalue problems.
    """
    largest = [float(np.linalg.eigvalsh(matrix)[-1]) for matrix in (factor, other)]
    diagonals = [float(np.diag(matrix).max()) for matrix in (factor, other)]
    return min(diagonals[0] * largest[1], diagonals[1] * largest[0])


def diagonal_upper_bound(gram: Gram) -> float:
    r"""$\lambda_{\min}(K) \le \min_i K_{ii}$.

    Source: a quadratic form at a basis vector (derived). Accuracy: exact.
    """
    return float(np.diag(gram).min())


def trace_upper_bound(gram: Gram) -> float:
    r"""$\lambda_{\min}(K) \le \operatorname{tr} K / N$: never below `diagonal_upper_bound`.

    Source: the mean of the eigenvalues (derived). Accuracy: rounding of the sum.
    """
    return float(np.diag(gram).mean())


def pair_upper_bound(gram: Gram) -> float:
    r"""The smallest eigenvalue of a 2 x 2 block of K,
    $$\min_{i < j}\; \tfrac12 (K_{ii} + K_{jj})
      - \sqrt{\tfrac14 (K_{ii} - K_{jj})^2 + K_{ij}^2} \ge \lambda_{\min}(K)$$
    computed as determinant over the larger eigenvalue, without cancellation. With one input alone
    it is $K_{11}$.

    Source: Cauchy's interlacing (textbook); spec, section 4.1 (derived and checked).
    Accuracy: rounding, relative to the largest entry of the block; what it made negative is 0.
    """
    diagonal = np.diag(gram)
    if len(gram) == 1:
        return float(diagonal[0])
    rows, columns = np.triu_indices(len(gram), 1)
    left, right, between = diagonal[rows], diagonal[columns], gram[rows, columns]
    larger = (left + right) / 2 + np.hypot((left - right) / 2, between)
    product = (np.sqrt(left * right) - between) * (np.sqrt(left * right) + between)
    smaller = np.divide(product, larger, out=np.zeros_like(larger), where=larger > 0)
    return max(float(smaller.min()), 0.0)


def interlacing_upper_bound(gram: Gram, size: int) -> float:
    r"""The smallest eigenvalue of the first `size` inputs alone: leaving inputs out does not lower
    it.

    Source: Cauchy's interlacing (textbook, recalled). Accuracy: n eps of the norm; what rounding
    made negative is 0.
    """
    return max(float(np.linalg.eigvalsh(gram[:size, :size])[0]), 0.0)


def inverse_lower_bound(gram: Gram) -> float:
    r"""$\|K^{-1}\|_F^{-1} \le \lambda_{\min}(K)$; at least $\lambda_{\min} / \sqrt N$.

    Source: the spectral norm is at most Frobenius's (derived). Accuracy: n eps of the norm of K.
    Raises: `InputError` where K is singular up to rounding.
    """
    return 1 / float(np.linalg.norm(_inverse(gram)))


def leave_one_out_upper_bound(gram: Gram) -> float:
    r"""$\min_i 1 / (K^{-1})_{ii} \ge \lambda_{\min}(K)$: the square of the distance of one input's
    gradient from the span of the others', least of all.

    Source: the largest entry of a diagonal is at most the norm (derived).
    Accuracy, Raises: as `inverse_lower_bound`.
    """
    return 1 / float(np.diag(_inverse(gram)).max())


def harmonic_upper_bound(gram: Gram) -> float:
    r"""$N / \operatorname{tr} K^{-1} \ge \lambda_{\min}(K)$, the harmonic mean of the eigenvalues.

    Source: a mean is at least the least (derived). Accuracy, Raises: as `inverse_lower_bound`.
    """
    return len(gram) / float(np.trace(_inverse(gram)))


def superadditive_lower_bound(*grams: Gram) -> float:
    r"""$\sum_l \lambda_{\min}(K_l) \le \lambda_{\min}(\sum_l K_l)$; of what rounding made negative,
    0.

    Source: concavity of the smallest eigenvalue (textbook); spec, section 4.1 (derived and
    checked). Accuracy: rounding of the eigenvalue problems.
    """
    return sum(max(float(np.linalg.eigvalsh(gram)[0]), 0.0) for gram in grams)


def least_signal_lower_bound(features: Gram, signals: Gram) -> float:
    r"""$\lambda_{\min}(F F^\top) \min_i |b_i|^2 \le \lambda_{\min}(F F^\top \circ B B^\top)$.

    Source: Nguyen, Mondelli & Montufar, 2012.11654 (recalled; Schur's product theorem, derived and
    checked in the spec, section 4.4). Accuracy: rounding of an eigenvalue problem.
    """
    return max(float(np.linalg.eigvalsh(features)[0]), 0.0) * float(np.diag(signals).min())


def _inverse(gram: Gram) -> Gram:
    try:
        factor = scipy.linalg.cho_factor(gram, lower=True)
    except np.linalg.LinAlgError:
        factor = None
    if factor is not None and math.isfinite(float(np.abs(factor[0]).max())):
        inverse = scipy.linalg.cho_solve(factor, np.eye(len(gram)))
        # Below what rounding of K's entries moves its eigenvalues by, an inverse has no digit.
        if np.linalg.norm(inverse) * len(gram) * np.finfo(float).eps * np.trace(gram) < 1:
            return inverse
    raise InputError(
        "the inverse of a Gram matrix needs one that is positive definite in float64, got a "
        "smallest eigenvalue of 0 up to rounding; leave out inputs that are repeated, or nearly so."
    )
