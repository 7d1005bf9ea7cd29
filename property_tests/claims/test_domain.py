"""Where a theorem speaks: which points belong, and which are drawn."""

import math
import random

import pytest
from hypothesis import given

from ntval.claims.catalogue import CLAIMS
from ntval.claims.domain import Domain, Fixed, Hypothesis, Interval, Layers, OneOf, Sizes
from ntval.errors import InputError
from ntval.regimes import PowerLaw, Regime
from ntval.runs.domains import points_of

FEWER = Hypothesis("n is at most 3 d", lambda regime: regime.n <= 3 * regime.d)
DOMAIN = Domain(
    {
        "n": Sizes((4, 7, 20)),
        "d": Sizes((2, 5)),
        "widths": Layers(Sizes((3, 8)), 1, 2),
        "activation": OneOf(("tanh", "erf")),
        "ridge": Interval(0.1, 2.0, zero=True),
    },
    (FEWER,),
)
INSIDE = Regime(n=7, d=5, widths=(8, 3), activation="tanh", ridge=0.5)


@given(point=points_of(DOMAIN))
def test_what_is_drawn_belongs(point):
    assert point in DOMAIN


def test_sizes_between_and_beyond_those_that_are_drawn_belong():
    assert Regime(n=9, d=40, widths=(5, 900, 3), activation="erf") in DOMAIN


def test_one_layer_is_one_layer_and_one_or_two_are_any_number_of_them():
    one, two = Layers(Sizes((3,))), Layers(Sizes((3,)), 1, 2)
    wide = Layers(Sizes((3, 5)), 2, 2, last=Sizes((40, 50)))
    assert wide.some() == ((3, 40), (3, 50), (5, 40), (5, 50))
    assert (3, 40) in wide
    assert (40, 3) not in wide
    assert "the last of 40 and more" in str(wide)
    assert (4,) in one
    assert (4, 4) not in one
    assert (4, 4, 4) in two
    assert () not in two


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n": 3}, "n is 4 and more"),
        ({"n": 16}, "n is at most 3 d"),
        ({"widths": (2,)}, "widths is 1 to 2 of 3 and more"),
        ({"widths": ()}, "widths is 1 to 2 of 3 and more"),
        ({"activation": "relu"}, "activation is tanh, erf"),
        ({"ridge": 0.05}, "ridge is 0, or 0.1 to 2"),
        ({"ridge": 2.5}, "ridge is 0, or 0.1 to 2"),
        ({"noise_std": 0.1}, "noise_std is 0.0"),
        ({"outputs": 2}, "outputs is 1"),
    ],
)
def test_what_lies_outside_is_told_why(fields, words):
    point = Regime(**{**vars(INSIDE), **fields})
    assert words in DOMAIN.why_not(point)
    assert DOMAIN.why_not(INSIDE) is None


def test_another_kind_of_point_lies_outside():
    assert DOMAIN.why_not(PowerLaw(n=10, features=20)) == "it speaks of a Regime"


def test_a_value_that_others_determine():
    domain = Domain(
        {"n": Fixed("2 d", lambda fields: 2 * fields["d"]), "d": Sizes((3, 4))}, (), Regime
    )
    assert sorted(point.n for point in domain.representatives()) == [6, 8]
    assert Regime(n=14, d=7) in domain
    assert domain.why_not(Regime(n=13, d=7)) == "n is 2 d"


def test_points_are_counted():
    sizes = {"n": Sizes((4, 7, 20)), "d": Sizes((2, 5))}
    assert Domain(sizes).num_points == 6
    assert Domain(sizes, (FEWER,)).num_points == 3
    assert DOMAIN.num_points == math.inf
    nowhere = (Hypothesis("n is negative", lambda regime: regime.n < 0),)
    assert Domain({**DOMAIN.ranges}, nowhere).num_points == 0


def test_a_field_that_a_point_does_not_have_is_named():
    with pytest.raises(InputError, match=r"got 'size'; it has .*activation"):
        Domain({"size": Sizes((1,))})


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_hypotheses_leave_enough_of_what_is_drawn(claim):
    choose = random.Random(0).choice
    drawn = {name: of.some() for name, of in claim.domain.drawn.items()}
    points = [
        claim.domain.point({name: choose(values) for name, values in drawn.items()})
        for _ in range(500)
    ]
    kept = sum(all(h.holds(point) for h in claim.domain.where) for point in points)
    assert kept >= len(points) / 10  # else Hypothesis draws in vain
