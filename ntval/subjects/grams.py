"""Gram matrices that were computed elsewhere as subjects."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ntval.arrays import rounding_allowance
from ntval.networks.network import Network
from ntval.subjects.subject import Subject


def gram_subject(grams, reference, rounding: float, *, own: bool = False) -> Subject:
    """Matrices in place of a network: inputs are the numbers of their rows.

    grams: (draws, n, n). reference: (n, n) or None. rounding: of one entry, relative.
    """
    n = grams.shape[-1]

    def rows(key, count: int):
        chosen = jnp.arange(n) if count == n else jax.random.permutation(key, n)[:count]
        return chosen[:, None]

    return Subject(
        Network(None, None, input_shape=(1,), name="Gram matrix"),  # pyright: ignore[reportArgumentType]
        rows,
        own=own,
        inputs_there=n,
        grams=grams,
        reference=reference,
        rounding=rounding,
    )


def entry_rounding(dtype, num_params: int) -> float:
    """Relative rounding of an entry that is a contraction over `num_params` parameters."""
    unit = float(np.finfo(dtype).eps)
    operations = 2 * num_params
    return rounding_allowance(operations, dtype=dtype) if operations * unit < 1 else 1.0
