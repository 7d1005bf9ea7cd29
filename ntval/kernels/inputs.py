"""Inputs and parameters of our fully connected networks, made float64 and checked."""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval import arrays
from ntval.arrays import ArrayLike
from ntval.errors import InputError, NetworkError
from ntval.networks.mlp import Mlp, Params


def symmetric(kernel: Float[Array, "*layers n n"]) -> Float[Array, "*layers n n"]:
    """`kernel` with its lower triangle replaced by the mirrored upper one."""
    upper = jnp.triu(jnp.ones(kernel.shape[-2:], bool))
    return jnp.where(upper, kernel, kernel.swapaxes(-1, -2))


def require_rows(
    mlp: Mlp, x1: ArrayLike, x2: ArrayLike | None = None
) -> tuple[Float[np.ndarray, "n1 d"], Float[np.ndarray, "n2 d"] | None]:
    """Inputs that fit `mlp`.

    Raises: `InputError` when they are malformed or not of `mlp.d` features.
    """
    x1, x2 = arrays.require_inputs(x1, x2)
    if x1.shape[1:] != (mlp.d,):
        raise InputError(
            f"x1 needs rows of shape ({mlp.d},) for Mlp(d={mlp.d}), got {x1.shape[1:]}; "
            "flatten the inputs or give the network their d."
        )
    return x1, x2


def float64_params(mlp: Mlp, params: Params | object) -> Params:
    """`params` in float64, each layer checked against the sizes of `mlp`.

    Raises: `NetworkError` on missing layers, other shapes, or entries that are not finite.
    """
    sizes = mlp.sizes[:-1] if mlp.trained_first else mlp.sizes
    shapes = list(itertools.pairwise(sizes))
    if not isinstance(params, list | tuple) or len(params) != len(shapes):
        got = f"{len(params)} of them" if isinstance(params, list | tuple) else type(params)
        raise NetworkError(
            f"params needs a list of {len(shapes)} layers for sizes {mlp.sizes}, got {got}; "
            "draw it with networks.init(mlp, key)."
        )
    return [
        _float64_layer(index, layer, shape)
        for index, (layer, shape) in enumerate(zip(params, shapes, strict=True))
    ]


def _float64_layer(index: int, layer: Any, shape: tuple[int, int]) -> dict[str, Array]:
    if not hasattr(layer, "keys") or not {"w"} <= set(layer.keys()) <= {"w", "b"}:
        got = sorted(layer.keys()) if hasattr(layer, "keys") else type(layer)
        raise NetworkError(
            f"params[{index}] needs the entries 'w' and possibly 'b', got {got}; "
            "draw params with networks.init(mlp, key)."
        )
    expected = {"w": shape, "b": shape[1:]}
    result = {}
    for name, value in layer.items():
        array = np.asarray(value).astype(np.float64)
        if array.shape != expected[name]:
            raise NetworkError(
                f"params[{index}][{name!r}] needs shape {expected[name]}, got {array.shape}; "
                "draw params with networks.init(mlp, key)."
            )
        if not np.isfinite(array).all():
            raise NetworkError(
                f"params[{index}][{name!r}] needs finite entries, got "
                f"{array[~np.isfinite(array)][0]}; lower the learning rate or draw anew."
            )
        result[name] = jnp.asarray(array)
    return result
