"""Gradient descent with optax, and the linear model that it follows in the lazy regime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

Params = Any


class Descent(NamedTuple):
    """What gradient descent came to: the last parameters, and the loss before each step."""

    params: Params
    losses: Float[Array, "steps"]


def descent(
    apply_fn: Callable[[Params, Float[Array, "n d"]], Float[Array, "n"]],
    params: Params,
    x: Float[Array, "n d"],
    y: Float[Array, "n"],
    *,
    optimizer: optax.GradientTransformation,
    steps: int,
) -> Descent:
    r"""Full-batch descent of the loss $\frac{1}{2n} \sum_i (f(x_i) - y_i)^2$ by `optimizer`.

    Traceable: one compiled loop for all steps. In the precision of its inputs.
    """

    def loss(params: Params) -> Float[Array, ""]:
        return 0.5 * jnp.mean((apply_fn(params, x) - y) ** 2)

    def step(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), value

    (params, _), losses = jax.lax.scan(step, (params, optimizer.init(params)), length=steps)
    return Descent(params, losses)


def linearized(apply_fn: Callable, at: Params) -> Callable:
    r"""The model $f(x; \theta_0) + J(x; \theta_0)(\theta - \theta_0)$, $\theta_0$ = `at`.

    It is 0 away from `apply_fn` at `at`, in value and gradient.
    """

    def linear(params: Params, x: Float[Array, "n d"]) -> Float[Array, "n"]:
        step = jax.tree.map(jnp.subtract, params, at)
        value, change = jax.jvp(lambda theta: apply_fn(theta, x), (at,), (step,))
        return value + change

    return linear
