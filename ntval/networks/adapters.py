"""The adapters: modules of flax, equinox and haiku as a `Network`.

A library is imported only when met.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ntval.arrays import float64
from ntval.errors import NetworkError
from ntval.networks.network import Network

_LINEN, _NNX, _EQUINOX, _HAIKU = (
    "flax.linen.module.Module",
    "flax.nnx.module.Module",
    "equinox._module._module.Module",
    "haiku._src.transform.Transformed",
)
_MODULES = {_LINEN, _NNX, _EQUINOX, _HAIKU}

# The libraries that are adapted: the name of the module, that of the package.
LIBRARIES = {"flax": "flax", "equinox": "equinox", "haiku": "dm-haiku"}


def is_module(kind: type) -> bool:
    """Whether a class is that of a module."""
    return bool(_bases(kind) & _MODULES)


def from_module(model: Any) -> Network | None:
    """A module, or a pair (module, params), as a `Network`; None when it is neither."""
    bases = _bases(type(model))
    if _LINEN in bases:
        return _from_linen(model, None)
    if _NNX in bases:
        return _from_nnx(model)
    if _EQUINOX in bases:
        return _from_equinox(model)
    if _HAIKU in bases:
        return _from_haiku(model, None)
    if isinstance(model, tuple | list) and len(model) == 2:
        module, params = model
        bases = _bases(type(module))
        if _LINEN in bases:
            return _from_linen(module, params)
        if _HAIKU in bases:
            return _from_haiku(module, params)
    return None


def _bases(kind: type) -> set[str]:
    """Full names of a class and its bases; a library is never imported to ask."""
    names = {f"{base.__module__}.{base.__name__}" for base in kind.__mro__}
    if any(name.startswith("equinox.") and name.endswith(".Module") for name in names):
        names.add(_EQUINOX)
    return names


def float64_weights(tree: Any) -> Any:
    """Weights with floating-point leaves in float64, other leaves as they are.

    Raises: `NetworkError` on a leaf that is no array.
    """

    def in_float64(leaf: Any) -> Any:
        try:
            floating = jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating)
        except (TypeError, ValueError):
            raise NetworkError(
                f"params needs arrays of numbers, got a leaf of type {type(leaf).__name__}, "
                f"{str(leaf)[:40]!r}; keep settings outside of the weights."
            ) from None
        return jnp.asarray(leaf, dtype=jnp.float64) if floating else leaf

    with float64():
        return jax.tree.map(in_float64, tree)


def float64_init(init_fn: Callable) -> Callable:
    """`init_fn` with its weights in float64."""

    def init(key, input_shape):
        output_shape, params = init_fn(key, input_shape)
        return output_shape, float64_weights(params)

    return init


def _from_linen(module: Any, variables: Any) -> Network:
    def variables_at(key, input_shape):
        return module.init(key, jnp.zeros((1, *input_shape[1:])))

    if variables is not None:
        constant = {name: tree for name, tree in variables.items() if name != "params"}
        params = float64_weights(variables.get("params", {}))

        def fixed_fn(params, x):
            return module.apply({"params": params, **float64_weights(constant)}, x)

        return Network(None, fixed_fn, params=params)

    def init_fn(key, input_shape):
        return None, float64_weights(variables_at(key, input_shape)["params"])

    def apply_fn(params, x):
        # Running statistics start from constants, so any key gives the same ones.
        drawn = variables_at(jax.random.key(0), (-1, *x.shape[1:]))
        constant = {name: tree for name, tree in drawn.items() if name != "params"}
        return module.apply({"params": params, **float64_weights(constant)}, x)

    return Network(init_fn, apply_fn)


def _from_nnx(module: Any) -> Network:
    from flax import nnx

    graph, params, rest = nnx.split(module, nnx.Param, ...)
    rest = float64_weights(rest)

    def apply_fn(params, x):
        return nnx.merge(graph, params, rest)(x)

    return Network(None, apply_fn, params=float64_weights(params))


def _from_equinox(module: Any) -> Network:
    import equinox

    params, static = equinox.partition(module, equinox.is_inexact_array)

    def apply_fn(params, x):
        return jax.vmap(equinox.combine(params, static))(x)

    return Network(None, apply_fn, params=float64_weights(params))


def _from_haiku(transformed: Any, params: Any) -> Network:
    """A pair (init, apply) of haiku.transform; a key for `apply` is held constant."""
    takes_key = len(inspect.signature(transformed.apply).parameters) > 2

    def apply_fn(params, x):
        return transformed.apply(params, *((None,) if takes_key else ()), x)

    if params is not None:
        return Network(None, apply_fn, params=float64_weights(params))

    def init_fn(key, input_shape):
        return None, float64_weights(transformed.init(key, jnp.zeros((1, *input_shape[1:]))))

    return Network(init_fn, apply_fn)


def name_of(model: Any) -> str:
    """What a network is called: its own name, its function's, or its class's."""
    if isinstance(model, tuple | list) and model:
        return name_of(model[1] if len(model) == 3 else model[0])
    if isinstance(model, functools.partial):
        return name_of(model.func)
    return getattr(model, "name", None) or getattr(model, "__name__", None) or type(model).__name__
