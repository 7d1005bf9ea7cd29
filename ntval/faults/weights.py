"""Planted faults of the weights that are drawn."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from ntval.faults import mutations
from ntval.faults.fault import Fault
from ntval.faults.sites import in_init
from ntval.networks.mlp import symmetrized

FAULTS = (
    Fault(
        "weights_unnormalized",
        "weights are Gaussian with norm sqrt(d), not on the unit sphere",
        in_init(
            lambda init: lambda key: jax.tree.map(lambda w: w * math.sqrt(w.shape[0]), init(key))
        ),
    ),
    Fault(
        "weights_gaussian",
        "weights are Gaussian with norm about 1, not on the unit sphere",
        in_init(mutations.gaussian_weights),
    ),
    Fault(
        "weights_symmetrized",
        "neurons come in pairs of opposite outgoing weights",
        in_init(symmetrized),
    ),
    Fault(
        "weights_shared",
        "every draw has the same weights",
        in_init(lambda init: lambda key: init(jax.random.key(0))),
    ),
    Fault(
        "weights_tied",
        "a quarter of the neurons of a layer have the same weights",
        in_init(lambda init: lambda key: mutations.tied_neurons(init(key))),
    ),
    Fault(
        "weights_of_random_scale",
        "all weights of a draw have one random scale",
        in_init(mutations.of_random_scale),
    ),
    Fault(
        "weights_positive",
        "weights are replaced by their absolute values",
        in_init(lambda init: lambda key: jax.tree.map(jnp.abs, init(key))),
    ),
)
