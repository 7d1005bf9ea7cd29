"""Every claim holds at its quick points, and at points that Hypothesis draws."""

import math
import os
import time

import pytest

from ntval.claims.catalogue import CLAIMS
from ntval.evidence.verdict import Verdict
from ntval.front.strategies import examined
from ntval.runs.process import compilations

ALPHA = 1e-8
QUICK = [
    pytest.param(claim, point, id=f"{name}-{point}")
    for name, claim in CLAIMS.items()
    for point in claim.points["quick"]
]
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
# Points that are drawn of a claim's domain: on a ladder of networks, which compiles each rung;
# with chance; without. And the seconds that they may take. The first is the simplest.
ON_LADDERS, DRAWN, CERTAIN, SECONDS = (200, 200, 200, 150.0) if NIGHTLY else (1, 1, 2, math.inf)

DEAD = "VACUOUS: 0 was compared with 0"


def require_files(claim):
    """Skip a claim about data or weights that are not here, with the command that gets them."""
    if reason := claim.missing_files():
        pytest.skip(reason)


@pytest.mark.parametrize(("claim", "point"), QUICK)
def test_claim_is_supported(claim, point):
    require_files(claim)
    result = claim.check(0, point, alpha=ALPHA)
    result.raise_if_refuted()
    assert result.decision.verdict is Verdict.SUPPORTED, result.decision.summary


@pytest.mark.parametrize("name", CLAIMS)
def test_claim_holds_over_its_domain(name, record_property):
    require_files(CLAIMS[name])
    start, compiled = time.monotonic(), compilations()
    most = DRAWN if CLAIMS[name].statistical else CERTAIN
    most = ON_LADDERS if "ladder" in CLAIMS[name].needs else most
    outcome = examined(CLAIMS[name], alpha=ALPHA, max_examples=most, seconds=SECONDS)
    decisions = [result.decision for result in outcome.results]
    # A network of one dead unit has outputs and a kernel of 0: it shows nothing, and says so.
    telling = [d.verdict for d in decisions if not d.summary.startswith(DEAD)]
    record_property(
        "said",
        f"{name}: {len(decisions)} of {most} points in {time.monotonic() - start:.0f} s, "
        f"{compilations() - compiled} programs compiled; "
        f"{telling.count(Verdict.INCONCLUSIVE)} inconclusive, "
        f"{len(decisions) - len(telling)} of zeros",
    )
    assert outcome.verdict is not Verdict.REFUTED, outcome
    assert telling, outcome
    assert telling.count(Verdict.INCONCLUSIVE) <= len(telling) // 10, outcome


def test_a_claim_compiles_nothing_anew_for_another_seed(caplog):
    # Hundreds of runs, as of a calibration, would exhaust the memory mappings of a process.
    import jax

    claim = CLAIMS["kernel_identities.parametrization"]
    (point,) = claim.points["quick"]
    claim.check(0, point)
    with jax.log_compiles():
        claim.check(1, point)
    assert "Finished XLA compilation" not in caplog.text
