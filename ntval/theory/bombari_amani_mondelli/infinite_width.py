r"""Lower bounds on the smallest eigenvalue of infinite-width kernels, from the data alone.

| here | literature | meaning |
|---|---|---|
| `correlation` | $C = X X^\top$ of unit rows | cosines between inputs |
| `squares` | $\mu_r^2$ | squared Hermite coefficients: the kernel is $\sum_r \mu_r^2 C^{\circ r}$ |
| `total` | $\sum_r \mu_r^2$ | the kernel's diagonal |
| `energies` | $\gamma_r$ | the kernel is $\sum_r \gamma_r P_r(C)$, $P_r$ Gegenbauer, $P_r(1) = 1$ |
| `gram` | $G^1$ | Gram matrix of the inputs, over d |
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import gegenbauer
from ntval.theory.bombari_amani_mondelli.dual_kernels import derivative_kernel, dual_kernel

Matrix = Float[np.ndarray, "n n"]


def hermite_lower_bound(
    squares: Sequence[float] | Float[np.ndarray, "degrees"], correlation: Matrix, *, total: float
) -> float:
    r"""$\max_R \big(\sum_{r \ge R} \mu_r^2\big)\, \lambda_{\min}(C^{\circ R})
    \le \lambda_{\min}\big(\sum_r \mu_r^2 C^{\circ r}\big)$, R to the last of `squares`.

    By Schur's theorem $\lambda_{\min}(C^{\circ r})$ does not fall with r, as C has a diagonal of
    ones.

    Source: spec bombari_amani_mondelli, section 4.3 (derived and checked).
    Accuracy: rounding of the eigenvalue problems, each n eps.
    Raises: `InputError` unless C has a diagonal of ones.
    """
    _require_ones(correlation)
    best, power, rest = 0.0, np.ones_like(correlation), total
    for square in squares:
        best = max(best, rest * float(np.linalg.eigvalsh(power)[0]))
        power, rest = power * correlation, rest - square
    return best


def incoherence_lower_bound(
    squares: Sequence[float] | Float[np.ndarray, "degrees"], correlation: Matrix, *, total: float
) -> float:
    r"""As `hermite_lower_bound`, with $1 - (N - 1) \max_{i \ne j} |C_{ij}|^R$ in place of the
    eigenvalue: no eigenvalue problem.

    Source: Gershgorin's circles and as `hermite_lower_bound` (derived and checked).
    Accuracy: rounding. Raises: `InputError` unless C has a diagonal of ones.
    """
    _require_ones(correlation)
    n = len(correlation)
    largest = float(np.abs(correlation - np.eye(n)).max()) if n > 1 else 0.0
    best, rest = 0.0, total
    for degree, square in enumerate(squares):
        best = max(best, rest * (1 - (n - 1) * largest**degree))
        rest -= square
    return best


def gegenbauer_lower_bound(
    energies: Sequence[float] | Float[np.ndarray, "degrees"], correlation: Matrix, d: int
) -> float:
    r"""$\max_R \min_{r \le R,\, \gamma_r > 0} c_r^2\;
    \lambda_{\min}\big(\sum_{r \le R,\, \gamma_r > 0} Z_r\big)$, $c_r^2 = \gamma_r / B(d, r)$ and
    $Z_r = B(d, r) P_r(C)$, for inputs on the sphere in d dimensions.

    Source: Karhadkar, Murray & Montufar, 2405.14630 (read, by the spec, section 4.5).
    Accuracy: rounding of the eigenvalue problems.
    Raises: `InputError` unless C has a diagonal of ones.
    """
    _require_ones(correlation)
    polynomials = gegenbauer.polynomials(d, max(len(energies) - 1, 1), correlation)
    best, smallest, total = 0.0, math.inf, np.zeros_like(correlation)
    for degree, energy in enumerate(energies):
        if energy <= 0:
            continue
        dimension = gegenbauer.dimension(d, degree)
        smallest = min(smallest, float(energy) / dimension)
        total = total + dimension * polynomials[degree]
        best = max(best, smallest * float(np.linalg.eigvalsh(total)[0]))
    return best


def chain_lower_bound(
    activation: Activation, gram: Matrix, hidden_layers: int, *, weight_std: float
) -> tuple[Matrix, float]:
    r"""The NTK of a network without biases in NTK parametrization, and a lower bound on its
    smallest eigenvalue.

    $$G^{l+1} = w^2 E[\phi \phi], \quad \dot G^{l+1} = w^2 E[\phi' \phi'], \quad
      K^{l+1} = G^{l+1} + K^l \circ \dot G^{l+1}, \qquad
      \lambda_{\min}(K^{l+1}) \ge \lambda_{\min}(G^{l+1})
        + \lambda_{\min}(K^l) \min_i \dot G^{l+1}_{ii}$$
    with the pre-activations' covariance $G^l$, $G^1 = w^2$ `gram`.

    Source: Nguyen, Mondelli & Montufar, 2012.11654 (recalled; derived and checked in the spec,
    section 4.4, for ReLU). Accuracy: that of `dual_kernel`. Raises: `InputError` as it.
    """
    covariance = weight_std**2 * np.asarray(gram, dtype=np.float64)
    kernel, bound = covariance, _smallest(covariance)
    for _ in range(hidden_layers):
        slopes = weight_std**2 * derivative_kernel(activation, covariance)
        covariance = weight_std**2 * dual_kernel(activation, covariance)
        kernel = covariance + kernel * slopes
        bound = _smallest(covariance) + bound * float(np.diag(slopes).min())
    return kernel, bound


def close_pair_upper_bound(angle: float) -> float:
    r"""$1 - [2 \cos\theta\, (\pi - \theta) + \sin\theta] / 2 \pi$: an upper bound on the smallest
    eigenvalue of the infinite-width NTK of a two-layer ReLU network, both layers trained, unit
    inputs of which two are at `angle`. Near 0 it is $\theta / 2 \pi$.

    Source: spec, section 4.5 (derived and checked).
    Accuracy: 1e-16 absolute. Raises: `InputError` unless the angle is between 0 and pi.
    """
    if not 0 <= angle <= math.pi:
        raise InputError(f"angle needs to be between 0 and pi, got {angle!r}; use radians.")
    mixed = 2 * math.cos(angle) * (math.pi - angle) + math.sin(angle)
    return 1 - mixed / (2 * math.pi)


def _smallest(matrix: Matrix) -> float:
    return max(float(np.linalg.eigvalsh(matrix)[0]), 0.0)


def _require_ones(correlation: Matrix) -> None:
    if np.abs(np.diag(correlation) - 1).max() > 1e-12:
        raise InputError(
            "correlation needs a diagonal of ones, got "
            f"{float(np.diag(correlation).min()):.3g} to {float(np.diag(correlation).max()):.3g}; "
            "divide the inputs by their norms."
        )
