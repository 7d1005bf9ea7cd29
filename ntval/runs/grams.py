"""Kernels of whatever network a user passes: at its weights, drawn ones, or of infinite width."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from ntval.arrays import AnyArray
from ntval.errors import InputError
from ntval.kernels import analytic
from ntval.kernels.methods import PUBLIC, methods_of
from ntval.networks import loading
from ntval.networks import mlp as mlps
from ntval.networks.mlp import Mlp
from ntval.networks.network import Network


def network_of(
    caller: str,
    model: Any,
    params: Any,
    shape: tuple[int, ...],
    integers: np.dtype | None = None,
) -> Network:
    """An `Mlp`, or what `check_network` takes as a model, for inputs of a shape and, of whole
    numbers, a dtype.

    Raises: `InputError` naming the `caller` for a network without weights.
    """
    if isinstance(model, Mlp):
        model = mlps.network_of(model)
    model = loading.with_params(model, params)
    if isinstance(model, Network) and model.init_fn is None and model.params is None:
        raise InputError(f"{caller} needs weights for network {model.name!r}; pass params.")
    return loading.network_from(model, input_shape=shape, integers=integers)


def weights_of(network: Network, shape: tuple[int, ...], seed: int) -> Any:
    """Weights drawn by `seed`, or those that the network holds."""
    if network.init_fn is None:
        return network.params
    return network.init_fn(jax.random.key(seed), (-1, *shape))[1]


def gram_at(
    network: Network, params: Any, rows: Float[AnyArray, "n *shape"]
) -> Float[np.ndarray, "n n"]:
    """The empirical kernel at weights, by the cheapest method that applies."""
    return np.asarray(PUBLIC[methods_of(network)[0]](network, params, rows, None))


def infinite_gram(network: Network, rows: Float[AnyArray, "n *shape"]) -> Float[np.ndarray, "n n"]:
    """The kernel of infinite width.

    Raises: `InputError` for a network without a `kernel_fn`.
    """
    if network.mlp is None and network.kernel_fn is None:
        raise InputError(
            f"network {network.name!r} needs a kernel_fn, its infinite-width twin, for a kernel of "
            "infinite width; a stax triple has one."
        )
    return np.asarray(analytic.ntk(network.mlp or network, rows))
