"""The setting of Montanari & Zhong: uniform inputs, weights on the sphere, and both kernels."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Array, Float

from ntval.activations import activation
from ntval.data import spheres
from ntval.kernels import analytic, two_layer, zonal
from ntval.networks import mlp
from ntval.networks.mlp import Mlp
from ntval.regimes import Regime


def mlp_of(regime: Regime) -> Mlp:
    """The paper's two-layer network of a regime."""
    return mlp.mlp_of(regime, parametrization="montanari_zhong")


def inputs(key: Array, n: int, d: int) -> Float[np.ndarray, "n d"]:
    """Uniform points of the sphere."""
    return np.asarray(spheres.sphere(key, n, d))


def infinite_width(
    regime: Regime, x1: Float[np.ndarray, "n1 d"], x2: Float[np.ndarray, "n2 d"] | None = None
) -> Float[np.ndarray, "n1 n2"]:
    """The infinite-width kernel K of weights on the sphere, at the regime's d.

    Accuracy: neural-tangents' closed form where weights on the sphere and Gaussian ones give one
    kernel; `zonal.ntk` elsewhere.
    """
    if activation(regime.activation).homogeneity == 1:
        return np.asarray(analytic.ntk(mlp_of(regime), x1, x2))
    # One width for all, as the kernel has none: its interpolant is then made once.
    return zonal.ntk(mlp_of(dataclasses.replace(regime, widths=(1,))), x1, x2)


def weights(regime: Regime, key: Array) -> mlp.Params:
    """Weights on the unit sphere."""
    return mlp.init(mlp_of(regime), key)


def finite_width(
    regime: Regime,
    params: mlp.Params,
    x1: Float[np.ndarray, "n1 d"],
    x2: Float[np.ndarray, "n2 d"] | None = None,
) -> Float[np.ndarray, "n1 n2"]:
    """The empirical kernel K_N of the network with weights `params`."""
    return np.asarray(two_layer.ntk(mlp_of(regime), params, x1, x2))
