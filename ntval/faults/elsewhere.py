"""Planted faults that do no harm at the points of the quick profile: what points drawn from a
claim's domain are for."""

from __future__ import annotations

import math
from dataclasses import replace

import jax.numpy as jnp

from ntval.faults.fault import Fault
from ntval.faults.sites import in_method, in_prediction, in_twin
from ntval.networks.mlp import Mlp
from ntval.theory import montanari_zhong as theory


def _cubed(mlp: Mlp) -> Mlp:
    """A bias whose variance is 2 b^3 in place of b^2: the same at b = 0 and at 1/2."""
    return mlp if mlp.b_std in (0.0, 0.5) else replace(mlp, b_std=math.sqrt(2 * mlp.b_std**3))


def _on_the_sphere(method):
    """The method at inputs that are divided by their norm, and multiplied by sqrt(d)."""

    def rows(x):
        return x * math.sqrt(x.shape[1]) / jnp.linalg.norm(x, axis=1, keepdims=True)

    def broken(network, params, x1, x2=None):
        return method(network, params, rows(x1), None if x2 is None else rows(x2))

    return broken


def _noise_not_squared(n: int, rank: int, *, noise_std: float) -> float:
    return noise_std * (1 - rank / n)


def _off_by_ten_percent(activation, n: int, d: int, *, ridge: float, noise_std: float) -> float:
    risk = theory.linear_target_risk(activation, n, d, ridge=ridge, noise_std=noise_std)
    return risk * (1.1 if n % 3 == 2 else 1.0)


def _of_three_d(activation, n: int, d: int, target, *, ridge: float) -> float:
    return theory.kernel_ridge_risk(activation, 3 * d, d, target, ridge=ridge)


FAULTS = (
    Fault(
        "analytic_bias_cubed",
        "the variance of a bias is 2 b^3 in the analytic kernel: right at b = 0 and 1/2 only",
        in_twin(_cubed),
        elsewhere=True,
    ),
    Fault(
        "empirical_on_the_sphere",
        "the empirical kernel normalizes its inputs: right where they lie on the sphere",
        in_method(_on_the_sphere),
        elsewhere=True,
    ),
    Fault(
        "prediction_noise_not_squared",
        "the noise enters by its standard deviation: right at 1 only",
        in_prediction((theory.relative_rank, _noise_not_squared)),
        elsewhere=True,
    ),
    Fault(
        "prediction_n_mod_3",
        "the risk is 10 % too large where n leaves 2 after division by 3",
        in_prediction(_off_by_ten_percent),
        elsewhere=True,
    ),
    Fault(
        "prediction_of_three_d",
        "the risk of 3 d samples in place of n: right at n = 3 d only",
        in_prediction(_of_three_d),
        elsewhere=True,
    ),
)
