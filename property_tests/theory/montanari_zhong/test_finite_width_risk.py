"""Risk at finite width: its limits, its equations, and values worked out elsewhere."""

import numpy as np
import pytest

from ntval.activations import activation
from ntval.errors import InputError
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

RELU, TANH = activation("relu"), activation("tanh")
NOISY = Target((0.0, 1.0), 0.5)


def risk(fn, n, d, width, target=NOISY, ridge=0.0):
    return theory.finite_width_risk(fn, n, d, width, target, ridge=ridge)


# Of the spec, section Z1, to the three digits that it gives.
@pytest.mark.parametrize(
    ("fn", "width", "expected"),
    [
        *((TANH, *pair) for pair in ((10, 0.371), (15, 0.216), (20, 0.165), (40, 0.106))),
        *((RELU, *pair) for pair in ((10, 0.535), (20, 0.252), (40, 0.171), (80, 0.139))),
    ],
)
def test_it_has_the_values_of_the_spec(fn, width, expected):
    assert round(risk(fn, 150, 30, width), 3) == expected


@pytest.mark.parametrize("ridge", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("noise_std", [0.0, 0.5])
def test_infinite_width_has_the_risk_of_kernel_ridge_regression(ridge, noise_std):
    target = Target((0.3, 0.7), noise_std)
    wide = [risk(RELU, 150, 30, 10**p, target, ridge) for p in (5, 6)]
    limit = theory.kernel_ridge_risk(RELU, 150, 30, target, ridge=ridge)
    apart = [abs(value - limit) for value in wide]
    # An error of order 1/N falls by ten from one width to the next, up to its own next order.
    assert apart[1] <= 0.11 * apart[0]
    assert apart[0] <= 0.01 * limit


def test_it_peaks_where_parameters_are_as_many_as_samples():
    near = [risk(TANH, n, 30, 4) for n in (60, 110, 119, 121, 130, 240)]
    assert near[0] < near[1] < near[2]
    assert near[3] > near[4] > near[5]
    assert min(near[2], near[3]) > 10 * max(near[0], near[5])
    with pytest.raises(InputError, match="the risk is infinite there"):
        risk(TANH, 120, 30, 4)
    assert np.isfinite(risk(TANH, 120, 30, 4, ridge=0.01))


def test_a_small_ridge_is_near_none():
    exact = risk(RELU, 100, 20, 12)
    steps = [abs(risk(RELU, 100, 20, 12, ridge=ridge) - exact) for ridge in (1e-4, 1e-5)]
    assert steps[1] <= 0.11 * steps[0]


def test_its_threshold_solves_its_equation():
    # With one level alone, k = n and a ridge the equation is kappa (1 - df1/n)^2 = ridge / n, which
    # a risk of noise alone reveals: R + s^2 = s^2 / (1 - gamma).
    linear = activation("linear")
    n = k = 60
    value = risk(linear, n, 20, 3, Target((0.0,), 1.0), ridge=0.5)
    # K = <x, x'>/d: 20 directions of eigenvalue 1/20.
    kappas = np.geomspace(1e-6, 10.0, 2_000_001)
    df1 = 20 * 0.05 / (0.05 + kappas)
    unmet = kappas * (1 - df1 / n) * (1 - df1 / k) - 0.5 / n
    kappa = kappas[np.abs(np.where(df1 < n, unmet, np.inf)).argmin()]
    one = 0.05 / (0.05 + kappa)
    first, second = 20 * one, 20 * one**2
    share = (k - first) / (k - second)
    expected = 1 / (1 - (first - share * (first - second)) / n) - 1
    spacing = np.log(kappas[1] / kappas[0])  # of the grid on which the root was sought
    assert abs(value / expected - 1) <= 4 * spacing


def test_no_ridge_with_fewer_directions_than_samples_is_refused():
    with pytest.raises(InputError, match="a ridge > 0 with 20 directions for n=60 samples"):
        risk(activation("linear"), 60, 20, 12)


def test_a_negative_ridge_is_refused():
    with pytest.raises(InputError, match=r"ridge needs to be >= 0, got -0\.1"):
        risk(RELU, 100, 20, 12, ridge=-0.1)


@pytest.mark.parametrize(
    ("fn", "d", "width", "named"),
    [("silu", 20, 12, "'silu'"), ("relu", 10, 24, "d between 20"), ("relu", 20, 6, "ratio")],
)
def test_its_remainder_is_refused_where_it_was_not_measured(fn, d, width, named):
    with pytest.raises(InputError, match=named):
        theory.finite_width_risk_remainder(activation(fn), 100, d, width, NOISY, ridge=0.0)
