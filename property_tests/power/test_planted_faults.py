"""Every planted fault is refuted by every claim that names it."""

import pytest

from ntval.claims.catalogue import CLAIMS
from ntval.evidence.verdict import Verdict
from ntval.faults.catalogue import FAULTS

PLANTED = [(claim, fault) for claim in CLAIMS.values() for fault in claim.faults]


@pytest.mark.parametrize(("claim", "fault"), PLANTED, ids=[f"{c.name}-{f}" for c, f in PLANTED])
def test_planted_fault_is_refuted(claim, fault):
    planted = FAULTS[fault].plant(claim)
    assert any(
        planted.check(0, point, alpha=1e-8).decision.verdict is Verdict.REFUTED
        for point in claim.points["quick"]
    )
