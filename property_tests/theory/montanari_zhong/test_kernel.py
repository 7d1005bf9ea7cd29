"""Formulas of Montanari & Zhong against tables and pilots of the spec, and small simulations."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import interval, kernel, of_pilot, sphere

from ntval.activations import ACTIVATIONS, activation
from ntval.errors import InputError
from ntval.theory import gegenbauer
from ntval.theory import montanari_zhong as theory

# v_1 .. v_5 of spec section 2.1.
TAILS = {
    "relu": (0.25, 0.0908450569081, 0.0908450569081, 0.0643192330595, 0.0643192330595),
    "gelu": (0.205850865649, 0.0268015546709, 0.0268015546709, 0.00607825478915, 0.00607825478915),
    "silu": (
        *(0.129482351633, 0.00638982582953, 0.00638982582953),
        *(0.000672951066511, 0.000672951066511),
    ),
    "softplus": (
        *(0.0433790358581, 0.000686813035162, 0.000686813035162),
        *(3.79261667e-5, 3.79261667e-5),
    ),
    "tanh": (0.0975237380859, 0.0975237380859, 0.0314229392594, 0.0314229392594, 0.0118619756214),
    "erf": (0.144996853155, 0.144996853155, 0.0506828128046, 0.0506828128046, 0.0192447993544),
    "erf_sqrt2": (
        0.0492427107641,
        0.0492427107641,
        0.0094539749911,
        0.0094539749911,
        0.00199358703,
    ),
    "quadratic": (1, 0, 0, 0, 0),
    "cubic": (2, 2, 0, 0, 0),
}
# gamma_0 .. gamma_4, gamma_{>1}, gamma_{>2}, K(1) of spec section 2.2, six digits.
ENERGIES = {
    ("relu", 20): (0.008159, 0.25, 0.158538, 0, 0.026909, 0.241841, 0.083302, 0.5),
    ("relu", 100): (0.001600, 0.25, 0.159129, 0, 0.026696, 0.248400, 0.089271, 0.5),
    ("tanh", 20): (0, 0.362780, 0, 0.067141, 0, 0.090989, 0.090989, 0.453770),
    ("tanh", 100): (0, 0.366113, 0, 0.066483, 0, 0.096207, 0.096207, 0.462320),
    ("gelu", 20): (0.009319, 0.25, 0.179612, 0, 0.018518, 0.201444, 0.021832, 0.460762),
    ("gelu", 100): (0.001805, 0.25, 0.179270, 0, 0.020352, 0.204998, 0.025728, 0.456803),
    ("erf", 20): (0, 0.419292, 0, 0.097396, 0, 0.136080, 0.136080, 0.555372),
    ("quadratic", 20): (0.05, 0, 0.95, 0, 0, 0.95, 0, 1),
}
# Half a unit in the last digit of the 12-digit tables.
TWELVE_DIGITS = 5e-12
SIX_DIGITS = 5e-7


@pytest.mark.parametrize("name", TAILS)
def test_tail_energy_limit_equals_the_table(name):
    got = [theory.tail_energy_limit(activation(name), degree) for degree in (1, 2, 3, 4, 5)]
    assert np.abs(np.subtract(got, TAILS[name])).max() <= TWELVE_DIGITS


def test_tail_energy_limit_of_relu_has_closed_forms():
    got = [theory.tail_energy_limit(activation("relu"), degree) for degree in (0, 1, 2, 4)]
    v_2 = 1 / 4 - 1 / (2 * math.pi)
    assert np.abs(np.subtract(got, (1 / 2, 1 / 4, v_2, v_2 - 1 / (12 * math.pi)))).max() <= 1e-12


@pytest.mark.parametrize(("name", "d"), ENERGIES)
def test_energies_equal_the_table(name, d):
    got = [
        *theory.energies(activation(name), d, 4),
        theory.tail_energy(activation(name), d, 1),
        theory.tail_energy(activation(name), d, 2),
        theory.diagonal(activation(name), d),
    ]
    assert np.abs(np.subtract(got, ENERGIES[name, d])).max() <= SIX_DIGITS


@given(d=st.sampled_from([3, 8, 40]), u=st.floats(-1, 1))
def test_energies_of_relu_are_those_of_its_closed_form(d, u):
    # Of a kernel with a kink at u = +-1 the first 30 degrees leave 4 % at most.
    gamma = theory.energies(activation("relu"), d, 30)
    series = gamma @ gegenbauer.polynomials(d, 30, np.array(u))
    assert abs(series - u * (math.pi - math.acos(u)) / (2 * math.pi)) <= 0.5 - gamma.sum() + 1e-12


@pytest.mark.parametrize("k", [0, 1, 2, 4])
def test_energies_are_projections_of_relus_closed_form(k):
    t, weights = gegenbauer.sphere_quadrature(12)
    closed = t * (np.pi - np.arccos(t)) / (2 * np.pi)
    exact = gegenbauer.dimension(12, k) * weights @ (closed * gegenbauer.polynomials(12, k, t)[k])
    assert abs(theory.energies(activation("relu"), 12, k + 1)[k] - exact) <= 1e-12


@pytest.mark.parametrize("name", ["erf_sqrt2", "gelu", "silu", "softplus", "sigmoid"])
def test_energies_of_smooth_activations_sum_to_the_diagonal(name):
    total = theory.energies(activation(name), 8, 40).sum()
    missing = theory.diagonal(activation(name), 8) - total
    # What is missing is the tail, which is positive and smaller than any energy kept so far.
    assert -1e-12 <= missing <= 1e-6


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_energies_have_the_parity_of_the_activation(name):
    gamma = theory.energies(activation(name), 20, 6)
    parity = activation(name).parity
    if parity:
        # K has the parity of sigma' times u: odd for an odd sigma, even for an even one.
        absent = gamma[0::2] if parity == -1 else gamma[1::2]
        assert np.abs(absent).max() <= 1e-24 * max(gamma.max(), 1.0)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@pytest.mark.parametrize("d", [5, 60])
def test_operator_levels_add_up_to_the_diagonal_and_none_is_negative(name, d):
    eigenvalues, counts, tail = theory.operator_levels(activation(name), d)
    assert (eigenvalues >= 0).all()
    assert tail >= 0
    diagonal = theory.diagonal(activation(name), d)
    assert eigenvalues @ counts + tail == pytest.approx(diagonal, rel=2e-12)


def test_polynomials_have_no_levels_beyond_their_degree():
    eigenvalues, _, tail = theory.operator_levels(activation("quadratic"), 20)
    assert np.flatnonzero(eigenvalues).tolist() == [0, 2]
    assert tail == 0


@pytest.mark.parametrize(
    ("d", "pilot", "spread"),
    [
        (20, 0.203, 0.012),
        (40, 0.1443, 0.0039),
        (80, 0.0980, 0.0019),
        (160, 0.0675, 0.0011),
        (320, 0.0462, 0.0005),
    ],
)
def test_residual_norm_meets_the_pilots_of_the_spec(d, pilot, spread):
    relu = activation("relu")
    allowed = theory.residual_norm_remainder(relu, 3 * d, d) + of_pilot(spread, 1e-4)
    assert abs(theory.residual_norm(relu, 3 * d, d) - pilot) <= allowed


@pytest.mark.parametrize(
    ("name", "n", "d", "degree"), [("relu", 200, 50, 1), ("tanh", 240, 60, 1), ("gelu", 300, 14, 2)]
)
def test_residual_norm_is_the_mean_over_inputs(name, n, d, degree):
    fn = activation(name)
    norms = []
    for seed in range(8):
        x = sphere(n, d, seed)
        low = gegenbauer.polynomials(d, degree, x @ x.T / d)
        low = np.tensordot(theory.energies(fn, d, degree), low, axes=1)
        residual = kernel(name, x) - low - theory.tail_energy(fn, d, degree) * np.eye(n)
        norms.append(np.abs(np.linalg.eigvalsh(residual)).max())
    mean, allowed = interval(norms)
    allowed += theory.residual_norm_remainder(fn, n, d, degree=degree)
    assert abs(mean - theory.residual_norm(fn, n, d, degree=degree)) <= allowed


@pytest.mark.parametrize(
    ("name", "d", "degree", "count"),
    [("relu", 60, 1, 61), ("relu", 10, 2, 65), ("tanh", 60, 1, 60)],
)
def test_outliers_are_counted_by_the_dimensions_of_the_degrees_present(name, d, degree, count):
    assert theory.outliers(activation(name), d, degree=degree) == count


def test_edges_meet_the_spectral_gaps_of_the_spec():
    # Spec, section 2: ReLU d=60, n=480 (61 outliers), tanh d=60 (60), ReLU d=10, n=700, l=2 (65).
    relu, tanh = activation("relu"), activation("tanh")
    # 2 %, the accuracy of the edges; the pilot's own spread; a Tracy-Widom shift either way.
    assert theory.bulk_edges(relu, 480, 60)[1] == pytest.approx(0.4359, rel=0.02)
    assert theory.band_edges(relu, 480, 60) == pytest.approx((1.083, 3.912), abs=5e-4)
    assert theory.support(relu, 480, 60)[:, 1] == pytest.approx([0.4359, 3.912], rel=0.02)
    assert theory.band_edges(tanh, 480, 60)[0] == pytest.approx(1.378, rel=0.05)
    assert theory.bulk_edges(tanh, 480, 60)[1] == pytest.approx(0.1106, rel=0.02)
    assert theory.band_edges(relu, 700, 10, degree=2)[0] == pytest.approx(1.131, rel=0.04)


@pytest.mark.parametrize(("name", "n", "d"), [("relu", 300, 40), ("tanh", 200, 50)])
def test_support_holds_the_spectrum_but_for_one_percent(name, n, d):
    spectrum = np.linalg.eigvalsh(kernel(name, sphere(n, d)))
    bands = theory.support(activation(name), n, d)
    inside = (spectrum[:, None] >= 0.98 * bands[:, 0]) & (spectrum[:, None] <= 1.02 * bands[:, 1])
    assert inside.any(axis=1).mean() >= 0.99
    assert (np.diff(bands.ravel()) > 0).all()


def test_constant_eigenvalue_lies_between_the_bands():
    # Level repulsion by degree 1 matters: gamma_{>0} + n gamma_0 alone is 5.39.
    relu = activation("relu")
    top = []
    for seed in range(6):
        w, vectors = np.linalg.eigh(kernel("relu", sphere(600, 20, seed)))
        top.append(w[np.argmax(np.abs(vectors.sum(axis=0)))])
    mean, allowed = interval(top)
    value = theory.constant_eigenvalue(relu, 600, 20)
    assert value is not None
    assert abs(mean - value) <= allowed + 0.02 * value
    assert theory.support(relu, 600, 20)[-2, 1] < value < theory.support(relu, 600, 20)[-1, 0]


def test_odd_kernels_have_no_constant_eigenvalue():
    assert theory.constant_eigenvalue(activation("tanh"), 600, 20) is None


@pytest.mark.parametrize(
    ("n", "d", "degree", "pilot", "spread"),
    [
        (60, 20, 1, 0.1347, 0.0082),
        (120, 40, 1, 0.1612, 0.0020),
        (240, 80, 1, 0.1853, 0.0021),
        (480, 160, 1, 0.2023, 0.0010),
        (960, 320, 1, 0.2158, 0.0003),
        (854, 90, 1, 0.1406, 0.0004),
        (600, 20, 2, 0.0686, 0.0018),
        (50, 200, 1, 0.316, 0.0034),
        (100, 200, 1, 0.271, 0.0034),
        (220, 200, 1, 0.236, 0.0034),
        (300, 200, 1, 0.227, 0.0034),
    ],
)
def test_min_eigenvalue_meets_the_pilots_of_the_spec(n, d, degree, pilot, spread):
    relu = activation("relu")
    allowed = theory.min_eigenvalue_remainder(relu, n, d, degree=degree)
    allowed += of_pilot(spread, 1e-4 if pilot < 0.22 else 1e-3)
    assert abs(theory.min_eigenvalue(relu, n, d, degree=degree) - pilot) <= allowed


@pytest.mark.parametrize(
    ("n", "d", "extra"), [(60, 20, 0.0), (50, 100, 0.25 * (1 - math.sqrt(1 / 2)) ** 2)]
)
def test_min_eigenvalue_is_its_formula_of_the_table_of_energies(n, d, extra):
    # Written out, since the remainder below grows with an error of the formula.
    _, _, energy, *_, tail, _, _ = ENERGIES["relu", d]
    rows = n - (1 + d if n > d else 0)
    root = math.sqrt(rows / (d * (d + 1) / 2 - 1))
    exact = tail - energy * (1 - (1 - root) ** 2) + extra
    assert abs(theory.min_eigenvalue(activation("relu"), n, d) - exact) <= 3 * SIX_DIGITS


def test_min_eigenvalue_meets_the_pilot_of_tanh():
    tanh = activation("tanh")
    allowed = theory.min_eigenvalue_remainder(tanh, 960, 320) + 5e-5
    assert abs(theory.min_eigenvalue(tanh, 960, 320) - 0.0956) <= allowed


@pytest.mark.parametrize(
    ("name", "n", "d", "degree"),
    [
        *[("relu", 240, 80, 1), ("relu", 60, 100, 1), ("relu", 120, 100, 1), ("gelu", 150, 50, 1)],
        *[("tanh", 240, 80, 1), ("tanh", 200, 20, 1), ("erf", 240, 30, 1)],
        *[("relu", 252, 14, 2), ("gelu", 300, 14, 2), ("relu", 300, 10, 2)],
    ],
)
def test_min_eigenvalue_remainder_covers_the_mean_over_inputs(name, n, d, degree):
    fn = activation(name)
    values = [np.linalg.eigvalsh(kernel(name, sphere(n, d, seed)))[0] for seed in range(10)]
    mean, allowed = interval(values)
    allowed += theory.min_eigenvalue_remainder(fn, n, d, degree=degree)
    assert abs(mean - theory.min_eigenvalue(fn, n, d, degree=degree)) <= allowed


@pytest.mark.parametrize(("n", "d"), [(25, 100), (50, 100), (100, 100), (120, 100), (300, 100)])
def test_expected_min_eigenvalue_is_the_mean_on_both_sides_of_n_equal_d(n, d):
    values = [np.linalg.eigvalsh(kernel("relu", sphere(n, d, seed)))[0] for seed in range(12)]
    mean, allowed = interval(values)
    expected = theory.expected_min_eigenvalue(activation("relu"), n, d)
    assert abs(mean - expected) <= allowed + 0.015 * expected


def test_expected_min_eigenvalue_of_a_polynomial_beyond_its_rank_is_zero():
    assert theory.expected_min_eigenvalue(activation("quadratic"), 211, 20) == 0
    assert theory.expected_min_eigenvalue(activation("quadratic"), 100, 20) > 0.01


def test_min_eigenvalue_tends_to_its_limit_from_below():
    relu = activation("relu")
    gaps = [
        theory.min_eigenvalue_limit(relu) - theory.min_eigenvalue(relu, 3 * d, d)
        for d in (40, 160, 640, 2560)
    ]
    assert all(gap > 0 for gap in gaps)
    assert all(later < sooner for sooner, later in pairwise(gaps))


def test_min_eigenvalue_remainder_shrinks_with_d():
    relu = activation("relu")
    sizes = [theory.min_eigenvalue_remainder(relu, 3 * d, d) for d in (20, 80, 320)]
    assert sizes[0] > 4 * sizes[1] > 16 * sizes[2]


def test_degree_zero_and_degree_one_agree_for_fewer_samples_than_dimensions():
    relu = activation("relu")
    zero = theory.min_eigenvalue(relu, 50, 200, degree=0)
    one = theory.min_eigenvalue(relu, 50, 200, degree=1)
    allowed = theory.min_eigenvalue_remainder(relu, 50, 200)
    assert abs(zero - one) <= allowed


def test_min_eigenvalue_refuses_a_polynomial_activation():
    with pytest.raises(InputError, match="no polynomial of degree <= 2"):
        theory.min_eigenvalue(activation("quadratic"), 500, 20, degree=2)


def test_min_eigenvalue_refuses_samples_outside_its_range():
    with pytest.raises(InputError, match=r"needs 0 < n' < B"):
        theory.min_eigenvalue(activation("relu"), 5000, 20)


def test_band_edges_refuse_degrees_that_are_absent_or_have_too_few_samples():
    for name, n, degree in (("tanh", 600, 2), ("relu", 200, 2)):
        with pytest.raises(InputError, match="degree needs to be one of the kernel's"):
            theory.band_edges(activation(name), n, 20, degree=degree)


@pytest.mark.parametrize(("n", "d"), [(50, 100), (50, 200), (100, 100)])
def test_expected_min_eigenvalue_remainder_covers_the_mean_over_inputs(n, d):
    relu = activation("relu")
    mean, allowed = interval(
        [np.linalg.eigvalsh(kernel("relu", sphere(n, d, seed)))[0] for seed in range(16)]
    )
    allowed += theory.expected_min_eigenvalue_remainder(relu, n, d)
    assert abs(mean - theory.expected_min_eigenvalue(relu, n, d)) <= allowed


def test_largest_bulk_eigenvalue_remainder_covers_the_mean_over_inputs():
    relu = activation("relu")
    place = theory.outliers(relu, 40)
    mean, allowed = interval(
        [
            np.linalg.eigvalsh(kernel("relu", sphere(240, 40, seed)))[::-1][place]
            for seed in range(16)
        ]
    )
    allowed += theory.largest_bulk_eigenvalue_remainder(relu, 240, 40)
    assert abs(mean - theory.largest_bulk_eigenvalue(relu, 240, 40)) <= allowed
