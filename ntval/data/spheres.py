"""Uniform points of the sphere."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def sphere(key: Array, n: int, d: int) -> Float[Array, "n d"]:
    r"""Independent uniform points of the sphere of radius $\sqrt d$."""
    x = jax.random.normal(key, (n, d))
    return x * (np.sqrt(d) / jnp.linalg.norm(x, axis=1, keepdims=True))
