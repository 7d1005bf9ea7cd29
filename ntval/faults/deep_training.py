"""Planted faults of training deep networks: of steps that memorize, and of descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ntval.faults.fault import Fault
from ntval.faults.sites import in_option
from ntval.observables import training
from ntval.observables.training import Layered
from ntval.theory import bombari_amani_mondelli as theory


def _solved_transposed(jacobian: Float[Array, "n p"], y: Float[Array, "n"]) -> Float[Array, "p"]:
    q, r = jnp.linalg.qr(jacobian.T)
    return q @ jax.scipy.linalg.solve_triangular(r, y)


def _with_jitter(jacobian: Float[Array, "n p"], y: Float[Array, "n"]) -> Float[Array, "p"]:
    gram = jacobian @ jacobian.T
    jitter = 1e-6 * jnp.trace(gram) / len(y) * jnp.eye(len(y))
    return jacobian.T @ jnp.linalg.solve(gram + jitter, y)


def _without_a_tenth(jacobian: Float[Array, "n p"], y: Float[Array, "n"]) -> Float[Array, "p"]:
    kept = jnp.arange(jacobian.shape[1]) < 9 * jacobian.shape[1] // 10
    return training.memorizing_step(jacobian * kept, y)


def _without_kernel(jacobian: Float[Array, "n p"], y: Float[Array, "n"]) -> Float[Array, "p"]:
    return jacobian.T @ y * len(y) / (jacobian**2).sum()


def _of_other_labels(jacobian: Float[Array, "n p"], y: Float[Array, "n"]) -> Float[Array, "p"]:
    return training.memorizing_step(jacobian, y[::-1])


def _one_last_layer(plus: Layered, minus: Layered, step: Any) -> Layered:
    return training.double_network([*plus[:-1], minus[-1]], minus, step)


def _blocks_swapped(plus: Layered, minus: Layered, step: Any) -> Layered:
    first, *_, last = training.double_network(plus, minus, step)
    return [first, *training.double_network(minus, plus, step)[1:-1], last]


def _last_not_divided(plus: Layered, minus: Layered, step: Any) -> Layered:
    return training.double_network(plus, minus, 1.0)


def _of_first_order(ahead: Any, behind: Any, weights: Any, step: float) -> Any:
    return theory.central_error(ahead, behind, weights, step) / step


def _scaled(formula: Callable, factor: float) -> Callable:
    return lambda *arguments: factor * np.asarray(formula(*arguments))


def _not_paired(params: Layered, gamma: Any = 1.0) -> Layered:
    *hidden, last = params
    return [*hidden, {"w": gamma * last["w"]}]


def _of_one_sign(params: Layered, gamma: Any = 1.0) -> Layered:
    *hidden, last = training.antisymmetric(params, gamma)
    return [*hidden, {"w": jnp.abs(last["w"])}]


def _halves_independent(params: Layered, gamma: Any = 1.0) -> Layered:
    *below, hidden, _ = params
    return [*below, hidden, training.antisymmetric(params, gamma)[-1]]


def _of_root(params: Layered, gamma: Any = 1.0) -> Layered:
    return training.antisymmetric(params, gamma**0.5)


def _at_rate(factor: Callable[[int], float]) -> Callable:
    """Gradient descent at `factor(n)` times the rate."""

    def descend(apply_fn, params, x, y, *, rate, steps):
        return training.trajectory(apply_fn, params, x, y, rate=factor(len(y)) * rate, steps=steps)

    return descend


def _half_frozen(apply_fn, params, x, y, *, rate, steps):
    """Gradient descent that leaves the first half of the last hidden layer as it is."""

    def frozen(params: Layered, x: Float[Array, "n d"]) -> Float[Array, "n"]:
        *below, hidden, last = params
        half = hidden["w"].shape[1] // 2
        first = jax.lax.stop_gradient(hidden["w"][:, :half])
        layer = {"w": jnp.concatenate([first, hidden["w"][:, half:]], axis=1)}
        return apply_fn([*below, layer, last], x)

    return training.trajectory(frozen, params, x, y, rate=rate, steps=steps)


def _law_of(factor: float) -> Callable:
    return lambda eigenvalues, *rest: theory.descent_residuals(factor * eigenvalues, *rest)


def _of_half_a_sum(smallest: float, first_loss: float, rate: float, steps: int) -> list[float]:
    return theory.descent_bound(smallest, first_loss / 2, rate, steps)


def _of_the_inputs(key: Array, x: Float[Array, "n d"]) -> Float[Array, "n"]:
    return x[:, 0]


def _last_layer_alone(apply_fn, params, x, y, **settings):
    def frozen(params: Layered, x: Float[Array, "n d"]) -> Float[Array, "n"]:
        *hidden, last = params
        return apply_fn([*jax.lax.stop_gradient(hidden), last], x)

    return training.descent(frozen, params, x, y, **settings)


def _not_averaged(apply_fn, params, x, y, **settings):
    run = training.descent(apply_fn, params, x, y, **settings)
    return run._replace(losses=len(y) * run.losses)


FAULTS = (
    Fault(
        "step_with_jitter",
        "a ridge of 1e-6 of the mean eigenvalue in the solve with K",
        in_option(memorizing=_with_jitter),
    ),
    Fault(
        "step_without_a_tenth",
        "a step that leaves out the last tenth of the parameters' derivatives",
        in_option(memorizing=_without_a_tenth),
    ),
    Fault(
        "step_solved_transposed",
        "the triangular factor of J^T is solved with where its transpose is to be",
        in_option(memorizing=_solved_transposed),
    ),
    Fault(
        "step_without_kernel",
        "J^T y over the mean eigenvalue in place of J^T K^{-1} y",
        in_option(memorizing=_without_kernel),
    ),
    Fault(
        "step_of_other_labels",
        "a step that memorizes the labels in another order",
        in_option(memorizing=_of_other_labels),
    ),
    Fault(
        "double_one_last_layer",
        "a double network with last layer (W / h, -W / h): the step of the last layer is lost",
        in_option(double=_one_last_layer),
    ),
    Fault(
        "double_blocks_swapped",
        "a double network whose hidden blocks stand in the other order than its first layer",
        in_option(double=_blocks_swapped),
    ),
    Fault(
        "double_not_divided",
        "a double network whose last layer is not divided by h",
        in_option(double=_last_not_divided),
    ),
    Fault(
        "central_of_first_order",
        "the central difference's error is taken to be of order h, as the forward one's",
        in_option(central=_of_first_order),
    ),
    Fault(
        "central_scale_10",
        "the predicted error of the central difference is 10 % too large",
        in_option(central=_scaled(theory.central_error, 1.1)),
    ),
    Fault(
        "forward_scale_10",
        "the predicted error of the forward difference is 10 % too large",
        in_option(forward=_scaled(theory.forward_error, 1.1)),
    ),
    Fault(
        "initial_not_paired",
        "a last layer times gamma without equal halves before it: outputs do not start at 0",
        in_option(initial=_not_paired),
    ),
    Fault(
        "initial_halves_independent",
        "a last layer (w, -w) behind halves that are drawn independently",
        in_option(initial=_halves_independent),
    ),
    Fault(
        "initial_of_one_sign",
        "a last layer (|w|, |w|)",
        in_option(initial=_of_one_sign),
    ),
    Fault(
        "initial_of_root",
        "a last layer scaled by the square root of gamma",
        in_option(initial=_of_root),
    ),
    Fault(
        "descent_rate_10",
        "a rate of gradient descent that is 10 % too large",
        in_option(descend=_at_rate(lambda n: 1.1)),
    ),
    Fault(
        "descent_rate_doubled",
        "the factor 2 of a square's derivative in the rate",
        in_option(descend=_at_rate(lambda n: 2.0)),
    ),
    Fault(
        "descent_rate_over_n",
        "a loss that is averaged, with the rate of a sum",
        in_option(descend=_at_rate(lambda n: 1 / n)),
    ),
    Fault(
        "descent_uphill",
        "the sign of the gradient",
        in_option(descend=_at_rate(lambda n: -1.0)),
    ),
    Fault(
        "descent_half_frozen",
        "half of the last hidden layer is not trained",
        in_option(descend=_half_frozen),
    ),
    Fault(
        "law_scale_10",
        "residuals predicted with eigenvalues that are 10 % too large",
        in_option(residuals=_law_of(1.1)),
    ),
    Fault(
        "law_scale_minus_10",
        "residuals predicted with eigenvalues that are 10 % too small",
        in_option(residuals=_law_of(0.9)),
    ),
    Fault(
        "bound_of_half_a_sum",
        "a bound from half the first loss",
        in_option(loss_bound=_of_half_a_sum),
    ),
    Fault(
        "labels_of_inputs",
        "labels that the inputs determine in place of noise",
        in_option(labels=_of_the_inputs),
    ),
    Fault(
        "rate_over_n",
        "a rate 1 / (10 n) of Adam",
        in_option(rate=lambda n: 0.1 / n),
    ),
    Fault(
        "training_by_gradient",
        "gradient descent at Adam's rate",
        in_option(optimizer=optax.sgd),
    ),
    Fault(
        "training_of_last_layer",
        "the last layer alone is trained",
        in_option(train=_last_layer_alone),
    ),
    Fault(
        "loss_not_averaged",
        "a loss that is summed over the inputs, not averaged",
        in_option(train=_not_averaged),
    ),
)
