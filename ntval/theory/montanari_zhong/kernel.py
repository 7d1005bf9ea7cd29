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
A module a theorem; the risks of regression with this kernel are in `risk`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.theory import gegenbauer, hermite

# What `energies` promise, absolute.
ENERGIES_ACCURACY = 1e-12


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
