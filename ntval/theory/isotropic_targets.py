r"""Risk and train error of ridge regression given the inputs: no test set, no draw of the labels.

Means over label noise and over isotropic targets $f_* = \sum_k f_k$, $f_k$ a random direction in
the spherical harmonics of degree k with $E\|f_k\|^2 = F_k$.

| here | Montanari & Zhong | meaning |
|---|---|---|
| `gram`, `ridge` | $k(X, X)$, $\lambda$ | any kernel at the inputs, and its absolute ridge |
| `harmonics` | $P_k(X X^\top / d)$ | `gegenbauer.polynomials(d, degree, x @ x.T / d)` |
| `energies` | $\gamma_k$ | weight of degree k in a kernel $\sum_k \gamma_k P_k$ |
| `Moments.square` | $M$ | $E_x\, k(X, x) k(x, X)$ |
| `Moments.overlaps` | $C_k$ | $E_x\, k(X, x) P_k(x, X)$ |
| `target` | $F_k$, $\sigma_\varepsilon$ | a `ridge_equivalents.Target` |
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ntval.arrays import ArrayLike
from ntval.errors import InputError
from ntval.theory import gegenbauer
from ntval.theory.ridge_equivalents import Target

Gram = Float[np.ndarray, "n n"]
Harmonics = Float[np.ndarray, "degrees n n"]


class Moments(NamedTuple):
    """Means over a fresh input x of products of k(x, X) with itself and with each degree."""

    square: Gram
    overlaps: Harmonics


def kernel_moments(energies: Float[np.ndarray, "levels"], d: int, harmonics: Harmonics) -> Moments:
    r"""Moments of the kernel $\sum_k \gamma_k P_k$; leave out energies above $\ell$ for $K^p$.

    $$M = \sum_k \frac{\gamma_k^2}{B(d, k)} P_k, \qquad C_k = \frac{\gamma_k}{B(d, k)} P_k$$

    Source: spec montanari_zhong, section 3 (derived and checked).
    Accuracy: what `energies` leaves out of the kernel's degrees, at most
    $\gamma_{>}^2 / B(d, k)$ of the next degree k; 10 degrees are ample for d >= 10.
    Raises: `InputError` when there are more energies than harmonics.
    """
    if len(energies) > len(harmonics):
        raise InputError(
            f"energies needs at most one number a degree, got {len(energies)} for "
            f"{len(harmonics)} harmonics; compute harmonics up to the same degree."
        )
    gamma = np.zeros(len(harmonics))
    gamma[: len(energies)] = energies
    dimensions = np.array([float(gegenbauer.dimension(d, k)) for k in range(len(harmonics))])
    overlaps = (gamma / dimensions)[:, None, None] * harmonics
    return Moments(np.tensordot(gamma, overlaps, axes=1), overlaps)


def sampled_moments(
    cross_gram: Float[np.ndarray, "m n"], cross_harmonics: Float[np.ndarray, "degrees m n"]
) -> Moments:
    r"""Moments of any kernel as means over m fresh inputs x instead of all.

    `cross_gram` is k(x, X) and `cross_harmonics` are P_k(x, X), a row for each fresh input: for
    $K_N$, whose moments have no short closed form.

    Source: derived. Accuracy: rounding, of the mean over these inputs.
    """
    m = len(cross_gram)
    return Moments(cross_gram.T @ cross_gram / m, cross_gram.T @ cross_harmonics / m)


def risk(
    gram: Gram | ArrayLike,
    harmonics: Harmonics | ArrayLike,
    moments: Moments,
    target: Target,
    *,
    ridge: float,
) -> float:
    r"""Risk of ridge regression with any kernel, given the inputs.

    $$R = \sum_k F_k [1 - 2 \operatorname{tr}(H C_k) + \operatorname{tr}(H M H P_k)]
      + \sigma^2 \operatorname{tr}(H M H), \qquad H = (k(X, X) + \lambda I)^{-1}$$
    For $\lambda = 0$ H is the pseudo-inverse: eigenvalues up to n $\epsilon$ times the largest
    count as 0.

    Source: spec montanari_zhong, section 3 (derived and checked).
    Accuracy: n u times the condition number of H, in units of the terms' absolute values.
    Raises: `InputError` on a negative ridge, and on shapes that do not fit.
    """
    energies = _require_energies(gram, harmonics, target)
    inverse = _inverse(gram, ridge)
    spread = inverse @ moments.square @ inverse
    degrees = slice(len(energies))
    learned = np.einsum("ij,kij->k", inverse, moments.overlaps[degrees])
    mixed = np.einsum("ij,kij->k", spread, harmonics[degrees])
    noise = target.noise_std**2 * np.trace(spread)
    return float(energies @ (1 - 2 * learned + mixed) + noise)


def learned_shares(gram: Gram, moments: Moments, *, ridge: float) -> Float[np.ndarray, "degrees"]:
    r"""Means of $\langle \hat f, f_k \rangle / \|f_k\|^2$ over isotropic targets, a degree each:
    $\operatorname{tr}(H C_k)$, given the inputs.

    Source: derived; the middle term of `risk`.
    Accuracy: as `risk`. Raises: `InputError` on a negative ridge.
    """
    return np.einsum("ij,kij->k", _inverse(gram, ridge), moments.overlaps)


def train_error(
    gram: Gram | ArrayLike, harmonics: Harmonics | ArrayLike, target: Target, *, ridge: float
) -> float:
    r"""Train error of ridge regression with any kernel, given the inputs.

    $$\frac1n \Big[\sum_k F_k \operatorname{tr}(Q^2 P_k) + \sigma^2 \operatorname{tr} Q^2\Big],
      \qquad Q = \lambda (k(X, X) + \lambda I)^{-1}$$
    For $\lambda = 0$ Q is the projection onto the null space, as in `risk`.

    Source: spec montanari_zhong, section 3 (derived and checked).
    Accuracy: as `risk`. Raises: `InputError` as `risk`.
    """
    energies = _require_energies(gram, harmonics, target)
    w, vectors = _eigh(gram, ridge)
    kept = _quotient(ridge, w + ridge, otherwise=1.0) ** 2
    # Diagonals of V^T P_k V: what each eigenvector has of degree k.
    shares = np.einsum("ij,kij->kj", vectors, harmonics[: len(energies)] @ vectors)
    return float((energies @ shares + target.noise_std**2) @ kept / len(w))


def _inverse(gram: Gram, ridge: float) -> Gram:
    """H, the inverse of gram + ridge I, or its pseudo-inverse."""
    w, vectors = _eigh(gram, ridge)
    return (vectors * _quotient(1.0, w + ridge, otherwise=0.0)) @ vectors.T


def _quotient(above: float, below: np.ndarray, *, otherwise: float) -> np.ndarray:
    """above / below, or `otherwise` where that is 0 / 0 or 1 / 0."""
    return np.divide(above, below, out=np.full_like(below, otherwise), where=below > 0)


def _eigh(gram: Gram, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, those that are rounding set to 0, and eigenvectors."""
    if not ridge >= 0:
        raise InputError(f"ridge needs to be >= 0, got {ridge!r}; 0 is the min-norm interpolator.")
    w, vectors = np.linalg.eigh(gram)
    return np.where(w > len(w) * np.finfo(np.float64).eps * w[-1], w, 0.0), vectors


def _require_energies(
    gram: np.ndarray, harmonics: np.ndarray, target: Target
) -> Float[np.ndarray, "levels"]:
    if gram.ndim != 2 or harmonics.ndim != 3 or harmonics.shape[1:] != gram.shape:
        raise InputError(
            f"harmonics needs shape (degrees, n, n) and gram (n, n), got {harmonics.shape} and "
            f"{gram.shape}; use gegenbauer.polynomials(d, degree, x @ x.T / d)."
        )
    return target.require_levels(len(harmonics))
