"""Panel quadrature against integrals in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.theory.quadrature import ACCURACY, panels


@given(
    degree=st.integers(0, 12),
    inner=st.lists(st.floats(-2.9, 2.9), max_size=3),
    longest=st.floats(0.3, 7.0),
)
def test_panels_integrate_monomials_exactly_wherever_they_are_split(degree, inner, longest):
    t, weights = panels([-3.0, *sorted(inner), 3.0], longest=longest)
    exact = (3.0 ** (degree + 1) - (-3.0) ** (degree + 1)) / (degree + 1)
    size = 2 * 3.0 ** (degree + 1) / (degree + 1)
    assert abs(weights @ t**degree - exact) <= ACCURACY * size


def test_panels_integrate_a_function_with_a_kink_where_they_are_told():
    t, weights = panels([-2.0, 0.5, 2.0], longest=1.0)
    exact = 2.5**2 / 2 + 1.5**2 / 2
    assert weights @ np.abs(t - 0.5) == pytest.approx(exact, rel=ACCURACY, abs=0)


def test_panels_integrate_a_function_with_poles_one_length_away():
    t, weights = panels([-5.0, 5.0], longest=1.0)
    exact = 2 * np.arctan(5.0)
    assert weights @ (1 / (1 + t**2)) == pytest.approx(exact, rel=ACCURACY, abs=0)
