"""Where curves of n and n / 2 samples agree: on Gaussian features, not on rows of many scales."""

import numpy as np
import pytest

from ntval.errors import InputError
from ntval.observables.curve_agreement import agreement_threshold, ridge_at


def features(n, seed=0):
    levels = np.arange(1, 1501) ** -1.5
    return np.random.default_rng(seed).standard_normal((n, 1500)) * np.sqrt(levels)


@pytest.mark.parametrize("n", [200, 400])
def test_gaussian_features_agree_almost_down_to_no_ridge(n):
    x = features(n)
    gram = x @ x.T
    kappa = agreement_threshold(gram)
    without = 1 / np.trace(np.linalg.inv(gram[::2, ::2]))
    assert without * (1 - 1e-9) <= kappa <= 10 * without


def test_rows_of_two_scales_agree_nowhere_that_tells():
    x = features(400)
    scales = np.sqrt(np.where(np.random.default_rng(1).random(400) < 0.1, 7.3, 0.3))
    kappa = agreement_threshold((x @ x.T) * np.outer(scales, scales))
    assert kappa is None or kappa > 1.0


def test_repeated_rows_agree_later():
    x = features(400)
    twice = np.concatenate([x[:200], x[:200]])[np.random.default_rng(1).permutation(400)]
    assert agreement_threshold(twice @ twice.T) > 2 * agreement_threshold(x @ x.T)


@pytest.mark.parametrize("share", [1e-4, 1e-2, 1.0])
def test_the_ridge_of_a_threshold_has_that_threshold(share):
    x = features(60)
    gram = x @ x.T
    kappa = share * np.trace(gram) / 60
    ridge = ridge_at(gram, kappa)
    if ridge > 0:
        assert abs(np.trace(np.linalg.inv(gram + ridge * np.eye(60))) * kappa - 1) <= 1e-8
    else:
        assert np.trace(np.linalg.inv(gram)) * kappa <= 1


@pytest.mark.parametrize("steps", [-1, 0, 1, 2])
def test_a_threshold_that_is_that_of_no_ridge_up_to_rounding_has_none(steps):
    w = np.array([0.5, 1.0, 2.0])
    kappa = 1 / (1 / w).sum()
    ridge = ridge_at(np.diag(w), kappa * (1 + steps * np.finfo(float).eps))
    assert 0 <= ridge <= 16 * np.finfo(float).eps


def test_a_singular_kernel_and_scales_are_no_trouble():
    gram = np.ones((8, 8))
    assert agreement_threshold(gram) is None or agreement_threshold(gram) > 0
    x = features(100)
    small, large = agreement_threshold(x @ x.T), agreement_threshold(2.0**20 * x @ x.T)
    assert abs(large / 2.0**20 / small - 1) <= 1e-9


def test_too_few_rows_are_refused():
    with pytest.raises(InputError, match="four rows or more"):
        agreement_threshold(np.eye(3))
