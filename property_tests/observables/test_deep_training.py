"""Antisymmetric starts, steps that memorize, double networks and the kernels of steps."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ntval.arrays import float64, rounding_allowance
from ntval.errors import InputError
from ntval.observables import training

SIZES = (3, 6, 8, 1)
N = 5
# Sums of at most 8 products through three layers, and tanh, of numbers of order 10.
SMALL = 10 * rounding_allowance(100)


def network(params, x):
    for layer in params[:-1]:
        x = jnp.tanh(x @ layer["w"])
    return (x @ params[-1]["w"])[:, 0]


def drawn(seed):
    keys = jax.random.split(jax.random.key(seed), 5)
    params = [
        {"w": jax.random.normal(key, shape)}
        for key, shape in zip(keys, itertools.pairwise(SIZES), strict=False)
    ]
    return params, jax.random.normal(keys[3], (N, 3)), jax.random.normal(keys[4], (N,))


def test_antisymmetric_start_has_output_0_and_its_halves_are_equal():
    with float64():
        params, x, _ = drawn(0)
        start = training.antisymmetric(params, 100.0)
        assert np.abs(network(start, x)).max() < 100 * SMALL
        assert np.array_equal(start[1]["w"][:, :4], start[1]["w"][:, 4:])
        assert np.array_equal(start[2]["w"][:4], 100 * params[2]["w"][:4])
        assert np.abs(network(params, x)).min() > 1e-3
        odd = [*params[:2], {"w": params[2]["w"][:7]}]
        with pytest.raises(InputError, match="even width, got 7"):
            training.antisymmetric(odd)


def test_memorizing_step_solves_and_is_the_shortest():
    with float64():
        params, x, y = drawn(1)
        jacobian = training.jacobian(network, params, x)
        step = training.memorizing_step(jacobian, y)
        condition = np.linalg.cond(np.asarray(jacobian))
        assert np.abs(jacobian @ step - y).max() < SMALL * condition
        shortest = np.linalg.lstsq(np.asarray(jacobian), np.asarray(y), rcond=None)[0]
        assert np.abs(step - shortest).max() < SMALL * condition * np.abs(shortest).max()


def test_double_network_is_the_difference_of_two():
    with float64():
        plus, x, _ = drawn(2)
        minus, *_ = drawn(3)
        double = training.double_network(plus, minus, 0.01)
        assert [layer["w"].shape for layer in double] == [(3, 12), (12, 16), (16, 1)]
        exact = (network(plus, x) - network(minus, x)) / 0.01
        assert np.abs(network(double, x) - exact).max() < SMALL / 0.01


def test_derivatives_along_a_direction_begin_with_the_jacobian():
    with float64():
        params, x, _ = drawn(4)
        jacobian = training.jacobian(network, params, x)
        direction = jax.random.normal(jax.random.key(9), (jacobian.shape[1],))
        steps = jnp.array([0.0, 1e-4, -1e-4])
        values = training.along(network, params, direction, x, steps=steps, order=2)
        assert values.shape == (3, 3, N)
        assert np.abs(values[0, 0] - network(params, x)).max() < SMALL
        slope = jacobian @ direction
        assert np.abs(values[0, 1] - slope).max() < SMALL * np.abs(jacobian).sum(axis=1).max()
        # Central difference of slopes: rounding over 1e-4, and h^2 times a fourth derivative,
        # which the difference of second derivatives at both ends over h is above.
        change = (values[1, 1] - values[2, 1]) / 2e-4
        left = np.abs(values[1, 2] - values[2, 2]).max() + SMALL * 100 / 1e-4
        assert np.abs(change - values[0, 2]).max() < left


def test_trajectory_begins_at_the_start_and_ends_where_descent_does():
    with float64():
        params, x, y = drawn(5)
        path = training.trajectory(network, params, x, y, rate=0.01, steps=7)
        first, last = (jax.tree.map(lambda leaf, k=k: leaf[k], path) for k in (0, -1))
        assert jax.tree.all(jax.tree.map(np.array_equal, first, params))
        end = training.descent(network, params, x, y, optimizer=optax.sgd(0.01 * N), steps=7)
        assert jax.tree.all(jax.tree.map(np.array_equal, last, end.params))
        jacobian, residual = training.jacobian(network, params, x), network(params, x) - y
        second = jax.tree.map(lambda leaf: leaf[1], path)
        moved = training.moved(params, jacobian.T @ residual, -0.01)
        gaps = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), second, moved)
        assert max(jax.tree.leaves(gaps)) < SMALL


def test_kernels_of_steps_carry_one_residual_into_the_next():
    rate, steps = 1e-3, 6
    with float64():
        params, x, y = drawn(6)
        path = training.trajectory(network, params, x, y, rate=rate, steps=steps)
        kernels = training.step_kernels(network, path, x)
        residuals = jax.lax.map(lambda at: network(at, x) - y, path)
        assert kernels.shape == (steps, N, N)
        carried = residuals[:-1] - rate * jnp.einsum("tij,tj->ti", kernels, residuals[:-1])
        # Two nodes leave the fourth power of a step: below the square of what one node leaves.
        starts = jnp.stack(
            [
                (lambda j: j @ j.T)(
                    training.jacobian(network, jax.tree.map(lambda leaf, k=k: leaf[k], path), x)
                )
                for k in range(steps)
            ]
        )
        ends = residuals[:-1] - rate * jnp.einsum("tij,tj->ti", starts, residuals[:-1])
        crude = np.abs(ends - residuals[1:]).max()
        assert crude > 1e-8
        assert np.abs(carried - residuals[1:]).max() < crude**2 + SMALL
