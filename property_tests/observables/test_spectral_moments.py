"""Unbiased moments: sums over different samples, written out; their means over a simulation."""

import itertools

import numpy as np
import pytest

from ntval.errors import InputError
from ntval.observables.spectral_moments import unbiased_moments

rng = np.random.default_rng(0)


def test_moments_are_sums_over_different_samples():
    x = rng.standard_normal((7, 4))
    gram = x @ x.T
    pairs = [gram[i, j] ** 2 for i, j in itertools.permutations(range(7), 2)]
    triangles = [
        gram[i, j] * gram[j, k] * gram[k, i] for i, j, k in itertools.permutations(range(7), 3)
    ]
    means = [np.mean(np.diag(gram)), np.mean(pairs), np.mean(triangles)]
    assert np.abs(np.array(unbiased_moments(gram)) - means).max() <= 1e-12 * np.abs(gram).max() ** 3


def test_means_are_traces_of_powers_of_the_covariance():
    levels = np.array([2.0, 1.0, 0.5])
    draws = []
    for _ in range(20_000):
        x = rng.standard_normal((4, 3)) * np.sqrt(levels)
        draws.append(unbiased_moments(x @ x.T))
    errors = np.std(draws, axis=0) / np.sqrt(len(draws))
    exact = [np.sum(levels**order) for order in (1, 2, 3)]
    assert np.all(np.abs(np.mean(draws, axis=0) - exact) <= 5 * errors)


def test_two_samples_make_no_triangle():
    with pytest.raises(InputError, match="3 samples or more, got 2"):
        unbiased_moments(np.eye(2))
