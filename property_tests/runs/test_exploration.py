"""A search of a domain: what it finds, its level, and that it goes on where it stopped."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, Interval, Sizes
from ntval.claims.procedures import Identity, ProbableBound
from ntval.errors import InputError
from ntval.evidence.exact import Comparison
from ntval.runs.exploration import (
    FAILED,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    VACUOUS,
    explored,
    visit_of,
)
from ntval.runs.settings import Settings
from ntval.runs.store import Store
from ntval.subjects.subject import GramSubject

ONE = np.ones(1)
DOMAIN = Domain({"n": Sizes(tuple(range(1, 60))), "d": Sizes((3,)), "ridge": Interval(0.0, 1.0)})


def compared(gap, domain=DOMAIN, allowed=1.0):
    """A claim whose gap at a point is a function of the point, in units of its allowance."""

    def compare(key, point, subject):
        return [Comparison("it", gap(point) * ONE, 0 * ONE, allowed * ONE, 1000 * ONE)]

    return Claim(
        name="tests.compared",
        source="",
        statement="",
        needs=(),
        points={},
        subject=lambda point: GramSubject(np.eye(2)[None]),
        procedure=Identity(compare),
        domain=domain,
    )


def search(claim, most=60, **options):
    return explored(claim, Settings(), minutes=1, most=most, **options)


def test_it_climbs_to_a_corner_that_chance_would_miss():
    # A share of about 2e-4 of the domain refutes it.
    found = search(compared(lambda p: (p.n / 59 + p.ridge) / 1.98), most=1000)
    assert found.count(REFUTED)
    worst = found.worst(1)[0]
    assert worst.state == REFUTED
    assert worst.ratio > 1
    assert worst.point.n > 50


def test_points_are_ranked_by_how_near_the_gap_comes_to_the_allowance():
    found = search(compared(lambda p: p.n / 100))
    ratios = [visit.ratio for visit in found.worst()]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] == max(visit.point.n for visit in found.visits) / 100
    assert len({visit.point for visit in found.visits}) == len(found.visits)


def test_a_point_at_which_the_claim_raises_is_a_finding_and_the_search_goes_on():
    def gap(point):
        if point.n % 2:
            raise ValueError("odd\nand more")
        return 0.1

    found = search(compared(gap))
    assert found.count(FAILED) > 0
    assert found.count(SUPPORTED) > 0
    assert found.worst(1)[0].summary == "ValueError: odd"


def test_a_vacuous_point_is_told_from_an_undecided_one():
    assert search(compared(lambda p: 0.0, allowed=1e6), most=3).count(VACUOUS) == 3
    trials = ProbableBound(
        lambda key, point, subject, *, stream="": lambda start, count: np.ones((count, 1)),
        failure=0.1,
        resolution=0.01,
        first=10,
        most=10,
    )
    assert search(replace(compared(lambda p: 0.0), procedure=trials), most=3).count(UNDECIDED) == 3


def test_a_domain_that_is_wholly_known_ends_the_search():
    found = search(compared(lambda p: 0.0, Domain({"n": Sizes((1, 2)), "d": Sizes((3,))})))
    assert len(found.visits) == 2


def test_shares_of_the_level_add_up_to_it():
    levels = []

    class Recorded(Identity):
        def decide(self, examination, *, alpha, effort):
            levels.append(alpha)
            return super().decide(examination, alpha=alpha, effort=effort)

    claim = compared(lambda p: 0.0)
    found = search(replace(claim, procedure=Recorded(claim.procedure.compare)), most=40)
    shares = [1e-6 / (i * (i + 1)) for i in range(1, 41)]
    np.testing.assert_array_equal(levels, shares)
    # 1/(1 * 2) + ... + 1/(m (m + 1)) = 1 - 1/(m + 1)
    assert sum(levels) <= 1e-6
    assert [visit.corrected for visit in found.visits] == [
        -math.log(i * (i + 1)) for i in range(1, 41)
    ]


def test_a_search_goes_on_where_it_stopped(tmp_path):
    claim = compared(lambda p: p.n / 100)
    with Store(tmp_path / "points.sqlite") as kept:
        first = search(claim, most=20, kept=kept)
        examined = []
        again = search(claim, most=30, kept=kept, shown=examined.append)
    assert again.visits[:20] == first.visits
    assert len(again.visits) == 30
    assert len(examined[0].visits) == 20
    assert [visit.number for visit in again.visits] == list(range(1, 31))


def test_searches_with_other_seeds_know_nothing_of_each_other(tmp_path):
    claim = compared(lambda p: p.n / 100)
    with Store(tmp_path / "points.sqlite") as kept:
        search(claim, most=5, kept=kept)
        other = explored(claim, Settings(seed=1), minutes=1, most=5, kept=kept)
    assert len(other.visits) == 5


def test_a_visit_is_read_again_as_it_was():
    for visit in search(compared(lambda p: 2.0 if p.n > 30 else 0.5)).visits:
        assert visit_of(visit.record()) == visit


def test_a_claim_without_a_domain_is_refused():
    with pytest.raises(InputError, match=r"a claim with a domain, got 'tests\.compared'"):
        search(replace(compared(lambda p: 0.0), domain=None))


@pytest.mark.parametrize("minutes", [0, -1.0, math.nan])
def test_a_time_that_is_not_positive_is_refused(minutes):
    with pytest.raises(InputError, match="--minutes needs a positive number"):
        explored(compared(lambda p: 0.0), Settings(), minutes=minutes)
