"""Formulas of Montanari & Zhong at finite width, against pilots of the spec and simulations."""

import numpy as np
import pytest
from simulation import interval, kernel, of_pilot, sphere, width_kernel

from ntval.activations import activation
from ntval.errors import InputError
from ntval.theory import montanari_zhong as theory


@pytest.mark.parametrize(
    ("name", "width", "pilot"),
    [
        *[("relu", 32, 0.864), ("relu", 64, 0.583), ("relu", 128, 0.413), ("relu", 256, 0.276)],
        *[("tanh", 32, 0.915), ("tanh", 64, 0.617), ("tanh", 128, 0.418), ("tanh", 256, 0.286)],
    ],
)
def test_concentration_and_its_remainder_bracket_the_pilots_of_the_spec(name, width, pilot):
    lower = theory.concentration(240, 60, width)
    upper = lower + theory.concentration_remainder(activation(name), 240, 60, width)
    assert lower - of_pilot(0.02, 1e-3) <= pilot <= upper + of_pilot(0.02, 1e-3)


@pytest.mark.parametrize(
    ("name", "width", "pilot", "spread"),
    [
        *[("relu", 20, 0.0132, 0.0008), ("relu", 40, 0.0342, 0.0019)],
        *[("tanh", 20, 0.0075, 0.0), ("tanh", 40, 0.0204, 0.0)],
    ],
)
def test_finite_width_min_eigenvalue_meets_the_pilots_of_the_spec(name, width, pilot, spread):
    spectra = [np.linalg.eigvalsh(kernel(name, sphere(200, 20, seed))) for seed in range(4)]
    values = [theory.finite_width_min_eigenvalue(spectrum, 20, width) for spectrum in spectra]
    mean, own = interval(values)
    share = theory.finite_width_min_eigenvalue_remainder(activation(name), 200, 20, width)
    assert abs(mean - pilot) <= share * mean + of_pilot(spread, 1e-4) + own


@pytest.mark.parametrize(("n", "d", "width"), [(60, 20, 8), (100, 20, 40)])
def test_finite_width_min_eigenvalue_is_that_of_gaussian_features_but_for_its_share(n, d, width):
    eigenvalues = np.linspace(0.2, 2.0, n)
    rng = np.random.default_rng(0)
    smallest = []
    for _ in range(200):
        rows = np.sqrt(eigenvalues)[:, None] * rng.standard_normal((n, width * d))
        smallest.append(np.linalg.eigvalsh(rows @ rows.T / (width * d))[0])
    mean, allowed = interval(np.array(smallest))
    expected = theory.finite_width_min_eigenvalue(eigenvalues, d, width) * (1 + 1.5 / width)
    assert abs(mean - expected) <= allowed + 0.01 * expected  # as spectral_edges.lower_edge states


def test_finite_width_min_eigenvalue_is_zero_below_the_threshold():
    assert theory.finite_width_min_eigenvalue(np.ones(40), 4, 10) == 0
    with pytest.raises(InputError, match="eigenvalues needs numbers > 0"):
        theory.finite_width_min_eigenvalue(np.zeros(40), 4, 20)


@pytest.mark.parametrize("name", ["tanh", "gelu"])
@pytest.mark.parametrize("width", [1, 4, 9, 13])
def test_rank_is_that_of_a_gram_matrix(name, width):
    gram = width_kernel(name, sphere(50, 5), width)
    assert np.linalg.matrix_rank(gram, hermitian=True) == theory.rank(50, 5, width)


@pytest.mark.parametrize("width", [1, 2, 5, 6, 8, 20])
@pytest.mark.parametrize("n", [12, 40])
def test_quadratic_rank_is_that_of_a_gram_matrix(n, width):
    gram = width_kernel("quadratic", sphere(n, 6), width)
    assert np.linalg.matrix_rank(gram, hermitian=True) == theory.quadratic_rank(n, 6, width)


def test_quadratic_rank_meets_the_pilots_of_the_spec():
    got = [theory.quadratic_rank(200, 20, width) for width in (2, 5, 8, 10, 15)]
    assert got == [39, 90, 132, 155, 195]


def test_dead_points_are_counted_right_in_the_mean():
    counts = []
    for seed in range(200):
        weights = sphere(3, 8, seed=1000 + seed)
        counts.append((sphere(64, 8, seed) @ weights.T <= 0).all(axis=1).sum())
    mean, allowed = interval(counts)
    assert theory.dead_points(64, 3) == 8
    assert abs(mean - 8) <= allowed


def test_dead_points_are_zero_rows():
    x = sphere(100, 6)
    gram = width_kernel("relu", x, 2)
    dead = (gram == 0).all(axis=1).sum()  # sums of products with 0, in any order
    assert dead > 0
    assert np.linalg.matrix_rank(gram, hermitian=True) <= min(100 - dead, theory.rank(100, 6, 2))


def test_a_symmetrized_network_has_half_its_width():
    assert theory.effective_width(20, symmetrized=True) == 10
    assert theory.effective_width(21, symmetrized=False) == 21
    with pytest.raises(InputError, match="even"):
        theory.effective_width(21, symmetrized=True)


WIDTHS = (32, 64, 128, 256)


def test_concentration_slope_is_that_of_norms_of_any_samples_between_n_and_n_plus_d():
    relu = activation("relu")
    slope = theory.concentration_slope(240, 60, WIDTHS)
    allowed = theory.concentration_slope_remainder(relu, 240, 60, WIDTHS)
    for samples in (240, 255, 270, 300):
        norms = [theory.concentration(samples, 60, width) for width in WIDTHS]
        fitted = np.polyfit(np.log(WIDTHS), np.log(norms), 1)[0]
        assert abs(fitted - slope) <= allowed - 0.02 + 1e-12
    assert abs(fitted - slope) == pytest.approx(allowed - 0.02, rel=1e-9)  # reached at n + d
    assert allowed < 0.05 * abs(slope)  # a rate 10 % off is seen
    # From 2 / sqrt(8) + 1/8 to 2 / 8 + 1/64 over a factor 8; pilots of the spec: -0.51 to -0.56.
    assert slope == pytest.approx(-np.log(0.8321 / 0.2656) / np.log(8), abs=2e-3)
