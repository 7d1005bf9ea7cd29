r"""Montanari & Zhong, 2007.12826: what a finite number of neurons does to the kernel.

| here | paper | meaning |
|---|---|---|
| `n`, `d`, `width` | $n$, $d$, $N$ | samples, input dimension, hidden neurons |
| $\psi$ in formulas | $n / (N d)$ | inverse overparameterization |

The rest of the notation is that of `kernel`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import spectral_edges
from ntval.theory.montanari_zhong import kernel


def concentration(n: int, d: int, width: float) -> float:
    r"""Typical $\|K^{-1/2} K_N K^{-1/2} - I\|$: $2\sqrt\psi + \psi$ with $\psi = n / (N d)$.

    The Marchenko-Pastur edge of n whitened rows and N d columns.

    Source: spec montanari_zhong, theorem A (measured constant, derived and checked).
    Accuracy: -4 % to +10 % for n >= 4 d and N >= 30, up to +25 % at n = 2 d.
    """
    ratio = n / (width * d)
    return 2 * math.sqrt(ratio) + ratio


def concentration_remainder(n: int, d: int, width: float) -> float:
    r"""How far the mean of $\|K^{-1/2} K_N K^{-1/2} - I\|$ may lie above `concentration`.

    The neurons come in blocks of d, so that n + d takes the place of n in theorem A:
    $2 \sqrt{\psi'} + \psi' - 2 \sqrt\psi - \psi$ with $\psi' = (n + d) / (N d)$.

    The upper end is 1.02 times `concentration` with n + d in place of n.

    Source: derived in part; theorem A (recalled) has the n + d. The factor is measured here for
    n >= 2 d and N >= 32 (ReLU, tanh, GELU; d = 20..160); at n = d it is 1.16.
    """
    return 1.02 * concentration(n + d, d, width) - concentration(n, d, width)


def mean_concentration(n: int, d: int, width: int) -> float:
    r"""Mean of $\|K^{-1/2} K_N K^{-1/2} - I\|$: the middle between `concentration` and
    `concentration` plus its remainder.

    Source: as `concentration_remainder` (derived in part, measured).
    Accuracy: `mean_concentration_remainder`.
    """
    return concentration(n, d, width) + mean_concentration_remainder(n, d, width)


def mean_concentration_remainder(n: int, d: int, width: int) -> float:
    """How far `mean_concentration` may lie from the mean: half of `concentration_remainder`.

    Source: as `concentration_remainder` (derived in part, measured).
    """
    return concentration_remainder(n, d, width) / 2


def relative_floor(n: int, d: int, width: int) -> float:
    r"""The share $1 - \eta$ of $\lambda_{\min}(K)$ below which $K_N$ does not fall, with $\eta$ the
    `concentration`; vacuous unless it is positive.

    Source: spec montanari_zhong, consequence of theorem A (recalled, checked).
    Accuracy: that of `concentration`.
    """
    return 1 - concentration(n, d, width)


def empirical_min_eigenvalue(
    activation: Activation, n: int, d: int, width: int, *, degree: int = 1
) -> float:
    r"""Mean smallest eigenvalue of $K_N$: the middle of what `concentration` leaves of that of K.

    $$(1 - \eta) \lambda_{\min}(K) \le E \lambda_{\min}(K_N) \le \lambda_{\min}(K)$$
    the right side because $\lambda_{\min}$ is concave and $E K_N = K$.

    Source: derived here; theorem A of the spec for the left side (recalled, checked).
    Accuracy: `empirical_min_eigenvalue_remainder`. Raises: `InputError` as `min_eigenvalue`.
    """
    value = kernel.min_eigenvalue(activation, n, d, degree=degree)
    return value * (1 - concentration(n, d, width) / 2)


def empirical_min_eigenvalue_remainder(
    activation: Activation, n: int, d: int, width: int, *, degree: int = 1
) -> float:
    """How far `empirical_min_eigenvalue` may lie from the mean: half of the range that
    concentration leaves, and the remainder of `kernel.min_eigenvalue`.

    Source: derived here. Raises: `InputError` as `kernel.min_eigenvalue`.
    """
    value = kernel.min_eigenvalue(activation, n, d, degree=degree)
    remainder = kernel.min_eigenvalue_remainder(activation, n, d, degree=degree)
    return remainder + value * concentration(n, d, width) / 2


def finite_width_min_eigenvalue(eigenvalues: Float[np.ndarray, "n"], d: int, width: int) -> float:
    r"""Smallest eigenvalue of $K_N$, from the `eigenvalues` of the infinite-width kernel K.

    The lower edge of the spectrum of $K^{1/2} W K^{1/2}$, W a Wishart matrix of N d samples;
    0 when N d <= n.

    Source: derived and checked here.
    Accuracy: 6 % for N >= 12 (measured, ReLU and tanh, d = 20 and 60, N d / n = 1.2..32); 18 %
    above the mean at N = 8.
    Raises: `InputError` unless the eigenvalues are positive.
    """
    samples, n = width * d, len(eigenvalues)
    if not (np.asarray(eigenvalues) > 0).all():
        raise InputError(
            f"eigenvalues needs numbers > 0, got smallest {min(eigenvalues):.3g}; "
            "with K singular so is K_N."
        )
    if samples <= n:
        return 0.0
    return spectral_edges.lower_edge(np.asarray(eigenvalues) / samples, np.ones(n), samples)[0]


def finite_width_min_eigenvalue_remainder(
    eigenvalues: Float[np.ndarray, "n"], d: int, width: int
) -> float:
    r"""How far `finite_width_min_eigenvalue` may lie from the mean: 6 % of it, for N >= 12.

    Source: measured here (ReLU and tanh, d = 20 and 60, N d / n = 1.2..32).
    """
    return 0.06 * finite_width_min_eigenvalue(eigenvalues, d, width)


def relative_edge_remainder(n: int, d: int, width: int) -> float:
    """How far the smallest eigenvalue of K_N over `finite_width_min_eigenvalue` may lie from 1, in
    the mean; 0 where both are 0. It is the same for every spectrum.

    Source: as `finite_width_min_eigenvalue_remainder` (measured).
    """
    flat = np.ones(n)
    edge = finite_width_min_eigenvalue(flat, d, width)
    return finite_width_min_eigenvalue_remainder(flat, d, width) / edge if edge else 0.0


def ridge_equivalence_bound(n: int, d: int, width: int, *, noise_std: float) -> float:
    r"""Bound $\sqrt{n / N d}\,(1 + \sigma^2)$ of $|R_\mathrm{NT} - R_\mathrm{KRR}|$, f of mean
    square 1.

    Source: spec montanari_zhong, theorem C (rate of the lecture, prefactor recalled; that the
    constant is at most 1 is measured there).
    """
    return math.sqrt(n / (width * d)) * (1 + noise_std**2)


def ridge_equivalence_rate() -> float:
    r"""Exponent of N in the mean of $R_\mathrm{NT} - R_\mathrm{KRR}$ over the weights: -1.

    $K_N - K$ has mean 0 and a covariance of order 1/N, so the first term of the risk's expansion
    in it has mean 0 and the second is of order 1/N.

    Source: derived here; measured in the spec, E15. Theorem C bounds single draws, by N^(-1/2).
    Accuracy: `ridge_equivalence_rate_remainder`.
    """
    return -1.0


def ridge_equivalence_rate_remainder(n: int, d: int, width: int) -> float:
    r"""How far the slope on a ladder of widths, `width` the smallest, may lie from -1:
    $0.5\, \psi$, the next term of the expansion in $\psi = n / (N d)$.

    Source: form derived; measured here (tanh, ReLU, GELU; d = 20 and 30, n = 3 d, ridge 0.05 and
    0.5): 0.06 psi to 0.33 psi at psi = 0.19, below 0.02 at psi = 0.05.
    """
    return 0.5 * n / (width * d)


def lazy_training() -> tuple[float, float]:
    r"""Exponents in $\alpha$, the scale of the outputs, of the distance between a network of a
    symmetrized initialization and its linearization after descent, and of the relative movement
    of its weights: -2 and -1.

    Source: spec montanari_zhong, theorem F (from a lecture: distance at most of order
    $\alpha^{-2}$; that it is reached is measured there).
    Accuracy: `lazy_training_remainder`.
    """
    return -2.0, -1.0


def lazy_training_remainder() -> tuple[float, float]:
    r"""How far slopes measured for $\alpha$ = 8..64 may lie from `lazy_training`: 0.1 and 0.02.

    Source: measured here (GELU and tanh, d = 10, n = 40, N = 60: -1.98 and -1.000).
    """
    return 0.1, 0.02


def concentration_slope(n: int, d: int, widths: Sequence[int]) -> float:
    r"""Slope of $\log \|K^{-1/2} K_N K^{-1/2} - I\|$ over $\log N$ on a ladder of widths.

    That of the geometric middle of `concentration` and `concentration` plus its remainder; it
    tends to -1/2 from below.

    Source: derived here. Accuracy: `concentration_slope_remainder`.
    """
    low, high = _log_concentrations(n, d, widths)
    return float(_slope_weights(widths) @ (low + high) / 2)


def concentration_slope_remainder(n: int, d: int, widths: Sequence[int]) -> float:
    r"""Largest distance of a slope from `concentration_slope`, when each mean may lie anywhere
    between its ends: $\sum_j |c_j| (h_j - l_j) / 2$, $c_j$ the weights of least squares.

    Source: derived here. That a logarithm's mean is not the mean's logarithm adds less than the
    squared coefficient of variation of one norm, 1e-3 (measured).
    """
    low, high = _log_concentrations(n, d, widths)
    return float(np.abs(_slope_weights(widths)) @ (high - low) / 2)


def _log_concentrations(n: int, d: int, widths: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    low = np.array([concentration(n, d, width) for width in widths])
    return np.log(low), np.log(low + [concentration_remainder(n, d, width) for width in widths])


def _slope_weights(widths: Sequence[int]) -> np.ndarray:
    log_width = np.log(widths) - np.log(widths).mean()
    return log_width / (log_width @ log_width)


def rank(n: int, d: int, width: int) -> int:
    """Rank min(n, N d) of K_N, for activations that are no polynomials and inputs that are alive.

    Source: spec montanari_zhong, E10 (derived and checked). Accuracy: exact with probability 1,
    but for ReLU's `dead_points`, each a zero row.
    """
    return min(n, width * d)


def relative_rank(n: int, d: int, width: int) -> float:
    """`rank` over n.

    Source: spec montanari_zhong, E10 (derived and checked). Accuracy: as `rank`.
    """
    return rank(n, d, width) / n


def quadratic_rank(n: int, d: int, width: int) -> int:
    """Rank min(n, m d - m (m - 1) / 2) of K_N for a quadratic activation, m = min(N, d).

    The features are the quadratic forms a w^T + w a^T of m vectors w.

    Source: spec montanari_zhong, E13 (derived and checked), N > d derived. Accuracy: exact with
    probability 1.
    """
    directions = min(width, d)
    return min(n, directions * d - directions * (directions - 1) // 2)


def dead_points(n: int, width: int) -> float:
    r"""Expected number $n 2^{-N}$ of inputs on which every ReLU neuron is 0.

    Source: spec montanari_zhong, E12 (derived and checked). Accuracy: exact for the mean; the
    inputs share their neurons, so the number is no binomial one.
    """
    return n * 2.0**-width


def effective_width(width: int, *, symmetrized: bool) -> int:
    """Number of different neurons: half of them in a symmetrized (paired) initialization.

    Source: spec montanari_zhong, E23 (derived and checked). Accuracy: exact.
    Raises: `InputError` when an odd number of neurons is to be paired.
    """
    if symmetrized and width % 2:
        raise InputError(f"width needs to be even to be symmetrized, got {width}; add a neuron.")
    return width // 2 if symmetrized else width
