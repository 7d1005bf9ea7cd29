r"""Montanari & Zhong, 2007.12826: the neural tangent kernel of a two-layer network.

| here | paper | meaning |
|---|---|---|
| `n`, `d`, `width` | $n$, $d$, $N$ | samples, input dimension, hidden neurons |
| `degree` | $\ell$ | $d^\ell \ll n \ll d^{\ell+1}$ |
| `energies(...)[k]` | $\gamma_k$ | weight of degree k in the kernel $K = \sum_k \gamma_k P_k$ |
| `tail_energy` | $\gamma_{>\ell}$ | the self-induced ridge at finite d |
| `tail_energy_limit` | $v_\ell(\sigma)$ | its limit $\sum_{k \ge \ell} \mu_k(\sigma')^2$ |

Inputs are uniform on the sphere of radius $\sqrt d$, weights uniform on the unit sphere. The
paper was not at hand: `Source` says of each formula whether it was read, derived or recalled.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import gegenbauer, hermite

# Mean of the Tracy-Widom law of real symmetric matrices.
_TRACY_WIDOM_MEAN = -1.2065335745820


def energies(activation: Activation, d: int, degree: int) -> Float[np.ndarray, "k"]:
    r"""$\gamma_0, \dots, \gamma_{\text{degree}}$, the kernel's weight on each degree at finite d.

    $$\gamma_k = \mu_{d,k-1}^2 \frac{d+k-3}{d+2k-4} + \mu_{d,k+1}^2 \frac{k+1}{d+2k}$$
    for k >= 2, $\gamma_0 = \mu_{d,1}^2 / d$, $\gamma_1 = \mu_{d,0}^2 + 2\mu_{d,2}^2/(d+2)$, where
    $\mu_{d,k}$ are the coefficients of $\sigma'$. Degree k + 1 comes from degree k of $\sigma'$.

    Source: spec montanari_zhong, section 1 (derived and checked).
    Accuracy: 1e-12 absolute.
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


def _next_degrees(activation: Activation, d: int, degree: int) -> tuple[list[int], np.ndarray]:
    """The two smallest degrees above `degree` that the kernel has, and all energies up to them."""
    gamma = energies(activation, d, degree + 4)
    floor = 1e-12 * diagonal(activation, d)
    present = [k for k in range(degree + 1, degree + 5) if gamma[k] > floor]
    if not present:
        raise InputError(
            f"min_eigenvalue needs an activation that is no polynomial of degree <= {degree}, "
            f"got {activation.name!r}: its kernel has no degree above, and is singular."
        )
    return present[:2], gamma


def _effective_samples(gamma: np.ndarray, n: int, d: int, degree: int) -> int:
    """n' = n minus the directions taken by the degrees <= `degree` that are present."""
    if n < d:
        return n
    floor = 1e-12 * gamma.sum()
    return n - sum(gegenbauer.dimension(d, k) for k in range(degree + 1) if gamma[k] > floor)


def min_eigenvalue(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""Smallest eigenvalue of the infinite-width kernel of n uniform inputs, at finite d.

    $$\lambda_{\min}(K) \approx \gamma_{>\ell} - \gamma_{k_*}\,[1 - (1 - \sqrt{r'})^2]$$
    with $k_*$ the smallest degree above $\ell$ that is present, $r' = n' / B(d, k_*)$ and
    $n' = n - \sum_{k \le \ell, \gamma_k > 0} B(d, k)$. For n < d, $n' = n$ and
    $\gamma_1 (1 - \sqrt{n/d})^2$ is added.

    Source: spec montanari_zhong, section 2 (ii) and (iii) (derived and checked).
    Accuracy: `min_eigenvalue_remainder`; for n < d the measured value lies 2-10 % above.
    Raises: `InputError` unless 0 < n' < B(d, k_*).
    """
    (first, *_), gamma = _next_degrees(activation, d, degree)
    ratio = _effective_samples(gamma, n, d, degree) / gegenbauer.dimension(d, first)
    if not 0 < ratio < 1:
        raise InputError(
            f"min_eigenvalue needs 0 < n' < B(d, {first}) = {gegenbauer.dimension(d, first)}, "
            f"got n={n}, d={d}, degree={degree}; use the degree l with d^l <= n < d^(l+1)."
        )
    value = tail_energy(activation, d, degree) - gamma[first] * (1 - (1 - math.sqrt(ratio)) ** 2)
    if n < d:
        value += gamma[1] * (1 - math.sqrt(n / d)) ** 2
    return value


def min_eigenvalue_limit(activation: Activation, *, degree: int = 1) -> float:
    r"""The limit $v_\ell(\sigma)$ of the smallest eigenvalue, approached from below for n > d.

    Source: spec montanari_zhong, corollary of theorem B (recalled, checked).
    """
    return tail_energy_limit(activation, degree)


def min_eigenvalue_remainder(activation: Activation, n: int, d: int, *, degree: int = 1) -> float:
    r"""How far `min_eigenvalue` may lie from the mean smallest eigenvalue.

    Two terms that the formula leaves out: the Tracy-Widom shift of the lower edge of a
    Wishart matrix of n' rows and B = B(d, k_*) columns, and the fluctuation of the next degree
    $k_2$ that is present:
    $$\gamma_{k_*} \frac{1.2065}{B} (\sqrt B - \sqrt{n'})
      \left(\tfrac{1}{\sqrt{n'}} - \tfrac{1}{\sqrt B}\right)^{1/3}
      + 2 \gamma_{k_2} \sqrt{n / B(d, k_2)}$$

    Source: derived here; the edge scale is Johnstone's (2001), recalled. Checked against the
    spec's pilots for degree 1; degree 2 has heavier tails and is not covered.
    """
    present, gamma = _next_degrees(activation, d, degree)
    columns = gegenbauer.dimension(d, present[0])
    rows = _effective_samples(gamma, n, d, degree)
    root_c, root_r = math.sqrt(columns), math.sqrt(rows)
    scale = (root_c - root_r) * (1 / root_r - 1 / root_c) ** (1 / 3) / columns
    edge = gamma[present[0]] * -_TRACY_WIDOM_MEAN * scale
    if len(present) == 1:
        return edge
    return edge + 2 * gamma[present[1]] * math.sqrt(n / gegenbauer.dimension(d, present[1]))


def concentration(n: int, d: int, width: int) -> float:
    r"""Typical $\|K^{-1/2} K_N K^{-1/2} - I\|$: $2\sqrt\psi + \psi$ with $\psi = n / (N d)$.

    The Marchenko-Pastur edge of n whitened rows and N d columns.

    Source: spec montanari_zhong, theorem A (measured constant, derived and checked).
    Accuracy: -4 % to +10 % for n >= 4 d and N >= 30, up to +25 % at n = 2 d.
    """
    ratio = n / (width * d)
    return 2 * math.sqrt(ratio) + ratio
