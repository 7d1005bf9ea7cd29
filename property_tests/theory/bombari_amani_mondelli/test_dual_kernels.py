"""Dual kernels against quadrature in the plane and draws, which share nothing with them."""

import numpy as np
import pytest

from ntval.activations import activation
from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.theory import bombari_amani_mondelli as theory

SERIES = 1e-9  # stated for Hermite series

X = np.random.default_rng(0).standard_normal((7, 5)) * np.linspace(0.4, 1.2, 7)[:, None]
COVARIANCE = X @ X.T / 5


def mean_of_products(fn, covariance):
    """E[f(u_i) f(u_j)] by Gauss-Hermite nodes in the plane of each pair."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    result = np.empty_like(covariance)
    for i in range(len(covariance)):
        for j in range(len(covariance)):
            pair = covariance[np.ix_([i, j], [i, j])]
            root = np.sqrt(pair[0, 0])
            rest = np.sqrt(max(pair[1, 1] - pair[0, 1] ** 2 / pair[0, 0], 0.0))
            u = root * nodes[:, None]
            v = pair[0, 1] / root * nodes[:, None] + rest * nodes[None, :]
            result[i, j] = weights @ (fn(u) * fn(v)) @ weights
    return result


@pytest.mark.parametrize(
    "name", ["erf", "tanh", "sigmoid", "gelu", "silu", "softplus", "sin", "cos"]
)
def test_dual_kernels_are_means_of_products(name):
    fn = activation(name)
    for found, each in (
        (theory.dual_kernel(fn, COVARIANCE), fn.fn),
        (theory.derivative_kernel(fn, COVARIANCE), fn.derivative),
    ):
        assert np.abs(found - mean_of_products(each, COVARIANCE)).max() <= 1e-8


def test_dual_kernels_of_relu_are_means_over_draws():
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((400_000, 5)) @ X.T / np.sqrt(5)
    relu = activation("relu")
    for found, values in (
        (theory.dual_kernel(relu, COVARIANCE), np.maximum(draws, 0)),
        (theory.derivative_kernel(relu, COVARIANCE), (draws > 0).astype(float)),
    ):
        mean = values.T @ values / len(values)
        spread = 5 * np.sqrt((values**2).T @ (values**2) / len(values) / len(values))
        assert (np.abs(found - mean) <= spread).all()


@pytest.mark.parametrize("name", ["relu", "erf", "tanh"])
def test_coincident_and_opposite_inputs(name):
    fn = activation(name)
    covariance = np.array([[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    found = theory.derivative_kernel(fn, covariance)
    accuracy = SERIES if name == "tanh" else rounding_allowance(8)
    assert abs(found[0, 1] - found[0, 0]) <= accuracy
    assert abs(found[0, 2] - (0.0 if name == "relu" else found[0, 0])) <= accuracy


def test_what_has_no_series_is_refused():
    with pytest.raises(InputError, match="falls too slowly"):
        theory.dual_kernel(activation("leaky_relu"), COVARIANCE)
    with pytest.raises(InputError, match="leave it out"):
        theory.dual_kernel(activation("relu"), np.zeros((2, 2)))


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_a_series_that_leaves_too_much_is_refused(name):
    fn = activation(name)
    for covariance in (100 * COVARIANCE, 12 * np.array([[1.0, 1 - 1e-6], [1 - 1e-6, 1.0]])):
        with pytest.raises(InputError, match="scale the inputs down"):
            theory.derivative_kernel(fn, covariance)
