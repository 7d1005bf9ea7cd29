"""Formulas of Montanari & Zhong against the tables of the spec, and against their own sum rules."""

from itertools import pairwise

import numpy as np
import pytest

from ntval.activations import ACTIVATIONS, activation
from ntval.errors import InputError
from ntval.theory import gegenbauer, hermite
from ntval.theory import montanari_zhong as theory

# 30-digit quadrature, spec montanari_zhong section 2.1: mu_0, mu_1, ... of sigma'.
HERMITE = {
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
# v_1, v_2, v_3 of spec section 2.1.
TAILS = {
    "relu": (0.25, 0.0908450569081, 0.0908450569081),
    "gelu": (0.205850865649, 0.0268015546709, 0.0268015546709),
    "tanh": (0.0975237380859, 0.0975237380859, 0.0314229392594),
    "erf": (0.144996853155, 0.144996853155, 0.0506828128046),
    "cubic": (2, 2, 0),
}
# gamma_0 .. gamma_4, gamma_{>1}, gamma_{>2}, K(1) of spec section 2.2, six digits.
ENERGIES = {
    ("relu", 20): (0.008159, 0.25, 0.158538, 0, 0.026909, 0.241841, 0.083302, 0.5),
    ("relu", 100): (0.001600, 0.25, 0.159129, 0, 0.026696, 0.248400, 0.089271, 0.5),
    ("tanh", 20): (0, 0.362780, 0, 0.067141, 0, 0.090989, 0.090989, 0.453770),
    ("gelu", 20): (0.009319, 0.25, 0.179612, 0, 0.018518, 0.201444, 0.021832, 0.460762),
    ("gelu", 100): (0.001805, 0.25, 0.179270, 0, 0.020352, 0.204998, 0.025728, 0.456803),
    ("erf", 20): (0, 0.419292, 0, 0.097396, 0, 0.136080, 0.136080, 0.555372),
    ("quadratic", 20): (0.05, 0, 0.95, 0, 0, 0.95, 0, 1),
}
# Half a unit in the last digit of the 12-digit tables.
TWELVE_DIGITS = 5e-12
SIX_DIGITS = 5e-7


def fact(name):
    return activation(name)


@pytest.mark.parametrize("name", HERMITE)
def test_hermite_coefficients_equal_the_table(name):
    got = hermite.coefficients(fact(name).derivative, 7, breakpoints=fact(name).breakpoints)
    assert np.abs(got - HERMITE[name]).max() <= TWELVE_DIGITS


@pytest.mark.parametrize("name", TAILS)
def test_tail_energy_limit_equals_the_table(name):
    got = [theory.tail_energy_limit(fact(name), degree) for degree in (1, 2, 3)]
    assert np.abs(np.subtract(got, TAILS[name])).max() <= TWELVE_DIGITS


@pytest.mark.parametrize(("name", "d"), ENERGIES)
def test_energies_equal_the_table(name, d):
    got = [
        *theory.energies(fact(name), d, 4),
        theory.tail_energy(fact(name), d, 1),
        theory.tail_energy(fact(name), d, 2),
        theory.diagonal(fact(name), d),
    ]
    assert np.abs(np.subtract(got, ENERGIES[name, d])).max() <= SIX_DIGITS


@pytest.mark.parametrize("name", ["erf_sqrt2", "gelu", "silu", "softplus", "sigmoid"])
def test_energies_of_smooth_activations_sum_to_the_diagonal(name):
    total = theory.energies(fact(name), 8, 40).sum()
    missing = theory.diagonal(fact(name), 8) - total
    # What is missing is the tail, which is positive and smaller than any energy kept so far.
    assert -1e-12 <= missing <= 1e-6


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_energies_have_the_parity_of_the_activation(name):
    gamma = theory.energies(fact(name), 20, 6)
    parity = fact(name).parity
    if parity:
        # K has the parity of sigma' times u: odd for an odd sigma, even for an even one.
        absent = gamma[0::2] if parity == -1 else gamma[1::2]
        assert np.abs(absent).max() <= 1e-24 * max(gamma.max(), 1.0)


@pytest.mark.parametrize("d", [3, 8, 40])
def test_gegenbauer_polynomials_are_orthogonal_with_norm_one_over_dimension(d):
    t, weights = gegenbauer.sphere_quadrature(d)
    values = gegenbauer.polynomials(d, 5, t)
    expected = np.diag([1 / gegenbauer.dimension(d, k) for k in range(6)])
    assert np.abs(values * weights @ values.T - expected).max() <= 1e-13


def test_dimension_counts_spherical_harmonics():
    assert [gegenbauer.dimension(20, k) for k in (0, 1, 2, 3)] == [1, 20, 209, 1520]
    assert [gegenbauer.dimension(3, k) for k in range(5)] == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ("n", "d", "pilot", "spread"),
    [
        (120, 40, 0.1612, 0.0020),
        (240, 80, 0.1853, 0.0021),
        (480, 160, 0.2023, 0.0010),
        (960, 320, 0.2158, 0.0003),
        (854, 90, 0.1406, 0.0004),
    ],
)
def test_min_eigenvalue_meets_the_pilots_of_the_spec(n, d, pilot, spread):
    relu = fact("relu")
    # The pilot is a mean over 10 seeds; 5 standard errors and its last digit.
    allowed = theory.min_eigenvalue_remainder(relu, n, d) + 5 * spread / np.sqrt(10) + 5e-5
    assert abs(theory.min_eigenvalue(relu, n, d) - pilot) <= allowed


def test_min_eigenvalue_tends_to_its_limit_from_below():
    relu = fact("relu")
    gaps = [
        theory.min_eigenvalue_limit(relu) - theory.min_eigenvalue(relu, 3 * d, d)
        for d in (40, 160, 640, 2560)
    ]
    assert all(gap > 0 for gap in gaps)
    assert all(later < sooner for sooner, later in pairwise(gaps))


def test_min_eigenvalue_remainder_shrinks_with_d():
    relu = fact("relu")
    sizes = [theory.min_eigenvalue_remainder(relu, 3 * d, d) for d in (20, 80, 320)]
    assert sizes[0] > 4 * sizes[1] > 16 * sizes[2]


def test_min_eigenvalue_refuses_a_polynomial_activation():
    with pytest.raises(InputError, match="no polynomial of degree <= 2"):
        theory.min_eigenvalue(fact("quadratic"), 500, 20, degree=2)


def test_min_eigenvalue_refuses_samples_outside_its_range():
    with pytest.raises(InputError, match=r"needs 0 < n' < B"):
        theory.min_eigenvalue(fact("relu"), 5000, 20)
