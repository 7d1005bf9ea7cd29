"""Decisions without chance: identities and bounds, at the edges of what they allow."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from ntval.evidence import exact
from ntval.evidence.exact import Bracket, Comparison
from ntval.evidence.verdict import Verdict


def comparison(left, right, allowance, scale=1.0):
    return Comparison("x", np.array(left), np.array(right), np.array(allowance), np.array(scale))


def test_identity_is_supported_within_the_allowance():
    decision = exact.identity([comparison([1.0, 2.0], [1.0, 2.0 + 1e-13], 1e-12)])
    assert decision.verdict is Verdict.SUPPORTED


def test_identity_is_refuted_beyond_the_allowance_and_names_the_place():
    just, barely = (comparison([1.0, 2.0], [1.0, 2.0 + gap], 0.1) for gap in (0.09, 0.11))
    assert exact.identity([just]).verdict is Verdict.SUPPORTED
    assert exact.identity([just, barely]).verdict is Verdict.REFUTED
    decision = exact.identity([comparison([1.0, 2.0], [1.0, 2.1], 1e-12)])
    assert decision.verdict is Verdict.REFUTED
    assert decision.details["where"] == "x at [1]"


def test_identity_with_a_zero_allowance_demands_equality():
    assert exact.identity([comparison([1.0], [1.0], 0.0)]).verdict is Verdict.SUPPORTED
    off = np.nextafter(1.0, 2.0)
    assert exact.identity([comparison([1.0], [off], 0.0)]).verdict is Verdict.REFUTED


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_identity_refutes_values_that_are_not_finite(value):
    assert exact.identity([comparison([value], [1.0], 1.0)]).verdict is Verdict.REFUTED


def test_identity_allows_its_allowance_and_no_more():
    assert exact.identity([comparison([1.0], [1.25], 0.25)]).verdict is Verdict.SUPPORTED
    more = np.nextafter(1.25, 2.0)
    assert exact.identity([comparison([1.0], [more], 0.25)]).verdict is Verdict.REFUTED


def test_identity_names_the_first_of_equal_gaps():
    first, second = (
        Comparison(name, np.zeros(2), np.ones(2), np.array(0.5), np.array(9.0)) for name in "ab"
    )
    assert exact.identity([first, second]).details["where"] == "a at [0]"
    assert exact.identity([first, second]).details["comparisons"] == ["a", "b"]


def test_identity_refutes_unlike_shapes():
    assert exact.identity([comparison([1.0], [1.0, 1.0], 1.0)]).verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    ("allowance", "scale", "vacuous"),
    [
        (2.0, 1.0, True),
        (1.0, 1.0, True),
        (1.5, 1.0, True),
        (0.75, 1.0, False),
        (1e-12, 0.0, True),
        (1e-12, np.nan, True),
    ],
)
def test_identity_with_an_allowance_of_the_quantity_s_size_is_vacuous(allowance, scale, vacuous):
    decision = exact.identity([comparison([1.0], [1.0], allowance, scale)])
    assert (decision.verdict is Verdict.INCONCLUSIVE) == vacuous
    assert ("VACUOUS" in decision.summary) == vacuous


@pytest.mark.parametrize("allowance", [np.nan, [1e-12, np.nan], [np.nan, 1e-12]])
def test_identity_with_an_allowance_that_is_no_number_is_never_supported(allowance):
    wrong, right = (exact.identity([comparison([1.0, x], [1.0, 2.0], allowance)]) for x in (9, 2))
    assert wrong.verdict is not Verdict.SUPPORTED
    assert right.verdict is Verdict.INCONCLUSIVE
    assert exact.identity([comparison([1.0], [1.0], 0.0, np.nan)]).verdict is Verdict.SUPPORTED
    assert exact.identity([comparison([1.0], [1.0], 1.0, np.nan)]).verdict is not Verdict.SUPPORTED


@pytest.mark.parametrize("comparisons", [[], [comparison([], [], 1.0)]])
def test_identity_of_nothing_is_inconclusive(comparisons):
    decision = exact.identity(comparisons)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "nothing was compared" in decision.summary
    assert (decision.gap, decision.allowed, decision.smallest_gap) == (0, 0, 0)


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"),
    [
        (0.1, 0.2, Verdict.SUPPORTED),
        (-0.2, -0.1, Verdict.REFUTED),
        (-0.1, 0.1, Verdict.INCONCLUSIVE),
        (-0.1, np.nan, Verdict.REFUTED),
        (0.0, 0.0, Verdict.SUPPORTED),
        (-0.1, 0.0, Verdict.INCONCLUSIVE),
    ],
)
def test_bound_follows_its_certificates(lower, upper, verdict):
    assert exact.bound([Bracket("x", lower, upper, 0.0, 1.0)]).verdict is verdict


@pytest.mark.parametrize("order", [1, -1])
def test_one_bracket_that_holds_does_not_support_the_others(order):
    holds, open_, broken, vacuous = (
        Bracket("x", *ends, 0.0, 1.0, trivial=trivial)
        for *ends, trivial in ((0.1, 0.2, -1), (-0.1, 0.2, -1), (-0.2, -0.1, -1), (0.1, 0.2, 0))
    )
    for other, verdict in (
        (holds, Verdict.SUPPORTED),
        (open_, Verdict.INCONCLUSIVE),
        (broken, Verdict.REFUTED),
        (vacuous, Verdict.INCONCLUSIVE),
    ):
        assert exact.bound([holds, other][::order]).verdict is verdict


def test_bound_reports_the_tightest_of_its_brackets():
    loose, tight = Bracket("a", 1.2, 1.3, 1.0, 1.0), Bracket("b", 0.5, 0.6, 1.0, 2.0, note="flat")
    decision = exact.bound([loose, tight])
    assert decision.verdict is Verdict.REFUTED
    assert decision.details["where"] == "b"
    assert decision.details["tightness"] == (0.6 - 1.0) / 2.0
    assert decision.gap == 1.0 - 0.6
    assert decision.smallest_gap == max(1.3 - 1.2, 0.6 - 0.5)
    assert decision.summary.endswith("; flat")
    assert exact.bound([loose]).gap == 0
    assert exact.bound([loose]).summary.endswith("claimed >= 1")


def test_the_tightest_bracket_has_the_least_room_in_its_own_scale():
    # Rooms of 1 in 10, of 1/2 in 1, and of 8 in 20.
    brackets = [
        Bracket("a", 5.0, 5.0, 4.0, 10.0),
        Bracket("b", 1.5, 1.5, 1.0, 1.0),
        Bracket("c", 0.0, 0.0, -8.0, 20.0),
    ]
    for order in itertools.permutations(brackets):
        decision = exact.bound(order)
        assert decision.details["where"] == "a"
        assert decision.details["tightness"] == 1 / 10
        assert (decision.gap, decision.allowed) == (0, 0)


def test_identity_says_how_large_a_gap_it_sees_in_the_quantity_s_own_scale():
    assert exact.identity([comparison([1.0], [1.0], 0.1, 2.0)]).smallest_gap == 0.05


def test_comparisons_of_nothing_but_zeros_are_vacuous():
    """The kernel of a network of whose weights nothing depends says nothing of its code."""
    nothing, something = (comparison([v], [v], 1e-9 * v, v) for v in (0.0, 1.0))
    decision = exact.identity([nothing])
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "VACUOUS: 0 was compared with 0" in decision.summary
    assert exact.identity([nothing, something]).verdict is Verdict.SUPPORTED
    bracket = Bracket("smallest eigenvalue", 0.0, 0.0, bound=0.0, scale=0.0)
    assert exact.bound([bracket]).verdict is Verdict.INCONCLUSIVE
    assert exact.bound([replace(bracket, scale=1.0)]).verdict is Verdict.SUPPORTED


def test_bound_that_is_known_without_the_theorem_is_vacuous():
    decision = exact.bound([Bracket("x", 0.1, 0.2, -1.0, 1.0, trivial=0.0)])
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "VACUOUS" in decision.summary


def test_a_certificate_is_worth_infinite_evidence():
    assert exact.bound([Bracket("x", -0.2, -0.1, 0.0, 1.0)]).log_e == math.inf
    assert exact.bound([Bracket("x", 0.1, 0.2, 0.0, 1.0)]).log_e == 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_finite_number_is_refuted_and_called_that(value):
    decision = exact.identity([comparison([value], [1.0], np.inf, 1.0)])
    assert decision.verdict is Verdict.REFUTED
    assert decision.summary.startswith("a value that is no finite number")
