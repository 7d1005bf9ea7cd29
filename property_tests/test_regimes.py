"""Regimes: values, JSON, and what is refused."""

import json

import numpy as np
import pytest

from ntval.errors import InputError, NtvalError, UnknownNameError
from ntval.networks import mlp
from ntval.regimes import (
    PARAMETRIZATIONS,
    PowerLaw,
    RealData,
    Regime,
    point_from_code,
    point_of,
)


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
        ({"target_mix": 1.5}, "target_mix between 0 and 1, got 1.5; it is a share"),
        ({"n": 2.0}, "got n=2.0"),
        ({"d": -1}, "got d=-1"),
        ({"widths": (0,)}, "got widths=0"),
        ({"ridge": -1.0}, "finite ridge >= 0, got ridge=-1.0"),
        ({"noise_std": float("nan")}, "noise_std >= 0, got noise_std=nan"),
        ({"w_std": -1.0}, "w_std >= 0, got w_std=-1.0"),
        ({"b_std": float("inf")}, "b_std >= 0, got b_std=inf"),
        ({"outputs": 0}, "integer outputs >= 1, got outputs=0"),
    ],
)
def test_impossible_regimes_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        Regime(**{"n": 4, "d": 3, **changes})


def test_unknown_parametrization_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'standard'"):
        Regime(n=4, d=3, parametrization="standart")


def test_parametrizations_of_a_regime_are_those_of_our_networks():
    assert set(PARAMETRIZATIONS) == set(mlp.PARAMETRIZATIONS)


def test_a_network_has_the_scales_outputs_and_parametrization_of_its_regime():
    regime = Regime(
        n=4, d=3, widths=(5,), w_std=0.7, b_std=0.0, outputs=2, parametrization="standard"
    )
    built = mlp.mlp_of(regime)
    assert (built.w_std, built.b_std, built.outputs) == (0.7, 0.0, 2)
    assert built.parametrization == "standard"
    assert mlp.mlp_of(Regime(n=4, d=3, widths=(5,)), parametrization="ntk").parametrization == "ntk"


def test_unknown_activation_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'relu'"):
        Regime(n=4, d=3, activation="rellu")


POINTS = (
    Regime(n=4, d=8, widths=(64,), activation="erf", ridge=0.1),
    Regime(n=4, d=8, activation=None),
    Regime(n=4, d=8, widths=(5,), w_std=0.7, b_std=0.0, outputs=2, parametrization="standard"),
    PowerLaw(n=40, features=100, decay=2.0, noise_std=0.3, law="rademacher"),
    PowerLaw(n=40, features=100, row_spread=0.5, row_correlation=0.3, copies=2),
    RealData("digits", n=100, n_test=50, widths=(1, 1)),
)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_point_is_read_again_from_json_and_from_its_code(point):
    assert point_of(json.loads(json.dumps(point.as_dict()))) == point
    names = {kind.__name__: kind for kind in (Regime, PowerLaw, RealData)}
    assert eval(str(point), names) == point
    assert hash(point) == hash(point_of(point.as_dict()))


def test_a_regime_is_written_as_it_always_was_so_that_seeds_replay():
    fields = {"n", "d", "widths", "activation", "ridge", "noise_std"}
    assert set(POINTS[0].as_dict()) == fields
    plain = PowerLaw(n=40, features=100).as_dict()
    assert {"row_spread", "row_correlation", "copies"}.isdisjoint(plain)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"kind": "sphere"}, "a kind among 'power_law', 'real_data'"),
        ({"kind": "power_law", "n": 3}, "fields of a PowerLaw"),
        ({"n": 3, "d": 4, "color": 1}, "fields of a Regime"),
        ({"n": 0, "d": 4}, "integer n >= 1"),
        ({"kind": "power_law", "n": 3, "features": 4, "decay": -1.0}, "finite decay >= 0"),
        ({"kind": "power_law", "n": 3, "features": 4, "row_spread": 1.0}, "needs row_spread < 1"),
        ({"kind": "power_law", "n": 3, "features": 4, "copies": 0}, "integer copies >= 1"),
        ({"kind": "power_law", "n": 3, "features": 0}, "integer features >= 1"),
        ({"kind": "power_law", "n": 3, "features": 4, "law": "gausian"}, "did you mean 'gaussian'"),
        ({"kind": "real_data", "data": "digits", "n": 3, "n_test": 0}, "integer n_test >= 1"),
        ({"kind": "real_data", "data": "digits", "n": 3, "n_test": 1, "ridge": -1.0}, "ridge >= 0"),
    ],
)
def test_a_record_that_is_no_point_is_refused_in_one_line(record, told):
    with pytest.raises(NtvalError, match=told) as refused:
        point_of(record)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "point",
    [
        Regime(n=60, d=20, widths=(4, 7), activation="tanh", ridge=0.5, inputs="cube"),
        PowerLaw(n=10, features=20, decay=2.0),
        RealData(data="digits", n=50, n_test=20),
    ],
)
def test_a_point_is_read_from_its_code(point):
    assert point_from_code(str(point)) == point
    assert point_from_code(str(point).replace("'", '"')) == point


@pytest.mark.parametrize(
    "code",
    [
        "",
        "Regime",
        "Regime(60, 20)",
        "Regim(n=60, d=20)",
        "Regime(n=60)",
        "Regime(n=60, d=20, size=3)",
        "Regime(n=60, d=__import__('os').getpid())",
        "Regime(n=60, d=20); 1",
        "Regime(**{'n': 60, 'd': 20})",
    ],
)
def test_code_that_is_no_point_is_refused_and_not_executed(code):
    with pytest.raises(InputError, match="point needs code such as Regime"):
        point_from_code(code)


def test_a_value_out_of_range_is_refused_in_its_own_words():
    with pytest.raises(InputError, match="n >= 1, got n=0"):
        point_from_code("Regime(n=0, d=20)")


def test_whole_numbers_of_numpy_are_taken_as_python_s():
    point = Regime(n=np.int64(4), d=np.int32(3), widths=[np.int64(8)])
    assert point == Regime(n=4, d=3, widths=(8,))
    assert json.dumps(point.as_dict()) == json.dumps(Regime(n=4, d=3, widths=(8,)).as_dict())


@pytest.mark.parametrize("widths", [5, "ab", (0,), (2.0,), (True,)])
def test_widths_that_are_none_are_refused(widths):
    with pytest.raises(InputError, match=r"needs (widths as a tuple|an integer widths)"):
        Regime(n=4, d=3, widths=widths)
