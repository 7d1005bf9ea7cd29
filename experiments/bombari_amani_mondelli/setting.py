"""The setting of Bombari, Amani & Mondelli: Gaussian inputs, deep networks without biases."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.networks import mlp
from ntval.networks.mlp import SIGNED_LAST_LAYER, UNSCALED_LAST_LAYER, Mlp


def network(d: int, widths: tuple[int, ...], activation: str, *, signed: bool = False) -> Mlp:
    """The paper's network: a last layer of N(0, 1), or of +1 and -1, that nothing divides."""
    last = SIGNED_LAST_LAYER if signed else UNSCALED_LAST_LAYER
    return Mlp(d, widths, activation, w_std=1.0, b_std=0.0, parametrization=last)


def inputs(key: Array, n: int, d: int) -> Float[np.ndarray, "n d"]:
    """Standard Gaussian inputs."""
    return np.asarray(jax.random.normal(key, (n, d)))


def weights(network: Mlp, key: Array) -> mlp.Params:
    """Weights at initialization."""
    return mlp.init(network, key)
