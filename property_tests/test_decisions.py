"""Decisions on synthetic measurements with known truth."""

import numpy as np
import pytest

from ntval import decisions
from ntval.decisions import Bracket, Comparison, Verdict


def comparison(left, right, allowance, scale=1.0):
    return Comparison("x", np.array(left), np.array(right), np.array(allowance), np.array(scale))


def normal_stream(mean, spread, seed=0):
    def draw(start, count):
        generator = np.random.default_rng([seed, start])
        return mean + spread * generator.standard_normal((count, np.size(mean)))

    return draw


def agreement(draw, **changes):
    settings = {"predicted": 0.0, "remainder": 0.0, "alpha": 1e-6, "effort": 1.0}
    return decisions.agreement(draw, **{**settings, **changes})


def test_identity_is_supported_within_the_allowance():
    decision = decisions.identity([comparison([1.0, 2.0], [1.0, 2.0 + 1e-13], 1e-12)])
    assert decision.verdict is Verdict.SUPPORTED


def test_identity_is_refuted_beyond_the_allowance_and_names_the_place():
    decision = decisions.identity([comparison([1.0, 2.0], [1.0, 2.1], 1e-12)])
    assert decision.verdict is Verdict.REFUTED
    assert decision.details["where"] == "x at [1]"


def test_identity_with_a_zero_allowance_demands_equality():
    assert decisions.identity([comparison([1.0], [1.0], 0.0)]).verdict is Verdict.SUPPORTED
    off = np.nextafter(1.0, 2.0)
    assert decisions.identity([comparison([1.0], [off], 0.0)]).verdict is Verdict.REFUTED


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_identity_refutes_values_that_are_not_finite(value):
    assert decisions.identity([comparison([value], [1.0], 1.0)]).verdict is Verdict.REFUTED


def test_identity_refutes_unlike_shapes():
    assert decisions.identity([comparison([1.0], [1.0, 1.0], 1.0)]).verdict is Verdict.REFUTED


def test_identity_with_an_allowance_of_the_quantity_s_size_is_vacuous():
    decision = decisions.identity([comparison([1.0], [1.5], 2.0)])
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "VACUOUS" in decision.summary


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"),
    [
        (0.1, 0.2, Verdict.SUPPORTED),
        (-0.2, -0.1, Verdict.REFUTED),
        (-0.1, 0.1, Verdict.INCONCLUSIVE),
        (-0.1, np.nan, Verdict.REFUTED),
    ],
)
def test_bound_follows_its_certificates(lower, upper, verdict):
    assert decisions.bound([Bracket("x", lower, upper, 0.0, 1.0)]).verdict is verdict


def test_agreement_supports_a_true_mean():
    decision = agreement(normal_stream([0.0, 0.0], 1.0), resolution=0.5)
    assert decision.verdict is Verdict.SUPPORTED


def test_agreement_refutes_a_mean_that_is_off_in_one_statistic():
    decision = agreement(normal_stream([0.0, 0.5], 1.0), resolution=0.1)
    assert decision.verdict is Verdict.REFUTED
    assert decision.details["where"] == "statistic 1"


def test_agreement_is_inconclusive_at_the_budget():
    decision = agreement(normal_stream([0.0], 1.0), resolution=0.01, most=256)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.draws == 256


def test_agreement_stops_early_for_gross_faults():
    assert agreement(normal_stream([5.0], 1.0)).draws == 64


def test_agreement_allows_the_remainder():
    draw = normal_stream([0.1], 0.01)
    assert agreement(draw, remainder=0.2).verdict is Verdict.SUPPORTED
    assert agreement(draw, remainder=0.05).verdict is Verdict.REFUTED


def test_agreement_never_supports_an_interval_wider_than_the_resolution():
    decision = agreement(normal_stream([0.0], 1.0), resolution=0.3)
    low, high = decision.details["interval"]
    assert max(-low, high) <= 0.3


def test_agreement_refutes_draws_that_are_not_finite():
    decision = agreement(lambda start, count: np.full((count, 1), np.nan))
    assert decision.verdict is Verdict.REFUTED


def test_agreement_of_a_constant_statistic_allows_its_rounding():
    decision = agreement(lambda start, count: np.full((count, 1), 0.1 + 0.2), predicted=0.3)
    assert decision.verdict is not Verdict.REFUTED


def test_agreement_refutes_true_means_no_more_often_than_alpha():
    # 400 runs at 0.05: above 44 refutations the level is wrong, at one chance in a million.
    refuted = sum(
        agreement(normal_stream([0.0], 1.0, seed), alpha=0.05, resolution=0.2).verdict
        is Verdict.REFUTED
        for seed in range(400)
    )
    assert refuted <= 44


def test_rate_is_an_agreement_of_slopes():
    assert (
        decisions.rate(
            normal_stream([-1.0], 0.01), predicted=-1.0, remainder=0.05, alpha=1e-6, effort=1.0
        ).verdict
        is Verdict.SUPPORTED
    )


def test_the_worst_verdict_decides():
    assert decisions.worst([Verdict.SUPPORTED, Verdict.INCONCLUSIVE]) is Verdict.INCONCLUSIVE
    assert decisions.worst([Verdict.INCONCLUSIVE, Verdict.REFUTED]) is Verdict.REFUTED
