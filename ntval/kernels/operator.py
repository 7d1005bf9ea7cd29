r"""Empirical NTK as an operator: v -> J (J^T v), no matrix built.

`apply_fn` acts on the whole batch at once: a network that couples the samples of a batch is seen
here as it is, unlike in `jacobian`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval import arrays
from ntval.arrays import AnyArray, ArrayLike
from ntval.errors import InputError, NetworkError
from ntval.kernels.differentiable import (
    Outputs,
    float64_params,
    merge,
    not_finite,
    outputs_of,
    partition,
    require_finite,
    require_outputs,
)
from ntval.kernels.inputs import symmetric


@dataclass(frozen=True)
class Operator:
    """A linear map by its products: `operator(v)` for v of shape (columns,) or (columns, k)."""

    shape: tuple[int, int]
    product: Callable

    def __call__(self, v: Float[AnyArray, "columns *k"] | ArrayLike) -> Float[Array, "rows *k"]:
        """The image of `v`, or of each of its columns."""
        with arrays.float64():
            v = jnp.asarray(arrays.as_float64("v", v))
            if v.ndim not in (1, 2) or len(v) != self.shape[1]:
                raise InputError(
                    f"v needs shape ({self.shape[1]},) or ({self.shape[1]}, k), got {v.shape}."
                )
            if v.ndim == 1:
                return self.product(v)
            return jnp.stack([self.product(column) for column in v.T], axis=1)


def ntk(
    apply_fn: Callable,
    params: Any,
    x1: Float[AnyArray, "n1 *shape"] | ArrayLike,
    x2: Float[AnyArray, "n2 *shape"] | ArrayLike | None = None,
    *,
    outputs: Outputs | str = "trace",
) -> Operator:
    r"""Empirical NTK of `apply_fn` at `params` as an operator.

    $$v \mapsto J(x_1) \bigl(J(x_2)^\top v\bigr)$$

    $J$ the Jacobian of `apply_fn` applied to the whole batch, `x2` = `x1` when it is None.
    `outputs` as in `jacobian.ntk`: the mean over outputs, one output, or, for "full", all of them
    with sample and output flattened into one axis of length n * outputs, samples outermost.
    A product takes one reverse and one forward pass ("trace": one each an output) and the memory
    of those passes. Float64 whatever the precision of `params`.

    Accuracy: as `jacobian.ntk`, with the operations of the sum over the batch added.
    Raises: as `jacobian.ntk`; `NetworkError` also when `apply_fn` has no forward-mode derivative
    (`jax.custom_vjp`).
    """
    with arrays.float64():
        x1, x2 = arrays.require_inputs(x1, x2)
        params = float64_params(params)
        num_outputs = outputs_of(apply_fn, params, x1)
        outputs = require_outputs(outputs, num_outputs)
        for x in (x1,) if x2 is None else (x1, x2):
            require_finite("values", np.asarray(apply_fn(params, x)), 0)
        program = _program(apply_fn, outputs)
        size1, size2 = (
            len(x1 if x is None else x) * (num_outputs if outputs == "full" else 1)
            for x in (x1, x2)
        )
        try:
            jax.eval_shape(program, params, x1, x2, jnp.zeros(size2))
        except TypeError as error:
            raise NetworkError(
                f"apply_fn needs forward-mode derivatives, got {error}; use jacobian, or "
                "define them by jax.custom_jvp."
            ) from error

    def product(v):
        image = program(params, x1, x2, v)
        if not np.isfinite(np.asarray(image)).all():
            raise not_finite("derivatives", "in a product")
        return image

    return Operator((size1, size2), product)


def gram(
    apply_fn: Callable,
    params: Any,
    x1: Float[AnyArray, "n1 *shape"],
    x2: Float[AnyArray, "n2 *shape"] | None = None,
    *,
    outputs: Outputs = "trace",
    batch_size: int = 16,
) -> Float[Array, "rows columns"]:
    """The dense matrix of `ntk`, by its products with the identity; traceable.

    `batch_size` products are made at a time: that many copies of the parameters' size are live.

    Raises: `NetworkError` on what can be told from shapes alone.
    """
    num_outputs = outputs_of(apply_fn, params, x1)
    outputs = require_outputs(outputs, num_outputs)
    product = _product(apply_fn, params, x1, x2, outputs, num_outputs)
    size = len(x1 if x2 is None else x2) * (num_outputs if outputs == "full" else 1)
    identity = jnp.eye(size)
    if size <= batch_size:
        transposed = jax.vmap(product)(identity)
    else:
        transposed = jax.lax.map(product, identity, batch_size=batch_size)
    return symmetric(transposed.T) if x2 is None else transposed.T


def _product(apply_fn, params, x1, x2, outputs: Outputs, num_outputs: int) -> Callable:
    """The map v -> J (J^T v), with the forward passes shared by all of its uses."""
    theta, held, structure = partition(params)

    def network(x):
        return lambda theta: apply_fn(merge(structure, theta, held), x).reshape(len(x), -1)

    values1, push = jax.linearize(network(x1), theta)
    values2, pull = jax.vjp(network(x1 if x2 is None else x2), theta)

    def on_outputs(v):
        return push(*pull(v.astype(values2.dtype)))

    if outputs == "full":
        return lambda v: on_outputs(v.reshape(values2.shape)).reshape(-1)

    def on_output(v, unit):
        return on_outputs(v[:, None] * unit) @ unit

    if outputs == "trace":
        units = jnp.eye(num_outputs, dtype=values1.dtype)
        return lambda v: jax.vmap(on_output, (None, 0))(v, units).mean(axis=0)
    unit = jnp.zeros(num_outputs, values1.dtype).at[outputs].set(1.0)
    return lambda v: on_output(v, unit)


def _program(apply_fn: Callable, outputs: Outputs) -> Callable:
    try:
        hash(apply_fn)
    except TypeError:
        return _compiled.__wrapped__(apply_fn, outputs)
    return _compiled(apply_fn, outputs)


@functools.lru_cache(maxsize=16)
def _compiled(apply_fn: Callable, outputs: Outputs) -> Callable:
    def image(params, x1, x2, v):
        num_outputs = outputs_of(apply_fn, params, x1)
        return _product(apply_fn, params, x1, x2, outputs, num_outputs)(v)

    return jax.jit(image)
