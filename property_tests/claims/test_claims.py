"""Every claim holds at its quick regimes, and at regimes that Hypothesis draws."""

import pytest

from ntval.claims.catalogue import CLAIMS
from ntval.evidence.verdict import Verdict
from ntval.front.strategies import examined

ALPHA = 1e-8
QUICK = [
    pytest.param(claim, regime, id=f"{name}-{regime}")
    for name, claim in CLAIMS.items()
    for regime in claim.regimes["quick"]
]
# Claims without chance, of any network: Hypothesis draws sizes and activations freely.
ANY_NETWORK = [
    name
    for name, claim in CLAIMS.items()
    if not claim.statistical and not {"theorem's setting", "one Gram matrix"} & set(claim.needs)
]
RANDOM = [name for name, claim in CLAIMS.items() if "random" in claim.regimes]


@pytest.mark.parametrize(("claim", "regime"), QUICK)
def test_claim_is_supported(claim, regime):
    result = claim.check(0, regime, alpha=ALPHA)
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
    (regime,) = claim.regimes["quick"]
    claim.check(0, regime)
    with jax.log_compiles():
        claim.check(1, regime)
    assert "Finished XLA compilation" not in caplog.text
