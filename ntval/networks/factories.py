"""Functions of a key, or of nothing, that return a network."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax

from ntval.errors import NetworkError, first_line
from ntval.networks.adapters import is_module, name_of
from ntval.networks.network import Network

# Names under which an argument that has a default takes a key nevertheless.
_KEYS = ("key", "rng", "rng_key", "prng_key")


def from_factory(factory: Callable, adapted: Callable[[Any], Network]) -> Network:
    """What `factory` returns as a `Network` by `adapted`, with new weights from every key."""
    takes_key, keyword = _arguments(factory)

    def made(key) -> Any:
        given = (key,) if takes_key and not keyword else ()
        return factory(*given, **({keyword: key} if keyword else {}))

    try:
        model = made(jax.random.key(0))
    except (Exception, SystemExit) as error:
        raise NetworkError(
            f"network {name_of(factory)!r} needs to be a function of "
            f"{'a key' if takes_key else 'nothing'} that returns a network, but raised "
            f"{type(error).__name__}: {first_line(error)}."
        ) from None
    try:
        first = adapted(model)
    except NetworkError as error:
        raise NetworkError(
            f"{str(error).removesuffix('.')}, returned by {name_of(factory)!r}."
        ) from None
    if first.params is None or not takes_key:
        return first

    def init_fn(key, input_shape):
        return None, adapted(made(key)).params

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
    module = isinstance(factory, type) and is_module(factory)
    if len(required) > 1 or (module and required and required[0].name not in _KEYS):
        names = ", ".join(p.name for p in required)
        way_out = (
            f"give an instance, {factory.__name__}(...), or a function that returns one"
            if isinstance(factory, type)
            else "give the pair (apply_fn, params) for a forward pass, the Gram matrix for a "
            "kernel, or fix the others"
        )
        raise NetworkError(
            f"network {name_of(factory)!r} needs to be a function of a key or of nothing, got "
            f"one of ({names}); {way_out}."
        )
    first = required[0] if required else next(iter(named), None)
    if first is None:  # a bare *args may hide a key, as of a decorated function
        return any(p.kind is p.VAR_POSITIONAL for p in parameters), ""
    takes_key = bool(required) or first.name in _KEYS
    return takes_key, first.name if takes_key and first.kind is first.KEYWORD_ONLY else ""
