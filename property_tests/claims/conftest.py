"""Two words for a claim's test: `supported` at a regime, `holds` over regimes drawn."""

import pytest

from ntval.evidence.verdict import Verdict
from ntval.front.strategies import examined


@pytest.fixture
def supported():
    """Check a claim at a regime, seed 0: it must be SUPPORTED, and says why when it is not."""

    def check(claim, regime, alpha=1e-8):
        result = claim.check(0, regime, alpha=alpha)
        result.raise_if_refuted()
        assert result.decision.verdict is Verdict.SUPPORTED, result.decision.summary

    return check


@pytest.fixture
def holds():
    """Check a claim at regimes that Hypothesis draws: none may be refuted, one in ten undecided."""

    def check(claim, max_examples=6):
        outcome = examined(claim, alpha=1e-8, max_examples=max_examples)
        verdicts = [result.decision.verdict for result in outcome.results]
        assert outcome.verdict is not Verdict.REFUTED, outcome
        assert verdicts.count(Verdict.INCONCLUSIVE) <= len(verdicts) // 10, outcome

    return check
