"""Omniscient risk and scaling laws: against closed forms, against each other, and their limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.errors import InputError
from ntval.theory import ridge_equivalents
from ntval.theory import wei_hu_steinhardt as theory

SPECTRA = {"decay": st.floats(0.0, 2.5), "ridge": st.floats(1e-3, 10.0)}
ROUNDING = 1e-10  # of roots found to 2^-50, times condition numbers up to 1e4 in this range


@given(**SPECTRA)
def test_the_effective_dimension_is_n_less_ridge_over_threshold(decay, ridge):
    dimension = theory.effective_dimension(50, 120, decay=decay, ridge=ridge)
    kappa = theory.threshold(50, 120, decay=decay, ridge=ridge)
    assert abs(dimension - (50 - ridge / kappa)) <= ROUNDING * 50
    modes = [theory.learnability(50, 120, decay=decay, ridge=ridge, mode=i) for i in range(1, 121)]
    assert abs(dimension - math.fsum(modes)) <= ROUNDING * 50


@given(**SPECTRA)
def test_overfitting_is_the_derivative_of_the_threshold(decay, ridge):
    step = 1e-4 * ridge
    above, below = (
        theory.threshold(50, 120, decay=decay, ridge=ridge + side) for side in (step, -step)
    )
    slope = 50 * (above - below) / (2 * step)
    # A central difference: 1e-8 of the third derivative, and rounding of kappa over the step.
    kappa = theory.threshold(50, 120, decay=decay, ridge=ridge)
    allowed = 1e-6 + 50 * 1e-14 * kappa / step
    assert abs(slope - theory.overfitting(50, 120, decay=decay, ridge=ridge)) <= allowed


@given(**SPECTRA, alignment=st.floats(0.5, 3.0), noise=st.floats(0.0, 1.0))
def test_train_error_is_the_squared_shrinkage_of_the_risk(decay, ridge, alignment, noise):
    fields = {"decay": decay, "ridge": ridge}
    labels = {"alignment": alignment, "noise_std": noise}
    risk = theory.omniscient_risk(50, 120, **fields, **labels)
    train = theory.train_error(50, 120, **fields, **labels)
    ratio = theory.train_test_ratio(50, 120, **fields)
    assert abs(train - ratio * risk) <= ROUNDING * train
    assert ratio == theory.shrinkage(50, 120, **fields) ** 2


@pytest.mark.parametrize("ridge", [0.0, 0.3 * 60])
def test_equal_variances_give_the_isotropic_closed_form(ridge):
    # Here the target has mean square 1 over `features` directions of variance 1.
    n, features, noise = 60, 150, 0.4
    risk = theory.omniscient_risk(
        n, features, decay=0.0, alignment=0.0, ridge=ridge, noise_std=noise
    )
    of = {"ridge": ridge / features}
    closed = ridge_equivalents.isotropic_bias(n / features, **of)
    closed += noise**2 * (1 + ridge_equivalents.isotropic_variance(n / features, **of))
    assert abs(risk / closed - 1) <= ROUNDING


@pytest.mark.parametrize("decay", [1.5, 2.0, 3.0])
def test_the_threshold_without_a_ridge_tends_to_its_power_law(decay):
    features = 200_000
    for n in (100, 400):
        kappa = theory.threshold(n, features, decay=decay, ridge=0.0)
        # Features that are left out, of the sum over them: their integral over kappa.
        left_out = features ** (1 - decay) / (decay - 1) / kappa
        n_of_all = n + left_out
        ratio = kappa / theory.ridgeless_threshold(n_of_all, decay=decay)
        assert abs(ratio - (1 - decay / (2 * n_of_all))) <= (decay / n) ** 2 + 1e-5


@pytest.mark.parametrize("alignment", [1.8, 2.5, 6.0])
def test_local_exponents_without_a_ridge_are_near_their_limits(alignment):
    limit = theory.ridgeless_risk_exponent(decay=2.0, alignment=alignment)
    local = theory.local_exponent(400, 1_000_000, decay=2.0, alignment=alignment, factor=4.0)
    # Measured in the spec, 3.3: -0.800, -1.498 and -3.994.
    assert abs(local - limit) <= 0.01


@pytest.mark.parametrize(("alignment", "limit"), [(1.8, -0.8 / 1.8), (6.0, -4 / 5)])
def test_the_optimal_exponent_is_that_of_the_smaller_power(alignment, limit):
    found = theory.optimal_risk_exponent(decay=2.0, alignment=alignment)
    assert abs(found - limit) <= 1e-14


def test_remainders_are_refused_where_they_were_not_measured():
    with pytest.raises(InputError, match=r"n needs to be >= 50 .* got n=49"):
        theory.gcv_remainder(49, 200)
    with pytest.raises(InputError, match="at most half of features"):
        theory.learnability_remainder(100, 150)


@pytest.mark.parametrize(
    ("match", "call"),
    [
        ("decay needs to be > 1, got 1.0", lambda: theory.ridgeless_threshold(9, decay=1.0)),
        ("n needs to be > 0", lambda: theory.ridgeless_threshold(0, decay=2.0)),
        ("features needs to be >= 1", lambda: theory.power_law(0, 1.0)),
        (
            "mode needs to be between 1 and features=5",
            lambda: theory.learnability(3, 5, decay=1.0, ridge=1.0, mode=6),
        ),
        (
            "factor needs to be > 1",
            lambda: theory.local_exponent(3, 9, decay=2.0, alignment=2.0, factor=1.0),
        ),
    ],
)
def test_bad_arguments_are_named(match, call):
    with pytest.raises(InputError, match=match):
        call()


def test_energies_sum_to_one():
    target = theory.power_law_target(300, 1.8, 0.3)
    assert abs(np.sum(target.energies) - 1) <= 1e-13
