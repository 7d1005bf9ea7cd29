"""A network of two layers, its weights and its inputs, as tests of the front pass them."""

import jax
import jax.numpy as jnp
import numpy as np

D = 6
X = np.random.default_rng(0).standard_normal((40, D))


def tanh_mlp(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"] / params["v"].shape[0] ** 0.5


def weights(width, seed=0):
    rng = np.random.default_rng(seed)
    return {"w": rng.standard_normal((D, width)), "v": rng.standard_normal((width, 1))}


def drawn(key, width):
    first, second = jax.random.split(key)
    return {
        "w": jax.random.normal(first, (D, width)) / D**0.5,
        "v": jax.random.normal(second, (width, 1)),
    }
