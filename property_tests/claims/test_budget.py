"""One budget over claims, points and repetitions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.arrays import rounding_allowance
from ntval.claims.budget import fresh_seed, point_alpha, share_of, shares
from ntval.claims.catalogue import CLAIMS
from ntval.claims.outcome import Outcome, Result
from ntval.errors import RefutedError
from ntval.evidence.e_values import combined
from ntval.evidence.verdict import Decision, Verdict
from ntval.regimes import Regime

REGIME = Regime(n=4, d=8, widths=(64,), activation="erf")
SHARE = 1e-6


def result(log_e, verdict=None, alpha=SHARE):
    refuted = log_e >= -math.log(alpha)
    verdict = verdict or (Verdict.REFUTED if refuted else Verdict.SUPPORTED)
    decision = Decision(verdict, "means", "", 0.0, 0.0, 0.0, alpha=alpha, log_e=log_e)
    return Result("a", REGIME, 0, decision, 0.0)


def outcome(*log_e, planned=None, repetitions=(), share=SHARE):
    again = tuple((result(value),) for value in repetitions)
    return Outcome("a", tuple(map(result, log_e)), planned or len(log_e), share, again)


def test_shares_add_up_to_alpha_and_certificates_spend_nothing():
    part = shares(list(CLAIMS.values()), 1e-6)
    assert sum(part.values()) == pytest.approx(1e-6)
    assert all((part[name] > 0) == claim.statistical for name, claim in CLAIMS.items())


def test_a_suite_without_chance_spends_nothing():
    certain = [claim for claim in CLAIMS.values() if not claim.statistical]
    assert sum(shares(certain, 1e-6).values()) == 0


def test_a_repetition_confirms_with_evidence_above_20():
    again = outcome(30.0, repetitions=(math.log(21), math.log(19), -1.0))
    assert again.confirmed == 1
    assert outcome(30.0, repetitions=(math.log(20),)).confirmed == 0


def test_evidence_of_one_over_the_share_is_enough():
    for share in (0.5, 1e-6):
        just = -math.log(share)
        assert outcome(just, share=share).suspected
        assert outcome(just, share=share).verdict is Verdict.REFUTED
        less = outcome(just - 0.1, share=share)
        assert not less.suspected
        assert less.verdict is Verdict.SUPPORTED


def test_points_that_refute_alone_are_repeated_or_all_of_them():
    alone, weak = result(20.0), result(5.0)
    assert Outcome("a", (weak, alone, weak), 3, SHARE).suspects() == (alone,)
    assert Outcome("a", (weak, weak), 2, SHARE).suspects() == (weak, weak)


def test_a_result_is_recorded_and_raises_where_it_is_refuted():
    found = Result("a", REGIME, 3, result(math.inf).decision, 1.23456)
    assert found.record()["seconds"] == 1.235
    assert found.record()["evidence"]["log_e"] == "inf"
    with pytest.raises(RefutedError, match=r"a is REFUTED at Regime.* --seed 3"):
        found.raise_if_refuted()
    result(0.0).raise_if_refuted()


def test_a_claim_without_a_share_is_suspected_by_certificates_alone():
    assert outcome(math.inf, share=0.0).verdict is Verdict.REFUTED
    assert outcome(math.inf, share=0.0).suspected
    assert not outcome(0.0, share=0.0).suspected
    assert not outcome(-1.0, share=0.0).suspected


@given(share=st.floats(1e-9, 0.1), planned=st.integers(1, 20))
def test_one_regime_that_refutes_alone_refutes_its_claim(share, planned):
    alone = -math.log(point_alpha(share, planned))
    assert combined([alone, *[-50.0] * (planned - 1)], planned) >= -math.log(share) - 1e-9


def test_weak_evidence_from_every_regime_refutes_together():
    weak = [math.log(100)] * 5
    assert outcome(*weak).verdict is Verdict.REFUTED
    assert outcome(*weak[:2], planned=5).verdict is Verdict.SUPPORTED


def test_the_points_that_were_planned_count_though_some_were_not_seen():
    # e = 1.5 / share: half the product and a tenth of the mean are 0.9 / share.
    nearly = outcome(math.log(1.5 / SHARE), planned=5)
    # A dozen operations on logs no larger than that of 1.5 / share.
    allowed = rounding_allowance(12) * abs(math.log(1.5 / SHARE))
    assert abs(nearly.log_e - math.log(0.9 / SHARE)) <= allowed
    assert not nearly.suspected
    assert outcome(math.log(1.5 / SHARE), planned=1).suspected


def test_a_point_refutes_alone_at_its_level_and_no_lower():
    for planned in (1, 2, 7):
        alone = -math.log(point_alpha(SHARE, planned))
        for more, suspected in ((1e-9, True), (-0.1, False)):
            # The others speak for the claim as strongly as can be: e = 0.
            others = [-math.inf] * (planned - 1)
            assert outcome(alone + more, *others).suspected == suspected


def test_repetitions_that_agree_confirm_a_refutation():
    confirmed = outcome(20.0, repetitions=(15.0, 18.0, 21.0))
    assert confirmed.verdict is Verdict.REFUTED
    assert confirmed.confirmed == 3
    assert confirmed.log_e == pytest.approx(74.0)


def test_a_fluke_fades_on_fresh_keys():
    fluke = outcome(15.0, repetitions=(-2.0, -2.0, -2.0))
    assert fluke.suspected
    assert fluke.confirmed == 0
    assert fluke.verdict is Verdict.INCONCLUSIVE


def test_a_certificate_needs_no_repetition():
    assert outcome(math.inf, repetitions=(0.0, 0.0, 0.0), share=0.0).verdict is Verdict.REFUTED


def test_true_claims_without_chance_are_not_suspected():
    assert not outcome(0.0, 0.0, share=0.0).suspected


def test_the_worst_regime_decides_what_is_not_refuted():
    undecided = result(0.0, Verdict.INCONCLUSIVE)
    assert Outcome("a", (result(0.0), undecided), 2, SHARE).verdict is Verdict.INCONCLUSIVE


def test_repetitions_have_seeds_of_their_own():
    seeds = {fresh_seed(seed, repetition) for seed in range(50) for repetition in range(20)}
    assert len(seeds) == 1000
    assert max(seeds) < 2**32  # what older generators take


@pytest.mark.parametrize("planned", [1, 2, 7])
def test_share_of_undoes_point_alpha(planned):
    back = share_of(point_alpha(1e-7, planned), planned)
    # A quotient and a product; doubling is exact.
    assert back == pytest.approx(1e-7, rel=rounding_allowance(2), abs=0)
