"""Montanari & Zhong, 2007.12826: the tail of the kernel acts as a ridge, `tail_energy`.

The notation is that of `kernel` and `risk`.
"""

from __future__ import annotations

from dataclasses import replace

from ntval.activations import Activation
from ntval.theory.montanari_zhong.kernel import tail_energy
from ntval.theory.montanari_zhong.risk import kernel_ridge_risk, polynomial_ridge_risk
from ntval.theory.ridge_equivalents import Target


def self_induced_ridge_gap(
    activation: Activation, n: int, d: int, target: Target, *, ridge: float, degree: int = 1
) -> float:
    r"""Risk of kernel ridge regression less that of polynomial ridge regression with the ridge
    $\lambda + \gamma_{>\ell}$, both by their equivalents: of order $n / B(d, k_*)$.

    Source: spec montanari_zhong, theorem D (recalled), section 3 (derived and checked).
    Accuracy: `self_induced_ridge_gap_remainder`. Raises: `InputError` on a negative ridge.
    """
    whole = ridge + tail_energy(activation, d, degree)
    return kernel_ridge_risk(activation, n, d, target, ridge=ridge) - polynomial_ridge_risk(
        activation, n, d, target, ridge=whole, degree=degree
    )


def self_induced_ridge_gap_remainder(
    activation: Activation, n: int, d: int, target: Target, *, ridge: float, degree: int = 1
) -> float:
    r"""How far `self_induced_ridge_gap` may lie from the mean: a share 1/d of what noise adds to
    it, and 20/d of the rest, in which bias and variance nearly cancel.

    Both risks carry O(1/d) of themselves; at the same inputs most of it cancels.

    Source: measured here (ReLU, GELU, SiLU; d = 20..80, n = 3d and 4d; ridge 0 and 0.1): what noise
    adds is at most 0.6/d off, the rest 5/d to 18/d.
    """
    at = {"ridge": ridge, "degree": degree}
    whole = self_induced_ridge_gap(activation, n, d, target, **at)
    rest = self_induced_ridge_gap(activation, n, d, replace(target, noise_std=0.0), **at)
    return (abs(whole - rest) + 20 * abs(rest)) / d
