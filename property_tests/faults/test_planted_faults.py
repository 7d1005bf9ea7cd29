"""Planted faults are refuted: a commit plants each claim's hardest, and every fault once."""

import os

import pytest

from ntval.claims.catalogue import CLAIMS
from ntval.evidence.verdict import Verdict
from ntval.faults.catalogue import FAULTS, shown_by_points
from ntval.front.strategies import examined

HARDEST = 1  # a claim's `faults` are in order, hardest to catch first


def planted(hardest: int | None) -> list[tuple[str, str]]:
    """Pairs of claim and fault: `hardest` a claim (all, if None), and every fault at least once."""
    shown = {name: shown_by_points(claim) for name, claim in CLAIMS.items()}
    pairs = [(name, fault) for name, faults in shown.items() for fault in faults[:hardest]]
    met = {fault for _, fault in pairs}
    for name, faults in shown.items():
        pairs += [(name, fault) for fault in faults if fault not in met]
        met.update(faults)
    return pairs


PAIRS = planted(None if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else HARDEST)


ELSEWHERE = [(n, f) for n, claim in CLAIMS.items() for f in claim.faults if FAULTS[f].elsewhere]
DRAWN = 12  # points of a domain in which such a fault has to show


@pytest.mark.parametrize(("name", "fault"), PAIRS, ids=[f"{n}-{f}" for n, f in PAIRS])
def test_planted_fault_is_refuted(name, fault):
    if reason := CLAIMS[name].missing_files():
        pytest.skip(reason)
    claim = FAULTS[fault].plant(CLAIMS[name])
    assert any(
        claim.check(0, point, alpha=1e-8).decision.verdict is Verdict.REFUTED
        for point in claim.points["quick"]
    )


@pytest.mark.parametrize(("name", "fault"), ELSEWHERE, ids=[f"{n}-{f}" for n, f in ELSEWHERE])
def test_a_fault_that_no_quick_point_shows_is_refuted_at_points_of_the_domain(name, fault):
    claim = FAULTS[fault].plant(CLAIMS[name])
    for point in claim.points["quick"]:
        assert claim.check(0, point, alpha=1e-8).decision.verdict is Verdict.SUPPORTED
    outcome = examined(claim, alpha=1e-8, max_examples=DRAWN)
    assert outcome.verdict is Verdict.REFUTED, outcome


def test_a_commit_plants_every_fault():
    pairs = planted(HARDEST)
    assert {fault for _, fault in pairs} == set(FAULTS) - {fault for _, fault in ELSEWHERE}
    assert len(pairs) == len(set(pairs))
