"""Inequalities between eigenvalues, on drawn matrices: singular ones, zero rows and all scales."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.errors import InputError
from ntval.theory import bombari_amani_mondelli as theory


@st.composite
def pairs_of_grams(draw):
    n = draw(st.integers(1, 8))
    grams = []
    for _ in range(2):
        rank = draw(st.integers(1, 8))
        rows = st.lists(st.integers(-3, 3), min_size=rank, max_size=rank)
        scale = draw(st.sampled_from((1e-6, 1.0, 1e6)))
        x = np.array([draw(rows) for _ in range(n)], dtype=float) * scale
        grams.append(x @ x.T)
    return grams


def rounding(*matrices):
    scale = np.prod([max(float(np.trace(matrix)), 0.0) for matrix in matrices])
    return 16 * len(matrices[0]) * np.finfo(float).eps * scale


@given(pairs_of_grams())
def test_bounds_of_one_matrix_enclose_its_smallest_eigenvalue(grams):
    for gram in grams:
        smallest, slack = float(np.linalg.eigvalsh(gram)[0]), rounding(gram)
        assert theory.gershgorin_lower_bound(gram) <= smallest + slack
        upper = [
            theory.pair_upper_bound(gram),
            theory.diagonal_upper_bound(gram),
            theory.trace_upper_bound(gram),
        ]
        assert max(smallest - slack, 0.0) <= upper[0]  # a Gram matrix has no eigenvalue below 0
        assert all(tighter <= looser + slack for tighter, looser in itertools.pairwise(upper))


@given(pairs_of_grams())
def test_schur_bounds_enclose_the_spectrum_of_a_hadamard_product(grams):
    values, slack = np.linalg.eigvalsh(grams[0] * grams[1]), rounding(*grams)
    assert theory.schur_lower_bound(*grams) <= values[0] + slack
    assert values[-1] <= theory.schur_upper_bound(*grams) + slack


@given(pairs_of_grams())
def test_sums_and_fewer_inputs_bound_the_smallest_eigenvalue(grams):
    first, second = grams
    slack = rounding(first) + rounding(second)
    total = float(np.linalg.eigvalsh(first + second)[0])
    assert theory.superadditive_lower_bound(first, second) <= total + slack
    smallest = float(np.linalg.eigvalsh(first)[0])
    for size in range(1, len(first) + 1):
        assert theory.interlacing_upper_bound(first, size) >= max(smallest - slack, 0.0)
    product = float(np.linalg.eigvalsh(first * second)[0])
    assert theory.least_signal_lower_bound(first, second) <= product + rounding(first, second)


@given(pairs_of_grams())
def test_the_inverse_bounds_the_smallest_eigenvalue_from_both_sides(grams):
    n = len(grams[0])
    for gram in grams:
        # Far from singular, where the inverse has digits: a condition number of at most 1e3 n.
        gram = gram + 1e-3 * (float(np.trace(gram)) or 1.0) * np.eye(n)
        smallest = float(np.linalg.eigvalsh(gram)[0])
        share = 1 + 1e4 * n**2 * np.finfo(float).eps
        lower = theory.inverse_lower_bound(gram)
        assert lower <= smallest * share
        assert lower * np.sqrt(n) * share >= smallest
        assert theory.leave_one_out_upper_bound(gram) * share >= smallest
        assert theory.harmonic_upper_bound(gram) * share >= smallest


def test_a_singular_matrix_has_no_inverse():
    for bound in (theory.inverse_lower_bound, theory.harmonic_upper_bound):
        with pytest.raises(InputError, match="positive definite"):
            bound(np.zeros((2, 2)))
    # Of equal inputs: whether a Cholesky factor runs is rounding's choice.
    rows = np.random.default_rng(0).standard_normal((50, 3, 2))
    for gram in (x @ x.T for x in rows[:, [0, 0, 1]]):
        with pytest.raises(InputError, match="of 0 up to rounding"):
            theory.inverse_lower_bound(gram)


@pytest.mark.parametrize("failure", [0.5, 0.01])
def test_deviations_of_means_of_matrices_hold_as_often_as_they_say(failure):
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, np.pi, (4000, 200))
    lines = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    means = np.einsum("kti,ktj->kij", lines, lines) / 200
    away = np.abs(np.linalg.eigvalsh(means - np.eye(2) / 2)).max(axis=1)
    bernstein = theory.bernstein_deviation(0.5, 1.0, 2, 200, failure=failure)
    hoeffding = theory.hoeffding_deviation(2, 200, failure=failure)
    assert (away > bernstein).mean() <= failure
    assert (away > hoeffding).mean() <= failure
    assert bernstein < 0.5  # and both say something
    assert hoeffding < 0.5
    with pytest.raises(InputError, match="failure between 0"):
        theory.bernstein_deviation(0.5, 1.0, 2, 200, failure=0.0)
    with pytest.raises(InputError, match="terms >= 1"):
        theory.hoeffding_deviation(2, 0, failure=0.1)


def test_bounds_are_the_values_of_hand():
    gram = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 4.0]])
    assert theory.gershgorin_lower_bound(gram) == 1.0
    assert theory.diagonal_upper_bound(gram) == 2.0
    assert theory.trace_upper_bound(gram) == 3.0
    assert theory.pair_upper_bound(gram) == pytest.approx(2.5 - np.sqrt(1.25), rel=1e-14)
    assert theory.pair_upper_bound(np.array([[3.0]])) == 3.0
    assert theory.pair_upper_bound(np.zeros((2, 2))) == 0.0
    other = np.diag([1.0, 2.0, 5.0])
    smallest, largest = np.linalg.eigvalsh(gram)[[0, -1]]
    assert theory.schur_lower_bound(gram, other) == pytest.approx(max(2.0, smallest), rel=1e-14)
    assert theory.schur_upper_bound(gram, other) == pytest.approx(min(20.0, 5 * largest), rel=1e-14)


@pytest.mark.parametrize(("n", "failure"), [(1, 0.5), (100, 1e-6)])
@pytest.mark.parametrize("ratio", [1.0, 20.0, 500.0])
def test_deviations_solve_their_equations(ratio, n, failure):
    epsilon = theory.lower_deviation(ratio, n, failure)
    if np.log(n / failure) >= ratio:
        assert epsilon == 1.0
    else:
        exponent = epsilon + (1 - epsilon) * np.log1p(-epsilon)
        assert n * np.exp(-exponent * ratio) == pytest.approx(failure, rel=1e-8)
    above = theory.upper_deviation(ratio, failure)
    exponent = (1 + above) * np.log1p(above) - above
    assert np.exp(-exponent * ratio) == pytest.approx(failure, rel=1e-8)


def test_chernoff_bounds_hold_as_often_as_they_say():
    # Sums of 200 projections on random lines in the plane: mean 100 I, terms of norm 1.
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, np.pi, (4000, 200))
    lines = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    smallest = np.linalg.eigvalsh(np.einsum("kti,ktj->kij", lines, lines))[:, 0]
    low = theory.chernoff_lower_bound(100.0, 1.0, 2, failure=0.01)
    high = theory.chernoff_upper_bound(100.0, 1.0, failure=0.01)
    assert (smallest < low).mean() <= 0.01
    assert (smallest > high).mean() <= 0.01
    assert low > 60  # and it says something


def test_what_cannot_be_bounded_is_zero_and_bad_arguments_are_refused():
    assert theory.chernoff_lower_bound(0.0, 1.0, 5, failure=0.1) == 0.0
    assert theory.chernoff_lower_bound(1.0, 1.0, 5, failure=0.1) == 0.0
    assert theory.chernoff_upper_bound(0.0, 1.0, failure=0.1) == 0.0
    assert theory.upper_deviation(0.0, 0.1) == np.inf
    for bad in ({"failure": 0.0}, {"failure": 1.0}, {"failure": float("nan")}):
        with pytest.raises(InputError, match="failure between 0 and 1"):
            theory.chernoff_lower_bound(1.0, 1.0, 5, **bad)
