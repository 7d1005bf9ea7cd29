r"""Wei, Hu & Steinhardt, 2203.06176: how the risk falls with the number of samples.

The notation is that of `wei_hu_steinhardt.omniscient`. Exponents are those of infinitely many
features, $\lambda_i = i^{-\alpha}$ and $v_i^2 \propto i^{-\delta}$ with $\alpha, \delta > 1$, as n
grows; `local_exponent` is that of the equations at given n and number of features, which is what
a simulation shows.
"""

from __future__ import annotations

import math

from ntval.errors import InputError
from ntval.theory.wei_hu_steinhardt.omniscient import omniscient_risk


def ridgeless_threshold(n: float, *, decay: float) -> float:
    r"""$\kappa_0 \simeq [n\, \alpha \sin(\pi / \alpha) / \pi]^{-\alpha}$, without a ridge.

    The sum $\sum_i (1 + \kappa i^\alpha)^{-1} = n$ as the integral
    $\kappa^{-1/\alpha} (\pi / \alpha) / \sin(\pi / \alpha)$.

    Source: spec wei_hu_steinhardt, 3.3 (derived, checked).
    Accuracy: $1 - \alpha / 2n$ to first order, since the sum is half a term less than the integral.
    Raises: `InputError` unless n > 0 and `decay` > 1.
    """
    _require_above_one(decay=decay)
    if not n > 0:
        raise InputError(f"n needs to be > 0, got {n!r}; pass the number of samples.")
    return (n * decay * math.sin(math.pi / decay) / math.pi) ** -decay


def ridgeless_risk_exponent(*, decay: float, alignment: float) -> float:
    r"""Exponent of the risk in n, without ridge and noise: $-\min(\delta - 1, 2 \alpha)$.

    Source: spec wei_hu_steinhardt, 3.3 (derived, checked).
    Accuracy: a logarithm at $\delta - 1 = 2 \alpha$; see `local_exponent` for finite n.
    Raises: `InputError` unless `decay` and `alignment` > 1.
    """
    _require_above_one(decay=decay, alignment=alignment)
    return -min(alignment - 1, 2 * decay)


def optimal_risk_exponent(*, decay: float, alignment: float) -> float:
    r"""Exponent of the excess risk in n at the best ridge, with noise: $-m / (m + 1)$ with
    $m = \delta - 1$, or $-2 \alpha / (2 \alpha + 1)$ where $\delta - 1 > 2 \alpha$.

    Source: spec wei_hu_steinhardt, 3.3 (derived, checked).
    Accuracy: as `ridgeless_risk_exponent`.
    Raises: `InputError` unless `decay` and `alignment` > 1.
    """
    _require_above_one(decay=decay, alignment=alignment)
    power = alignment - 1 if alignment - 1 <= 2 * decay else 2 * decay
    return -power / (power + 1)


def local_exponent(
    n: float,
    features: int,
    *,
    decay: float,
    alignment: float,
    ridge: float = 0.0,
    noise_std: float = 0.0,
    factor: float = 2.0,
) -> float:
    r"""Slope of $\log R$ in $\log n$ between n and `factor` times n, R the omniscient risk with
    the same penalty $\lambda = r / n$ on an averaged loss; `ridge` is that of n.

    Source: spec wei_hu_steinhardt, 3.3 (derived). Accuracy: that of `omniscient_risk`.
    Raises: `InputError` unless `factor` > 1; as `omniscient_risk`.
    """
    if not factor > 1:
        raise InputError(f"factor needs to be > 1, got {factor!r}; 2 is the slope over a doubling.")
    few, many = (
        omniscient_risk(
            times * n,
            features,
            decay=decay,
            alignment=alignment,
            ridge=times * ridge,
            noise_std=noise_std,
        )
        for times in (1.0, factor)
    )
    return math.log(many / few) / math.log(factor)


def _require_above_one(**exponents: float) -> None:
    for name, value in exponents.items():
        if not value > 1:
            raise InputError(
                f"{name} needs to be > 1, got {value!r}; at 1 or below the sum over features "
                "diverges."
            )
