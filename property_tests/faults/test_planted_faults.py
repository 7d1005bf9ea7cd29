"""Planted faults are refuted: a commit plants each claim's three hardest, and every fault once."""

import os

import pytest

from ntval.claims.catalogue import CLAIMS
from ntval.evidence.verdict import Verdict
from ntval.faults.catalogue import FAULTS

HARDEST = 3  # a claim's `faults` are in order, hardest to catch first


def planted(hardest: int | None) -> list[tuple[str, str]]:
    """Pairs of claim and fault: `hardest` a claim (all, if None), and every fault at least once."""
    pairs = [(name, fault) for name, claim in CLAIMS.items() for fault in claim.faults[:hardest]]
    met = {fault for _, fault in pairs}
    for name, claim in CLAIMS.items():
        pairs += [(name, fault) for fault in claim.faults if fault not in met]
        met.update(claim.faults)
    return pairs


PAIRS = planted(None if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else HARDEST)


@pytest.mark.parametrize(("name", "fault"), PAIRS, ids=[f"{n}-{f}" for n, f in PAIRS])
def test_planted_fault_is_refuted(name, fault):
    claim = FAULTS[fault].plant(CLAIMS[name])
    assert any(
        claim.check(0, point, alpha=1e-8).decision.verdict is Verdict.REFUTED
        for point in claim.points["quick"]
    )


def test_a_commit_plants_every_fault():
    pairs = planted(HARDEST)
    assert {fault for _, fault in pairs} == set(FAULTS)
    assert len(pairs) == len(set(pairs))
