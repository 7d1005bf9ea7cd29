"""Every claim holds at its quick points, and at points that Hypothesis draws."""

import pytest

from ntval.claims.catalogue import CLAIMS
from ntval.evidence.verdict import Verdict
from ntval.front.strategies import examined

ALPHA = 1e-8
QUICK = [
    pytest.param(claim, point, id=f"{name}-{point}")
    for name, claim in CLAIMS.items()
    for point in claim.points["quick"]
]
# Claims without chance, of any network: Hypothesis draws sizes and activations freely.
ANY_NETWORK = [
    name
    for name, claim in CLAIMS.items()
    if not claim.statistical and not {"theorem's setting", "one Gram matrix"} & set(claim.needs)
]
RANDOM = [name for name, claim in CLAIMS.items() if "random" in claim.points]


@pytest.mark.parametrize(("claim", "point"), QUICK)
def test_claim_is_supported(claim, point):
    result = claim.check(0, point, alpha=ALPHA)
    result.raise_if_refuted()
    assert result.decision.verdict is Verdict.SUPPORTED, result.decision.summary


@pytest.mark.parametrize("name", [*ANY_NETWORK, *RANDOM])
def test_claim_holds_over_regimes(name):
    outcome = examined(CLAIMS[name], alpha=ALPHA, max_examples=6)
    verdicts = [result.decision.verdict for result in outcome.results]
    assert outcome.verdict is not Verdict.REFUTED, outcome
    assert verdicts.count(Verdict.INCONCLUSIVE) <= len(verdicts) // 10, outcome


def test_a_claim_compiles_nothing_anew_for_another_seed(caplog):
    # Hundreds of runs, as of a calibration, would exhaust the memory mappings of a process.
    import jax

    claim = CLAIMS["kernel_identities.parametrization"]
    (point,) = claim.points["quick"]
    claim.check(0, point)
    with jax.log_compiles():
        claim.check(1, point)
    assert "Finished XLA compilation" not in caplog.text
