"""The smallest eigenvalue of the block K_{L-2}: its bounds and its sharp value, against draws."""

import math

import numpy as np
import pytest

from ntval.activations import activation
from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.theory import bombari_amani_mondelli as theory

ERF = activation("erf")


def features_of(n, width, seed=0):
    return np.random.default_rng(seed).standard_normal((n, width))


def block(fn, features, width, rng, signs=True):
    """K_{L-2} at drawn last layers."""
    fan_in = features.shape[1]
    hidden = features @ rng.standard_normal((fan_in, width)) / math.sqrt(fan_in)
    outer = rng.choice((-1.0, 1.0), width) if signs else rng.standard_normal(width)
    slopes = fn.derivative(hidden) * outer
    return (features @ features.T) * (slopes @ slopes.T)


def smallest(matrix):
    return float(np.linalg.eigvalsh(matrix)[0])


@pytest.mark.parametrize(("n", "fan_in", "width"), [(100, 100, 4000), (60, 40, 2000)])
def test_the_sharp_value_and_both_bounds_enclose_what_is_drawn(n, fan_in, width):
    features, rng = features_of(n, fan_in), np.random.default_rng(1)
    drawn = [smallest(block(ERF, features, width, rng)) for _ in range(6)]
    sharp = theory.sharp_min_eigenvalue(ERF, features, width)
    low = theory.finite_width_lower_bound(ERF, features, width, failure=1e-6, signs=True)
    high = theory.finite_width_upper_bound(ERF, features, width, failure=1e-6)
    assert low <= min(drawn)
    assert max(drawn) <= high
    assert 0.98 <= np.mean(drawn) / sharp <= 1.003  # 0.990 to 1.003 in the spec, at m = 4000


def test_the_spec_s_tightness_of_both_bounds():
    # B2: (N, n, m) = (100, 100, 4000), erf, signs, delta 1e-6: 0.23 and 1.87 of the sharp value.
    weights = np.random.default_rng(1).standard_normal((100, 100)) / 10
    features = ERF.fn(features_of(100, 100) @ weights)
    sharp = theory.sharp_min_eigenvalue(ERF, features, 4000)
    low = theory.finite_width_lower_bound(ERF, features, 4000, failure=1e-6, signs=True)
    high = theory.finite_width_upper_bound(ERF, features, 4000, failure=1e-6)
    assert 0.18 <= low / sharp <= 0.28
    assert 1.7 <= high / sharp <= 2.1


def test_gaussian_last_layers_are_bounded_by_the_best_truncation():
    features = features_of(60, 60)
    bounds = [
        theory.finite_width_lower_bound(ERF, features, width, failure=1e-6)
        for width in (1000, 30000, 100000)
    ]
    assert bounds[0] == 0.0  # says nothing: 0, not nan
    rng = np.random.default_rng(2)
    assert 0 < bounds[1] <= smallest(block(ERF, features, 30000, rng, signs=False))
    assert bounds[2] > bounds[1] * 100 / 30  # tighter with more neurons


@pytest.mark.parametrize(
    "wrong", ["slopes of phi", "factor 2", "rows permuted", "unscaled weights"]
)
def test_the_spec_s_mutants_lie_far_from_the_sharp_value(wrong):
    features, rng, width = features_of(60, 60), np.random.default_rng(3), 4000
    fan_in = features.shape[1]
    hidden = features @ rng.standard_normal((fan_in, width)) / math.sqrt(fan_in)
    if wrong == "unscaled weights":
        hidden = hidden * math.sqrt(fan_in)
    slopes = ERF.fn(hidden) if wrong == "slopes of phi" else ERF.derivative(hidden)
    if wrong == "rows permuted":
        slopes = slopes[::-1]
    if wrong == "factor 2":
        slopes = slopes * math.sqrt(2)
    ratio = smallest((features @ features.T) * (slopes @ slopes.T)) / theory.sharp_min_eigenvalue(
        ERF, features, width
    )
    assert abs(ratio - 1) > 0.03


def test_the_lower_bound_of_singular_features_is_zero():
    features = features_of(20, 10)
    features[1] = features[0]
    assert theory.sharp_min_eigenvalue(ERF, features, 500) <= rounding_allowance(400) * 500 * 30
    assert theory.finite_width_lower_bound(ERF, features, 500, failure=1e-6, signs=True) <= 1e-9


@pytest.mark.parametrize("truncation", [0.5, 1.0, 1.6, 4.0])
def test_truncated_second_moments_are_integrals(truncation):
    v = np.linspace(-truncation, truncation, 200_001)
    values = v**2 * np.exp(-(v**2) / 2) / np.sqrt(2 * np.pi)
    expected = np.trapezoid(values, v)
    # Trapezoids of width h leave h^2 / 12 times the length and the largest second derivative, < 1.
    error = (v[1] - v[0]) ** 2 / 12 * 2 * truncation
    assert abs(theory.truncated_second_moment(truncation) - expected) <= error + 1e-14


def test_centering_is_a_projection_below_the_gram_matrix():
    features = np.abs(features_of(12, 7))
    mean = features.mean(axis=0)
    q = np.eye(7) - np.outer(mean, mean) / (mean @ mean)
    centered = theory.centered_gram(features)
    assert np.abs(centered - features @ q @ features.T).max() <= 1e-12
    assert smallest(features @ features.T - centered) >= -1e-12
    assert np.array_equal(theory.centered_gram(np.zeros((3, 2))), np.zeros((3, 3)))


@pytest.mark.parametrize(
    "name", ["relu", "tanh", "erf", "sigmoid", "softplus", "sin", "cos", "gelu", "silu"]
)
def test_no_slope_is_larger_than_the_largest(name):
    fn = activation(name)
    slopes = np.abs(fn.derivative(np.linspace(-40.0, 40.0, 800_001)))
    largest = theory.largest_slope(fn)
    assert slopes.max() <= largest * (1 + 1e-12)
    assert slopes.max() >= largest * (1 - 1e-8)


def test_an_unbounded_slope_is_refused():
    with pytest.raises(InputError, match="known largest slope"):
        theory.largest_slope(activation("quadratic"))


@pytest.mark.parametrize(
    ("name", "n", "width", "named"),
    [("relu", 40, 2000, "erf, tanh"), ("erf", 10, 2000, "n between"), ("erf", 40, 1000, "ratio")],
)
def test_the_sharp_value_s_remainder_is_refused_where_it_was_not_measured(name, n, width, named):
    with pytest.raises(InputError, match=named):
        theory.sharp_min_eigenvalue_remainder(activation(name), n, width)
