r"""Gradient descent with optax, and the linear model that it follows in the lazy regime.

Parameters of a network in layers are one dict a layer, {"w": (fan_in, fan_out)}, without biases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.flatten_util
import jax.numpy as jnp
import jax.scipy.linalg
import optax
from jaxtyping import Array, Float

from ntval.errors import InputError

Params = Any
Layered = list[dict[str, Array]]


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

    params, (_, losses) = _descend(apply_fn, params, x, y, optimizer, steps, lambda params: None)
    return Descent(params, losses)


def trajectory(
    apply_fn: Callable[[Params, Float[Array, "n d"]], Float[Array, "n"]],
    params: Params,
    x: Float[Array, "n d"],
    y: Float[Array, "n"],
    *,
    rate: Float[Array, ""] | float,
    steps: int,
) -> Params:
    r"""Parameters before each step and after the last of gradient descent of half a sum of squares,
    $\theta \leftarrow \theta - \eta J^\top (f - y)$, $\eta$ = `rate`: leading axis
    `steps` + 1. Traceable.
    """
    optimizer = optax.sgd(rate * len(y))
    last, (path, _) = _descend(apply_fn, params, x, y, optimizer, steps, lambda params: params)
    return jax.tree.map(lambda before, after: jnp.concatenate([before, after[None]]), path, last)


def _descend(apply_fn, params, x, y, optimizer, steps, keep):
    """The last parameters, and of each step what `keep` keeps of the parameters, and the loss."""

    def loss(params: Params) -> Float[Array, ""]:
        return 0.5 * jnp.mean((apply_fn(params, x) - y) ** 2)

    def step(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), (keep(params), value)

    (last, _), kept = jax.lax.scan(step, (params, optimizer.init(params)), length=steps)
    return last, kept


def linearized(apply_fn: Callable, at: Params) -> Callable:
    r"""The model $f(x; \theta_0) + J(x; \theta_0)(\theta - \theta_0)$, $\theta_0$ = `at`.

    It is 0 away from `apply_fn` at `at`, in value and gradient.
    """

    def linear(params: Params, x: Float[Array, "n d"]) -> Float[Array, "n"]:
        step = jax.tree.map(jnp.subtract, params, at)
        value, change = jax.jvp(lambda theta: apply_fn(theta, x), (at,), (step,))
        return value + change

    return linear


def jacobian(apply_fn: Callable, params: Params, x: Float[Array, "n d"]) -> Float[Array, "n p"]:
    """Derivatives of the outputs by all parameters, a row an input. Traceable."""
    rows = jax.tree.leaves(jax.jacrev(lambda theta: apply_fn(theta, x))(params))
    return jnp.concatenate([row.reshape(len(x), -1) for row in rows], axis=1)


# Nodes of Gauss and Legendre's rule on [0, 1]: exact on a segment for cubic Jacobians.
_NODES = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)


def step_kernels(
    apply_fn: Callable, path: Params, x: Float[Array, "n d"]
) -> Float[Array, "steps n n"]:
    r"""$\bar K_t = \int_0^1 J(\theta_t + s (\theta_{t+1} - \theta_t)) \, ds \; J(\theta_t)^\top$
    of each step of a `path`: a step of gradient descent makes the residual
    $r_{t+1} = (I - \eta \bar K_t) r_t$, exactly. Traceable, a step at a time.

    Accuracy: of the fourth power of a step's length, by two nodes of Gauss and Legendre.
    """
    before = jax.tree.map(lambda leaf: leaf[:-1], path)
    after = jax.tree.map(lambda leaf: leaf[1:], path)

    def kernel(ends: tuple[Params, Params]) -> Float[Array, "n n"]:
        start, end = ends
        between = [jax.tree.map(lambda a, b, s=s: a + s * (b - a), start, end) for s in _NODES]
        mean = sum(jacobian(apply_fn, point, x) for point in between) / len(_NODES)
        return mean @ jacobian(apply_fn, start, x).T

    return jax.lax.map(kernel, (before, after))


def antisymmetric(params: Layered, gamma: Float[Array, ""] | float = 1.0) -> Layered:
    r"""The layers with a last hidden layer of two equal halves, and a last layer $\gamma (w, -w)$:
    the output is 0 at every input.

    Raises: `InputError` on a last hidden layer that is not of even width.
    """
    *below, hidden, last = params
    half, rest = divmod(last["w"].shape[0], 2)
    if rest:
        raise InputError(
            f"antisymmetric needs a last hidden layer of even width, got {last['w'].shape[0]}."
        )
    first = hidden["w"][:, :half]
    outgoing = gamma * last["w"][:half]
    return [
        *below,
        {"w": jnp.concatenate([first, first], axis=1)},
        {"w": jnp.concatenate([outgoing, -outgoing])},
    ]


def memorizing_step(jacobian: Float[Array, "n p"], y: Float[Array, "n"]) -> Float[Array, "p"]:
    r"""$\Delta = J^\top K^{-1} y$, K = J J^T: the shortest step with $J \Delta = y$, for n at most
    p. Traceable.

    By Householder's QR of the transpose: $\Delta = Q R^{-\top} y$ does not square the condition.

    Accuracy: $|J \Delta - y|$ is rounding of $\|J\| |\Delta|$ (Higham 2002, Theorem 21.4,
    recalled).
    """
    q, r = jnp.linalg.qr(jacobian.T)
    return q @ jax.scipy.linalg.solve_triangular(r, y, trans="T")


def moved(params: Layered, direction: Float[Array, "p"], step: Float[Array, ""] | float) -> Layered:
    r"""$\theta + h \Delta$: the layers after a step along a direction in the Jacobian's order."""
    flat, unravel = jax.flatten_util.ravel_pytree(params)
    return unravel(flat + step * direction)


def double_network(plus: Layered, minus: Layered, step: Float[Array, ""] | float) -> Layered:
    r"""Layers of twice the width whose output is $(F(\theta_+) - F(\theta_-)) / h$, h = `step`.

    The first layers side by side, hidden layers block diagonal, the last layers one below the
    other, $(W_+ / h, -W_- / h)$: both parts take their own last layer.

    Source: construction of the spec bombari_amani_mondelli, section 2.1 (derived and checked).
    """
    doubled = [{"w": jnp.concatenate([plus[0]["w"], minus[0]["w"]], axis=1)}]
    for upper, lower in zip(plus[1:-1], minus[1:-1], strict=True):
        doubled.append({"w": jax.scipy.linalg.block_diag(upper["w"], lower["w"])})
    last = jnp.concatenate([plus[-1]["w"] / step, -minus[-1]["w"] / step])
    return [*doubled, {"w": last}]


def along(
    apply_fn: Callable,
    params: Layered,
    direction: Float[Array, "p"],
    x: Float[Array, "n d"],
    *,
    steps: Float[Array, "nodes"],
    order: int,
) -> Float[Array, "nodes orders n"]:
    r"""$\frac{d^k}{ds^k} F(\theta + s \Delta)$, k = 0, ..., `order`, at each s of `steps`.
    Traceable."""

    def value(s: Float[Array, ""]) -> Float[Array, "n"]:
        return apply_fn(moved(params, direction, s), x)

    derivatives = [value]
    for _ in range(order):
        derivatives.append(jax.jacfwd(derivatives[-1]))
    return jax.lax.map(lambda s: jnp.stack([of(s) for of in derivatives]), steps)
