"""Hermite coefficients against 20-digit quadrature, closed forms and the tables of the spec."""

import math

import mpmath as mp
import numpy as np
import pytest

from ntval.activations import ACTIVATIONS, LEAKY_SLOPE, activation
from ntval.arrays import rounding_allowance
from ntval.theory import hermite

# sigma', written anew in mpmath.
DERIVATIVES = {
    "relu": lambda t: mp.mpf(t > 0),
    "leaky_relu": lambda t: mp.mpf(1) if t > 0 else mp.mpf(LEAKY_SLOPE),
    "erf": lambda t: 2 * mp.exp(-t * t) / mp.sqrt(mp.pi),
    "erf_sqrt2": lambda t: mp.sqrt(2 / mp.pi) * mp.exp(-t * t / 2),
    "gelu": lambda t: mp.ncdf(t) + t * mp.npdf(t),
    "silu": lambda t: mp.diff(lambda s: s / (1 + mp.exp(-s)), t),
    "softplus": lambda t: 1 / (1 + mp.exp(-t)),
    "sigmoid": lambda t: mp.exp(-t) / (1 + mp.exp(-t)) ** 2,
    "tanh": lambda t: mp.sech(t) ** 2,
    "sin": mp.cos,
    "cos": lambda t: -mp.sin(t),
    "quadratic": lambda t: t,
    "cubic": lambda t: t * t,
    "linear": lambda t: mp.mpf(1),
}
# 30-digit quadrature, spec montanari_zhong section 2.1: mu_0, mu_1, ... of sigma'.
TABLE = {
    "relu": (0.5, 0.398942280401, 0, -0.162867503968, 0, 0.109254843059, 0, -0.0842919414181),
    "gelu": (0.5, 0.423142187661, 0, -0.143955895613, 0, 0.0675979853541, 0, -0.0335269143991),
    "silu": (0.5, 0.350845444325, 0, -0.0756100176103, 0, 0.0240723519251, 0, -0.00882569382237),
    "softplus": (
        *(0.5, 0.206620964142, 0, -0.0254732579073),
        *(0, 0.00587706060001, 0, -0.00172665628757),
    ),
    "tanh": (0.605705509602, 0, -0.257100756176, 0, 0.139860514935, 0, -0.0831967593074, 0),
    "erf": (0.651470015871, 0, -0.307105910641, 0, 0.177307680178, 0, -0.107906017836, 0),
    "erf_sqrt2": (
        *(0.564189583548, 0, -0.199471140201, 0),
        *(0.0863735373678, 0, -0.0394239456566, 0),
    ),
    "quadratic": (0, 1, 0, 0, 0, 0, 0, 0),
    "cubic": (1, 0, 1.41421356237, 0, 0, 0, 0, 0),
}
# E sigma'(G)^2 of the same section.
SECOND_MOMENTS = {
    "relu": 0.5,
    "gelu": 0.4558508656493,
    "silu": 0.3794823516328,
    "softplus": 0.2933790358581,
    "tanh": 0.4644029024483,
    "erf": 0.5694100347337,
    "erf_sqrt2": 0.3675525969479,
    "quadratic": 1,
    "cubic": 3,
}
# Half a unit in the last digit of the 12-digit tables.
TWELVE_DIGITS = 5e-12


def coefficients(name, degree):
    fn = activation(name)
    return hermite.coefficients(fn.derivative, degree, breakpoints=fn.breakpoints)


def exact_coefficients(name, degree):
    """By mpmath's tanh-sinh quadrature, split at 0."""
    with mp.workdps(20):

        def weighted(k):
            return lambda t: (
                (DERIVATIVES[name](t) * mp.hermite(k, t / mp.sqrt(2)) * mp.npdf(t))
                / mp.sqrt(mp.mpf(2) ** k * mp.factorial(k))
            )

        edges = [-14, -7, -3, 0, 3, 7, 14]
        return [float(mp.quad(weighted(k), edges)) for k in range(degree + 1)]


def test_every_activation_has_an_oracle():
    assert set(DERIVATIVES) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", DERIVATIVES)
def test_coefficients_equal_high_precision_quadrature(name):
    exact = exact_coefficients(name, 5)
    assert np.abs(coefficients(name, 5) - exact).max() <= 1e-12


@pytest.mark.parametrize("name", TABLE)
def test_coefficients_equal_the_table(name):
    assert np.abs(coefficients(name, 7) - TABLE[name]).max() <= TWELVE_DIGITS


@pytest.mark.parametrize("name", SECOND_MOMENTS)
def test_second_moment_equals_the_table(name):
    fn = activation(name)
    got = hermite.second_moment(fn.derivative, breakpoints=fn.breakpoints)
    assert abs(got - SECOND_MOMENTS[name]) <= TWELVE_DIGITS


def test_odd_coefficients_of_the_step_have_a_closed_form():
    got = coefficients("relu", 11)
    for m in range(6):
        double_factorial = math.prod(range(1, 2 * m, 2))
        exact = (-1) ** m * double_factorial / math.sqrt(2 * math.pi * math.factorial(2 * m + 1))
        assert abs(got[2 * m + 1] - exact) <= 1e-12


def test_even_coefficients_of_a_gaussian_have_a_closed_form():
    got = coefficients("erf", 10)
    for m in range(6):
        exact = 2 / math.sqrt(3 * math.pi) * (-1 / 3) ** m
        exact *= math.sqrt(math.factorial(2 * m)) / math.factorial(m)
        assert abs(got[2 * m] - exact) <= 1e-12


@pytest.mark.parametrize("name", ["cos", "erf_sqrt2", "gelu", "sigmoid", "silu", "sin", "softplus"])
def test_coefficients_of_smooth_activations_satisfy_parseval(name):
    total = hermite.second_moment(activation(name).derivative)
    missing = total - (coefficients(name, 40) ** 2).sum()
    # What is missing are squares of degrees above 40.
    assert -1e-12 <= missing <= 1e-5


@pytest.mark.parametrize("degree", [0, 1, 2, 5])
def test_there_is_a_polynomial_for_each_degree_and_no_more(degree):
    t = np.array([-1.5, 0.0, 2.0])
    found = hermite.polynomials(degree, t)
    assert found.shape == (degree + 1, 3)
    explicit = [np.ones(3), t, (t**2 - 1) / math.sqrt(2)][: degree + 1]
    # Two products, a difference and a quotient, of numbers below 4.
    assert np.abs(found[:3] - explicit).max() <= rounding_allowance(6) * 4


def test_polynomials_are_orthonormal():
    t, weights = hermite.gaussian_quadrature()
    values = hermite.polynomials(10, t)
    assert np.abs(values * weights @ values.T - np.eye(11)).max() <= 1e-12


@pytest.mark.parametrize("breakpoints", [(), (0.0,), (-1.5, 0.0, 2.0), (0.0, 0.0, 99.0)])
def test_quadrature_integrates_to_one_wherever_it_is_split(breakpoints):
    _, weights = hermite.gaussian_quadrature(breakpoints=breakpoints)
    assert abs(weights.sum() - 1) <= 1e-14
