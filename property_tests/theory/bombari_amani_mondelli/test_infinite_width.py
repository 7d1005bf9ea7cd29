"""Lower bounds of infinite-width kernels against the kernels in closed form."""

import math

import numpy as np
import pytest

from ntval.activations import activation
from ntval.arrays import rounding_allowance
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


@pytest.mark.parametrize("weight_std", [0.5, 1.7])
@pytest.mark.parametrize("name", ["relu", "erf", "gelu"])
def test_the_series_is_that_of_the_two_layer_kernel(name, weight_std):
    x = unit_rows(20, 15)
    correlation = x @ x.T
    np.fill_diagonal(correlation, 1.0)
    squares, total = theory.two_layer_squares(activation(name), weight_std, 30)
    kernel, _ = theory.chain_lower_bound(activation(name), correlation, 1, weight_std=weight_std)
    left = theory.without_first_degrees(squares, correlation, kernel)
    tail = total - squares.sum()
    # Of each coefficient 1e-12, which enters squared, times 1 + its degree and the weights'
    # variance; of both means 1e-13, relative, and of the kernel's closed form a few roundings.
    coefficients = np.sqrt(squares / (weight_std**2 * np.arange(1, 32)))
    slack = 2e-12 * weight_std**2 * float(coefficients @ np.arange(1, 32)) + 4e-13 * total
    assert np.diag(left) == pytest.approx(tail, rel=0, abs=slack)
    off = np.abs(correlation - np.eye(20)).max()
    assert np.abs(left - np.diag(np.diag(left))).max() <= tail * off**31 + slack


def test_energies_are_the_series_in_gegenbauer_s_polynomials():
    squares, t = np.array([0.3, 0.0, 1.2, 0.5]), np.linspace(-1, 1, 9)
    for d in (3, 8):
        energies = theory.gegenbauer_energies(squares, d)
        series = energies @ gegenbauer.polynomials(d, 3, t)
        # As the function states, of each of four energies.
        allowed = 4 * 1e-13 * squares.sum()
        expected = np.polynomial.polynomial.polyval(t, squares)
        assert series == pytest.approx(expected, rel=0, abs=allowed)


@pytest.mark.parametrize("angle", [1e-6, 0.002, 0.3, 2.0, math.pi])
def test_shares_of_a_close_pair_are_eigenvalues_of_its_block(angle):
    pair = np.array([[1.0, math.cos(angle)], [math.cos(angle), 1.0]])
    hidden, output = theory.close_pair_shares(angle)
    slopes = theory.derivative_kernel(RELU, pair) * pair
    values = theory.dual_kernel(RELU, pair)
    # An arccos of a cosine that is rounded: a rounding over the sine, or its root at 0 and pi.
    rounding = rounding_allowance(8)
    of_arccos = min(rounding / max(math.sin(angle), rounding), math.sqrt(2 * rounding))
    assert hidden == pytest.approx(slopes[0, 0] - slopes[0, 1], rel=0, abs=rounding + of_arccos)
    assert output == pytest.approx(values[0, 0] - values[0, 1], rel=0, abs=rounding)
    whole = theory.close_pair_upper_bound(angle)
    assert hidden + output == pytest.approx(whole, rel=0, abs=rounding)
    if angle < 0.01:
        assert hidden == pytest.approx(angle / (2 * math.pi), rel=2 * angle)
        assert output == pytest.approx(angle**2 / 4, rel=max(2 * angle, 1e-4))


def test_the_smallest_angle_is_that_of_drawn_inputs():
    n, d, draws = 12, 5, 4000
    x = np.random.default_rng(0).standard_normal((draws, n, d))
    x /= np.linalg.norm(x, axis=2, keepdims=True)
    cosines = np.einsum("kid,kjd->kij", x, x) - 2 * np.eye(n)
    logs = np.log(np.arccos(cosines.max(axis=(1, 2))))
    away = abs(logs.mean() - theory.smallest_angle_log_mean(n, d))
    assert away <= theory.smallest_angle_remainder(n, d) + 6 * logs.std() / math.sqrt(draws)


@pytest.mark.parametrize(
    ("remainder", "words"),
    [
        (lambda: theory.close_pair_remainder(activation("erf"), 0.002, 12, 6), "relu"),
        (lambda: theory.close_pair_remainder(RELU, 0.1, 12, 6), "angle"),
        (lambda: theory.nearest_pair_share_remainder(RELU, 12, 9), "d between 3 and 6"),
        (lambda: theory.over_parameterization_remainder(RELU, 32, 16), "tanh, erf"),
        (lambda: theory.over_parameterization_exponents(activation("erf"), 90, 16), "share"),
        (lambda: theory.last_width_remainder(activation("erf"), 100, 10, 10), "parameters"),
    ],
)
def test_what_was_not_measured_has_no_remainder(remainder, words):
    with pytest.raises(InputError, match=words):
        remainder()
