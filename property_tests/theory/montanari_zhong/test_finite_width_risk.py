"""Risk at finite width: its limits, its equations, and values worked out elsewhere."""

import dataclasses

import numpy as np
import pytest
from simulation import interval

from ntval.activations import activation
from ntval.errors import InputError
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

RELU, TANH = activation("relu"), activation("tanh")
NOISY = Target((0.0, 1.0), 0.5)


def risk(fn, n, d, width, target=NOISY, ridge=0.0):
    return theory.finite_width_risk(fn, n, d, width, target, ridge=ridge)


# Measured in the spec, section Z1, without a ridge.
@pytest.mark.parametrize(
    ("fn", "width", "measured"),
    [
        *((TANH, *pair) for pair in ((15, 0.221), (20, 0.165), (40, 0.103), (80, 0.082))),
        *((RELU, *pair) for pair in ((20, 0.240), (40, 0.163), (80, 0.137))),
    ],
)
def test_what_the_spec_measured_lies_within_the_remainder(fn, width, measured):
    allowed = theory.finite_width_risk_remainder(fn, 150, 30, width, NOISY, ridge=0.0)
    assert abs(risk(fn, 150, 30, width) - measured) <= allowed


@pytest.mark.parametrize("width", [1, 2, 5, 40])
@pytest.mark.parametrize("n", [15, 60])
def test_a_linear_network_has_no_random_features(n, width):
    # Its K_N is K at every width.
    linear = activation("linear")
    exact = theory.kernel_ridge_risk(linear, n, 20, NOISY, ridge=0.3)
    assert risk(linear, n, 20, width, ridge=0.3) == pytest.approx(exact, rel=1e-9)


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


@pytest.mark.parametrize(("n", "width", "ridge"), [(60, 8, 0.02), (40, 8, 0.2), (60, 3, 0.05)])
def test_it_is_the_risk_of_gaussian_features_that_are_not_random_on_degree_one(n, width, ridge):
    # sigma = x + x^2/2: a kernel of degrees 0, 1 and 2, hence of 90 directions.
    fn = dataclasses.replace(
        activation("quadratic"), fn=lambda t: t + t * t / 2, derivative=lambda t: 1 + t, parity=0
    )
    d, draws, rng = 12, 100, np.random.default_rng(0)
    k, target = width * d, Target((0.0, 0.6, 0.4), 0.3)
    eigenvalues, counts, tail = theory.operator_levels(fn, d)
    assert tail == 0
    assert (eigenvalues[3:] == 0).all()
    degree = np.repeat(np.arange(3), counts[:3].astype(int))
    scale, linear = np.sqrt(eigenvalues[degree]), degree == 1
    risks = []
    for _ in range(draws):
        features = rng.standard_normal((k, len(degree))) / np.sqrt(k)
        features[:, linear] = np.linalg.qr(rng.standard_normal((k, d)))[0]
        prior = (features * scale).T @ (features * scale)
        x = rng.standard_normal((n, len(degree)))
        fit = prior @ x.T @ np.linalg.inv(x @ prior @ x.T + ridge * np.eye(n))
        missed = (np.eye(len(degree)) - fit @ x) ** 2
        shares = [missed[:, degree == q].sum() / counts[q] for q in range(3)]
        risks.append(np.dot(target.energies, shares) + target.noise_std**2 * (fit**2).sum())
    mean, allowed = interval(np.array(risks))
    # A deterministic equivalent of k features is exact up to O(1/k).
    assert abs(risk(fn, n, d, width, target, ridge) / mean - 1) <= allowed / mean + 1 / k


def test_no_ridge_with_fewer_directions_than_samples_is_refused():
    with pytest.raises(InputError, match="a ridge > 0 with 20 directions for n=60 samples"):
        risk(activation("linear"), 60, 20, 12)


def test_a_negative_ridge_is_refused():
    with pytest.raises(InputError, match=r"ridge needs to be >= 0, got -0\.1"):
        risk(RELU, 100, 20, 12, ridge=-0.1)


@pytest.mark.parametrize(
    ("fn", "d", "width", "named"),
    [
        ("silu", 20, 12, "'silu'"),
        ("relu", 10, 24, "d between 20"),
        ("relu", 20, 6, "width"),
        ("relu", 20, 14, "ratio"),
    ],
)
def test_its_remainder_is_refused_where_it_was_not_measured(fn, d, width, named):
    with pytest.raises(InputError, match=named):
        theory.finite_width_risk_remainder(activation(fn), 100, d, width, NOISY, ridge=0.0)
