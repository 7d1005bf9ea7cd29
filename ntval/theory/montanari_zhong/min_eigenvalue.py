"""Montanari & Zhong, 2007.12826: the smallest eigenvalue of the kernel, K, and of K_N.

The notation is that of `kernel`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import spectral_edges
from ntval.theory.domains import require_measured
from ntval.theory.montanari_zhong.concentration import concentration
from ntval.theory.montanari_zhong.kernel import energies, tail_energy_limit
from ntval.theory.montanari_zhong.spectrum import (
    bulk,
    bulk_edges,
    degrees_above,
    heavy_tails,
    operator_levels,
)


def min_eigenvalue(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""Smallest eigenvalue of the infinite-width kernel of n uniform inputs, at finite d.

    $$\lambda_{\min}(K) \approx \gamma_{>\ell} - \gamma_{k_*}\,[1 - (1 - \sqrt{r'})^2]$$
    with $r' = n' / B(d, k_*)$: the lower one of `bulk_edges`. For n < d, $n' = n$ and
    $\gamma_1 (1 - \sqrt{n/d})^2$ is added when $\ell \ge 1$.

    Source: spec montanari_zhong, section 2 (ii) and (iii) (derived and checked).
    Accuracy: `min_eigenvalue_remainder`; for n < d the measured value lies 2-10 % above, and
    `expected_min_eigenvalue` is closer.
    Raises: `InputError` unless 0 < n' < B(d, k_*).
    """
    value = bulk_edges(activation, n, d, degree=degree)[0]
    if n < d and degree >= 1:
        value += energies(activation, d, 1)[1] * (1 - math.sqrt(n / d)) ** 2
    return value


def min_eigenvalue_limit(activation: Activation, *, degree: int = 1) -> float:
    r"""The limit $v_\ell(\sigma)$ of the smallest eigenvalue, approached from below for n > d.

    Source: spec montanari_zhong, corollary of theorem B (recalled, checked).
    """
    return tail_energy_limit(activation, degree)


def min_eigenvalue_limit_remainder(
    activation: Activation, sizes: Sequence[tuple[int, int]]
) -> float:
    r"""How far the mean smallest eigenvalue, extrapolated to d infinite, may lie from
    `min_eigenvalue_limit`: 2 % of it, and 3 times the distance of `min_eigenvalue` extrapolated.

    Extrapolated: the constant of a parabola in $d^{-1/2}$ through values at the `sizes` (n, d) of a
    ladder with n / d fixed. `min_eigenvalue` is a power series in $\sqrt n / d$ there.

    Source: derived here, but the 2 % and the 3 are measured (ReLU, GELU; d = 10..30,
    n = 2 d..6 d, ladders d, 2 d, 4 d, 8 d of 16 to 200 draws): the mean lies 0.2 to 2 % from the
    limit for n <= 5 d, each known to 0.3 to 1 %, and 3.6 % below at (60, 10).
    Raises: `InputError` for other activations and sizes.
    """
    n, d = sizes[0]
    require_measured(
        "min_eigenvalue_limit",
        activation,
        ("relu", "gelu"),
        d=(d, 10, math.inf),
        ratio=(n / d, 2, 6),
    )
    limit = min_eigenvalue_limit(activation)
    steps = [d**-0.5 for _, d in sizes]
    values = [min_eigenvalue(activation, n, d) for n, d in sizes]
    return 0.02 * limit + 3 * abs(limit - float(np.polyfit(steps, values, 2)[-1]))


def _lower_edge(activation: Activation, n: int, d: int) -> tuple[float, float]:
    """Lower edge of `support`, and the mean distance of the smallest eigenvalue above it."""
    eigenvalues, counts, tail = operator_levels(activation, d)
    edge, scale = spectral_edges.lower_edge(eigenvalues[1:], counts[1:], n, tail=tail)
    return edge, -spectral_edges.TRACY_WIDOM_MEAN * scale


def expected_min_eigenvalue(activation: Activation, n: int, d: int) -> float:
    r"""Mean smallest eigenvalue of K for any n and d: the lower edge of `support`, plus the
    Tracy-Widom shift.

    Source: derived and checked here; `spectral_edges.lower_edge`.
    Accuracy: 1.5 % where degree 1 or 2 makes the smallest eigenvalue (measured, ReLU, n = 25 to
    300 at d = 100 and 200); for k_* >= 3 heavy tails lower it, see `min_eigenvalue_remainder`.
    """
    eigenvalues, counts, tail = operator_levels(activation, d)
    if counts[eigenvalues > 0].sum() < n:
        return tail
    return sum(_lower_edge(activation, n, d))


def expected_min_eigenvalue_remainder(activation: Activation, n: int, d: int) -> float:
    r"""How far `expected_min_eigenvalue` may lie from the mean: 1.5 % of it.

    Source: measured here (ReLU, n = 25 to 300 at d = 100 and 200; degree 1 or 2 at the edge).
    Raises: `InputError` for other activations, and for n > 3 d or d < 100.
    """
    require_measured(
        "expected_min_eigenvalue",
        activation,
        ("relu",),
        d=(d, 100, math.inf),
        ratio=(n / d, 0.125, 3),
    )
    return 0.015 * expected_min_eigenvalue(activation, n, d)


def min_eigenvalue_remainder(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""How far `min_eigenvalue` may lie from the mean smallest eigenvalue.

    Three terms that the formula leaves out. The Tracy-Widom shift of the edge; the other degrees,
    $$\max\left(|\lambda_{\min} - e|,\; 2 \gamma_{k_2} \sqrt{n / B(d, k_2)}\right),$$
    e the `expected_min_eigenvalue` and $k_2$ the next degree after $k_*$; and heavy tails,
    $c\, \gamma_{k_*} \sqrt{r'}$ with c = 0, 0.5, 0.75 for $k_* = 2$, 3 and above: two inputs that
    happen to lie close make an entry of $P_{k_*}$ beyond the bulk's edge.

    Source: derived here, but c is measured here: in units of $\gamma_{k_*} \sqrt{r'}$ the mean
    lies 0.08 to 0.43 below the lower edge of `support` for $k_* = 3$ (d = 20..160,
    n = 60..900), 0.43 to 0.71 for $k_* = 4$ (d = 10..28, n = 252..1500), and not for $k_* = 2$.
    Searched at 119 points (ReLU, leaky ReLU, GELU, SiLU; d = 20..60, n = 60..301, 2 d and more):
    none refuted, and at least 1.1 times the gap (GELU, n = 2 d).
    Raises: `InputError` as `min_eigenvalue`.
    """
    energy, ratio, first = bulk(activation, n, d, degree)
    edge, shift = _lower_edge(activation, n, d)
    others = [abs(min_eigenvalue(activation, n, d, degree=degree) - (edge + shift))]
    for _, next_energy, dimension in degrees_above(activation, d, degree)[1:2]:
        others.append(2 * next_energy * math.sqrt(n / dimension))
    tails = heavy_tails(first) * energy * math.sqrt(ratio)
    return shift + max(others) + tails


def min_eigenvalue_bound(n: int, d: int, width: int) -> float:
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
    value = min_eigenvalue(activation, n, d, degree=degree)
    return value * (1 - concentration(n, d, width) / 2)


def empirical_min_eigenvalue_remainder(
    activation: Activation, n: int, d: int, width: int, *, degree: int = 1
) -> float:
    """How far `empirical_min_eigenvalue` may lie from the mean: half of the range that
    concentration leaves, and the remainder of `min_eigenvalue`.

    Source: derived here. Raises: `InputError` as `min_eigenvalue`.
    """
    value = min_eigenvalue(activation, n, d, degree=degree)
    remainder = min_eigenvalue_remainder(activation, n, d, degree=degree)
    return remainder + value * concentration(n, d, width) / 2


def finite_width_min_eigenvalue(eigenvalues: Float[np.ndarray, "n"], d: int, width: int) -> float:
    r"""Mean smallest eigenvalue of $K_N$, from the `eigenvalues` of the infinite-width kernel K.

    $$\frac{a - \bar t s}{1 + 1.5 / N}$$
    with a the lower edge of the spectrum of $K^{1/2} W K^{1/2}$, W a Wishart matrix of N d samples,
    s its Tracy-Widom scale and $\bar t$ the mean of that law; 0 when N d <= n. The denominator is
    for inputs at which few neurons have a slope.

    Source: derived and checked here, but the 1.5 is measured.
    Accuracy: `finite_width_min_eigenvalue_remainder`; without the denominator 1 % for Gaussian
    features of covariance K.
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
    scaled = np.asarray(eigenvalues) / samples
    edge, scale = spectral_edges.lower_edge(scaled, np.ones(n), samples)
    return (edge - spectral_edges.TRACY_WIDOM_MEAN * scale) / (1 + 1.5 / width)


def finite_width_min_eigenvalue_remainder(
    activation: Activation, n: int, d: int, width: int
) -> float:
    """How far the mean smallest eigenvalue of K_N may lie from `finite_width_min_eigenvalue`, in
    units of it: 1.6 / N + 0.02; 0 where N d <= n, as both are 0.

    Source: measured here, on 16 to 24 draws of 100 regimes (ReLU, tanh, GELU; d = 20..60,
    n = 100..240, N = 16..64, N d = 1.5 n..32 n): the mean lies 7 % below (N = 16) to 6 % above it,
    of tanh lowest. At N = 12 it lies up to 20 % below (d = 54..90), where a search refuted the 6 %
    of before. Of sin it is 22 % off.
    Raises: `InputError` for other activations, and where N d > n for d < 20 or N < 16.
    """
    if width * d <= n:
        return 0.0
    require_measured(
        "finite_width_min_eigenvalue",
        activation,
        ("relu", "tanh", "gelu"),
        d=(d, 20, math.inf),
        width=(width, 16, math.inf),
    )
    return 1.6 / width + 0.02
