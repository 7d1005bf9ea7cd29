"""Montanari & Zhong, 2007.12826: the spectrum of the infinite-width kernel, its outliers and bulk.

The notation is that of `kernel`.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import gegenbauer, spectral_edges
from ntval.theory.domains import require_measured
from ntval.theory.montanari_zhong.kernel import diagonal, energies, tail_energy

# Rounding leaves this much, relative to K(x, x), in an energy that is 0.
_ABSENT = 1e-12


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


def degrees_above(activation: Activation, d: int, degree: int) -> list[tuple[int, float, int]]:
    """Degrees above `degree` that the kernel has, each with its energy and its dimension.

    Source: derived here, of `energies`. Accuracy: theirs.
    """
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
    (_, energy, dimension), *_ = degrees_above(activation, d, degree)
    return energy * (spectral_edges.marchenko_pastur_edges(n / dimension)[1] - 1)


def residual_norm_remainder(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""How far `residual_norm` may lie from the mean of $\|\Delta\|$.

    $$\gamma_{k_*} (1.21\, s + c \sqrt r)$$
    the Tracy-Widom shift of the upper edge, of scale s, and a share c of the formula's leading
    term for heavy tails: c = 0, 0.5, 0.75 for $k_* = 2$, 3 and above.

    Source: derived; c is measured here (tanh, GELU, ReLU; d = 10..80, n = 240..700).
    """
    (k, energy, dimension), *_ = degrees_above(activation, d, degree)
    _, scale = spectral_edges.upper_edge([1 / dimension], [dimension], n)
    tails = heavy_tails(k) * math.sqrt(n / dimension)
    return energy * (tails - spectral_edges.TRACY_WIDOM_MEAN * scale)


def bulk_edges(activation: Activation, n: int, d: int, *, degree: int = 1) -> tuple[float, float]:
    r"""Edges of the bulk of K's spectrum, below the `outliers`.

    $$\gamma_{>\ell} + \gamma_{k_*} [(1 \mp \sqrt{r'})^2 - 1], \qquad r' = n' / B(d, k_*)$$

    Source: spec montanari_zhong, section 2 (ii) and E08 (derived and checked).
    Accuracy: the upper one lies up to 6 % above the mean largest eigenvalue at d = 20, 3.4 % at 40
    (measured, n = 3 d; `largest_bulk_eigenvalue` is closer); the lower one
    `min_eigenvalue_remainder`.
    Raises: `InputError` unless 0 < n' < B(d, k_*).
    """
    energy, ratio, _ = bulk(activation, n, d, degree)
    tail = tail_energy(activation, d, degree)
    lower, upper = spectral_edges.marchenko_pastur_edges(ratio)
    return tail + energy * (lower - 1), tail + energy * (upper - 1)


def largest_bulk_eigenvalue(activation: Activation, n: int, d: int) -> float:
    r"""Mean largest eigenvalue that is no outlier: the upper edge of the lowest band of `support`,
    and its Tracy-Widom shift inwards.

    Source: derived and checked here; `spectral_edges.lowest_band`.
    Accuracy: `largest_bulk_eigenvalue_remainder`. Raises: `InputError` as `support`.
    """
    eigenvalues, counts, tail = operator_levels(activation, d)
    edge, scale = spectral_edges.lowest_band(eigenvalues[1:], counts[1:], n, tail=tail)
    return edge + spectral_edges.TRACY_WIDOM_MEAN * scale


def largest_bulk_eigenvalue_remainder(activation: Activation, n: int, d: int) -> float:
    r"""How far `largest_bulk_eigenvalue` may lie from the mean: $0.8 / d$ of it.

    Source: measured here (ReLU, leaky ReLU, tanh, GELU, sin, softplus; d = 20..60, n = 3 d..8 d;
    12 draws): 0 to 0.52 / d below the mean, growing with n / d. Its form, O(1/d), is derived.
    Raises: `InputError` outside of these activations and of n = 3 d..8 d, d >= 20.
    """
    require_measured(
        "largest_bulk_eigenvalue",
        activation,
        ("relu", "leaky_relu", "tanh", "gelu", "sin", "softplus"),
        d=(d, 20, math.inf),
        ratio=(n / d, 3, 8),
    )
    return 0.8 / d * largest_bulk_eigenvalue(activation, n, d)


def heavy_tails(degree: int) -> float:
    r"""Shift of the bulk's lower edge in units of $\gamma_k \sqrt{r'}$, for k = `degree`.

    Entries of P_3 and of higher degrees have heavier tails than features of one covariance would.

    Source: measured here. Accuracy: part of `min_eigenvalue_remainder`.
    """
    return {1: 0.0, 2: 0.0, 3: 0.5}.get(degree, 0.75)


def bulk(activation: Activation, n: int, d: int, degree: int) -> tuple[float, float, int]:
    """Energy of the first degree above `degree`, n' / B(d, k_*), and k_* itself.

    Source: derived here, of `energies`. Accuracy: theirs.
    Raises: `InputError` unless 0 < n' < B(d, k_*).
    """
    (k, energy, dimension), *_ = degrees_above(activation, d, degree)
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
    1.9 / d). Its form, O(1/d), is derived. Of softplus and leaky ReLU, whose degree 1 holds most of
    the energy, it is 15 to 180 % off.
    Raises: `InputError` outside of that.
    """
    require_measured(
        "smallest_outlier",
        activation,
        ("relu", "tanh", "gelu"),
        d=(d, 20, math.inf),
        ratio=(n / d, 3, 8),
    )
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
