"""Slopes on log-log axes: exact for powers, least squares for the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import rounding_allowance
from ntval.errors import InputError
from ntval.observables.slopes import FEWEST, log_slope

SIZES = (8, 16, 32, 128, 1024)


@given(exponent=st.floats(-3, 3), factor=st.floats(1e-3, 1e3))
def test_the_slope_of_a_power_is_its_exponent(exponent, factor):
    values = factor * np.array(SIZES, dtype=float) ** exponent
    # A power is good to |exponent| log(size) roundings, the log of a number below e^30 to 30; the
    # weights of five rungs add up to less than 1.
    allowed = rounding_allowance(5 * (3 * 7 + 30 + 5))
    assert abs(float(log_slope(SIZES, values)) - exponent) <= allowed


def test_the_slope_is_that_of_least_squares_column_by_column():
    values = np.exp(np.random.default_rng(0).standard_normal((len(SIZES), 3)))
    found = np.asarray(log_slope(SIZES, values))
    expected = [np.polyfit(np.log(SIZES), np.log(column), 1)[0] for column in values.T]
    # Five terms of order 1 over a sum of squares of order 10; polyfit's matrix has condition 10.
    assert np.abs(found - expected).max() <= rounding_allowance(1000)


def test_three_rungs_are_too_few_and_four_are_not():
    assert FEWEST == 4
    with pytest.raises(InputError, match="at least 4 rungs, got 3"):
        log_slope(SIZES[:3], np.ones(3))
    assert float(log_slope(SIZES[:4], np.ones(4))) == 0.0  # logs of 1 are 0
