"""Examples that Hypothesis draws: each point once, the evidence over as many as were planned."""

import math

import numpy as np
import pytest

from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, OneOf
from ntval.claims.procedures import ProbableBound
from ntval.evidence.e_values import combined
from ntval.evidence.verdict import Verdict
from ntval.front.strategies import examined
from ntval.regimes import Regime
from ntval.subjects.subject import GramSubject

POINTS = tuple(Regime(n=n, d=3) for n in (4, 8))
TIMES = 6  # that each is drawn: Hypothesis draws every place of a list once


def claim_broken_in(share, seen):
    """A claim of two points, broken in a share of 100 draws; `seen` gets each point checked."""

    def sampler(key, point, subject, *, stream="measured"):
        seen.append(point)
        room = np.where(np.arange(100) < share * 100, -1.0, 1.0)[:, None]
        return lambda start, count: room[start : start + count]

    return Claim(
        name="tests.two_points",
        source="",
        statement="",
        needs=(),
        points={"standard": POINTS},
        domain=Domain({"n": OneOf((4, 8) * TIMES), "d": OneOf((3,))}),
        subject=lambda point: GramSubject(np.eye(2)[None]),
        procedure=ProbableBound(sampler, failure=0.1, resolution=0.1, first=100, most=100),
    )


# Of 100 draws that break 0.1, alpha 1e-6 takes more than 0.21 to be refuted.
@pytest.mark.parametrize("share", [0.0, 0.1, 0.21])
def test_a_point_that_is_drawn_twice_is_counted_once(share):
    seen = []
    outcome = examined(claim_broken_in(share, seen), max_examples=2 * TIMES)
    assert sorted(seen, key=POINTS.index) == list(POINTS)
    assert [result.point for result in outcome.results] == seen
    log_e = [result.decision.log_e for result in outcome.results]
    assert outcome.log_e == combined(log_e, 2 * TIMES)  # the same function of the same numbers


def test_points_that_refute_a_little_do_not_refute_together_by_being_repeated():
    log_e = examined(claim_broken_in(0.21, []), max_examples=2 * TIMES).results[0].decision.log_e
    outcome = examined(claim_broken_in(0.21, []), max_examples=2 * TIMES)
    # Counted as often as it was drawn, a point would be evidence enough; twice it is not.
    assert 2 * log_e < math.log(1e6) < 2 * TIMES * log_e
    assert outcome.verdict is not Verdict.REFUTED
