"""The methods by which the empirical kernel is computed, and which of them a network allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Array, Float

from ntval.kernels import deep_mlp, jacobian, operator, two_layer
from ntval.networks.network import Network

# A method computes the empirical kernel of a network: (network, params, x1, x2) -> (n1, n2).
Method = Callable[..., Float[Array, "n1 n2"]]

METHODS: dict[str, Method] = {
    "two_layer": lambda network, params, x1, x2=None: two_layer.gram(network.mlp, params, x1, x2),
    "deep_mlp": lambda network, params, x1, x2=None: deep_mlp.gram(network.mlp, params, x1, x2),
    "jacobian": lambda network, params, x1, x2=None: jacobian.gram(
        network.apply_fn, params, x1, x2
    ),
    "operator": lambda network, params, x1, x2=None: operator.gram(
        network.apply_fn, params, x1, x2
    ),
}

# The same as users call them: (network, params, x, memory) -> (n, n), `memory` in bytes or None.
PUBLIC: dict[str, Callable[..., Float[Array, "n n"]]] = {
    "two_layer": lambda network, params, x, memory: two_layer.ntk(network.mlp, params, x),
    "deep_mlp": lambda network, params, x, memory: deep_mlp.ntk(network.mlp, params, x),
    "jacobian": lambda network, params, x, memory: jacobian.ntk(
        network.apply_fn, params, x, **({} if memory is None else {"memory": memory})
    ),
    "operator": lambda network, params, x, memory: operator.ntk(network.apply_fn, params, x)(
        np.eye(len(x))
    ),
}


def methods_of(network: Network) -> tuple[str, ...]:
    """Names of the methods that can compute the kernel of `network`, the cheapest first."""
    names = ("jacobian", "operator")
    if network.mlp is None:
        return names
    if not network.mlp.trained_first:
        names = ("deep_mlp", *names)
    return ("two_layer", *names) if len(network.mlp.widths) == 1 else names
