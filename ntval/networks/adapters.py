"""Adapters: a network of any library as a `Network`. Each library is imported only when met.

| model | weights |
|---|---|
| `Network` or the triple of `neural_tangents.stax` | drawn by its init_fn |
| `flax.linen.Module`, `haiku.transform` | drawn by its init; a pair (module, params) fixes them |
| `equinox.Module`, `flax.nnx.Module` | those it holds |
| function of a key that returns one of these | drawn anew from every key |
| function without arguments that returns one of these | as of what it returns, called once |
| pair (apply_fn, params) | the params given |

A function has one required argument, the key, or none. With none required it still gets the key
where its first argument is called key, rng, rng_key or prng_key. A class is such a function too;
that of a module which needs other arguments is refused, as no key can stand for them.

Floating-point weights become float64, other leaves (keys, counters, running statistics of linen
models) are held constant.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntval.arrays import float64
from ntval.errors import NetworkError, first_line
from ntval.networks.network import Network

# The shape of one input for a network that takes any.
DEFAULT_SHAPE = (8,)


def network_from(
    model: Any, *, input_shape: tuple[int, ...] | None = None, name: str | None = None
) -> Network:
    """`model` as a `Network`, see the table above.

    `input_shape` is the shape of one input; without it, it is read off the network where only
    one flat shape fits, and stays None where several do.

    Raises: `NetworkError` when the model is of no known kind or takes no such input.
    """
    with float64():
        network = replace(_adapted(model), name=name or _name_of(model))
        shape = network.input_shape if input_shape is None else tuple(input_shape)
        network = replace(network, input_shape=shape)
        if shape is None:
            return replace(network, input_shape=_only_flat_shape(network))
        reason = misfit(network, shape)
        if reason:
            raise NetworkError(
                f"network {network.name!r} needs inputs of another shape than {shape}: {reason}; "
                "give the shape of one input as Network(..., input_shape=...)."
            )
        return network


def load(path: str, *, input_shape: tuple[int, ...] | None = None) -> Network:
    """The network at MODULE:ATTR, the current directory included in the search.

    Raises: `NetworkError` when there is no such module or attribute, or it is no network.
    """
    module_name, colon, attribute = path.partition(":")
    if not colon or not module_name or not attribute:
        raise NetworkError(f"network needs the form MODULE:ATTR, got {path!r}.")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit or pytest.skip in a module is no exit of ours
        raise NetworkError(
            f"network needs a module that imports, got {module_name!r} "
            f"({type(error).__name__}: {first_line(error)}); check the name and the directory."
        ) from None
    target: Any = module
    for part in attribute.split("."):
        if not hasattr(target, part):
            from difflib import get_close_matches

            near = get_close_matches(part, [n for n in dir(target) if n[0] != "_"], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise NetworkError(f"network needs an attribute of {module_name!r}, got {part!r}{hint}")
        target = getattr(target, part)
    return network_from(target, input_shape=input_shape, name=path)


def fitted(network: Network, shape: tuple[int, ...]) -> Network:
    """`network` with the input shape that fits data of `shape`: as it is, squeezed, or flat.

    Raises: `NetworkError` naming the shapes that were tried.
    """
    flat = (math.prod(shape),)
    squeezed = tuple(size for size in shape if size != 1)
    given = [network.input_shape] if network.input_shape else [shape, squeezed, flat]
    reasons = {}
    with float64():
        for candidate in dict.fromkeys(given):
            reasons[candidate] = "another size"
            if math.prod(candidate) == flat[0]:
                reason = misfit(network, candidate)
                if reason is None:
                    return replace(network, input_shape=candidate)
                reasons[candidate] = reason
    tried = "; ".join(f"{candidate}: {reason}" for candidate, reason in reasons.items())
    raise NetworkError(
        f"network {network.name!r} needs to take inputs of a shape that the data has, {shape}, in "
        f"functions that JAX can trace; tried {tried}."
    )


def is_network(model: Any) -> bool:
    """Whether `model` is of a kind that `network_from` knows, functions of a key left out."""
    if callable(model) and not _bases(model) & _MODULES:
        return False
    try:
        _adapted(model)
    except NetworkError:
        return False
    return True


_LINEN, _NNX, _EQUINOX, _HAIKU = (
    "flax.linen.module.Module",
    "flax.nnx.module.Module",
    "equinox._module._module.Module",
    "haiku._src.transform.Transformed",
)
_MODULES = {_LINEN, _NNX, _EQUINOX, _HAIKU}


def _bases(model: Any) -> set[str]:
    """Full names of the model's class and its bases; a library is never imported to ask."""
    return _bases_of(type(model))


def _bases_of(kind: type) -> set[str]:
    names = {f"{base.__module__}.{base.__name__}" for base in kind.__mro__}
    if any(name.startswith("equinox.") and name.endswith(".Module") for name in names):
        names.add(_EQUINOX)
    return names


def _adapted(model: Any) -> Network:
    if isinstance(model, Network):
        return replace(model, init_fn=model.init_fn and _float64_init(model.init_fn))
    bases = _bases(model)
    if _LINEN in bases:
        return _from_linen(model, None)
    if _NNX in bases:
        return _from_nnx(model)
    if _EQUINOX in bases:
        return _from_equinox(model)
    if _HAIKU in bases:
        return _from_haiku(model, None)
    if isinstance(model, tuple | list):
        if len(model) == 3 and all(callable(part) for part in model):
            init_fn, apply_fn, kernel_fn = model
            return Network(_float64_init(init_fn), apply_fn, kernel_fn)
        if len(model) == 2:
            first, params = model
            if _LINEN in _bases(first):
                return _from_linen(first, params)
            if _HAIKU in _bases(first):
                return _from_haiku(first, params)
            if callable(first):
                return Network(None, first, params=_as_float64(params))
    if callable(model):
        return _from_factory(model)
    raise NetworkError(
        "network needs a Network, a stax triple, a flax, equinox or haiku module, a pair "
        "(apply_fn, params), or a function of a key or of nothing that returns one of these; got "
        f"{type(model).__name__}."
    )


def _as_float64(tree: Any) -> Any:
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


def _float64_init(init_fn: Callable) -> Callable:
    def init(key, input_shape):
        output_shape, params = init_fn(key, input_shape)
        return output_shape, _as_float64(params)

    return init


def _from_linen(module: Any, variables: Any) -> Network:
    def variables_at(key, input_shape):
        return module.init(key, jnp.zeros((1, *input_shape[1:])))

    if variables is not None:
        constant = {name: tree for name, tree in variables.items() if name != "params"}
        params = _as_float64(variables.get("params", {}))

        def fixed_fn(params, x):
            return module.apply({"params": params, **_as_float64(constant)}, x)

        return Network(None, fixed_fn, params=params)

    def init_fn(key, input_shape):
        return None, _as_float64(variables_at(key, input_shape)["params"])

    def apply_fn(params, x):
        # Running statistics start from constants, so any key gives the same ones.
        constant = variables_at(jax.random.key(0), (-1, *x.shape[1:]))
        constant = {name: _as_float64(tree) for name, tree in constant.items() if name != "params"}
        return module.apply({"params": params, **constant}, x)

    return Network(init_fn, apply_fn)


def _from_nnx(module: Any) -> Network:
    from flax import nnx

    graph, params, rest = nnx.split(module, nnx.Param, ...)
    rest = _as_float64(rest)

    def apply_fn(params, x):
        return nnx.merge(graph, params, rest)(x)

    return Network(None, apply_fn, params=_as_float64(params))


def _from_equinox(module: Any) -> Network:
    import equinox

    params, static = equinox.partition(module, equinox.is_inexact_array)

    def apply_fn(params, x):
        return jax.vmap(equinox.combine(params, static))(x)

    return Network(None, apply_fn, params=_as_float64(params))


def _from_haiku(transformed: Any, params: Any) -> Network:
    """A pair (init, apply) of haiku.transform; a key for `apply` is held constant."""
    takes_key = len(inspect.signature(transformed.apply).parameters) > 2

    def apply_fn(params, x):
        return transformed.apply(params, *((None,) if takes_key else ()), x)

    if params is not None:
        return Network(None, apply_fn, params=_as_float64(params))

    def init_fn(key, input_shape):
        return None, _as_float64(transformed.init(key, jnp.zeros((1, *input_shape[1:]))))

    return Network(init_fn, apply_fn)


# Names under which an argument that has a default takes a key nevertheless.
_KEYS = ("key", "rng", "rng_key", "prng_key")


def _from_factory(factory: Callable) -> Network:
    takes_key, keyword = _arguments(factory)

    def made(key) -> Any:
        given = (key,) if takes_key and not keyword else ()
        return factory(*given, **({keyword: key} if keyword else {}))

    try:
        model = made(jax.random.key(0))
    except (Exception, SystemExit) as error:
        raise NetworkError(
            f"network {_name_of(factory)!r} needs to be a function of "
            f"{'a key' if takes_key else 'nothing'} that returns a network, but raised "
            f"{type(error).__name__}: {first_line(error)}."
        ) from None
    try:
        first = _adapted(model)
    except NetworkError as error:
        raise NetworkError(
            f"{str(error).removesuffix('.')}, returned by {_name_of(factory)!r}."
        ) from None
    if first.params is None or not takes_key:
        return first

    def init_fn(key, input_shape):
        return None, _adapted(made(key)).params

    return replace(first, init_fn=init_fn, params=None)


def _arguments(factory: Callable) -> tuple[bool, str]:
    """Whether `factory` takes a key, and the argument's name where it goes by keyword alone.

    Raises: `NetworkError` when it requires anything else.
    """
    try:
        parameters = [*inspect.signature(factory).parameters.values()]
    except (TypeError, ValueError):  # written in C: no signature, so it is tried on a key
        return True, ""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if isinstance(factory, type) and parameters and all(p.kind in variadic for p in parameters):
        # What flax.nnx's metaclass shows; the constructor says more.
        parameters = [*inspect.signature(factory.__init__).parameters.values()][1:]
    bound = factory.keywords if isinstance(factory, functools.partial) else {}
    named = [p for p in parameters if p.kind not in variadic and p.name not in bound]
    required = [p for p in named if p.default is p.empty]
    module = isinstance(factory, type) and _bases_of(factory) & _MODULES
    if len(required) > 1 or (module and required and required[0].name not in _KEYS):
        names = ", ".join(p.name for p in required)
        way_out = (
            f"give an instance, {factory.__name__}(...), or a function that returns one"
            if isinstance(factory, type)
            else "give the pair (apply_fn, params) for a forward pass, or fix the others"
        )
        raise NetworkError(
            f"network {_name_of(factory)!r} needs to be a function of a key or of nothing, got "
            f"one of ({names}); {way_out}."
        )
    first = required[0] if required else next(iter(named), None)
    if first is None:  # a bare *args may hide a key, as of a decorated function
        return any(p.kind is p.VAR_POSITIONAL for p in parameters), ""
    takes_key = bool(required) or first.name in _KEYS
    return takes_key, first.name if takes_key and first.kind is first.KEYWORD_ONLY else ""


def params_shape(network: Network, input_shape: tuple[int, ...]) -> Any:
    """Shapes and dtypes of the network's parameters, without computing them."""
    if network.init_fn is None:
        return network.params
    return jax.eval_shape(
        lambda key: network.init_fn(key, (-1, *input_shape))[1],  # type: ignore[misc]
        jax.random.key(0),
    )


def num_params(params: Any) -> int:
    """Number of floating-point parameters, given them or their shapes."""
    return sum(
        math.prod(jnp.shape(leaf))
        for leaf in jax.tree.leaves(params)
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    )


def misfit(network: Network, input_shape: tuple[int, ...]) -> str | None:
    """Why the network does not take inputs of this shape, or None when it does."""
    x = jax.ShapeDtypeStruct((2, *input_shape), jnp.float64)
    try:
        y = jax.eval_shape(network.apply_fn, params_shape(network, input_shape), x)
    except Exception as error:  # whatever a user's forward pass raises is told as the reason
        return _reason(error)
    if not hasattr(y, "shape"):
        return f"it returns {type(y).__name__}, not one array"
    if not y.shape or y.shape[0] != 2:
        return f"two inputs give outputs of shape {y.shape}, not (2, ...)"
    return None


def _reason(error: Exception) -> str:
    """Why a forward pass failed; of the two commonest causes, the way out as well."""
    words = str(error)
    if "BatchStat" in words or "batch_stats" in words:
        return (
            "BatchNorm in training mode, it updates running statistics while it is applied; use "
            "use_running_average=True, or model.eval()"
        )
    if "Rng" in type(error).__name__ or "RngCount" in words or "PRNG" in words:
        return (
            "dropout left on, or other noise, it asks for randomness while it is applied; use "
            "deterministic=True, or model.eval()"
        )
    return f"{type(error).__name__}: {first_line(error)}"


def _only_flat_shape(network: Network) -> tuple[int, ...] | None:
    """The one flat input shape that fits, found among the sizes of the weights; else None."""
    try:
        leaves = jax.tree.leaves(params_shape(network, DEFAULT_SHAPE))
    except Exception:  # whatever a user's init raises: no shape is known, and the caller says so
        leaves = []
    sizes = sorted({int(size) for leaf in leaves for size in np.shape(leaf)})
    fitting = [(size,) for size in sizes if not misfit(network, (size,))]
    return fitting[0] if len(fitting) == 1 else None


def _name_of(model: Any) -> str:
    if isinstance(model, tuple | list) and model:
        return _name_of(model[1] if len(model) == 3 else model[0])
    if isinstance(model, functools.partial):
        return _name_of(model.func)
    return getattr(model, "name", None) or getattr(model, "__name__", None) or type(model).__name__
