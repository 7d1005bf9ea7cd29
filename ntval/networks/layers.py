r"""Layers whose kernels have closed forms, for forward passes of one sample that can be tapped.

A forward pass `apply_fn(params, x, tap)` of one sample calls these in place of its own products.
Each hands its inputs and its output to `tap(kind, inputs, output)` and goes on with what that
gives: `untapped` gives the output back, `kernels.layerwise` records both and adds to the output
what it differentiates by.

| layer | of inputs | output |
|---|---|---|
| `dense` | $a$, rows of tokens or positions | $a W + b$ |
| `affine` | $\hat x$, normalized already | $\gamma \hat x + \beta$ |
| `embedding` | numbers $i$ | row $i$ of a table |

A convolution of 1x1 is `dense` at positions. Every array of parameters enters one layer, once.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ntval.arrays import AnyArray

Tap = Callable[[str, Array, Array], Array]


def untapped(kind: str, inputs: Array, output: Array) -> Array:
    """The output as it is: nothing is recorded."""
    return output


def dense(
    tap: Tap,
    a: Float[AnyArray, "*tokens inputs"],
    weight: Float[AnyArray, "inputs outputs"],
    bias: Float[AnyArray, "outputs"] | None = None,
) -> Float[Array, "*tokens outputs"]:
    """$a W + b$ at every token."""
    a, weight = jnp.asarray(a), jnp.asarray(weight)
    if bias is None:
        return tap("dense", a, a @ weight)
    return tap("dense with bias", a, a @ weight + bias)


def affine(
    tap: Tap,
    normalized: Float[AnyArray, "*tokens features"],
    scale: Float[AnyArray, "features"],
    shift: Float[AnyArray, "features"],
) -> Float[Array, "*tokens features"]:
    r"""$\gamma \hat x + \beta$ at every token: what follows the normalization of a layer or of a
    batch whose statistics are held constant."""
    normalized = jnp.asarray(normalized)
    return tap("affine", normalized, normalized * scale + shift)


def embedding(
    tap: Tap, numbers: Int[AnyArray, "*tokens"], table: Float[AnyArray, "rows features"]
) -> Float[Array, "*tokens features"]:
    """Row `numbers` of a table at every token."""
    numbers = jnp.asarray(numbers)
    return tap("embedding", numbers, jnp.asarray(table)[numbers])
