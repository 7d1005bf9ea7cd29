"""Lower bounds of infinite-width kernels against the kernels in closed form."""

import math

import numpy as np
import pytest

from ntval.activations import activation
from ntval.errors import InputError
from ntval.theory import bombari_amani_mondelli as theory
from ntval.theory import gegenbauer, hermite

RELU = activation("relu")
SIZES = [(30, 3), (60, 10), (60, 40), (100, 60)]


def unit_rows(n, d, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, d))
    return x / np.linalg.norm(x, axis=1)[:, None]


def smallest(matrix):
    return float(np.linalg.eigvalsh(matrix)[0])


def squares_of(name, *, derivative, degree=12):
    fn = activation(name)
    each = fn.derivative if derivative else fn.fn
    squares = hermite.coefficients(each, degree, breakpoints=fn.breakpoints) ** 2
    return squares, hermite.second_moment(each, breakpoints=fn.breakpoints)


@pytest.mark.parametrize("derivative", [True, False])
@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "erf"])
@pytest.mark.parametrize(("n", "d"), SIZES)
def test_hermite_bounds_lie_below_the_smallest_eigenvalue(name, n, d, derivative):
    x = unit_rows(n, d)
    correlation = x @ x.T
    np.fill_diagonal(correlation, 1.0)
    squares, total = squares_of(name, derivative=derivative)
    kernel = theory.derivative_kernel if derivative else theory.dual_kernel
    truth = smallest(kernel(activation(name), correlation))
    bound = theory.hermite_lower_bound(squares, correlation, total=total)
    slack = 1e-12 * n
    assert theory.incoherence_lower_bound(squares, correlation, total=total) <= bound + slack
    assert bound <= truth + slack
    if name == "relu" and derivative and d >= 10:
        assert bound >= 0.15 * truth  # 0.18 to 0.92 in the spec


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_gegenbauer_bounds_lie_below_the_smallest_eigenvalue(n, d):
    x = unit_rows(n, d)
    correlation = x @ x.T
    np.fill_diagonal(correlation, 1.0)
    energies = gegenbauer.coefficients(RELU.derivative, d, 9, breakpoints=(0.0,)) ** 2
    bound = theory.gegenbauer_lower_bound(energies, correlation, d)
    truth = smallest(theory.derivative_kernel(RELU, correlation))
    assert bound <= truth + 1e-12 * n
    assert bound >= 0


def test_a_bound_of_few_inputs_that_are_orthogonal_is_the_eigenvalue():
    squares, total = squares_of("relu", derivative=True)
    found = theory.hermite_lower_bound(squares, np.eye(5), total=total)
    # K = 1/2 I + 1/4 (1 - I): degree 0 alone couples them.
    assert found == pytest.approx(0.25, abs=1e-12)
    assert theory.incoherence_lower_bound(squares, np.eye(5), total=total) == pytest.approx(0.25)
    assert theory.hermite_lower_bound(squares, np.ones((1, 1)), total=total) == pytest.approx(0.5)
    with pytest.raises(InputError, match="divide the inputs by their norms"):
        theory.hermite_lower_bound(squares, 2 * np.eye(5), total=total)


@pytest.mark.parametrize("name", ["relu", "tanh", "erf"])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_chains_lie_below_the_smallest_eigenvalue(name, layers):
    for seed in range(4):
        x = unit_rows(50, 20, seed) * math.sqrt(20)
        kernel, bound = theory.chain_lower_bound(
            activation(name), x @ x.T / 20, layers, weight_std=math.sqrt(2.0)
        )
        assert bound <= smallest(kernel) + 1e-12 * np.trace(kernel)
        assert bound > 0


def test_the_spec_s_pilot_of_the_chain():
    # (100, 60), unit rows, K^2 to K^5: eigenvalues .540, 1.16, 1.80, 2.46, bounds .135 to .607.
    x = unit_rows(100, 60)
    for layers, truth, bound in ((1, 0.540, 0.135), (4, 2.46, 0.607)):
        kernel, found = theory.chain_lower_bound(
            RELU, x @ x.T / 2, layers, weight_std=math.sqrt(2.0)
        )
        assert smallest(kernel) == pytest.approx(truth, rel=0.1)
        assert found == pytest.approx(bound, rel=0.15)


@pytest.mark.parametrize("angle", [0.0, 1e-3, 0.1, 1.0, 3.0])
def test_a_close_pair_bounds_the_two_layer_kernel(angle):
    rows = np.array([[1.0, 0.0, 0.0], [np.cos(angle), np.sin(angle), 0.0], [0.0, 0.0, 1.0]])
    kernel = theory.chain_lower_bound(RELU, rows @ rows.T, 1, weight_std=1.0)[0]
    upper = theory.close_pair_upper_bound(angle)
    assert smallest(kernel) <= upper + 1e-12
    assert upper == pytest.approx(kernel[0, 0] - kernel[0, 1], abs=1e-12)
    if angle == 1e-3:
        assert upper == pytest.approx(angle / (2 * math.pi), rel=4 * angle)


def test_angles_are_in_radians():
    for fn in (theory.close_pair_upper_bound, lambda angle: theory.rank_one_probability(angle, 3)):
        with pytest.raises(InputError, match="use radians"):
            fn(90.0)
