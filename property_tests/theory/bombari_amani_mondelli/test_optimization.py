"""Steps that memorize, and residuals of gradient descent, against functions known exactly."""

import numpy as np
import pytest

from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.theory import bombari_amani_mondelli as theory

EIGENVALUES = np.array([0.5, 1.0, 3.0])
COEFFICIENTS = np.array([1.0, -2.0, 0.3])
FEW_ROUNDINGS = rounding_allowance(100)


def test_taylor_nodes_integrate_polynomials_exactly():
    for order in (1, 2):
        nodes, weights = theory.taylor_nodes(order, 4)
        for power in range(8):
            # Beta function: int_0^1 (1 - s)^p s^k ds = p! k! / (p + k + 1)!.
            exact = 1.0
            for j in range(1, order + 1):
                exact *= j / (power + j)
            exact /= power + order + 1
            # SciPy's nodes come from an eigenvalue problem of 4 rows.
            assert abs(weights @ nodes**power - exact) < 10 * FEW_ROUNDINGS


@pytest.mark.parametrize("step", [0.3, 0.01])
def test_errors_of_differences_of_an_exponential_are_the_exact_ones(step):
    rates = np.array([1.0, -0.7])  # F(s) = exp(c s), at 0: F = 1, F' = c

    def derivative(order, s):
        return rates**order * np.exp(np.outer(s, rates))

    nodes, weights = theory.taylor_nodes(1, 8)
    forward = theory.forward_error(derivative(2, step * nodes), weights, step)
    exact = np.expm1(rates * step) / step - rates
    assert np.abs(forward - exact).max() < FEW_ROUNDINGS / step
    nodes, weights = theory.taylor_nodes(2, 8)
    thirds = derivative(3, step * nodes), derivative(3, -step * nodes)
    central = theory.central_error(*thirds, weights, step)
    exact = np.sinh(rates * step) / step - rates
    assert np.abs(central - exact).max() < FEW_ROUNDINGS / step


def test_step_norm_is_the_quadratic_form_and_below_its_bound():
    rng = np.random.default_rng(0)
    vectors, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    gram, y = vectors @ np.diag(EIGENVALUES) @ vectors.T, vectors @ COEFFICIENTS
    norm = theory.step_norm(EIGENVALUES, COEFFICIENTS)
    assert abs(norm - y @ np.linalg.solve(gram, y)) < FEW_ROUNDINGS * norm * 3.0 / 0.5
    assert norm < theory.step_norm_bound(0.5, y)
    # Tight where labels lie along the bottom eigenvector.
    bottom = np.array([2.0, 0.0, 0.0])
    assert theory.step_norm(EIGENVALUES, bottom) == theory.step_norm_bound(0.5, bottom)
    with pytest.raises(InputError, match="positive"):
        theory.step_norm(np.array([0.0, 1.0]), np.ones(2))


def test_residuals_are_powers():
    rate = 1 / 3.0
    residuals = theory.descent_residuals(EIGENVALUES, COEFFICIENTS, rate, 9)
    assert np.array_equal(residuals[0], COEFFICIENTS)
    last = COEFFICIENTS.copy()
    for _ in range(9):
        last = (1 - rate * EIGENVALUES) * last
    assert np.abs(residuals[9] - last).max() < FEW_ROUNDINGS * np.abs(COEFFICIENTS).max()


def test_departure_bound_holds_for_steps_with_other_kernels_and_is_reached():
    rng = np.random.default_rng(1)
    gram, rate = np.diag(EIGENVALUES), 1 / 3.0
    residual = law = COEFFICIENTS
    changes, norms, apart = [], [], [0.0]
    for _ in range(20):
        change = 0.05 * rng.standard_normal((3, 3))
        changes.append(np.linalg.norm(change, 2))
        norms.append(np.linalg.norm(residual))
        residual, law = residual - rate * (gram + change) @ residual, law - rate * gram @ law
        apart.append(np.linalg.norm(residual - law))
    bounds = theory.departure_bound(np.array(changes), np.array(norms), 0.5, rate)
    assert (np.array(apart) <= bounds * (1 + FEW_ROUNDINGS)).all()
    # One step along an eigenvector of the change: equality.
    (_, one) = theory.departure_bound(np.array([0.2]), np.array([3.0]), 0.5, rate)
    assert abs(one - rate * 0.2 * 3.0) < FEW_ROUNDINGS
    assert len(bounds) == 21


def test_lazy_rates_are_farther_from_wrong_ones_than_their_remainder():
    for rate, remainder in zip(theory.lazy_rates(), theory.lazy_rates_remainder(), strict=True):
        assert remainder < 0.05 * abs(rate)
