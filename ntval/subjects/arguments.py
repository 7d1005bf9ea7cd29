"""What a user passed, made into a subject."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ntval.arrays import AnyArray, as_float64, float64
from ntval.data.sets import array_of, data_of, is_array
from ntval.errors import InputError, NetworkError, first_line
from ntval.networks import loading
from ntval.networks.network import Network, num_params
from ntval.networks.twins import twin_of
from ntval.subjects.grams import CONTRACTED, gram_rounding, stored_precision
from ntval.subjects.network import network_subject
from ntval.subjects.subject import GramSubject, NetworkSubject

WIDTHS = (32, 64, 128, 256)


def subject_of(
    model: Any,
    params: Any = None,
    x: Any = None,
    *,
    kernel_fn: Any = None,
    init: Callable | None = None,
    widths: Sequence[int] = WIDTHS,
    name: str | None = None,
) -> NetworkSubject | GramSubject:
    """What is examined: the network at its data, with rungs at growing width, or Gram matrices."""
    if is_array(model):
        return _of_grams(model, params, x, kernel_fn, init, name)
    source = None if x is None else data_of("x", x)
    rungs: dict[int, Network] = {}
    if isinstance(model, str):
        network = loading.load(model)
    elif init is not None:
        at_width = _at_width(init)
        rungs = {width: _rung(model, at_width, width, name) for width in _widths(widths)}
        network = rungs[max(rungs)]
        if at_width is not init or not _grow(rungs, () if source is None else source.input_shape):
            rungs = {}
    else:
        network = loading.network_from(loading.with_params(model, params), name=name)
    if name is not None:
        network = replace(network, name=name)
    if kernel_fn is not None:
        network = replace(network, kernel_fn=twin_of(kernel_fn))
    twin = network.kernel_fn
    rungs = {width: replace(rung, kernel_fn=twin) for width, rung in rungs.items()}
    with float64():
        return network_subject(network, source, rungs)


def _of_grams(grams, params, x, kernel_fn, init, name) -> GramSubject:
    """Gram matrices (n, n) or (draws, n, n), and their reference: an array, or kernel_fn at x."""
    if params is not None or init is not None:
        raise InputError("a Gram matrix has no params and no init; leave them out.")
    grams = array_of("model", grams)
    stored = grams
    grams = as_float64("model", grams)
    grams = grams[None] if grams.ndim == 2 else grams
    if grams.ndim != 3 or grams.shape[1] != grams.shape[2] or 0 in grams.shape:
        raise InputError(
            f"model needs a Gram matrix (n, n), or (draws, n, n) at independent weights, got shape "
            f"{grams.shape}."
        )
    precision = stored_precision(stored)
    reference, nngp = kernel_fn, None
    if callable(kernel_fn):
        if x is None:
            raise InputError("kernel_fn needs x, the inputs of the Gram matrix; pass both.")
        x = data_of("x", x, repeated=True).given
        rule = f"kernel_fn needs a function kernel_fn(x1, x2, get) for inputs of shape {x.shape}"
        reference = array_of("kernel_fn", _called(rule, twin_of(kernel_fn), x, None, "ntk"))
        nngp = functools.partial(_nngp, twin_of(kernel_fn), x, grams.shape[1:])
    if reference is not None:
        compared = array_of("kernel_fn", reference)
        reference = as_float64("kernel_fn", compared)
        if reference.shape != grams.shape[1:]:
            raise InputError(
                f"kernel_fn needs to give a matrix of shape {grams.shape[1:]}, as the Gram matrix "
                f"has, got {reference.shape}."
            )
        # A comparison is as good as the worse of its two sides.
        coarser = stored_precision(compared)
        if jnp.finfo(coarser).eps > jnp.finfo(precision).eps:
            precision = coarser
    narrower = jnp.finfo(precision).bits < 64
    return GramSubject(
        grams,
        reference,
        gram_rounding(precision, CONTRACTED),
        from_user=True,
        name=name or "Gram matrix",
        note=f"judged as {precision.name}, of whose numbers it is made." if narrower else "",
        nngp=nngp,
    )


def _nngp(
    kernel_fn: Callable, x: Float[AnyArray, "n *shape"], shape: tuple[int, ...]
) -> Float[np.ndarray, "n n"] | None:
    """The NNGP kernel of a twin; None of one that has none, whatever it does when it is asked."""
    try:
        with float64():
            found = np.asarray(kernel_fn(x, None, "nngp"), dtype=float)
            ntk = np.asarray(kernel_fn(x, None, "ntk"), dtype=float)
    except Exception:
        return None
    known = found.shape == shape and np.isfinite(found).all() and not np.array_equal(found, ntk)
    return found if known else None


def _called(rule: str, function: Callable, *arguments: Any) -> Any:
    """What a function of the user's gives in float64.

    Raises: `NetworkError`, the rule and its error in one line.
    """
    try:
        with float64():
            return function(*arguments)
    except Exception as error:
        raise NetworkError(
            f"{rule}, got {type(error).__name__}: {first_line(error)}; "
            "call it by hand to see where."
        ) from error


def _widths(widths: Sequence[int]) -> tuple[int, ...]:
    found = tuple(widths) if isinstance(widths, Iterable) else ()
    whole = all(isinstance(width, Integral) and width >= 1 for width in found)
    if not whole or len(found) < 4 or list(found) != sorted(set(found)):
        raise InputError(
            f"widths needs at least four growing whole numbers, got {widths!r}; "
            f"for instance {WIDTHS}."
        )
    return found


def _required(function: Callable) -> int | None:
    """How many positional arguments a function needs; None where Python does not know."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in positional and p.default is p.empty for p in parameters)


def _at_width(init: Callable) -> Callable:
    """`init` as a function of (key, width): itself, or of a key alone the same at every width."""
    if callable(init) and _required(init) == 1 and len(inspect.signature(init).parameters) == 1:
        return lambda key, width: init(key)
    return init


def _rung(model: Any, init: Callable, width: int, name: str | None) -> Network:
    """The network at one width: `init` gives all of it, or weights for `model`."""
    rule = f"init needs a function init(key, width) that gives weights or a network at {width}"
    first = _called(rule, init, jax.random.key(0), width)
    name = name or getattr(model, "__name__", None) or "network"
    if loading.is_network(first):
        return loading.network_from(lambda key: init(key, width), name=name)
    apply_fn = getattr(model, "apply_fn", None) or getattr(model, "apply", None) or model
    if not callable(apply_fn):
        raise NetworkError(
            f"init needs to return a network, or weights for a model with a forward pass, got "
            f"{type(first).__name__} and a model of type {type(model).__name__}."
        )
    return loading.network_from(lambda key: (apply_fn, init(key, width)), name=name)


def _grow(rungs: dict[int, Network], shape: tuple[int, ...]) -> bool:
    """Whether the weights are more at each width than at the one before: an `init` that ignores
    its width has the same network on each rung."""
    with float64():
        sizes = [num_params(loading.params_shape(rung, shape)) for rung in rungs.values()]
    return all(wide > narrow for narrow, wide in itertools.pairwise(sizes))
