"""The weights of a network: what is trained, in float64, and what is held constant beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntval.arrays import float64
from ntval.errors import NetworkError
from ntval.networks.network import Network, num_params


def float64_weights(tree: Any) -> Any:
    """Weights with floating-point leaves in float64, other leaves as they are.

    Raises: `NetworkError` on a leaf that is no array.
    """

    def in_float64(leaf: Any) -> Any:
        try:
            leaf = _as_jax_has_it(leaf)
            floating = jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating)
        except (TypeError, ValueError):
            raise NetworkError(
                f"params needs arrays of numbers, got a leaf of type {type(leaf).__name__}, "
                f"{str(leaf)[:40]!r}; keep settings outside of the weights."
            ) from None
        return jnp.asarray(leaf, dtype=jnp.float64) if floating else leaf

    with float64():
        return jax.tree.map(in_float64, tree)


def _as_jax_has_it(leaf: Any) -> Any:
    """Numbers of NumPy in this machine's byte order, and in double precision at most."""
    if not isinstance(leaf, np.ndarray | np.generic):
        return leaf
    if leaf.dtype.kind == "f" and leaf.dtype.itemsize > 8:
        return leaf.astype(np.float64)
    return leaf if leaf.dtype.isnative else leaf.astype(leaf.dtype.newbyteorder("="))


def float64_init(init_fn: Callable) -> Callable:
    """`init_fn` with its weights in float64."""

    def init(key, input_shape):
        output_shape, params = init_fn(key, input_shape)
        return output_shape, float64_weights(params)

    return init


def float64_constants(tree: Any) -> Any:
    """What is held constant with floating-point arrays in float64, whatever else as it is."""

    def in_float64(leaf: Any) -> Any:
        floating = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
        return jnp.asarray(leaf, dtype=jnp.float64) if floating else leaf

    with float64():
        return jax.tree.map(in_float64, tree)


def in_words(held: Mapping[str, Any]) -> str:
    """What of `held` could have been differentiated: "batch_stats (64 numbers)"."""
    sizes = {name: _size(tree) for name, tree in held.items()}
    return ", ".join(
        f"{name} ({size:,} {'number' if size == 1 else 'numbers'})"
        for name, size in sizes.items()
        if size
    )


def drawn_with(
    init: Callable[[Any, tuple[int, ...]], tuple[Any, Mapping[str, Any]]],
    apply: Callable[[Any, Any, Any], Any],
) -> Network:
    """The network of `init(key, input_shape) -> (params, held)` and `apply(params, held, x)`."""

    def init_fn(key, input_shape):
        return None, float64_weights(init(key, input_shape)[0])

    def held_at(input_shape):
        # Running statistics start from constants, so any key gives the same ones.
        return init(jax.random.key(0), (-1, *input_shape))[1]

    def apply_fn(params, x):
        return apply(params, float64_constants(held_at(x.shape[1:])), x)

    def held(input_shape):
        return in_words(jax.eval_shape(lambda: held_at(input_shape)))

    return Network(init_fn, apply_fn, held=held)


def with_variables(apply_fn: Callable, variables: Any) -> Network:
    """A forward pass and its weights: what is under "params", where the rest is held constant, as
    of flax's variables, or all of it."""
    if not (isinstance(variables, Mapping) and _size(variables.get("params", {}))):
        return Network(None, apply_fn, params=float64_weights(variables))
    held = {name: tree for name, tree in variables.items() if name != "params"}
    constants = float64_constants(held)

    def fixed_fn(params, x):
        return apply_fn({**constants, "params": params}, x)

    return Network(None, fixed_fn, params=float64_weights(variables["params"]), held=in_words(held))


def _size(tree: Any) -> int:
    """Number of floating-point numbers in arrays, whatever else the tree holds."""
    return num_params([leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")])
