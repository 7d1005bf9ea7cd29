"""CorrGCV: GCV where samples are alike, and what it does with copies."""

import numpy as np
import pytest

from ntval.errors import InputError
from ntval.observables.correlated_rows import correlated_cross_validation
from ntval.observables.generalized_cross_validation import cross_validation

rng = np.random.default_rng(0)
X = rng.standard_normal((20, 50))
GRAM, Y = X @ X.T, rng.standard_normal((20, 2))
ROUNDING = 1e-11  # of a root found to 1e-14, times condition numbers below 1e3


def gcv(gram, y, ridge):
    return float(cross_validation(gram, y, ridges=np.array([ridge])).gcv[0])


@pytest.mark.parametrize("ridge", [0.1, 3.0, 100.0])
def test_samples_that_are_alike_give_gcv(ridge):
    found = correlated_cross_validation(GRAM, Y, np.full(20, 0.7), ridge=ridge)
    assert abs(found / gcv(GRAM, Y, ridge) - 1) <= ROUNDING


@pytest.mark.parametrize("copies", [2, 3])
def test_copies_give_gcv_of_the_samples_at_a_share_of_the_ridge(copies):
    again = np.repeat(np.arange(20), copies)
    rows = np.repeat([copies, 0.0], [20, 20 * (copies - 1)])
    found = correlated_cross_validation(GRAM[np.ix_(again, again)], Y[again], rows, ridge=3.0)
    assert abs(found / gcv(GRAM, Y, 3.0 / copies) - 1) <= ROUNDING


@pytest.mark.parametrize(
    ("match", "rows", "ridge"),
    [
        ("rows needs 20 numbers >= 0", np.ones(19), 1.0),
        ("rows needs 20 numbers >= 0", np.zeros(20), 1.0),
        ("rows needs 20 numbers >= 0", -np.ones(20), 1.0),
        ("rows has too few that are > 0", np.eye(20)[0], 1e-3),
        ("ridge needs to be > 0", np.ones(20), 0.0),
    ],
)
def test_bad_arguments_are_named(match, rows, ridge):
    with pytest.raises(InputError, match=match):
        correlated_cross_validation(GRAM, Y, rows, ridge=ridge)
