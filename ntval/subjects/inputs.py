"""Rows of a user's data as inputs of a subject."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.data.sets import Data
from ntval.errors import InputError


def inputs_from(
    source: Data, shape: tuple[int, ...]
) -> Callable[[Array, int], Float[Array, "n *shape"]]:
    """Function of (key, n): n random distinct rows of the data, each of `shape`.

    All of them come in their own order.
    """
    rows = np.asarray(source.x, dtype=np.float64).reshape(len(source.x), *shape)

    def inputs(key: Array, n: int) -> Float[Array, "n *shape"]:
        if n > len(rows):
            raise InputError(
                f"data needs at least {n} rows here, got {len(rows)} in {source.name}."
            )
        if n == len(rows):
            return jax.numpy.asarray(rows)
        chosen = jax.random.choice(key, len(rows), (n,), replace=False)
        return jax.numpy.asarray(rows)[chosen]

    return inputs
