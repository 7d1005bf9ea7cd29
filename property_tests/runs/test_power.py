"""Measured power: detections, smallest sizes, the comparison with allclose."""

import math

import pytest

from ntval.claims import montanari_zhong
from ntval.claims.catalogue import CLAIMS
from ntval.errors import UnknownNameError
from ntval.faults import catalogue
from ntval.runs import power


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
    random = sum(claim.statistical for claim in CLAIMS.values())
    assert cell.alpha == pytest.approx(1e-6 / random)


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
