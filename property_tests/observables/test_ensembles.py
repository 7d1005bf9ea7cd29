"""CGCV: GCV of one member of all samples; its parts by another way; the risk of a simulation."""

import numpy as np
import pytest

from ntval.errors import InputError
from ntval.observables.ensembles import ensemble_cross_validation
from ntval.observables.generalized_cross_validation import cross_validation

rng = np.random.default_rng(0)
X = rng.standard_normal((24, 60))
GRAM, Y = X @ X.T, rng.standard_normal((24, 2))
MEMBERS = [rng.permutation(24)[:16] for _ in range(3)]
ROUNDING = 1e-11  # condition numbers below 1e4


@pytest.mark.parametrize("ridge", [0.1, 30.0])
def test_one_member_of_all_samples_gives_gcv(ridge):
    found = ensemble_cross_validation(GRAM, Y, [np.arange(24)], ridge=ridge)
    gcv = float(cross_validation(GRAM, Y, ridges=np.array([ridge])).gcv[0])
    assert abs(found.cgcv / gcv - 1) <= ROUNDING
    assert found.correction == 0


def test_the_parts_are_those_of_regressions_on_the_features():
    ridge, n, k = 3.0, 24, 16
    predictions, dimensions, risks = [], [], []
    for rows in MEMBERS:
        x = X[rows]
        solved = np.linalg.inv(x.T @ x + ridge * np.eye(60)) @ x.T
        predictions.append(X @ solved @ Y[rows])
        dimensions.append(np.trace(x @ solved))
        error = ((Y - predictions[-1]) ** 2).sum() / n
        d = dimensions[-1]
        # A residual on a member's own samples is 1 - d/k of a fresh one.
        risks.append(error / (k / n * (1 - d / k) ** 2 + 1 - k / n))
    found = ensemble_cross_validation(GRAM, Y, MEMBERS, ridge=ridge)
    mean, d = np.mean(predictions, axis=0), np.mean(dimensions) / n
    gcv = ((Y - mean) ** 2).sum() / n / (1 - d) ** 2
    correction = (d / (1 - d)) ** 2 * (n / k - 1) * np.mean(risks) / 3
    assert np.abs(GRAM @ found.coefficients - mean).max() <= ROUNDING * 10
    assert abs(found.gcv / gcv - 1) <= ROUNDING
    assert abs(found.correction / correction - 1) <= ROUNDING


@pytest.mark.parametrize(
    ("match", "members", "ridge"),
    [
        ("of one size", [], 1.0),
        ("of one size", [np.arange(3), np.arange(4)], 1.0),
        ("of one size", [np.arange(0)], 1.0),
        ("different rows between 0 and 23", [np.array([1, 1])], 1.0),
        ("different rows between 0 and 23", [np.array([1, 24])], 1.0),
        ("ridge needs to be > 0", [np.arange(3)], 0.0),
    ],
)
def test_bad_arguments_are_named(match, members, ridge):
    with pytest.raises(InputError, match=match):
        ensemble_cross_validation(GRAM, Y, members, ridge=ridge)
