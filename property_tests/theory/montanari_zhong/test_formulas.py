"""Formulas and remainders in numbers worked out by hand: psi = n / (N d) = 1/16 where it can be."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ntval.activations import activation
from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.theory import montanari_zhong as theory
from ntval.theory import spectral_edges
from ntval.theory.montanari_zhong.spectrum import degrees_above, heavy_tails
from ntval.theory.ridge_equivalents import Target

# Numbers of a dozen operations.
HAND = {"rel": rounding_allowance(24), "abs": 0}
# The same where a difference leaves a tenth of its terms.
CANCELS = {"rel": rounding_allowance(240), "abs": 0}


def test_the_bound_between_the_regressions_is_of_hand():
    # psi = 1/16: 1.8 / 16 + 0.15 / 4, times the labels' mean square.
    assert theory.ridge_equivalence_bound(80, 20, 64, noise_std=0.0) == pytest.approx(0.15, **HAND)
    assert theory.ridge_equivalence_bound(80, 20, 64, noise_std=2.0) == pytest.approx(0.75, **HAND)


def test_rates_and_their_remainders_are_as_stated():
    assert theory.ridge_equivalence_rate() == -1.0
    assert theory.ridge_equivalence_rate_remainder(80, 20, 64) == pytest.approx(1 / 32, **HAND)
    assert theory.lazy_training() == (-2.0, -1.0)
    assert theory.lazy_training_remainder() == (0.1, 0.02)


def test_concentration_is_the_edge_of_marchenko_and_pastur():
    # 2 / 4 + 1 / 16; with n + d samples psi is 5/64.
    low = theory.concentration(80, 20, 64)
    assert low == pytest.approx(9 / 16, **HAND)
    above = 1.02 * (2 * math.sqrt(5 / 64) + 5 / 64)
    remainder = theory.concentration_remainder(RELU, 80, 20, 64)
    assert remainder == pytest.approx(above - 9 / 16, **CANCELS)
    assert theory.mean_concentration_remainder(RELU, 80, 20, 64) == remainder / 2
    assert theory.mean_concentration(RELU, 80, 20, 64) == pytest.approx(low + remainder / 2, **HAND)


def test_ranks_and_what_they_leave_of_noise():
    assert theory.relative_rank(10, 2, 3) == pytest.approx(0.6, **HAND)
    assert theory.relative_rank(10, 5, 3) == 1.0
    assert theory.noise_train_error(10, 0, noise_std=3.0) == 9.0
    assert theory.noise_train_error(10, 10, noise_std=3.0) == 0.0
    for rank in (-1, 11):
        with pytest.raises(InputError, match="between 0 and n=10"):
            theory.noise_train_error(10, rank, noise_std=1.0)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_the_remainder_of_the_gap_is_of_the_noise_s_part_and_of_the_rest(ridge):
    relu, target = activation("relu"), Target(energies=(0.0, 1.0), noise_std=0.5)

    def gap(target):
        return theory.self_induced_ridge_gap(relu, 120, 40, target, ridge=ridge)

    silent = gap(replace(target, noise_std=0.0))
    expected = (abs(gap(target) - silent) + 20 * abs(silent)) / 40
    found = theory.self_induced_ridge_gap_remainder(relu, 120, 40, target, ridge=ridge)
    assert found == pytest.approx(expected, **HAND)


RELU = activation("relu")
LINEAR = Target(energies=(0.5, 1.0), noise_std=0.5)


def test_remainders_of_risks_are_the_shares_that_they_state():
    silent = Target(energies=(), noise_std=0.5)  # F_0 = 0
    noise = theory.kernel_ridge_risk(RELU, 120, 40, silent, ridge=0.1)
    found = theory.kernel_ridge_risk_remainder(RELU, 120, 40, silent, ridge=0.1)
    assert found == pytest.approx(noise / 160, **HAND)
    bias = theory.kernel_ridge_risk(RELU, 120, 40, LINEAR, ridge=0.1) - noise
    factor = 1 + noise / 0.5**2
    found = theory.kernel_ridge_risk_remainder(RELU, 120, 40, LINEAR, ridge=0.1)
    assert found == pytest.approx((1.5 * factor**2 * bias + noise + 0.5) / 160, **HAND)
    error = theory.kernel_ridge_train_error(RELU, 120, 40, LINEAR, ridge=0.1)
    found = theory.kernel_ridge_train_error_remainder(RELU, 120, 40, LINEAR, ridge=0.1)
    assert found == pytest.approx(error / 100, **HAND)
    risk = theory.linear_target_risk(RELU, 120, 40, ridge=0.1, noise_std=0.5)
    found = theory.linear_target_risk_remainder(RELU, 120, 40, ridge=0.1, noise_std=0.5)
    assert found == pytest.approx(0.03 * risk, **HAND)
    risk = theory.linear_target_risk(RELU, 120, 20, ridge=0.1, noise_std=0.5)
    found = theory.linear_target_risk_remainder(RELU, 120, 20, ridge=0.1, noise_std=0.5)
    assert found == pytest.approx(0.06 * risk, **HAND)


@pytest.mark.parametrize("last", [0, 3, 10])
def test_learned_shares_are_energies_against_the_threshold(last):
    threshold = theory.kernel_ridge_equivalent(RELU, 120, 40, ridge=0.1).threshold
    eigenvalues, _, _ = theory.operator_levels(RELU, 40)
    found = theory.learned_share(RELU, 120, 40, ridge=0.1, last=last)
    expected = [value / (value + threshold) for value in eigenvalues[: last + 1]]
    assert found == pytest.approx(expected, **HAND)
    # ReLU's kernel has degrees 0, 1, 2 and even ones.
    present = [0.1 / 40 if degree in (0, 1) or degree % 2 == 0 else 0.0 for degree in range(11)]
    remainder = theory.learned_share_remainder(RELU, 40, last=last)
    assert remainder == pytest.approx(present[: last + 1], **HAND)


def test_levels_go_to_degree_10_when_none_is_given():
    eigenvalues, counts, tail = theory.operator_levels(RELU, 40)
    assert len(eigenvalues) == len(counts) == 11
    energy = theory.diagonal(RELU, 40)
    assert eigenvalues @ counts + tail == pytest.approx(energy, **CANCELS)


def test_the_ratio_of_train_errors_is_the_square_of_the_share_of_the_ridge():
    tail = theory.tail_energy(RELU, 40, 1)
    ratio = theory.train_error_ratio(RELU, 40, ridge=0.1)
    assert ratio == pytest.approx((0.1 / (0.1 + tail)) ** 2, **HAND)
    assert theory.train_error_ratio(RELU, 40, ridge=tail) == pytest.approx(1 / 4, **HAND)


def test_an_equivalent_of_a_degree_beyond_those_kept_has_that_degree():
    got = theory.polynomial_ridge_equivalent(RELU, 50, 4, ridge=0.1, degree=12)
    assert len(got.learnabilities) == 13
    assert got.learnabilities[12] > 0
    cut = theory.polynomial_ridge_equivalent(RELU, 50, 4, ridge=0.1, degree=2)
    assert len(cut.learnabilities) == 11
    assert (cut.learnabilities[3:] == 0).all()
    assert cut.learnabilities[2] > 0


def test_smallest_eigenvalues_of_finite_width_are_the_middle_of_what_concentration_leaves():
    at = (RELU, 240, 80)
    least, own = theory.min_eigenvalue(*at), theory.min_eigenvalue_remainder(*at)
    eta = theory.concentration(240, 80, 512)
    middle = theory.empirical_min_eigenvalue(*at, 512)
    assert middle == pytest.approx(least * (1 - eta / 2), **HAND)
    room = theory.empirical_min_eigenvalue_remainder(*at, 512)
    assert room == pytest.approx(own + least * eta / 2, **HAND)
    assert theory.min_eigenvalue_bound(240, 80, 512) == pytest.approx(1 - eta, **HAND)


def test_remainders_of_edges_are_the_shares_that_they_state():
    expected = theory.expected_min_eigenvalue(RELU, 50, 200)
    remainder = theory.expected_min_eigenvalue_remainder(RELU, 50, 200)
    assert remainder == pytest.approx(0.015 * expected, **HAND)
    remainder = theory.finite_width_min_eigenvalue_remainder
    assert remainder(RELU, 40, 20, 16) == pytest.approx(0.12, **HAND)
    assert remainder(RELU, 40, 20, 2) == 0.0
    # Through three sizes 16, 64, 256 the constant of the parabola in 1/4, 1/8, 1/16 is Lagrange's.
    sizes = [(48, 16), (192, 64), (768, 256)]
    values = [theory.min_eigenvalue(RELU, n, d) for n, d in sizes]
    constant = (values[0] - 6 * values[1] + 8 * values[2]) / 3
    found = theory.min_eigenvalue_limit_remainder(RELU, sizes)
    assert found == pytest.approx(0.005 + 3 * abs(0.25 - constant), rel=1e-9)
    largest = theory.largest_bulk_eigenvalue(RELU, 240, 80)
    # Inwards of the edge of one degree alone: by the other degrees, and by Tracy and Widom's shift.
    assert 0.9 * theory.bulk_edges(RELU, 240, 80)[1] < largest < theory.bulk_edges(RELU, 240, 80)[1]
    remainder = theory.largest_bulk_eigenvalue_remainder(RELU, 240, 80)
    assert remainder == pytest.approx(0.8 / 80 * largest, **HAND)
    outlier = theory.smallest_outlier(RELU, 240, 40)
    remainder = theory.smallest_outlier_remainder(RELU, 240, 40)
    assert remainder == pytest.approx(2.5 / 40 * outlier, **HAND)


@pytest.mark.parametrize(
    ("degree", "share"), [(1, 0.0), (2, 0.0), (3, 0.5), (4, 0.75), (5, 0.75), (7, 0.75)]
)
def test_heavy_tails_begin_at_degree_3(degree, share):
    assert heavy_tails(degree) == share


def test_edges_of_bulk_and_band_are_those_of_marchenko_and_pastur():
    d, n = 40, 240
    gamma, tail = theory.energies(RELU, d, 2), theory.tail_energy(RELU, d, 1)
    # Degrees 0 and 1 are 41 outliers; degree 2 has d (d + 1) / 2 - 1 directions.
    root = math.sqrt((n - 41) / 819)
    edges = [tail + gamma[2] * ((1 + sign * root) ** 2 - 1) for sign in (-1, 1)]
    assert theory.outliers(RELU, d) == 41
    assert theory.bulk_edges(RELU, n, d) == pytest.approx(edges, **CANCELS)
    band = [tail + gamma[1] * (math.sqrt(n / d) + sign) ** 2 for sign in (-1, 1)]
    assert theory.band_edges(RELU, n, d) == pytest.approx(band, **CANCELS)
    # Fewer samples than dimensions: none is an outlier, and degree 1 is added at the lower edge.
    root = math.sqrt(20 / 819)
    lower = tail + gamma[2] * ((1 - root) ** 2 - 1) + gamma[1] * (1 - math.sqrt(20 / d)) ** 2
    assert theory.min_eigenvalue(RELU, 20, d) == pytest.approx(lower, **CANCELS)
    without = theory.bulk_edges(RELU, 20, d)[0]
    assert without == pytest.approx(tail + gamma[2] * ((1 - root) ** 2 - 1), **CANCELS)


def test_the_residual_is_the_upper_edge_of_the_first_degree_above():
    d, n = 40, 240
    energy, root = theory.energies(RELU, d, 2)[2], math.sqrt(240 / 819)
    found = theory.residual_norm(RELU, n, d)
    assert found == pytest.approx(energy * (2 * root + root**2), **CANCELS)


@pytest.mark.parametrize(
    ("name", "n", "d", "degree"),
    [("relu", 120, 40, 1), ("gelu", 240, 80, 1), ("gelu", 600, 20, 2), ("relu", 600, 20, 2)],
)
def test_the_remainder_of_the_smallest_eigenvalue_has_the_three_terms_it_states(name, n, d, degree):
    fn = activation(name)
    (first, energy, dimension), (_, next_energy, next_dimension), *_ = degrees_above(fn, d, degree)
    eigenvalues, counts, tail = theory.operator_levels(fn, d)
    edge, scale = spectral_edges.lower_edge(eigenvalues[1:], counts[1:], n, tail=tail)
    shift = 1.2065335745820 * scale
    apart = abs(theory.min_eigenvalue(fn, n, d, degree=degree) - (edge + shift))
    others = max(apart, 2 * next_energy * math.sqrt(n / next_dimension))
    ratio = (n - theory.outliers(fn, d, degree=degree)) / dimension
    tails = heavy_tails(first) * energy * math.sqrt(ratio)
    found = theory.min_eigenvalue_remainder(fn, n, d, degree=degree)
    assert found == pytest.approx(shift + others + tails, **CANCELS)


@pytest.mark.parametrize(("degree", "first"), [(1, 2), (2, 4)])
def test_the_remainder_of_the_residual_is_its_shift_and_its_heavy_tails(degree, first):
    d, n = 20, 240
    energy = theory.energies(RELU, d, first)[first]
    dimension = {2: 209, 4: 8645}[first]  # (2k + d - 2) / k times C(k + d - 3, k - 1)
    _, scale = spectral_edges.upper_edge([1 / dimension], [dimension], n)
    tails = {2: 0.0, 4: 0.75}[first] * math.sqrt(n / dimension)
    found = theory.residual_norm_remainder(RELU, n, d, degree=degree)
    assert degree > 1 or theory.residual_norm_remainder(RELU, n, d) == found
    assert found == pytest.approx(energy * (tails + 1.2065335745820 * scale), **CANCELS)


def test_the_smallest_eigenvalue_of_finite_width_needs_a_spectrum_above_0():
    with pytest.raises(InputError, match="eigenvalues needs numbers > 0"):
        theory.finite_width_min_eigenvalue(np.array([1.0, 0.0]), 20, 12)
    assert theory.finite_width_min_eigenvalue(np.ones(40), 20, 2) == 0.0  # N d = n
