"""Gradient descent and the linear model that it follows."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ntval.arrays import float64, rounding_allowance
from ntval.observables import training

X = np.random.default_rng(0).standard_normal((12, 3))
Y = X @ np.array([1.0, -2.0, 0.5])


def linear(params, x):
    return x @ params


def test_descent_of_a_linear_model_is_the_closed_form():
    rate, steps = 0.1, 50
    with float64():
        end = training.descent(
            linear,
            jnp.zeros(3),
            jnp.asarray(X),
            jnp.asarray(Y),
            optimizer=optax.sgd(rate),
            steps=steps,
        )
    hessian = X.T @ X / len(X)
    decay = np.linalg.matrix_power(np.eye(3) - rate * hessian, steps)
    exact = (np.eye(3) - decay) @ [1.0, -2.0, 0.5]
    # A step sums 3 features and 12 samples, and 5 operations more; no step makes errors larger.
    # Sizes are those of residuals and of parameters no larger than the last.
    size = np.abs(X).T @ (np.abs(X) @ np.abs(exact) + np.abs(Y)) * rate / len(X) + np.abs(exact)
    assert (np.abs(end.params - exact) <= rounding_allowance(steps * (3 + 12 + 5)) * size).all()
    assert end.losses[0] == pytest.approx((Y**2).mean() / 2)
    assert np.all(np.diff(end.losses) < 0)


def test_linearization_agrees_in_value_and_gradient_where_it_is_taken():
    def network(params, x):
        return jnp.tanh(x @ params).sum(axis=1)

    with float64():
        at = jax.random.normal(jax.random.key(0), (3, 5))
        model = training.linearized(network, at)
        x = jnp.asarray(X)
        # A pre-activation sums 3 products, tanh is good to 8 roundings, the output sums 5 of them.
        h = np.abs(X) @ np.abs(at)
        output, slope = (h + 1).sum(axis=1), np.abs(X)[:, :, None] * (2 * h + 3)[:, None, :]
        same = rounding_allowance(2 * (3 + 8 + 5))
        assert (np.abs(model(at, x) - network(at, x)) <= same * output).all()
        slopes = [jax.jacobian(f)(at, x) for f in (model, network)]
        assert (np.abs(slopes[0] - slopes[1]) <= same * slope).all()
        step = jax.random.normal(jax.random.key(1), (3, 5))
        there = model(at + step, x) - model(at, x)
        twice = model(at + 2 * step, x) - model(at, x)
        # Six values, each with a change that sums 15 products of a slope and a step.
        change = (slope * (np.abs(at) + 2 * np.abs(step))).sum(axis=(1, 2))
        allowed = 6 * rounding_allowance(3 + 8 + 5 + 15) * (output + change)
        assert (np.abs(twice - 2 * there) <= allowed).all()
