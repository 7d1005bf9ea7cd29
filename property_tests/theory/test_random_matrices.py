"""Edges and equivalents against closed forms, polynomial roots and small simulations."""

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import assume, given
from hypothesis import strategies as st
from simulation import interval

from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.theory import ridge_equivalents, spectral_edges
from ntval.theory.ridge_equivalents import Target

# (B, V) of spec montanari_zhong, section 3, six digits.
BIAS_VARIANCE = {
    (0.5, 1): (0.674437, 0.106339),
    (1, 1): (0.447214, 0.170820),
    (2, 1): (0.207107, 0.207107),
    (2, 0.1): (0.012272, 0.721571),
    (4, 1): (0.065248, 0.170820),
    (4, 2): (0.153738, 0.109272),
}
SIX_DIGITS = 5e-7
RATIOS = st.floats(0.01, 100)
RIDGES = st.floats(1e-6, 100)
LEVELS = st.lists(
    st.tuples(st.floats(1e-4, 10), st.integers(1, 5000)), min_size=1, max_size=4, unique=True
)


def gaussian_gram(eigenvalues, multiplicities, n, seed):
    """Gram matrix of n Gaussian feature vectors of covariance diag(e_k), and its features."""
    roots = np.sqrt(np.repeat(eigenvalues, multiplicities))
    features = np.random.default_rng(seed).standard_normal((n, len(roots))) * roots
    return features @ features.T


def is_inside(x, eigenvalues, multiplicities, n, tail):
    """Whether z(t) = x has complex roots t: then x lies within a band of the spectrum."""
    numerator = np.polynomial.Polynomial([tail - x, n])
    factors = [np.polynomial.Polynomial([-e, 1]) for e in eigenvalues]
    equation = numerator * math.prod(factors, start=np.polynomial.Polynomial([1]))
    for k, (e, count) in enumerate(zip(eigenvalues, multiplicities, strict=True)):
        others = factors[:k] + factors[k + 1 :]
        equation += math.prod(others, start=np.polynomial.Polynomial([0, count * e]))
    roots = equation.roots()
    return np.abs(roots.imag).max() > 1e-6 * np.abs(roots).max()


@given(dimension=st.integers(1, 5000), n=st.integers(1, 5000))
def test_one_level_has_the_edges_of_marchenko_and_pastur(dimension, n):
    assume(n != dimension)
    edges = spectral_edges.marchenko_pastur_edges(n / dimension)
    got = spectral_edges.support([1 / dimension], [dimension], n)
    assert got[0] == pytest.approx(edges, rel=1e-9, abs=1e-14 * edges[1])


@pytest.mark.parametrize("tail", [0.0, 0.3])
@pytest.mark.parametrize("n", [40, 400])
@pytest.mark.parametrize(
    ("eigenvalues", "multiplicities"),
    [((0.01, 0.5), (150, 20)), ((0.002, 0.03, 0.5), (900, 80, 10)), ((0.01, 0.012), (300, 200))],
)
def test_between_its_edges_and_only_there_the_map_has_complex_inverses(
    eigenvalues, multiplicities, n, tail
):
    bands = spectral_edges.support(eigenvalues, multiplicities, n, tail=tail)
    step = 1e-3 * np.diff(bands, axis=1).min()
    for lower, upper in bands:
        for x, inside in (
            (lower - step, False),
            (lower + step, True),
            (upper - step, True),
            (upper + step, False),
        ):
            assert is_inside(x, eigenvalues, multiplicities, n, tail) == inside


def test_bands_hold_as_many_eigenvalues_as_their_levels_have():
    levels, counts, n = [0.002, 0.05, 1.0], [2000, 60, 12], 400
    bands = spectral_edges.support(levels, counts, n)
    spectrum = np.linalg.eigvalsh(gaussian_gram(levels, counts, n, seed=0))
    borders = (bands[:-1, 1] + bands[1:, 0]) / 2
    assert np.bincount(np.searchsorted(borders, spectrum)).tolist() == [n - 72, 60, 12]
    assert spectrum[0] >= 0.97 * bands[0, 0]
    assert spectrum[-1] <= 1.1 * bands[-1, 1]


@given(levels=LEVELS, n=st.integers(1, 3000), tail=st.floats(0, 1))
def test_edges_ascend_and_a_tail_shifts_them(levels, n, tail):
    eigenvalues, multiplicities = zip(*levels, strict=True)
    bands = spectral_edges.support(eigenvalues, multiplicities, n)
    shifted = spectral_edges.support(eigenvalues, multiplicities, n, tail=tail)
    assert (np.diff(bands.ravel()) >= -1e-9 * bands[-1, 1]).all()
    assert np.abs(shifted - bands - tail).max() <= 1e-12 * (tail + bands[-1, 1])


def test_a_level_of_0_adds_nothing_and_a_tail_is_0_unless_it_is_given():
    levels, counts, n = [0.0, 1.0, 0.01], [7, 5, 300], 40
    for edge in (spectral_edges.lower_edge, spectral_edges.upper_edge, spectral_edges.support):
        without = edge(levels[1:], counts[1:], n)
        # To the bit: a level of 0 is dropped first.
        assert np.array_equal(edge(levels, counts, n), without)
        assert np.array_equal(edge(levels[1:], counts[1:], n, tail=0.0), without)
    with pytest.raises(InputError, match="multiplicities and n > 0"):
        spectral_edges.support([1.0, 0.01], [5, 0], n)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_bands_scale_with_their_levels(scale):
    levels, counts, n = np.array([0.002, 0.05, 1.0]), [2000, 60, 12], 400
    bands = spectral_edges.support(levels, counts, n)
    assert len(bands) == 3
    # Critical points are sought to 2^-50.
    scaled = spectral_edges.support(scale * levels, counts, n)
    assert scaled == pytest.approx(scale * bands, rel=rounding_allowance(200), abs=0)


@given(dimension=st.integers(2, 5000), n=st.integers(2, 5000))
def test_edge_scales_of_one_level_are_johnstones(dimension, n):
    assume(abs(n - dimension) > 0.01 * dimension)
    big, small = math.sqrt(max(n, dimension)), math.sqrt(min(n, dimension))
    lower = (big - small) * (1 / small - 1 / big) ** (1 / 3) / dimension
    upper = (big + small) * (1 / small + 1 / big) ** (1 / 3) / dimension
    level = ([1 / dimension], [dimension], n)
    assert spectral_edges.lower_edge(*level)[1] == pytest.approx(lower, rel=1e-6)
    assert spectral_edges.upper_edge(*level)[1] == pytest.approx(upper, rel=1e-6)


# Bornemann, On the numerical evaluation of distributions in random matrix theory (2010), table of
# moments, beta = 1.
PUBLISHED_TRACY_WIDOM_MEAN = -1.2065335745820


def test_the_tracy_widom_mean_is_the_published_one():
    assert spectral_edges.TRACY_WIDOM_MEAN == PUBLISHED_TRACY_WIDOM_MEAN


def test_the_tracy_widom_mean_is_that_of_the_largest_eigenvalue_of_symmetric_matrices():
    # The tridiagonal form of Dumitriu and Edelman (2002), largest rows alone: eigenvectors of the
    # edge lie within some n^(1/3) of them (Edelman and Persson, 2005).
    n, draws = 10**5, 300
    size = int(10 * n ** (1 / 3))
    rng = np.random.default_rng(0)
    values = []
    for _ in range(draws):
        diagonal = math.sqrt(2) * rng.standard_normal(size)
        beside = np.sqrt(rng.chisquare(n - np.arange(1, size)))
        top = scipy.linalg.eigvalsh_tridiagonal(
            diagonal, beside, select="i", select_range=(size - 1, size - 1)
        )
        values.append((top[0] - 2 * math.sqrt(n)) * n ** (1 / 6))
    mean, allowed = interval(values)
    # One row more or less moves the centre 2 sqrt(n) by n^(-1/2), hence the value by n^(-1/3).
    assert abs(mean - spectral_edges.TRACY_WIDOM_MEAN) <= allowed + n ** (-1 / 3)


def test_mean_smallest_eigenvalue_is_the_edge_plus_its_tracy_widom_shift():
    levels, counts, n = [0.001, 0.02], [1000, 50], 80
    edge, scale = spectral_edges.lower_edge(levels, counts, n)
    mean, allowed = interval(
        [np.linalg.eigvalsh(gaussian_gram(levels, counts, n, seed))[0] for seed in range(40)]
    )
    expected = edge - spectral_edges.TRACY_WIDOM_MEAN * scale
    assert abs(mean - expected) <= allowed + 0.01 * expected
    # The shift is there: without it the mean would be refuted.
    assert abs(mean - edge) > allowed


def test_a_spike_is_an_eigenvalue_of_its_own():
    levels, counts, n, spike = [0.002, 0.04], [800, 25], 100, 0.2
    expected = spectral_edges.spike(spike, levels, counts, n)
    mean, allowed = interval(
        [
            np.linalg.eigvalsh(gaussian_gram(levels, counts, n, seed) + spike)[-1]
            for seed in range(20)
        ]
    )
    assert abs(mean - expected) <= allowed + expected / n


def test_a_spike_below_the_band_next_to_it_is_swallowed():
    assert spectral_edges.spike(0.0011, [0.001, 0.02], [3000, 50], 200) is None
    assert spectral_edges.spike(0.001, [0.001, 0.02], [3000, 50], 200) is None


@given(levels=LEVELS, n=st.floats(1, 3000), ridge=RIDGES, tail=st.floats(0, 1))
def test_the_equivalent_solves_its_equations(levels, n, ridge, tail):
    eigenvalues, multiplicities = (np.array(column, float) for column in zip(*levels, strict=True))
    got = ridge_equivalents.ridge_equivalent(eigenvalues, multiplicities, n, ridge=ridge, tail=tail)
    learned = eigenvalues / (eigenvalues + got.threshold)
    # Each side is a sum or a product and a quotient; that of the dimension adds up 4 products.
    quotient, dimension = (rounding_allowance(2 * count) for count in (2, 2 + 4))
    assert got.learnabilities == pytest.approx(learned, rel=quotient, abs=0)
    total = multiplicities @ learned + (ridge + tail) / got.threshold
    assert total == pytest.approx(n, rel=1e-12)
    assert got.effective_dimension == pytest.approx(multiplicities @ learned, rel=dimension, abs=0)
    assert 1 / got.overfitting == pytest.approx(1 - multiplicities @ learned**2 / n, rel=1e-9)
    assert got.residual_factor == pytest.approx(ridge / (n * got.threshold), rel=quotient, abs=0)


@given(levels=LEVELS, excess=st.integers(1, 3000))
def test_without_a_ridge_and_with_enough_samples_the_equivalent_is_least_squares(levels, excess):
    eigenvalues, multiplicities = zip(*levels, strict=True)
    p = sum(multiplicities)
    n = p + excess
    got = ridge_equivalents.ridge_equivalent(eigenvalues, multiplicities, n, ridge=0.0)
    target = Target(energies=(1.0,) * len(eigenvalues), noise_std=2.0)
    assert ridge_equivalents.risk(got, target) == pytest.approx(4 * p / (n - p), rel=1e-12)
    assert ridge_equivalents.train_error(got, target) == pytest.approx(4 * (n - p) / n, rel=1e-12)


@given(levels=LEVELS, n=st.integers(1, 3000))
def test_a_small_ridge_is_close_to_none(levels, n):
    eigenvalues, multiplicities = zip(*levels, strict=True)
    assume(abs(sum(multiplicities) - n) > 0.05 * n)
    none, small = (
        ridge_equivalents.ridge_equivalent(eigenvalues, multiplicities, n, ridge=ridge)
        for ridge in (0.0, 1e-12)
    )
    assert none.overfitting == pytest.approx(small.overfitting, rel=1e-4)
    assert none.learnabilities == pytest.approx(small.learnabilities, rel=1e-4)


@pytest.mark.parametrize("setting", BIAS_VARIANCE)
def test_isotropic_bias_and_variance_equal_the_table(setting):
    ratio, ridge = setting
    got = (
        ridge_equivalents.isotropic_bias(ratio, ridge=ridge),
        ridge_equivalents.isotropic_variance(ratio, ridge=ridge),
    )
    assert np.abs(np.subtract(got, BIAS_VARIANCE[setting])).max() <= SIX_DIGITS


@given(ratio=RATIOS, ridge=st.floats(1e-12, 100))
def test_isotropic_bias_and_variance_are_theorem_e_in_fifty_digits(ratio, ridge):
    with mp.workdps(50):
        delta, gamma = mp.mpf(ratio), mp.mpf(ridge)
        root = mp.sqrt((delta - 1 + gamma) ** 2 + 4 * gamma)
        bias = (1 - delta + root - gamma * (1 + delta + gamma) / root) / 2
        variance = ((1 + delta + gamma) / root - 1) / 2
    assert ridge_equivalents.isotropic_bias(ratio, ridge=ridge) == pytest.approx(
        float(bias), rel=1e-12
    )
    assert ridge_equivalents.isotropic_variance(ratio, ridge=ridge) == pytest.approx(
        float(variance), rel=1e-12
    )


@given(ratio=RATIOS, ridge=RIDGES)
def test_isotropic_bias_and_variance_are_the_equivalent_of_one_level(ratio, ridge):
    one = ridge_equivalents.ridge_equivalent([1.0], [1.0], ratio, ridge=ridge)
    bias = ridge_equivalents.risk(one, Target(energies=(1.0,)))
    variance = ridge_equivalents.risk(one, Target(energies=(), noise_std=1.0))
    assert ridge_equivalents.isotropic_bias(ratio, ridge=ridge) == pytest.approx(bias, rel=1e-9)
    assert ridge_equivalents.isotropic_variance(ratio, ridge=ridge) == pytest.approx(
        variance, rel=1e-9
    )


@given(ratio=RATIOS)
def test_without_a_ridge_isotropic_regression_is_least_squares_of_least_norm(ratio):
    assume(abs(ratio - 1) > 1e-6)
    bias = ridge_equivalents.isotropic_bias(ratio, ridge=0.0)
    variance = ridge_equivalents.isotropic_variance(ratio, ridge=0.0)
    assert bias == pytest.approx(max(0.0, 1 - ratio), rel=1e-9)
    assert variance == pytest.approx(min(1, ratio) / abs(ratio - 1), rel=1e-9)


def test_variance_without_a_ridge_is_infinite_where_samples_meet_dimensions():
    assert ridge_equivalents.isotropic_variance(1.0, ridge=0.0) == math.inf
    assert ridge_equivalents.isotropic_bias(1.0, ridge=0.0) == 0.0


@pytest.mark.parametrize(("n", "ridge"), [(180, 1.0), (30, 0.1)])
def test_isotropic_bias_and_variance_are_the_means_of_direct_ridge_regression(n, ridge):
    d = 60
    biases, variances = [], []
    for seed in range(40):
        x = np.random.default_rng(seed).standard_normal((n, d))
        spectrum = np.linalg.eigvalsh(x.T @ x / d)
        biases.append(np.mean((ridge / (spectrum + ridge)) ** 2))
        variances.append(np.mean(spectrum / (spectrum + ridge) ** 2))
    for values, exact in (
        (biases, ridge_equivalents.isotropic_bias(n / d, ridge=ridge)),
        (variances, ridge_equivalents.isotropic_variance(n / d, ridge=ridge)),
    ):
        mean, allowed = interval(values)
        assert abs(mean - exact) <= allowed + exact / d


@pytest.mark.parametrize(
    "call",
    [
        lambda: spectral_edges.marchenko_pastur_edges(0.0),
        lambda: spectral_edges.support([1.0], [1.0, 2.0], 3),
        lambda: spectral_edges.support([-1.0], [1.0], 3),
        lambda: spectral_edges.support([0.0], [1.0], 3),
        lambda: ridge_equivalents.ridge_equivalent([1.0], [2.0], 3, ridge=-1.0),
        lambda: ridge_equivalents.ridge_equivalent([1.0], [3.0], 3, ridge=0.0),
        lambda: ridge_equivalents.isotropic_bias(0.0, ridge=1.0),
        lambda: ridge_equivalents.isotropic_variance(1.0, ridge=math.nan),
        lambda: Target(energies=(-1.0,)),
        lambda: Target(energies=(1.0,), noise_std=-1.0),
        lambda: ridge_equivalents.risk(
            ridge_equivalents.ridge_equivalent([1.0], [2.0], 3, ridge=1.0), Target((1.0, 1.0))
        ),
    ],
)
def test_arguments_outside_the_theory_are_refused(call):
    with pytest.raises(InputError, match=r"needs?|needed"):
        call()
