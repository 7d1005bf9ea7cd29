"""Two small networks, in flax and in equinox, and the infinite-width kernel of the second."""

from __future__ import annotations

import math

import equinox
import flax.linen
import jax
import jax.numpy as jnp


class Gelu(flax.linen.Module):
    """One hidden layer, in flax."""

    width: int = 32

    @flax.linen.compact
    def __call__(self, x):
        return flax.linen.Dense(1)(flax.linen.gelu(flax.linen.Dense(self.width)(x)))


class Relu(equinox.Module):
    """One hidden layer of ReLUs, in equinox. Weights are standard normal; He's gain and the widths
    are in the forward pass, as the kernel below wants them."""

    first: jax.Array
    second: jax.Array

    def __init__(self, key: jax.Array):
        key_first, key_second = jax.random.split(key)
        self.first = jax.random.normal(key_first, (256, 4))
        self.second = jax.random.normal(key_second, (1, 256))

    def __call__(self, x):
        x = 2**0.5 * jax.nn.relu(self.first @ x / math.sqrt(x.size))
        return self.second @ x / math.sqrt(x.size)


def relu_kernel(x1, x2=None, get="ntk", *, gain=2**0.5):
    """The kernel of `Relu` at infinite width, "ntk" or "nngp", after Cho & Saul (2009)."""
    x2 = x1 if x2 is None else x2
    inner = x1 @ x2.T / x1.shape[1]
    norms = jnp.sqrt(jnp.outer((x1**2).mean(axis=1), (x2**2).mean(axis=1)))
    cosine = jnp.clip(inner / norms, -1, 1)
    angle = jnp.arccos(cosine)
    from_second = norms * (jnp.sqrt(1 - cosine**2) + (jnp.pi - angle) * cosine)
    from_first = inner * (jnp.pi - angle) if get == "ntk" else 0.0
    return gain**2 / (2 * jnp.pi) * (from_first + from_second)


def rounded_relu_kernel(x1, x2=None, get="ntk"):
    """The same with 1.39 for the square root of 2: 3 % too small. A bug, kept as an example."""
    return relu_kernel(x1, x2, get, gain=1.39)
