"""The adapters: modules of flax, equinox and haiku, and their weights, as a `Network`.

A library is imported only when met. What is trained becomes the weights; running statistics,
caches and states of optimizers are held constant, and `Network.held` says which.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ntval.errors import NetworkError
from ntval.networks.network import Network
from ntval.networks.weights import (
    drawn_with,
    float64_constants,
    float64_weights,
    in_words,
    with_variables,
)

_LINEN, _NNX, _EQUINOX, _HAIKU, _HAIKU_STATE = (
    "flax.linen.module.Module",
    "flax.nnx.module.Module",
    "equinox._module._module.Module",
    "haiku._src.transform.Transformed",
    "haiku._src.transform.TransformedWithState",
)
_MODULES = {_LINEN, _NNX, _EQUINOX, _HAIKU, _HAIKU_STATE}

# The libraries that are adapted: the name of the module, that of the package.
LIBRARIES = {"flax": "flax", "equinox": "equinox", "haiku": "dm-haiku"}


def is_module(kind: type) -> bool:
    """Whether a class is that of a module."""
    return bool(_bases(kind) & _MODULES)


def from_module(model: Any) -> Network | None:
    """A module, a pair (module, weights), or a state of training, as a `Network`; else None."""
    bases = _bases(type(model))
    if _LINEN in bases:
        return _from_linen(model)
    if _NNX in bases:
        return _from_nnx(model)
    if _EQUINOX in bases:
        return _from_equinox(model)
    if _HAIKU in bases:
        return _from_haiku(model, None)
    if _HAIKU_STATE in bases:
        return _from_haiku_with_state(model, None)
    if callable(getattr(model, "apply_fn", None)) and hasattr(model, "params"):
        return _from_train_state(model)
    if isinstance(model, tuple | list) and len(model) == 2:
        module, weights = model
        bases = _bases(type(module))
        if _LINEN in bases:
            named = isinstance(weights, Mapping) and "params" in weights
            return with_variables(module.apply, weights if named else {"params": weights})
        if _EQUINOX in bases and _is_equinox_state(weights):
            return _from_equinox(module, weights)
        if _HAIKU in bases:
            return _from_haiku(module, weights)
        if _HAIKU_STATE in bases:
            return _from_haiku_with_state(module, weights)
    return None


def _bases(kind: type) -> set[str]:
    """Full names of a class and its bases; a library is never imported to ask."""
    names = {f"{base.__module__}.{base.__name__}" for base in kind.__mro__}
    if any(name.startswith("equinox.") and name.endswith(".Module") for name in names):
        names.add(_EQUINOX)
    return names


def _initialized(init: Callable[[Array], Any], input_shape: tuple[int, ...]) -> Any:
    """What `init` makes of an input of zeros: floats or, where it takes no such, whole numbers, as
    layers that embed tokens do."""
    shape = (1, *input_shape[1:])
    try:
        return init(jnp.zeros(shape))
    except Exception as error:  # whatever a user's module raises; the first is told
        try:
            return init(jnp.zeros(shape, jnp.int32))
        except Exception:
            raise error from None


def _from_linen(module: Any) -> Network:
    def init(key, input_shape):
        variables = _initialized(functools.partial(module.init, key), input_shape)
        held = {name: tree for name, tree in variables.items() if name != "params"}
        return variables.get("params", {}), held

    return drawn_with(init, lambda params, held, x: module.apply({"params": params, **held}, x))


def _from_train_state(state: Any) -> Network:
    """A state of training, as of flax: its `apply_fn` takes `params` and the collections beside
    them, such as batch_stats, or the weights alone, as a user's own may; step, optimizer and keys
    are no part of the network."""
    values = state._asdict() if hasattr(state, "_asdict") else getattr(state, "__dict__", {})
    variables = {name: tree for name, tree in values.items() if isinstance(tree, Mapping) and tree}
    params = state.params
    if isinstance(params, Mapping) and "params" in params:
        return with_variables(state.apply_fn, variables | dict(params))
    network = with_variables(state.apply_fn, variables | {"params": params})

    def apply_fn(params, x):
        try:
            return network.apply_fn(params, x)
        except Exception as error:  # whatever a user's function raises; the first is told
            try:
                return state.apply_fn(params, x)
            except Exception:
                raise error from None

    return replace(network, apply_fn=apply_fn)


def _from_nnx(module: Any) -> Network:
    from flax import nnx

    graph, params, rest = nnx.split(module, nnx.Param, ...)
    kinds: dict[str, list[Any]] = {}
    for leaf in jax.tree.leaves(rest, is_leaf=_is_variable):
        kind = getattr(leaf, "type", type(leaf)).__name__ if _is_variable(leaf) else "arrays"
        kinds.setdefault(kind, []).append(leaf)
    rest = float64_constants(rest)

    def apply_fn(params, x):
        return nnx.merge(graph, params, rest)(x)

    return Network(None, apply_fn, params=float64_weights(params), held=in_words(kinds))


def _is_variable(leaf: Any) -> bool:
    return hasattr(leaf, "get_metadata")


def _is_equinox_state(tree: Any) -> bool:
    return any(n.startswith("equinox.") and n.endswith(".State") for n in _bases(type(tree)))


def _from_equinox(module: Any, state: Any = None) -> Network:
    """A module, or what equinox.nn.make_with_state returns: a module and its state."""
    import equinox

    params, static = equinox.partition(
        module,
        equinox.is_inexact_array,
        is_leaf=lambda leaf: isinstance(leaf, equinox.nn.StateIndex),
    )
    constants = float64_constants(state)

    def apply_fn(params, x):
        model = equinox.combine(params, static)
        if state is None:
            return jax.vmap(model)(x)
        return jax.vmap(lambda row: model(row, constants)[0])(x)

    return Network(None, apply_fn, params=float64_weights(params), held=in_words({"state": state}))


def _from_haiku(transformed: Any, params: Any) -> Network:
    """A pair (init, apply) of haiku.transform; a key for `apply` is held constant."""
    no_key = _no_key(transformed.apply, 1)

    def apply_fn(params, x):
        return transformed.apply(params, *no_key, x)

    if params is not None:
        return Network(None, apply_fn, params=float64_weights(params))

    def init_fn(key, input_shape):
        init = functools.partial(transformed.init, key)
        return None, float64_weights(_initialized(init, input_shape))

    return Network(init_fn, apply_fn)


def _from_haiku_with_state(transformed: Any, weights: Any) -> Network:
    """A pair (init, apply) of haiku.transform_with_state; `weights` is a pair (params, state)."""
    no_key = _no_key(transformed.apply, 2)

    def init(key, input_shape):
        params, state = _initialized(functools.partial(transformed.init, key), input_shape)
        return params, {"state": state}

    def apply(params, held, x):
        return transformed.apply(params, held["state"], *no_key, x)[0]

    if weights is None:
        return drawn_with(init, apply)
    if not (isinstance(weights, tuple | list) and len(weights) == 2):
        raise NetworkError(
            "params needs the pair (params, state) for a network of haiku.transform_with_state, "
            f"got {type(weights).__name__}; pass what its init returns."
        )
    params, state = weights
    return with_variables(
        lambda variables, x: apply(variables["params"], variables, x),
        {"params": params, "state": state},
    )


def _no_key(apply: Callable, before: int) -> tuple[None, ...]:
    """What stands for the key of a haiku network, where its `apply` takes one after `before`
    arguments."""
    return (None,) if [*inspect.signature(apply).parameters][before : before + 1] == ["rng"] else ()


def name_of(model: Any) -> str:
    """What a network is called: its own name, its function's, or its class's."""
    if isinstance(model, tuple | list) and model:
        return name_of(model[1] if len(model) == 3 else model[0])
    if isinstance(model, functools.partial):
        return name_of(model.func)
    return getattr(model, "name", None) or getattr(model, "__name__", None) or type(model).__name__
