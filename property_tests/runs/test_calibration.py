"""A slice of the nightly calibration: on correct code, levels are kept."""

import math

import pytest

from ntval.claims import montanari_zhong
from ntval.claims.outcome import Result
from ntval.evidence.verdict import Decision, Verdict
from ntval.faults import sizes
from ntval.regimes import Regime
from ntval.runs import calibration
from ntval.runs.calibration import Calibration
from ntval.runs.settings import Settings

LOOSE = Settings(alpha=0.05)
CHEAP = (montanari_zhong.normalization, montanari_zhong.unbiased_kernel)


@pytest.mark.parametrize("claim", CHEAP, ids=lambda claim: claim.name)
def test_true_claims_are_refuted_no_more_often_than_stated(claim):
    *_, found = calibration.calibrations(calibration.cells([claim], LOOSE, runs=60))
    assert found.holds, found.record()
    assert len({result.seed for result in found.results}) == 60


def test_an_error_too_small_for_one_run_breaks_the_level():
    small = sizes.sized("empirical_scale", 0.003)
    claim = small.plant(CHEAP[0])
    assert claim.check(0, claim.points["quick"][0]).decision.verdict is not Verdict.REFUTED
    planned = calibration.cells([claim], LOOSE, runs=30)
    results = tuple(claim.check(c.settings.seed, c.point, alpha=c.alpha) for c in planned)
    assert not Calibration(claim.name, 0.05, results).holds


def calibrated(log_e, alpha=0.05):
    def result(value):
        verdict = Verdict.REFUTED if value >= -math.log(alpha) else Verdict.SUPPORTED
        decision = Decision(verdict, "means", "", 0.0, 0.0, 0.0, log_e=value)
        return Result("a", Regime(n=2, d=2, widths=(2,), activation="erf"), 0, decision, 0.0)

    return Calibration("a", alpha, tuple(map(result, log_e)))


def test_too_many_refutations_break_the_level():
    assert calibrated([-9.0] * 380 + [3.0] * 20).holds
    assert not calibrated([-9.0] * 340 + [3.0] * 60).holds


def test_e_values_with_a_mean_above_one_break_the_level():
    assert not calibrated([math.log(2.0)] * 400).holds


def test_the_limit_is_that_of_the_binomial():
    assert calibrated([0.0] * 400).most == 44
