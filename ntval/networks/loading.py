"""A network of any library as a `Network`: what users pass or name, by the adapters.

| model | weights |
|---|---|
| `Network`, or the triple of `neural_tangents.stax` | drawn by its init_fn |
| pair (init, apply) of `jax.example_libraries.stax` | drawn by its init |
| `flax.linen.Module`, `haiku.transform` | drawn by its init; a pair (module, params) fixes them |
| `haiku.transform_with_state` | the same; the pair is (module, (params, state)) |
| `equinox.Module`, `flax.nnx.Module` | those it holds |
| pair (module, state) of `equinox.nn.make_with_state` | those the module holds |
| `TrainState` of flax | its params |
| function of a key that returns one of these | drawn anew from every key |
| function without arguments that returns one of these | as of what it returns, called once |
| pair (apply_fn, params) | the params given; of a mapping with "params", those alone |

A function has one required argument, the key, or none. With none required it still gets the key
where its first argument is called key, rng, rng_key or prng_key. A class is such a function too;
that of a module which needs other arguments is refused, as no key can stand for them.

Floating-point weights become float64. What is not trained is held constant: keys and counters;
what a mapping has beside "params", such as flax's batch_stats or an optimizer's state; a haiku or
equinox state; what an nnx module has beside `nnx.Param`. `held_constant` names it.
"""

from __future__ import annotations

import importlib
import math
import sys
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import all_leaves

from ntval.arrays import float64
from ntval.errors import NetworkError, did_you_mean, first_line
from ntval.networks.adapters import from_module, is_module, name_of
from ntval.networks.factories import from_factory
from ntval.networks.network import Network
from ntval.networks.origins import is_float
from ntval.networks.twins import twin_of
from ntval.networks.weights import float64_init, with_variables

# The shape of one input for a network that takes any.
DEFAULT_SHAPE = (8,)


def network_from(
    model: Any,
    *,
    input_shape: tuple[int, ...] | None = None,
    integers: np.dtype | None = None,
    name: str | None = None,
) -> Network:
    """`model` as a `Network`, see the table above.

    `input_shape` is the shape of one input; without it, it is read off the network where only
    one flat shape fits, and stays None where several do. `integers`: see `fitted`.

    Raises: `NetworkError` when the model is of no known kind or takes no such input.
    """
    with float64():
        network = replace(_adapted(model), name=name or name_of(model))
        if network.kernel_fn is not None:
            network = replace(network, kernel_fn=twin_of(network.kernel_fn))
        shape = network.input_shape if input_shape is None else tuple(input_shape)
        network = replace(network, input_shape=shape)
        if shape is None:
            return replace(network, input_shape=_only_flat_shape(network))
        network, reason = _taking(integers, network, shape)
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
    except BaseException as error:  # a module's sys.exit or pytest.skip must not end this process
        raise NetworkError(
            f"network needs a module that imports, got {module_name!r} "
            f"({type(error).__name__}: {first_line(error)}); check the name and the directory."
        ) from None
    target: Any = module
    for part in attribute.split("."):
        if not hasattr(target, part):
            hint = did_you_mean(part, [name for name in dir(target) if name[0] != "_"])
            raise NetworkError(
                f"network needs an attribute of {module_name!r}, got {part!r}; "
                f"{hint or 'check the name.'}"
            )
        target = getattr(target, part)
    return network_from(target, input_shape=input_shape, name=path)


def _taking(
    integers: np.dtype | None, network: Network, shape: tuple[int, ...]
) -> tuple[Network, str | None]:
    """`network` at inputs that come as floats, and why it takes none of this shape, or None.

    Whole numbers, such as tokens, are cast to their dtype where the network takes no floats; where
    it does they stay floats, which do not overflow as products of bytes do.
    """
    reason = misfit(network, shape)
    if reason is None or integers is None:
        return network, reason
    twin = network.kernel_fn

    def apply_fn(params, x):
        return network.apply_fn(params, x.astype(integers))

    def kernel_fn(x1, x2=None, get="ntk"):
        assert twin is not None
        return twin(x1.astype(integers), None if x2 is None else x2.astype(integers), get)

    cast = replace(network, apply_fn=apply_fn, kernel_fn=twin and kernel_fn)
    return cast, misfit(cast, shape)


def fitted(network: Network, shape: tuple[int, ...], integers: np.dtype | None = None) -> Network:
    """`network` with the input shape that fits data of `shape`: as it is, squeezed, or flat.

    `integers`: the dtype of data of whole numbers, such as tokens, which a network gets that does
    not take floats.
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
                found, reason = _taking(integers, network, candidate)
                if reason is None:
                    return replace(found, input_shape=candidate)
                reasons[candidate] = reason
    if set(reasons) == {shape}:
        raise NetworkError(
            f"network {network.name!r} needs to take a batch of inputs of shape {shape} in "
            f"functions that JAX can trace, but {reasons[shape]}."
        )
    tried = "; ".join(f"{candidate}: {reason}" for candidate, reason in reasons.items())
    raise NetworkError(
        f"network {network.name!r} needs to take inputs of a shape that the data has, {shape}, in "
        f"functions that JAX can trace; tried {tried}."
    )


def with_params(model: Any, params: Any) -> Any:
    """`model` with weights in place of its own; as it is without any."""
    if params is None:
        return model
    if isinstance(model, Network):
        return replace(model, init_fn=None, params=params)
    if isinstance(model, tuple | list) and len(model) == 3:
        return Network(None, model[1], model[2], params=params)
    return (model, params)


def is_network(model: Any) -> bool:
    """Whether `model` is of a kind that `network_from` knows, functions of a key left out."""
    if callable(model) and not is_module(type(model)):
        return False
    try:
        _adapted(model)
    except NetworkError:
        return False
    return True


def _adapted(model: Any) -> Network:
    if isinstance(model, Network):
        if model.init_fn is not None:
            return replace(model, init_fn=float64_init(model.init_fn))
        fixed = with_variables(model.apply_fn, model.params)
        held = fixed.held or model.held
        return replace(model, apply_fn=fixed.apply_fn, params=fixed.params, held=held)
    if (network := from_module(model)) is not None:
        return network
    if isinstance(model, tuple | list):
        if len(model) == 3 and all(callable(part) for part in model):
            init_fn, apply_fn, kernel_fn = model
            return Network(float64_init(init_fn), apply_fn, kernel_fn)
        if len(model) == 2 and all(callable(part) for part in model) and all_leaves([model[1]]):
            init_fn, apply_fn = model
            return Network(float64_init(init_fn), apply_fn)
        if len(model) == 2 and callable(model[0]):
            return with_variables(*model)
    if callable(model):
        return from_factory(model, _adapted)
    raise NetworkError(
        "network needs a Network, a stax triple, a flax, equinox or haiku module, a TrainState, a "
        "pair (apply_fn, params), or a function of a key or of nothing that returns one of these; "
        f"got {type(model).__name__}."
    )


def params_shape(network: Network, input_shape: tuple[int, ...]) -> Any:
    """Shapes and dtypes of the network's parameters, without computing them."""
    if network.init_fn is None:
        return network.params
    return jax.eval_shape(
        lambda key: network.init_fn(key, (-1, *input_shape))[1],  # type: ignore[misc]
        jax.random.key(0),
    )


def held_constant(network: Network, input_shape: tuple[int, ...]) -> str:
    """What the network holds constant beside its parameters, in words; "" where nothing."""
    return network.held if isinstance(network.held, str) else network.held(input_shape)


def misfit(network: Network, input_shape: tuple[int, ...]) -> str | None:
    """Why the network does not take inputs of this shape, or None when it does."""
    try:
        with float64():
            params = params_shape(network, input_shape)
            if not any(is_float(leaf) for leaf in jax.tree.leaves(params)):
                return "its params hold no floating-point array, whose derivatives make a kernel"
            x = jax.ShapeDtypeStruct((2, *input_shape), jnp.float64)
            y = jax.eval_shape(network.apply_fn, params, x)
    except Exception as error:  # whatever a user's forward pass raises is told as the reason
        return _takes_one_input(network, input_shape) or _reason(error)
    if not hasattr(y, "shape"):
        return f"it returns {type(y).__name__}, not one array; wrap it in a function that picks one"
    if not jnp.issubdtype(y.dtype, jnp.floating):
        return f"it returns {y.dtype}, not real numbers, which have derivatives"
    if not y.shape or y.shape[0] != 2:
        return f"two inputs give outputs of shape {y.shape}, not (2, ...), a row an input"
    return None


def _takes_one_input(network: Network, input_shape: tuple[int, ...]) -> str | None:
    """That a network which takes no batch takes one input, and the way out; None where neither."""
    try:
        with float64():
            x = jax.ShapeDtypeStruct(input_shape, jnp.float64)
            jax.eval_shape(network.apply_fn, params_shape(network, input_shape), x)
    except Exception:  # then the reason is that of the batch
        return None
    return "it takes one input, not a batch of them; pass jax.vmap(apply_fn, in_axes=(None, 0))"


_BATCH_NORM = (
    "BatchNorm in training mode, it updates running statistics while it is applied; use "
    "use_running_average=True, model.eval(), or equinox.nn.inference_mode(model)"
)
_NOISE = (
    "dropout left on, or other noise, it asks for randomness while it is applied; use "
    "deterministic=True, or model.eval()"
)
_OF_TRAINING = (_BATCH_NORM, _NOISE)


def _reason(error: Exception) -> str:
    """Why a forward pass failed; of the two commonest causes, the way out as well."""
    words = str(error)
    if "BatchStat" in words or "batch_stats" in words or "unbound axis name" in words:
        return _BATCH_NORM
    noise = ("RngCount", "PRNG", "Dropout requires a key")  # of flax, haiku, equinox
    if "Rng" in type(error).__name__ or any(part in words for part in noise):
        return _NOISE
    if isinstance(error, jax.errors.TracerArrayConversionError):
        return "it computes with NumPy, which JAX cannot trace; use jax.numpy"
    return f"{type(error).__name__}: {first_line(error)}"


def _only_flat_shape(network: Network) -> tuple[int, ...] | None:
    """The one flat input shape that fits, found among the sizes of the weights; else None."""
    fitting = [shape for shape, reason in _flat_misfits(network).items() if reason is None]
    return fitting[0] if len(fitting) == 1 else None


def training_mode(network: Network) -> str | None:
    """Where no flat input fits because the forward pass is that of training: why; else None.

    A recurrent network may say so of inputs that are no sequences, in inference mode as well.
    """
    return next((r for r in _flat_misfits(network).values() if r in _OF_TRAINING), None)


def _flat_misfits(network: Network) -> dict[tuple[int, ...], str | None]:
    """Why the network does not take flat inputs of each size that its weights have."""
    try:
        leaves = jax.tree.leaves(params_shape(network, DEFAULT_SHAPE))
    except Exception:  # whatever a user's init raises: no shape is known, and the caller says so
        leaves = []
    sizes = sorted({int(size) for leaf in leaves for size in np.shape(leaf)})
    return {(size,): misfit(network, (size,)) for size in sizes}
