"""Regimes: values, JSON, and what is refused."""

import json

import pytest

from ntval.errors import InputError, UnknownNameError
from ntval.regimes import Regime


def test_regime_prints_as_code_that_makes_it_again():
    regime = Regime(n=4, d=3, widths=(8, 16), activation="erf")
    assert eval(str(regime)) == regime


def test_regime_is_hashable_and_json():
    regime = Regime(n=4, d=3, widths=[8])
    assert {regime: 1}[Regime(n=4, d=3, widths=(8,))] == 1
    assert json.loads(json.dumps(regime.as_dict()))["widths"] == [8]


@pytest.mark.parametrize(("n", "degree"), [(1, 0), (9, 0), (10, 1), (99, 1), (100, 2), (999, 2)])
def test_degree_is_the_highest_power_of_d_below_n(n, degree):
    assert Regime(n=n, d=10).degree == degree


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "Regime needs an integer n >= 1, got n=0"),
        ({"n": 2.0}, "got n=2.0"),
        ({"d": -1}, "got d=-1"),
        ({"widths": (0,)}, "got widths=0"),
        ({"ridge": -1.0}, "finite ridge >= 0, got ridge=-1.0"),
        ({"noise_std": float("nan")}, "noise_std >= 0, got noise_std=nan"),
    ],
)
def test_impossible_regimes_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Regime(**{"n": 4, "d": 3, **changes})


def test_unknown_activation_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'relu'"):
        Regime(n=4, d=3, activation="rellu")
