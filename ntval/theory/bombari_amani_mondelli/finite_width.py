r"""The block $K_{L-2}$ of the kernel of a deep network: its smallest eigenvalue at finite width.

| here | paper | meaning |
|---|---|---|
| `features` | $F_{L-2}$, $N \times n_{L-2}$ | features that enter the last hidden layer |
| `width` | $m = n_{L-1}$ | neurons of the last hidden layer |
| `hidden_std` | $\beta$ | its weights are $N(0, \beta^2 / n_{L-2})$ |
| `signs` | | last layer of +1 and -1, in place of N(0, 1) |
| `truncation` | $T$ | outgoing weights beyond T are left out of the lower bound |
| `failure` | $\delta$ | probability that a bound fails, given the features |

$K_{L-2} = (F F^\top) \circ (B B^\top)$, the rows of B being $\phi'(W^\top f) \circ v$; the whole
kernel lies above it in the Loewner order.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory.bombari_amani_mondelli.chernoff import (
    chernoff_lower_bound,
    chernoff_upper_bound,
)
from ntval.theory.bombari_amani_mondelli.dual_kernels import derivative_kernel
from ntval.theory.domains import require_measured

Features = Float[np.ndarray, "n width"]

# The largest slope: of GELU at sqrt(2), of SiLU where its second derivative is 0.
LARGEST_SLOPES = {
    "relu": 1.0,
    "tanh": 1.0,
    "erf": 2 / math.sqrt(math.pi),
    "sigmoid": 0.25,
    "softplus": 1.0,
    "sin": 1.0,
    "cos": 1.0,
    "gelu": 0.5 + 0.5 * math.erf(1.0) + math.exp(-1.0) / math.sqrt(math.pi),
    "silu": 1.0998393201289,
}
_TRUNCATIONS = tuple(0.8 + 0.1 * step for step in range(33))  # to 4


def largest_slope(activation: Activation) -> float:
    r"""$\sup |\phi'|$.

    Source: spec bombari_amani_mondelli, section 4.3 (derived and checked); SiLU's measured.
    Accuracy: 1e-12 relative. Raises: `InputError` for an activation of unbounded or unknown slope.
    """
    if activation.name not in LARGEST_SLOPES:
        raise InputError(
            f"activation needs a known largest slope ({', '.join(LARGEST_SLOPES)}), got "
            f"{activation.name!r}."
        )
    return LARGEST_SLOPES[activation.name]


def truncated_second_moment(truncation: float) -> float:
    r"""$C_T = E[v^2 1\{|v| \le T\}] = \mathrm{erf}(T / \sqrt2) - T \sqrt{2 / \pi}\, e^{-T^2/2}$.

    Source: spec, section 2.3 (derived and checked). Accuracy: rounding.
    """
    tail = truncation * math.sqrt(2 / math.pi) * math.exp(-(truncation**2) / 2)
    return math.erf(truncation / math.sqrt(2)) - tail


def centered_gram(features: Features) -> Float[np.ndarray, "n n"]:
    r"""$F Q F^\top$ with $Q = I - \mu \mu^\top / |\mu|^2$, $\mu$ the mean row: below $F F^\top$ in
    the Loewner order, as Q is a projection, and of smaller norm.

    Source: spec, section 2.3 (derived and checked). Accuracy: rounding.
    """
    mean = features.mean(axis=0)
    square = float(mean @ mean)
    if square == 0:
        return features @ features.T
    along = features @ mean
    return features @ features.T - np.outer(along, along) / square


def expected_block(
    activation: Activation, features: Features, *, hidden_std: float = 1.0
) -> Float[np.ndarray, "n n"]:
    r"""$H \circ F F^\top$: the mean of $K_{L-2}$ over the last two layers, divided by $n_{L-1}$.

    Source: spec, section 2.3 (derived and checked). Accuracy: that of `derivative_kernel`.
    Raises: `InputError` as it.
    """
    gram = features @ features.T
    covariance = hidden_std**2 * gram / features.shape[1]
    return derivative_kernel(activation, covariance) * gram


def sharp_min_eigenvalue(
    activation: Activation, features: Features, width: int, *, hidden_std: float = 1.0
) -> float:
    r"""$m\, \lambda_{\min}(H \circ F F^\top)$: near the smallest eigenvalue of $K_{L-2}$, and at
    least its mean, as the smallest eigenvalue is concave.

    Source: spec, section 2.3 (derived and checked).
    Accuracy: from above; 0.4 % at (N, n, m) = (100, 100, 4000), erf, signs (spec).
    Raises: `InputError` as `derivative_kernel`.
    """
    block = expected_block(activation, features, hidden_std=hidden_std)
    return width * max(float(np.linalg.eigvalsh(block)[0]), 0.0)


def sharp_min_eigenvalue_remainder(activation: Activation, n: int, width: int) -> float:
    r"""How far the mean smallest eigenvalue of $K_{L-2}$ may lie from `sharp_min_eigenvalue`, in
    units of it: 0.4 n / m.

    Source: measured here, on 12 draws of 16 regimes (erf, tanh; last layers of signs; n = 20..60,
    d and fan in = 30..100 and at least n, m = 1000..4000, at least 40 n): the mean lies 0.5 % below
    to 0.4 % above, each known to 0.1 to 0.3 %.
    Raises: `InputError` for other activations, n < 20 or m < 40 n.
    """
    require_measured(
        "sharp_min_eigenvalue",
        activation,
        ("erf", "tanh"),
        n=(n, 20, math.inf),
        ratio=(width / n, 40, math.inf),
    )
    return 0.4 * n / width


def over_parameterization_exponents(activation: Activation, n: int, d: int) -> tuple[float, float]:
    r"""The exponents of K and of $K_{L-2}$ in $n_{L-2} n_{L-1}$, at fixed n over that: 1 in theory;
    1.04 and 1.09 at these sizes, which is what this gives.

    Source: Bombari, Amani & Mondelli (second-hand) for 1; offsets measured here (see
    `over_parameterization_remainder`). Accuracy: that. Raises: as it.
    """
    over_parameterization_remainder(activation, n, d)
    return 1.04, 1.09


def over_parameterization_remainder(activation: Activation, n: int, d: int) -> float:
    r"""How far the mean slopes may lie from `over_parameterization_exponents`: 0.1.

    Source: measured here, 5 to 12 draws of 20 regimes (tanh, erf; last layers of signs; Gaussian
    and spherical inputs; L = 3, both hidden layers d wide, d = 16..32 growing to sqrt(8) d,
    n = d^2/8..d^2/6): 0.97 to 1.12 and 1.04 to 1.13, each to 0.03.
    Accuracy: an upper bound.
    Raises: `InputError` for other activations, d < 16, or another share of inputs.
    """
    require_measured(
        "over_parameterization_exponent",
        activation,
        ("tanh", "erf"),
        d=(d, 16, math.inf),
        share=(d**2 / n, 6, 8.6),  # d is the root of 8 n, rounded
    )
    return 0.1


def last_width_remainder(activation: Activation, n: int, fan_in: int, width: int) -> float:
    r"""How far the mean exponent of $K_{L-2}$ in $n_{L-1}$ may lie from 1: 3 n / n_1 m at the first
    of the widths m.

    Source: measured here: at 151 searched points (tanh, erf; n = 20..40, d = 40..100,
    n_1 = 80..150, m = 60..100) the slope lies at most 0.76 of that away.
    Accuracy: an upper bound.
    Raises: `InputError` for other activations or fewer than 160 n parameters.
    """
    require_measured(
        "last_width_exponent",
        activation,
        ("tanh", "erf"),
        parameters=(fan_in * width / n, 160, math.inf),
    )
    return 3 * n / (fan_in * width)


def finite_width_lower_bound(
    activation: Activation,
    features: Features,
    width: int,
    *,
    failure: float,
    hidden_std: float = 1.0,
    signs: bool = False,
) -> float:
    r"""Lower bound on the smallest eigenvalue of $K_{L-2}$, and so of the whole kernel, that fails
    with probability `failure` at most over the last two layers, given the features.

    $(1 - \epsilon)\, m\, C_T\, \lambda_{\min}(H \circ G)$ by Chernoff's bound with terms of norm at
    most $T^2 \sup |\phi'|^2 \|G\|$, G being $F F^\top$ or `centered_gram`; the best of both and of
    all T, which depends on the features alone. 0 where it says nothing.

    Source: spec, section 2.3, T1' (derived from Tropp 2012; checked).
    Accuracy: that of `derivative_kernel`. Raises: `InputError` as it, and for an unknown slope.
    """
    slope = largest_slope(activation)
    covariance = hidden_std**2 * features @ features.T / features.shape[1]
    derivatives = derivative_kernel(activation, covariance)
    choices = [(1.0, 1.0)] if signs else [(t, truncated_second_moment(t)) for t in _TRUNCATIONS]
    bounds = [0.0]
    for gram in (features @ features.T, centered_gram(features)):
        smallest = float(np.linalg.eigvalsh(derivatives * gram)[0])
        norm = float(np.linalg.eigvalsh(gram)[-1])
        for truncation, share in choices:
            term = (truncation * slope) ** 2 * norm
            mean = width * share * smallest
            bounds.append(chernoff_lower_bound(mean, term, len(features), failure=failure))
    return max(bounds)


def finite_width_upper_bound(
    activation: Activation,
    features: Features,
    width: int,
    *,
    failure: float,
    hidden_std: float = 1.0,
) -> float:
    r"""Upper bound on the smallest eigenvalue of $K_{L-2}$ for a last layer of signs, that fails
    with probability `failure` at most, given the features: $(1 + \epsilon)$ times
    `sharp_min_eigenvalue`, at the bottom eigenvector of $H \circ F F^\top$.

    Source: spec, section 2.3 (derived from Tropp 2012; checked).
    Accuracy: that of `derivative_kernel`. Raises: `InputError` as `finite_width_lower_bound`.
    """
    norm = float(np.linalg.eigvalsh(features @ features.T)[-1])
    smallest = sharp_min_eigenvalue(activation, features, width, hidden_std=hidden_std)
    return chernoff_upper_bound(smallest, largest_slope(activation) ** 2 * norm, failure=failure)
