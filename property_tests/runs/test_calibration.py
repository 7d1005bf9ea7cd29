"""A slice of the nightly calibration: on correct code, levels are kept."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ntval.arrays import rounding_allowance
from ntval.claims import kernel_identities, montanari_zhong
from ntval.claims.budget import fresh_seed
from ntval.claims.outcome import Result
from ntval.evidence import e_values
from ntval.evidence.verdict import Decision, Verdict
from ntval.faults import sizes
from ntval.regimes import Regime
from ntval.runs import calibration
from ntval.runs.calibration import Calibration
from ntval.runs.cell import Cell
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


def result(verdict, log_e, seconds=0.0, claim="a"):
    decision = Decision(verdict, "means", "", 0.0, 0.0, 0.0, log_e=log_e)
    regime = Regime(n=2, d=2, widths=(2,), activation="erf")
    return Result(claim, regime, 0, decision, seconds)


def calibrated(log_e, alpha=0.05):
    def of(value):
        refuted = value >= -math.log(alpha)
        return result(Verdict.REFUTED if refuted else Verdict.SUPPORTED, value)

    return Calibration("a", alpha, tuple(map(of, log_e)))


def test_too_many_refutations_break_the_level():
    assert calibrated([-9.0] * 380 + [3.0] * 20).holds
    assert not calibrated([-9.0] * 340 + [3.0] * 60).holds


def test_e_values_with_a_mean_above_one_break_the_level():
    assert not calibrated([math.log(2.0)] * 400).holds


def test_the_limit_is_that_of_the_binomial():
    assert calibrated([0.0] * 400).most == 44


def test_as_many_refutations_as_the_limit_are_allowed_and_one_more_is_not():
    # By their e-values nothing speaks against the level: the number alone decides.
    refuted, supported = (result(verdict, -9.0) for verdict in (Verdict.REFUTED, Verdict.SUPPORTED))
    assert Calibration("a", 0.05, (*[refuted] * 44, *[supported] * 356)).holds
    assert not Calibration("a", 0.05, (*[refuted] * 45, *[supported] * 355)).holds


def test_a_calibration_is_recorded_as_it_was_counted():
    counted = ((Verdict.REFUTED, 4), (Verdict.INCONCLUSIVE, 2), (Verdict.SUPPORTED, 1))
    results = [result(verdict, -9.0, 0.13) for verdict, times in counted for _ in range(times)]
    found = Calibration("a", 0.01, tuple(results))
    record = found.record()
    assert json.loads(json.dumps(record)) == {
        "claim": "a",
        "runs": 7,
        "alpha": 0.01,
        "refuted": 4,
        "most": 3,  # of seven runs more are refuted with probability 3e-7, more than 2 with 3e-5
        "inconclusive": 2,
        "mean_e": record["mean_e"],
        "log_evidence": record["log_evidence"],
        "holds": False,
        "seconds": 0.9,
    }


def test_the_mean_e_value_and_the_evidence_of_it_are_those_of_the_runs():
    log_e = [1.5, 0.0, -2.0]
    e = np.exp(log_e)
    found = calibrated(log_e)
    assert found.mean_e == pytest.approx(e.sum() / 3, rel=rounding_allowance(8))
    assert found.log_evidence == e_values.log_capital(e, 1.0, 0.0)  # the same numbers
    assert found.record()["mean_e"] == found.mean_e
    assert found.record()["log_evidence"] == found.log_evidence


def test_a_certificate_against_a_true_claim_breaks_the_level_with_finite_numbers():
    # It counts as e^700: float64 ends at e^709.
    assert calibrated([math.inf]).mean_e == pytest.approx(math.exp(700), rel=rounding_allowance(8))
    found = calibrated([math.inf] + [-9.0] * 399)
    assert math.isfinite(found.mean_e)
    assert math.isfinite(found.log_evidence)
    assert found.refuted == 1
    assert not found.holds


def test_each_run_of_a_claim_of_chance_has_all_of_alpha_and_a_seed_of_its_own():
    settings = Settings("standard", alpha=0.01, seed=5)
    claim = montanari_zhong.normalization
    planned = calibration.cells([kernel_identities.symmetry, claim], settings, runs=3)
    seeds = [fresh_seed(5, run) for run in range(3)]
    assert planned == [
        Cell(claim.name, claim.points["standard"][0], 0.01, replace(settings, seed=seed))
        for seed in seeds
    ]
    assert len(set(seeds)) == 3


def test_a_calibration_grows_run_by_run_claim_by_claim(monkeypatch):
    def run_cell(cell):
        return result(Verdict.SUPPORTED, float(-(cell.settings.seed % 7)), claim=cell.claim)

    monkeypatch.setattr(calibration, "run_cell", run_cell)
    planned = calibration.cells(CHEAP, LOOSE, runs=2)
    found = list(calibration.calibrations(planned))
    first, second = (claim.name for claim in CHEAP)
    assert [(c.claim, c.alpha) for c in found] == [(first, 0.05)] * 2 + [(second, 0.05)] * 2
    results = [run_cell(cell) for cell in planned]
    assert [c.results for c in found] == [
        tuple(part) for part in (results[:1], results[:2], results[2:3], results[2:])
    ]


def test_a_document_has_a_record_a_claim():
    found = {"a": calibrated([0.0]), "b": calibrated([1.0, 2.0])}
    assert calibration.document(found, Settings(alpha=0.01, seed=3)) == {
        "schema": "ntval.calibration/1",
        "alpha": 0.01,
        "seed": 3,
        "claims": [found["a"].record(), found["b"].record()],
    }
