"""Formulas and remainders in numbers worked out by hand: psi = n / (N d) = 1/16 where it can be."""

import math
from dataclasses import replace

import pytest

from ntval.activations import activation
from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

# Numbers of a dozen operations.
HAND = {"rel": rounding_allowance(24), "abs": 0}


def test_the_bound_between_the_regressions_is_the_root_of_psi_times_the_labels_mean_square():
    assert theory.ridge_equivalence_bound(80, 20, 64, noise_std=0.0) == pytest.approx(1 / 4, **HAND)
    assert theory.ridge_equivalence_bound(80, 20, 64, noise_std=2.0) == pytest.approx(5 / 4, **HAND)


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
    remainder = theory.concentration_remainder(80, 20, 64)
    assert remainder == pytest.approx(above - 9 / 16, rel=rounding_allowance(200))  # cancels
    assert theory.mean_concentration_remainder(80, 20, 64) == remainder / 2
    assert theory.mean_concentration(80, 20, 64) == pytest.approx(low + remainder / 2, **HAND)


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
