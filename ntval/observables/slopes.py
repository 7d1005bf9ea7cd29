"""Slopes on log-log axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import AnyArray
from ntval.errors import InputError

FEWEST = 4


def log_slope(sizes: Sequence[float], values: Float[AnyArray, "rungs *k"]) -> Float[Array, "*k"]:
    """Slope of log `values` over log `sizes`, by least squares, a rung a row; for JAX or NumPy.

    Raises: `InputError` on fewer than four rungs: a slope through three says little.
    """
    if len(sizes) < FEWEST:
        raise InputError(
            f"sizes needs at least {FEWEST} rungs, got {len(sizes)}; make the ladder longer."
        )
    log_sizes = np.log(np.asarray(sizes, dtype=float))
    centered: Any = log_sizes - log_sizes.mean()
    return jnp.tensordot(centered, jnp.log(values), axes=1) / (centered @ centered)
