r"""Steps that memorize, gradient descent beside its linearization, and where training fails.

| here | paper | meaning |
|---|---|---|
| `eigenvalues` | | of the kernel $K = J J^\top$ |
| `coefficients` | | of a vector in the eigenbasis of K |
| `step` | h | of $\theta + h \Delta$, $\Delta = J^\top K^{-1} y$ |
| `rate` | $\eta$ | of $\theta \leftarrow \theta - \eta J^\top (f - y)$: half a sum of squares |
| | $\gamma$ | scale of the last layer, $\gamma (w, -w)$ |
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import roots_sh_jacobi

from ntval.errors import InputError


def step_norm(eigenvalues: Float[np.ndarray, "n"], coefficients: Float[np.ndarray, "n"]) -> float:
    r"""$\|\Delta\|^2 = y^\top K^{-1} y = \sum_i c_i^2 / \lambda_i$ of the step that memorizes y.

    Source: spec bombari_amani_mondelli, section 2.1 (derived and checked).
    Accuracy: that of the eigenvalues. Raises: `InputError` unless K is positive definite.
    """
    _require_positive(eigenvalues)
    return float(np.sum(coefficients**2 / eigenvalues))


def step_norm_bound(smallest: float, labels: Float[np.ndarray, "n"]) -> float:
    r"""$\|y\|^2 / \lambda_{\min}$: $\|\Delta\|^2$ does not lie above it.

    Source: spec, section 2.1 and A12 (derived and checked). Accuracy: rounding.
    Raises: `InputError` unless the smallest eigenvalue is positive.
    """
    _require_positive(np.array([smallest]))
    return float(labels @ labels) / smallest


def _require_positive(eigenvalues: Float[np.ndarray, "n"]) -> None:
    if eigenvalues.min() <= 0:
        raise InputError(
            f"eigenvalues needs positive numbers, got {eigenvalues.min():g}; take fewer inputs "
            "than parameters, and no input twice."
        )


def taylor_nodes(
    order: int, count: int
) -> tuple[Float[np.ndarray, "count"], Float[np.ndarray, "count"]]:
    r"""Nodes $s_k$ and weights of $\int_0^1 (1 - s)^p g(s) \, ds$, p = `order`.

    Source: Gauss and Jacobi's rule (recalled). Accuracy: exact for polynomials g of degree
    2 `count` - 1.
    """
    # SciPy's weight is (1 - x)^(p - q) x^(q - 1).
    nodes, weights = roots_sh_jacobi(count, order + 1.0, 1.0)
    return nodes, weights


def forward_error(
    seconds: Float[np.ndarray, "count n"], weights: Float[np.ndarray, "count"], step: float
) -> Float[np.ndarray, "n"]:
    r"""$(F(\theta + h \Delta) - F(\theta)) / h - y = h \int_0^1 (1 - s) F''(s h) \, ds$, order h:
    `seconds` are second derivatives along $\Delta$ at the nodes $s_k h$ of order 1.

    Source: Taylor's remainder (derived); spec, section 2.1. Accuracy: that of the nodes.
    """
    return step * (weights @ seconds)


def central_error(
    ahead: Float[np.ndarray, "count n"],
    behind: Float[np.ndarray, "count n"],
    weights: Float[np.ndarray, "count"],
    step: float,
) -> Float[np.ndarray, "n"]:
    r"""$(F(\theta + h \Delta) - F(\theta - h \Delta)) / 2h - y
    = \tfrac{h^2}{4} \int_0^1 (1 - s)^2 (F'''(s h) + F'''(-s h)) \, ds$, of order $h^2$: third
    derivatives at the nodes $s_k h$ and $-s_k h$ of order 2.

    Source: Taylor's remainder (derived); spec, section 2.1. Accuracy: that of the nodes.
    """
    return step**2 / 4 * (weights @ (ahead + behind))


def descent_residuals(
    eigenvalues: Float[np.ndarray, "n"],
    coefficients: Float[np.ndarray, "n"],
    rate: float,
    steps: int,
) -> Float[np.ndarray, "rows n"]:
    r"""$(1 - \eta \lambda_i)^t c_i$ for t = 0, ..., `steps`: coefficients of the residual of
    gradient descent on the linearized network, of those of the first residual.

    Source: spec, A13 (derived). Accuracy: t rounding errors, relative.
    """
    return (1 - rate * eigenvalues) ** np.arange(steps + 1)[:, None] * coefficients


def departure_bound(
    changes: Float[np.ndarray, "steps"],
    norms: Float[np.ndarray, "steps"],
    smallest: float,
    rate: float,
) -> Float[np.ndarray, "rows"]:
    r"""$D_{t+1} = (1 - \eta \lambda_{\min}) D_t + \eta \kappa_t |r_t|$, $D_0 = 0$: the residual
    $r_t$ of a network is no further from $(I - \eta K)^t r_0$, for $\eta \le 1 / \lambda_{\max}$.

    $\kappa_t$ = `changes` bound the norms of $\bar K_t - K$, and $|r_t|$ = `norms`: a step makes
    $r_{t+1} = (I - \eta \bar K_t) r_t = (I - \eta K) r_t - \eta (\bar K_t - K) r_t$.

    Source: Duhamel's sum (derived here). Accuracy: rounding.
    """
    bounds = [0.0]
    for change, norm in zip(changes, norms, strict=True):
        bounds.append((1 - rate * smallest) * bounds[-1] + rate * change * norm)
    return np.array(bounds)


def lazy_rates() -> tuple[float, float, float]:
    r"""Exponents in $\gamma$, for a last layer $\gamma (w, -w)$ and $\eta = 1 / \lambda_{\max}$: of
    the distance between network and linearization after descent, of the movement of the
    parameters, and of the relative change of the kernel: -2, -1, -2.

    Weights move like $1 / \gamma$. The halves of the last hidden layer move by opposite amounts to
    first order, so that kernel and outputs depart to second order alone.

    Source: spec, C6 (measured there; the pairs' argument derived). Accuracy:
    `lazy_rates_remainder`.
    """
    return -2.0, -1.0, -2.0


def lazy_rates_remainder() -> tuple[float, float, float]:
    r"""How far slopes measured for $\gamma$ = 128..1024 may lie from `lazy_rates`.

    Source: measured here at 30 points of the claim's domain for $\gamma$ = 32..256 (at most 0.021,
    0.007, 0.003); the corrections fall like $\gamma^{-2}$, so that at most 0.002 is left of them.
    """
    return 0.01, 0.005, 0.005
