"""One word for a claim's test: `supported`."""

import pytest

from ntval.decisions import Verdict


@pytest.fixture
def supported():
    """Check a claim at a regime, seed 0: it must be SUPPORTED, and says why when it is not."""

    def check(claim, regime, alpha=1e-8):
        result = claim.check(0, regime, alpha=alpha)
        result.raise_if_refuted()
        assert result.decision.verdict is Verdict.SUPPORTED, result.decision.summary

    return check
