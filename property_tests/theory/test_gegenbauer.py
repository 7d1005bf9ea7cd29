"""Gegenbauer polynomials and coefficients against mpmath, SciPy, and each other."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import eval_gegenbauer

from ntval.activations import activation
from ntval.errors import InputError
from ntval.theory import gegenbauer, hermite

DERIVATIVES = {
    "relu": lambda t: mp.mpf(t > 0),
    "tanh": lambda t: mp.sech(t) ** 2,
    "erf": lambda t: 2 * mp.exp(-t * t) / mp.sqrt(mp.pi),
    "softplus": lambda t: 1 / (1 + mp.exp(-t)),
}
DIMENSIONS = st.sampled_from([2, 3, 4, 7, 20, 100, 999])


def coefficients(name, d, degree):
    fn = activation(name)
    return gegenbauer.coefficients(fn.derivative, d, degree, breakpoints=fn.breakpoints)


def exact_coefficient(name, d, k):
    with mp.workdps(20):
        half = mp.mpf(d - 2) / 2
        norm = mp.gamma(mp.mpf(d) / 2) / mp.gamma(mp.mpf(d - 1) / 2) / mp.sqrt(mp.pi)

        def integrand(t):
            polynomial = mp.gegenbauer(k, half, t) / mp.gegenbauer(k, half, 1)
            density = norm * (1 - t * t) ** (mp.mpf(d - 3) / 2)
            return density * DERIVATIVES[name](mp.sqrt(d) * t) * polynomial

        reach = min(1.0, 14 / math.sqrt(d))
        edges = [-reach, -reach / 2, -reach / 5, 0, reach / 5, reach / 2, reach]
        return float(mp.sqrt(gegenbauer.dimension(d, k)) * mp.quad(integrand, edges))


@pytest.mark.parametrize("name", DERIVATIVES)
@pytest.mark.parametrize("d", [3, 20, 400])
def test_coefficients_equal_high_precision_quadrature(name, d):
    got = coefficients(name, d, 11)
    exact = [exact_coefficient(name, d, k) for k in (0, 1, 2, 3, 10, 11)]
    assert np.abs(got[[0, 1, 2, 3, 10, 11]] - exact).max() <= 1e-12


@given(d=st.integers(3, 300), degree=st.integers(0, 12), t=st.floats(-1, 1))
def test_polynomials_are_the_gegenbauer_polynomials_divided_by_their_value_at_one(d, degree, t):
    alpha = (d - 2) / 2
    exact = eval_gegenbauer(degree, alpha, t) / eval_gegenbauer(degree, alpha, 1.0)
    assert abs(gegenbauer.polynomials(d, degree, np.array(t))[degree] - exact) <= 1e-12


@given(d=DIMENSIONS, degree=st.integers(0, 12))
def test_polynomials_are_one_at_one_and_have_parity(d, degree):
    values = gegenbauer.polynomials(d, degree, np.array([1.0, -1.0]))
    assert np.abs(values - [[1.0, (-1.0) ** k] for k in range(degree + 1)]).max() <= 1e-13


@given(d=DIMENSIONS)
def test_polynomials_are_orthogonal_with_norm_one_over_dimension(d):
    t, weights = gegenbauer.sphere_quadrature(d)
    values = gegenbauer.polynomials(d, 8, t)
    expected = np.diag([1 / gegenbauer.dimension(d, k) for k in range(9)])
    assert np.abs(values * weights @ values.T - expected).max() <= 1e-13


def test_polynomials_of_the_circle_are_chebyshevs():
    angle = np.linspace(0, np.pi, 7)
    values = gegenbauer.polynomials(2, 6, np.cos(angle))
    assert np.abs(values - np.cos(np.arange(7)[:, None] * angle)).max() <= 1e-14


@given(d=st.integers(2, 60), k=st.integers(0, 9))
def test_dimension_is_what_polynomials_of_degree_k_have_more_than_those_of_degree_k_less_two(d, k):
    def homogeneous(degree):
        return math.comb(d + degree - 1, degree) if degree >= 0 else 0

    assert gegenbauer.dimension(d, k) == homogeneous(k) - homogeneous(k - 2)


def test_addition_theorem_gives_the_rank_of_the_harmonics():
    x = np.random.default_rng(0).standard_normal((60, 4))
    x /= np.linalg.norm(x, axis=1)[:, None]
    for k, values in enumerate(gegenbauer.polynomials(4, 4, x @ x.T)):
        assert np.linalg.matrix_rank(values) == gegenbauer.dimension(4, k)


@given(d=st.sampled_from([2, 3, 10, 1000, 10**6]))
def test_quadrature_has_the_moments_of_the_sphere(d):
    t, weights = gegenbauer.sphere_quadrature(d)
    moments = weights @ np.stack([t, t**2, t**4], axis=1) * [1, d, d * (d + 2) / 3]
    assert np.abs(moments - [0, 1, 1]).max() <= 1e-14


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu"])
def test_coefficients_tend_to_hermites_like_one_over_d(name):
    fn = activation(name)
    limit = hermite.coefficients(fn.derivative, 4, breakpoints=fn.breakpoints)
    gaps = [np.abs(coefficients(name, d, 4) - limit).max() * d for d in (50, 200, 800, 3200)]
    # d times the gap tends to a constant: the gap is O(1/d) and no smaller.
    assert np.ptp(gaps[1:]) <= 0.1 * gaps[-1]
    assert gaps[-1] > 0.01


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "gelu", "erf_sqrt2"])
def test_coefficients_of_smooth_activations_satisfy_parseval(name):
    missing = gegenbauer.second_moment(activation(name).derivative, 8)
    missing -= (coefficients(name, 8, 40) ** 2).sum()
    assert -1e-12 <= missing <= 1e-6


@pytest.mark.parametrize(
    "call", [gegenbauer.dimension, lambda d, k: gegenbauer.sphere_quadrature(d)]
)
def test_a_line_has_no_sphere(call):
    with pytest.raises(InputError, match="d >= 2"):
        call(1, 0)
