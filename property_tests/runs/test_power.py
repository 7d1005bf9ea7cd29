"""Measured power: detections, smallest sizes, the comparison with allclose."""

import json
import math
from dataclasses import replace

import pytest

from ntval.arrays import rounding_allowance
from ntval.claims import kernel_identities, montanari_zhong
from ntval.claims.budget import point_alpha
from ntval.claims.catalogue import CLAIMS
from ntval.claims.outcome import Outcome, Result
from ntval.errors import UnknownNameError
from ntval.evidence.verdict import Decision, Verdict
from ntval.faults import catalogue
from ntval.runs import power
from ntval.runs.cell import Cell
from ntval.runs.settings import Settings

STANDARD = Settings("standard", alpha=1e-3, seed=4)
RANDOM = sum(claim.statistical for claim in CLAIMS.values())
UNBIASED = kernel_identities.unbiased_kernel  # of several points in its profile "standard"
PER_RUN = 0.25  # seconds that a check takes where it is told what to find


def decided(log_e, *, alpha=1e-3, draws=8):
    verdict = Verdict.REFUTED if log_e > 0 else Verdict.SUPPORTED
    return Decision(
        verdict, "means", "", 0.0, 0.0, 0.0, log_e=float(log_e), alpha=alpha, draws=draws
    )


@pytest.fixture
def told(monkeypatch):
    """What was run, of cells that end as told: a function of a cell, its log e-value."""

    def end_as(log_e):
        seen = []

        def run_cell(cell):
            seen.append(cell)
            return Result(cell.claim, cell.point, 0, decided(log_e(cell)), PER_RUN)

        monkeypatch.setattr(power, "run_cell", run_cell)
        return seen

    return end_as


def test_detection_of_a_planted_fault_says_what_it_took():
    cells = power.cells([montanari_zhong.normalization], ["empirical_scale_3"])
    (detection,) = power.detections(cells)
    record = detection.record()
    assert detection.caught
    assert record["verdict"] == "REFUTED"
    assert record["draws"] >= 64
    assert record["seconds"] > 0


def test_power_is_measured_at_the_share_of_a_full_run():
    (cell,) = power.cells([montanari_zhong.normalization], ["empirical_scale_3"])
    assert cell.alpha == pytest.approx(1e-6 / RANDOM, rel=rounding_allowance(4))


def test_the_smallest_refuted_size_lies_between_rounding_and_three_percent():
    (cell,) = power.family_cells([montanari_zhong.normalization])
    found = power.smallest_refuted(cell)
    assert found.family == "empirical_scale"
    assert 1e-4 < found.size < 0.03


def test_allclose_lets_a_kernel_pass_that_is_three_percent_too_large():
    assert power.passes_allclose("analytic_scale_3") is True
    assert power.passes_allclose("analytic_scale_100") is False
    assert power.passes_allclose("prediction_limit") is None


def test_faults_of_a_family_are_found_at_any_size():
    fault = catalogue.find("analytic_scale_2.5")
    assert fault.family == "analytic_scale"
    assert math.isclose(fault.size, 0.025)
    with pytest.raises(UnknownNameError, match="did you mean"):
        catalogue.find("kernel_scal_3")


def test_a_cell_is_planned_for_each_claim_fault_and_point_at_the_points_level():
    claims = [UNBIASED, montanari_zhong.normalization]
    points = {claim.name: claim.points["standard"] for claim in claims}
    assert len(points[UNBIASED.name]) > 1
    wanted = [
        Cell(
            claim.name, point, point_alpha(1e-3 / RANDOM, len(points[claim.name])), STANDARD, fault
        )
        for claim in claims
        for fault in claim.faults
        for point in points[claim.name]
    ]
    assert power.cells(claims, None, STANDARD) == wanted
    chosen = UNBIASED.faults[:2]
    assert power.cells(claims, chosen, STANDARD) == [
        cell for cell in wanted if cell.fault in chosen
    ]


def test_points_after_the_first_refuted_one_are_left_out(told):
    first, second = UNBIASED.faults[:2]
    points = UNBIASED.points["standard"]
    planned = power.cells([UNBIASED], [first, second], STANDARD)
    seen = told(lambda cell: 50.0 if (cell.fault, cell.point) == (first, points[1]) else -1.0)
    caught, missed = power.detections(planned)
    assert seen == [*planned[:2], *planned[len(points) :]]
    assert (caught.claim, caught.fault, missed.fault) == (UNBIASED.name, first, second)
    assert caught.caught
    assert not missed.caught
    assert (caught.seconds, missed.seconds) == (2 * PER_RUN, len(points) * PER_RUN)
    assert (len(caught.outcome.results), caught.outcome.planned) == (2, len(points))
    # Divided by twice the number of points, and taken times it again.
    assert caught.outcome.share == pytest.approx(1e-3 / RANDOM, rel=rounding_allowance(4))


def test_a_detection_is_recorded_with_the_draws_that_chance_had_a_part_in():
    point = UNBIASED.points["standard"][0]

    def detection(*decisions):
        results = tuple(Result("a", point, 0, decision, 0.0) for decision in decisions)
        return power.Detection("a", "b", Outcome("a", results, len(results), 1e-3), 1.23456)

    found = detection(decided(9.0), decided(-1.0), decided(-1.0, alpha=0.0, draws=100))
    record = found.record()
    assert json.loads(json.dumps(record)) == {
        "claim": "a",
        "fault": "b",
        "verdict": found.outcome.verdict.value,
        "certain": False,
        "log_e": found.outcome.log_e,
        "draws": 16,
        "seconds": 1.235,
    }
    certain = detection(decided(math.inf)).record()
    assert (certain["verdict"], certain["certain"], certain["log_e"]) == ("REFUTED", True, None)


def test_a_family_is_examined_once_a_claim_at_its_first_point():
    names = ("empirical_scale_3", "empirical_derivative", "empirical_scale_1", "analytic_scale_3")
    claim = replace(UNBIASED, faults=names)
    assert power.families(claim) == ["empirical_scale", "analytic_scale"]
    point = UNBIASED.points["standard"][0]
    assert power.family_cells([claim, replace(claim, faults=names[1:2])], STANDARD) == [
        Cell(claim.name, point, 1e-3 / RANDOM, STANDARD, family)
        for family in ("empirical_scale", "analytic_scale")
    ]


@pytest.mark.parametrize("threshold", [1.01e-14, 2e-9, 0.0123, 0.97])
def test_the_smallest_refuted_size_is_found_up_to_a_quarter(told, threshold):
    planned = power.family_cells([UNBIASED], STANDARD)[:1]
    seen = told(lambda cell: 50.0 if catalogue.find(cell.fault).size >= threshold else -1.0)
    (found,) = power.smallest_sizes(planned)
    assert (found.claim, found.family) == (UNBIASED.name, planned[0].fault)
    # The name by which a fault is planted has three digits of its size: half a percent.
    assert threshold / 1.005 <= found.size <= 1.25 * threshold / 0.995
    assert found.seconds == PER_RUN * len(seen)


def test_a_family_that_is_never_refuted_has_no_smallest_size(told):
    planned = power.family_cells([UNBIASED], STANDARD)[:1]
    seen = told(lambda cell: -1.0)
    found = power.smallest_refuted(planned[0])
    assert found == power.Smallest(UNBIASED.name, planned[0].fault, math.inf, PER_RUN * len(seen))
    # The largest size alone is tried, twice the kernel, at every point.
    assert {catalogue.find(cell.fault).size for cell in seen} == {1.0}
    assert [cell.point for cell in seen] == list(UNBIASED.points["standard"])


def test_a_document_holds_what_was_found():
    point = UNBIASED.points["quick"][0]
    result = Result("a", point, 0, decided(50.0), 0.0)
    found = power.Detection("a", "b", Outcome("a", (result,), 1, 1e-3), 0.5)
    sizes = [
        power.Smallest("a", "analytic_scale", 0.01, 1.23456),
        power.Smallest("a", "gram_scale", math.inf, 2.0),
    ]
    document = power.document([found], sizes, {"b": True, "c": None}, STANDARD)
    rows = [
        {"claim": "a", "family": "analytic_scale", "size": 0.01, "seconds": 1.235},
        {"claim": "a", "family": "gram_scale", "size": None, "seconds": 2.0},
    ]
    assert json.loads(json.dumps(document)) == {
        "schema": "ntval.power/1",
        "profile": "standard",
        "alpha": 1e-3,
        "seed": 4,
        "detections": [found.record()],
        "smallest": rows,
        "passes_allclose": {"b": True, "c": None},
    }


def test_the_column_of_allclose_has_each_fault_once_in_order(monkeypatch):
    monkeypatch.setattr(power, "passes_allclose", lambda name: len(name) == 1)
    assert list(power.allclose_column(["a", "bb", "c"])) == [
        ("a", True),
        ("bb", False),
        ("c", True),
    ]
