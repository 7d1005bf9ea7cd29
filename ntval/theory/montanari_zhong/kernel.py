r"""Montanari & Zhong, 2007.12826: the neural tangent kernel of a two-layer network.

| here | paper | meaning |
|---|---|---|
| `n`, `d`, `width` | $n$, $d$, $N$ | samples, input dimension, hidden neurons |
| `degree` | $\ell$ | $d^\ell \ll n \ll d^{\ell+1}$ |
| `energies(...)[k]` | $\gamma_k$ | weight of degree k in the kernel $K = \sum_k \gamma_k P_k$ |
| `tail_energy` | $\gamma_{>\ell}$ | the self-induced ridge at finite d |
| `tail_energy_limit` | $v_\ell(\sigma)$ | its limit $\sum_{k \ge \ell} \mu_k(\sigma')^2$ |
| `residual_norm` | $\|\Delta\|$ | $K = \gamma_{>\ell} I + \sum_{k\le\ell} \gamma_k P_k + \Delta$ |
| k_* in formulas | – | the smallest degree above $\ell$ that the kernel has |
| n' in formulas | – | n less the `outliers`, the directions of degrees <= $\ell$ |
| B(d, k) in formulas | $B(d, k)$ | `gegenbauer.dimension` |

Inputs are uniform on the sphere of radius $\sqrt d$, weights uniform on the unit sphere. The
paper was not at hand: `Source` says of each formula whether it was read, derived or recalled.
Finite width is in `width`, the risks of regression with this kernel in `risk`.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import gegenbauer, hermite, spectral_edges

# What `energies` promise, absolute.
ENERGIES_ACCURACY = 1e-12
# Rounding leaves this much, relative to K(x, x), in an energy that is 0.
_ABSENT = 1e-12
# Entries of P_3 and of higher degrees have heavier tails than features of one covariance would:
# measured shifts of the bulk's lower edge in units of gamma_k sqrt(r'); see the remainder.
_HEAVY_TAILS = {1: 0.0, 2: 0.0, 3: 0.5}
_HEAVIER_TAILS = 0.75


def energies(activation: Activation, d: int, degree: int) -> Float[np.ndarray, "k"]:
    r"""$\gamma_0, \dots, \gamma_{\text{degree}}$, the kernel's weight on each degree at finite d.

    $$\gamma_k = \mu_{d,k-1}^2 \frac{d+k-3}{d+2k-4} + \mu_{d,k+1}^2 \frac{k+1}{d+2k}$$
    for k >= 2, $\gamma_0 = \mu_{d,1}^2 / d$, $\gamma_1 = \mu_{d,0}^2 + 2\mu_{d,2}^2/(d+2)$, where
    $\mu_{d,k}$ are the coefficients of $\sigma'$. Degree k + 1 comes from degree k of $\sigma'$.

    Source: spec montanari_zhong, section 1 (derived and checked).
    Accuracy: `ENERGIES_ACCURACY`.
    """
    squares = (
        gegenbauer.coefficients(
            activation.derivative, d, degree + 1, breakpoints=activation.breakpoints
        )
        ** 2
    )
    gamma = np.empty(degree + 1)
    gamma[0] = squares[1] / d
    for k in range(1, degree + 1):
        shrink = 1.0 if k == 1 else (d + k - 3) / (d + 2 * k - 4)
        gamma[k] = squares[k - 1] * shrink + squares[k + 1] * (k + 1) / (d + 2 * k)
    return gamma


def diagonal(activation: Activation, d: int) -> float:
    r"""$K(x, x) = E[\sigma'(\sqrt d\, t)^2] = \sum_k \gamma_k$, the same for every input.

    Source: spec montanari_zhong, section 1 (derived and checked). Accuracy: 1e-13 relative.
    """
    return gegenbauer.second_moment(activation.derivative, d, breakpoints=activation.breakpoints)


def tail_energy(activation: Activation, d: int, degree: int) -> float:
    r"""$\gamma_{>\ell} = K(1) - \sum_{k \le \ell} \gamma_k$, by Parseval, never a truncated sum.

    Source: spec montanari_zhong, theorem B (derived and checked). Accuracy: 1e-12 absolute.
    """
    return diagonal(activation, d) - float(energies(activation, d, degree).sum())


def tail_energy_limit(activation: Activation, degree: int) -> float:
    r"""$v_\ell(\sigma) = \sum_{k \ge \ell} \mu_k(\sigma')^2$, the limit of $\gamma_{>\ell}$.

    The sum over $\sigma'$ starts at $\ell$: degree k + 1 of K comes from degree k of $\sigma'$.

    Source: spec montanari_zhong, theorem B (recalled, checked). Accuracy: 1e-12 absolute.
    """
    breakpoints = activation.breakpoints
    total = hermite.second_moment(activation.derivative, breakpoints=breakpoints)
    if degree == 0:
        return total
    below = hermite.coefficients(activation.derivative, degree - 1, breakpoints=breakpoints)
    return total - float((below**2).sum())


def operator_levels(
    activation: Activation, d: int, *, degree: int = 10
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"], float]:
    r"""Eigenvalues $\gamma_k / B(d, k)$ of the kernel operator for k = 0..`degree`, their
    multiplicities $B(d, k)$, and the energy $\gamma_{>\text{degree}}$ of all further ones.

    Energies that are only rounding are 0.

    Source: spec montanari_zhong, section 1 (derived and checked).
    Accuracy: 1e-12 absolute, of the energies.
    """
    gamma, total = energies(activation, d, degree), diagonal(activation, d)
    gamma = np.where(gamma > _ABSENT * total, gamma, 0.0)
    counts = np.array([float(gegenbauer.dimension(d, k)) for k in range(degree + 1)])
    rest = total - float(gamma.sum())
    return gamma / counts, counts, rest if rest > _ABSENT * total else 0.0


def outliers(activation: Activation, d: int, *, degree: int = 1) -> int:
    r"""Number $\sum_{k \le \ell, \gamma_k > 0} B(d, k)$ of eigenvalues of K above the bulk.

    Source: spec montanari_zhong, theorem B (recalled, checked). Accuracy: exact.
    """
    eigenvalues, counts, _ = operator_levels(activation, d, degree=degree)
    return int(counts[eigenvalues > 0].sum())


def _degrees_above(activation: Activation, d: int, degree: int) -> list[tuple[int, float, int]]:
    """Degrees above `degree` that the kernel has, each with its energy and its dimension."""
    eigenvalues, counts, _ = operator_levels(activation, d, degree=degree + 4)
    present = [k for k in range(degree + 1, degree + 5) if eigenvalues[k] > 0]
    if not present:
        raise InputError(
            f"activation needs to be no polynomial of degree <= {degree}, "
            f"got {activation.name!r}: its kernel has no degree above, and is singular."
        )
    return [(k, float(eigenvalues[k] * counts[k]), int(counts[k])) for k in present]


def residual_norm(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""$\|\Delta\|$, what K is away from a low-rank part and a multiple of the identity.

    $$\|\Delta\| \approx \gamma_{k_*} (2 \sqrt r + r), \qquad r = n / B(d, k_*)$$

    Source: spec montanari_zhong, section 2 (i) (derived and checked).
    Accuracy: `residual_norm_remainder`.
    Raises: `InputError` when the activation is a polynomial without a degree above `degree`.
    """
    (_, energy, dimension), *_ = _degrees_above(activation, d, degree)
    return energy * (spectral_edges.marchenko_pastur_edges(n / dimension)[1] - 1)


def residual_norm_remainder(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""How far `residual_norm` may lie from the mean of $\|\Delta\|$.

    $$\gamma_{k_*} (1.21\, s + c \sqrt r)$$
    the Tracy-Widom shift of the upper edge, of scale s, and a share c of the formula's leading
    term for heavy tails: c = 0, 0.5, 0.75 for $k_* = 2$, 3 and above.

    Source: derived; c is measured here (tanh, GELU, ReLU; d = 10..80, n = 240..700).
    """
    (k, energy, dimension), *_ = _degrees_above(activation, d, degree)
    _, scale = spectral_edges.upper_edge([1 / dimension], [dimension], n)
    tails = _HEAVY_TAILS.get(k, _HEAVIER_TAILS) * math.sqrt(n / dimension)
    return energy * (tails - spectral_edges.TRACY_WIDOM_MEAN * scale)


def bulk_edges(activation: Activation, n: int, d: int, *, degree: int = 1) -> tuple[float, float]:
    r"""Edges of the bulk of K's spectrum, below the `outliers`.

    $$\gamma_{>\ell} + \gamma_{k_*} [(1 \mp \sqrt{r'})^2 - 1], \qquad r' = n' / B(d, k_*)$$

    Source: spec montanari_zhong, section 2 (ii) and E08 (derived and checked).
    Accuracy: upper 2 % (measured, ReLU, tanh and GELU, d = 40..160), lower
    `min_eigenvalue_remainder`.
    Raises: `InputError` unless 0 < n' < B(d, k_*).
    """
    energy, ratio, _ = _bulk(activation, n, d, degree)
    tail = tail_energy(activation, d, degree)
    lower, upper = spectral_edges.marchenko_pastur_edges(ratio)
    return tail + energy * (lower - 1), tail + energy * (upper - 1)


def largest_bulk_eigenvalue(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""The upper one of `bulk_edges`: the largest eigenvalue that is no outlier.

    Source: as `bulk_edges` (derived and checked). Accuracy: `largest_bulk_eigenvalue_remainder`.
    Raises: as `bulk_edges`.
    """
    return bulk_edges(activation, n, d, degree=degree)[1]


def largest_bulk_eigenvalue_remainder(
    activation: Activation, n: int, d: int, *, degree: int = 1
) -> float:
    r"""How far `largest_bulk_eigenvalue` may lie from the mean: 2 % of it.

    Source: measured here (ReLU, tanh and GELU, d = 40..160).
    """
    return 0.02 * largest_bulk_eigenvalue(activation, n, d, degree=degree)


def _bulk(activation: Activation, n: int, d: int, degree: int) -> tuple[float, float, int]:
    """Energy of the first degree above `degree`, n' / B(d, k_*), and k_* itself."""
    (k, energy, dimension), *_ = _degrees_above(activation, d, degree)
    samples = n if n < d else n - outliers(activation, d, degree=degree)
    if not 0 < samples < dimension:
        raise InputError(
            f"degree={degree} needs 0 < n' < B(d, {k}) = {dimension}, "
            f"got n={n}, d={d}; use the degree l with d^l <= n < d^(l+1)."
        )
    return energy, samples / dimension, k


def band_edges(activation: Activation, n: int, d: int, *, degree: int = 1) -> tuple[float, float]:
    r"""Edges of the band of B(d, k) eigenvalues that degree k = `degree` makes, to leading order.

    $$\gamma_{>k} + \gamma_k \left(\sqrt{n / B(d, k)} \mp 1\right)^2$$

    Source: spec montanari_zhong, section 2 (iv) (derived and checked). `support` has the bands
    without the assumption that degrees lie far apart.
    Accuracy: of the outermost eigenvalues 15 % at d = 20, 10 % at 40, 6 % at 60 (measured, ReLU,
    tanh and GELU, n = 4 d..8 d), most of it their Tracy-Widom shift inwards: `smallest_outlier`.
    Raises: `InputError` unless n > B(d, k) and the kernel has the degree.
    """
    dimension = gegenbauer.dimension(d, degree)
    eigenvalues, _, _ = operator_levels(activation, d, degree=degree)
    if eigenvalues[degree] == 0 or n <= dimension:
        raise InputError(
            f"degree needs to be one of the kernel's, with B(d, degree) < n, got degree={degree}, "
            f"B={dimension}, n={n} for {activation.name!r}; use a lower degree or more samples."
        )
    energy, tail = eigenvalues[degree] * dimension, tail_energy(activation, d, degree)
    root = math.sqrt(n / dimension)
    return tail + energy * (root - 1) ** 2, tail + energy * (root + 1) ** 2


def smallest_outlier(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""Mean smallest eigenvalue above the bulk: the low end of `band_edges` and its Tracy-Widom
    shift inwards.

    Source: derived and checked here; `spectral_edges.lower_edge` of the B(d, k) directions.
    Accuracy: `smallest_outlier_remainder`. Raises: `InputError` as `band_edges`.
    """
    low, _ = band_edges(activation, n, d, degree=degree)
    dimension = gegenbauer.dimension(d, degree)
    eigenvalues, _, _ = operator_levels(activation, d, degree=degree)
    _, scale = spectral_edges.lower_edge(eigenvalues[degree:], [n], dimension)
    return low - spectral_edges.TRACY_WIDOM_MEAN * scale


def smallest_outlier_remainder(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""How far `smallest_outlier` may lie from the mean: $2.5 / d$ of it.

    Source: measured here (ReLU, tanh and GELU; d = 20..90, n = 4 d..8 d; 24 draws: -1.5 % to
    1.9 / d). Its form, O(1/d), is derived.
    """
    return 2.5 / d * smallest_outlier(activation, n, d, degree=degree)


def support(activation: Activation, n: int, d: int) -> Float[np.ndarray, "bands 2"]:
    r"""Lower and upper edges of the bands of K's spectrum, ascending, for any n and d.

    All degrees at once, without a choice of $\ell$: degrees 1 to 10 are levels, the rest a
    multiple of the identity. The constant is a single eigenvalue, `constant_eigenvalue`.

    Source: derived and checked here; `spectral_edges.support`.
    Accuracy: 2 % for the bulk's edges when degree 2 makes them, otherwise as
    `min_eigenvalue_remainder`; outliers end up to 6 % inside their bands (measured, d = 10..160).
    Raises: `InputError` when the kernel has no degree but 0.
    """
    eigenvalues, counts, tail = operator_levels(activation, d)
    return spectral_edges.support(eigenvalues[1:], counts[1:], n, tail=tail)


def constant_eigenvalue(activation: Activation, n: int, d: int) -> float | None:
    r"""Eigenvalue of K on nearly constant vectors, about $\gamma_{>0} + n \gamma_0$.

    Repelled by the bands of the other degrees; None when it lies within one, or
    $\gamma_0 = 0$.

    Source: derived and checked here; `spectral_edges.spike`.
    Accuracy: 2 % (measured, ReLU at n = 30 d).
    """
    eigenvalues, counts, tail = operator_levels(activation, d)
    if eigenvalues[0] == 0:
        return None
    return spectral_edges.spike(eigenvalues[0], eigenvalues[1:], counts[1:], n, tail=tail)


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


def min_eigenvalue_limit_remainder(activation: Activation, n: int, d: int) -> float:
    r"""How far the mean smallest eigenvalue may lie from `min_eigenvalue_limit` at finite n and d:
    the distance of `min_eigenvalue` with its own remainder, $O(\sqrt n / d)$ for n > d.

    Source: derived here. Accuracy: that of `min_eigenvalue_remainder`.
    Raises: `InputError` as `min_eigenvalue`.
    """
    distance = abs(min_eigenvalue_limit(activation) - min_eigenvalue(activation, n, d))
    return distance + min_eigenvalue_remainder(activation, n, d)


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
    """
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
    Raises: `InputError` as `min_eigenvalue`.
    """
    energy, ratio, first = _bulk(activation, n, d, degree)
    edge, shift = _lower_edge(activation, n, d)
    others = [abs(min_eigenvalue(activation, n, d, degree=degree) - (edge + shift))]
    for _, next_energy, dimension in _degrees_above(activation, d, degree)[1:2]:
        others.append(2 * next_energy * math.sqrt(n / dimension))
    tails = _HEAVY_TAILS.get(first, _HEAVIER_TAILS) * energy * math.sqrt(ratio)
    return shift + max(others) + tails
