"""Gradient descent and the linear model that it follows."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ntval.arrays import float64
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
    assert np.allclose(end.params, (np.eye(3) - decay) @ [1.0, -2.0, 0.5], rtol=1e-12, atol=0)
    assert end.losses[0] == pytest.approx((Y**2).mean() / 2)
    assert np.all(np.diff(end.losses) < 0)


def test_linearization_agrees_in_value_and_gradient_where_it_is_taken():
    def network(params, x):
        return jnp.tanh(x @ params).sum(axis=1)

    with float64():
        at = jax.random.normal(jax.random.key(0), (3, 5))
        model = training.linearized(network, at)
        x = jnp.asarray(X)
        assert np.array_equal(model(at, x), network(at, x))
        slopes = [jax.jacobian(f)(at, x) for f in (model, network)]
        assert np.allclose(*slopes, rtol=1e-13, atol=1e-15)
        step = jax.random.normal(jax.random.key(1), (3, 5))
        there = model(at + step, x) - model(at, x)
        assert np.allclose(model(at + 2 * step, x) - model(at, x), 2 * there, rtol=1e-12)
