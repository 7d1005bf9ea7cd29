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
import scipy.special
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import gegenbauer, hermite
from ntval.theory.bombari_amani_mondelli.dual_kernels import (
    LARGEST_STD,
    derivative_kernel,
    dual_kernel,
)
from ntval.theory.domains import require_measured

Matrix = Float[np.ndarray, "n n"]


def two_layer_squares(
    activation: Activation, weight_std: float, degree: int
) -> tuple[Float[np.ndarray, "degrees"], float]:
    r"""$s_r = w^2 (1 + r)\, \mu_r(\phi(w\,\cdot))^2$ for r to `degree`, and the sum of all of them,
    $w^2 (E \phi(w z)^2 + w^2 E \phi'(w z)^2)$: the NTK of a two-layer network without biases in NTK
    parametrization is $\sum_r s_r C^{\circ r}$ at inputs of squared norm d, w = `weight_std`.

    The output layer's share has $w^2 \mu_r^2$; the hidden layer's r times that, as
    $w \mu_{r-1}(\phi'(w\,\cdot)) = \sqrt r\, \mu_r(\phi(w\,\cdot))$.

    Source: spec bombari_amani_mondelli, section 4.3 (derived and checked).
    Accuracy: that of `hermite.coefficients`.
    Raises: `InputError` for weights of a standard deviation above 4 and an activation that is not
    homogeneous: its quadrature is not known to resolve that.
    """
    if weight_std > LARGEST_STD and activation.homogeneity is None:
        raise InputError(
            f"weight_std needs to be at most {LARGEST_STD:g} for {activation.name!r}, got "
            f"{weight_std:.3g}; scale the inputs down."
        )
    breakpoints = [b / weight_std for b in activation.breakpoints]
    coefficients = hermite.coefficients(
        lambda z: activation.fn(weight_std * z), degree, breakpoints=breakpoints
    )
    value, slope = (
        hermite.second_moment(lambda z, fn=fn: fn(weight_std * z), breakpoints=breakpoints)
        for fn in (activation.fn, activation.derivative)
    )
    squares = weight_std**2 * np.arange(1, degree + 2) * coefficients**2
    return squares, weight_std**2 * (value + weight_std**2 * slope)


def without_first_degrees(
    squares: Sequence[float] | Float[np.ndarray, "degrees"],
    correlation: Matrix,
    kernel: Matrix,
) -> Matrix:
    r"""$K - \sum_r s_r C^{\circ r}$ over the degrees of `squares`: what is left of a kernel has a
    smallest eigenvalue between $t\, \lambda_{\min}(C^{\circ R})$ and t, its diagonal, R the next
    degree: both ends meet as R grows.

    Source: Schur's product theorem, as `hermite_lower_bound` (derived and checked).
    Accuracy: rounding. Raises: `InputError` unless C has a diagonal of ones.
    """
    _require_ones(correlation)
    power = np.ones_like(correlation)
    left = np.array(kernel, dtype=np.float64)
    for square in squares:
        left -= square * power
        power = power * correlation
    return left


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


def gegenbauer_energies(
    squares: Sequence[float] | Float[np.ndarray, "degrees"], d: int
) -> Float[np.ndarray, "degrees"]:
    r"""$\gamma_r$ with $\sum_k s_k t^k = \sum_r \gamma_r P_r(t)$, s = `squares`: as many as them.

    Source: orthogonality of Gegenbauer's polynomials (derived).
    Accuracy: 1e-13 of the sum of the squares, to degree 12.
    """
    degree = len(squares) - 1
    t, weights = gegenbauer.sphere_quadrature(d)
    series = np.polynomial.polynomial.polyval(t, np.asarray(squares))
    values = gegenbauer.polynomials(d, max(degree, 1), t)[: degree + 1] @ (weights * series)
    return values * [float(gegenbauer.dimension(d, r)) for r in range(degree + 1)]


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


def close_pair_shares(angle: float) -> tuple[float, float]:
    r"""$\tfrac12 - \cos\theta\, (\pi - \theta) / 2\pi$ of the hidden layer and
    $\tfrac12 - [\sin\theta + (\pi - \theta) \cos\theta] / 2\pi$ of the output layer: the smallest
    eigenvalue of the pair's block in each layer's share of the kernel of `close_pair_upper_bound`.
    Near 0 they are $\theta / 2\pi$ and $\theta^2 / 4$. The other inputs take an amount of order
    $\theta^2$ from each: nothing from the first, a share that stays from the second.

    Source: spec, sections 4.5 and 5, C4 (derived and checked).
    Accuracy: 1e-16 absolute. Raises: as `close_pair_upper_bound`.
    """
    close_pair_upper_bound(angle)
    # 1 - cos of a small angle, without cancellation.
    half = 2 * math.sin(angle / 2) ** 2
    rest = (angle + (math.pi - angle) * half) / (2 * math.pi)
    return rest, rest - math.sin(angle) / (2 * math.pi)


def close_pair_remainder(activation: Activation, angle: float, n: int, d: int) -> float:
    r"""How far, relatively, the other inputs push the mean smallest eigenvalues below
    `close_pair_shares`: $\theta\, (1 + n/d)$, at most.

    Source: measured here, 40 draws each of 7 sizes, n = 6..30, d = 3..20, angles of 0.006 to 0.2.
    Accuracy: an upper bound.
    Raises: `InputError` for another activation than ReLU, an angle above 0.01 or n > 8 d.
    """
    require_measured(
        "close_pair", activation, ("relu",), angle=(angle, 0.0, 0.01), ratio=(n / d, 0.0, 8.0)
    )
    return angle * (1 + n / d)


def smallest_angle_log_mean(n: int, d: int) -> float:
    r"""$E \log \theta_{\min}$ over the pairs of n uniform points of the sphere in d dimensions.

    The number of pairs nearer than t is nearly Poisson of mean $\tfrac12 n (n-1) p(t)$, pairs being
    independent of one another two at a time, $p(t) = \tfrac12 I_{\sin^2 t}((d-1)/2, 1/2)$ the share
    of the sphere within t.

    Source: extremes of pairs (derived). Accuracy: `smallest_angle_remainder`.
    """
    levels = (np.arange(4096) + 0.5) / 4096  # mean of -log of an exponential law, by quantiles
    shares = np.minimum(-2 * np.log(levels) / (n * (n - 1) / 2), 1.0)
    angles = np.arcsin(np.sqrt(scipy.special.betaincinv((d - 1) / 2, 0.5, shares)))
    return float(np.log(angles).mean())


def smallest_angle_remainder(n: int, d: int) -> float:
    r"""How far the mean log may lie from `smallest_angle_log_mean`: 0.6 / n (d - 1).

    Source: measured here, 2,000 to 20,000 draws of 25 sizes, n = 8..64, d = 3..8.
    Accuracy: an upper bound.
    """
    return 0.6 / (n * (d - 1))


def nearest_pair_share(n: int, d: int) -> float:
    r"""0.62: the smallest eigenvalue of the two-layer ReLU kernel of n uniform inputs, over the
    `close_pair_upper_bound` of the closest two; 1 as n grows at fixed d.

    Source: measured here (see `nearest_pair_share_remainder`). Accuracy: that.
    """
    return 0.62


def nearest_pair_share_remainder(activation: Activation, n: int, d: int) -> float:
    r"""How far the mean ratio may lie from `nearest_pair_share`: 0.22.

    Source: measured here, 60 draws of 12 sizes, n = 16..128, d = 3, 4, 6: means 0.45 to 0.79.
    Accuracy: an upper bound.
    Raises: `InputError` for another activation than ReLU, n < 12 or d outside 3 to 6.
    """
    require_measured("sphere_scaling", activation, ("relu",), n=(n, 12, math.inf), d=(d, 3, 6))
    return 0.22


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
