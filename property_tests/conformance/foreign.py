"""What the tests of foreign networks share: inputs, one network of ReLU and its kernels by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from ntval import check_network

X = np.random.default_rng(0).standard_normal((6, 8))


def outcome(model, claim="mean_kernel", **options):
    """The verdict, the words of its evidence, and the diagnosis."""
    run = check_network(model, claims=[claim], on_fail="return", **options)
    (name,) = (name for name in run.outcomes if name.endswith(claim))
    found = run.outcomes[name]
    return found.verdict, found.results[0].decision.summary, run.diagnoses.get(name) or ""


def relu_by_hand(x1, x2=None, get="ntk"):
    """The kernels of ReLU at unit variance, one hidden layer, no biases; by arccos."""
    x2 = x1 if x2 is None else x2
    lengths = jnp.linalg.norm(x1, axis=1)[:, None] * jnp.linalg.norm(x2, axis=1)
    cosines = jnp.clip(x1 @ x2.T / lengths, -1, 1)
    angles = jnp.arccos(cosines)
    nngp = lengths * (jnp.sin(angles) + (jnp.pi - angles) * cosines) / (2 * jnp.pi)
    return nngp + (x1 @ x2.T) * (jnp.pi - angles) / (2 * jnp.pi) if get == "ntk" else nngp


def relu_net(params, x):
    return jnp.maximum(x @ params["w"], 0) @ params["v"] / params["v"].size ** 0.5


def relu_weights(key, width):
    w, v = jax.random.split(key)
    return {"w": jax.random.normal(w, (8, width)), "v": jax.random.normal(v, (width, 1))}


def of_relu(kernel_fn, *claims):
    return check_network(
        relu_net,
        x=X,
        init=lambda key, width: relu_weights(key, 64),
        kernel_fn=kernel_fn,
        claims=claims,
        on_fail="return",
    )
