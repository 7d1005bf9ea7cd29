"""The triple of `neural_tangents.stax`, as a record, and the size of its weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from ntval.networks.mlp import Mlp


@dataclass(frozen=True)
class Network:
    """The triple of `neural_tangents.stax`, so any network of the field fits.

    `init_fn(key, input_shape) -> (output_shape, params)`, input_shape with a leading -1;
    `apply_fn(params, x) -> y` of shape (n, outputs) for x of shape (n, *input_shape);
    `kernel_fn(x1, x2, get) -> (n1, n2)` array, get one of "ntk" and "nngp", or None when the
    network has no infinite-width twin.
    `input_shape` is the shape of one input, None when any flat input fits.
    `params` is one fixed set of weights, for a network that cannot be drawn anew.
    `held` says what beside the parameters is held constant, "batch_stats (64 numbers)", or is a
    function of the shape of one input that says it; "" where nothing is.
    `mlp` is the architecture of ntval's own networks, whose kernels have closed forms; None else.
    """

    init_fn: Callable[..., Any] | None
    apply_fn: Callable[..., Any]
    kernel_fn: Callable[..., Any] | None = None
    input_shape: tuple[int, ...] | None = None
    params: Any = None
    held: str | Callable[[tuple[int, ...]], str] = ""
    mlp: Mlp | None = None
    name: str = "network"


def num_params(params: Any) -> int:
    """Number of floating-point parameters, given them or their shapes."""
    return sum(
        math.prod(jnp.shape(leaf))
        for leaf in jax.tree.leaves(params)
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    )
