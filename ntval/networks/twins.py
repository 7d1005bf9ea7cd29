"""Infinite-width twins as users write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import jax.numpy as jnp

from ntval.errors import InputError


def twin_of(kernel_fn: Callable) -> Callable:
    """`kernel_fn` as one of (x1, x2, get); a function of (x1, x2), or of x alone, is its NTK."""
    if not callable(kernel_fn):
        raise InputError(
            f"kernel_fn needs a function kernel_fn(x1, x2, get), got {type(kernel_fn).__name__}."
        )
    try:
        parameters = inspect.signature(kernel_fn).parameters
    except (TypeError, ValueError):
        return kernel_fn
    get = parameters.get("get")
    if get is not None and get.kind is get.KEYWORD_ONLY:
        return lambda x1, x2=None, get="ntk": kernel_fn(x1, x2, get=get)
    takes_get = "get" in parameters or any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters.values() if p.kind in positional and p.default is p.empty]
    if takes_get or len(needed) >= 3:  # further options, with defaults, are the user's own
        return kernel_fn

    alone = len(needed) == 1 and len(parameters) == 1

    def twin(x1, x2=None, get="ntk"):
        if get != "ntk":
            raise InputError(f"kernel_fn needs an argument get for get={get!r}, got (x1, x2).")
        if not alone:
            return kernel_fn(x1, x1 if x2 is None else x2)
        if x2 is None:
            return kernel_fn(x1)
        return kernel_fn(jnp.concatenate([x1, x2]))[: len(x1), len(x1) :]

    return twin
