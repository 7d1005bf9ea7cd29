"""A profile that spends more draws sees smaller departures."""

import math

import numpy as np
import pytest

from ntval.evidence import sequential
from ntval.evidence.allowance import Allowance
from ntval.evidence.sequential import Sample
from ntval.evidence.verdict import Verdict


def sample(mean):
    def draw(start, count):
        return np.random.default_rng(start).normal(mean, 1.0, (count, 1))

    return Sample(draw, ("a mean",), 0.0, Allowance(0.0, 8.0, 0.4))


def decided(mean, effort):
    return sequential.means(sample(mean), alpha=1e-6, effort=effort, most=1024)


def test_a_departure_below_the_resolution_is_seen_at_a_higher_effort():
    assert decided(0.2, 1.0).verdict is Verdict.SUPPORTED
    assert decided(0.2, 64.0).verdict is Verdict.REFUTED


@pytest.mark.parametrize("effort", [1.0, 8.0, 64.0])
def test_a_true_mean_is_supported_at_every_effort(effort):
    assert decided(0.0, effort).verdict is Verdict.SUPPORTED


def test_what_has_to_be_seen_falls_with_the_root_of_the_effort():
    given = sample(0.0)
    assert given.at_effort(64.0).resolution == given.resolution / 8
    assert given.at_effort(0.5).resolution == given.resolution
    assert math.isclose(given.at_effort(2.0).resolution[0], 0.4 / math.sqrt(2))
