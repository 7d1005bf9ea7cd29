"""The record of a decision: its defaults, its order of severity, its words in JSON."""

import json
import math

import numpy as np
import pytest

from ntval.evidence.verdict import SEVERITY, Decision, Verdict, finite, malformed, worst


def test_a_decision_claims_no_chance_and_no_evidence_unless_it_says_so():
    decision = Decision(Verdict.SUPPORTED, "identity", "", 0.0, 0.0, 0.0)
    assert (decision.alpha, decision.miss, decision.log_e, decision.draws) == (0.0, 0.0, 0.0, 1)
    assert decision.details == {}


def test_what_cannot_be_compared_is_refuted_with_certainty():
    decision = malformed("means", "entry 3", "draws are not finite")
    assert decision.verdict is Verdict.REFUTED
    assert decision.summary == "entry 3: draws are not finite"
    assert (decision.gap, decision.allowed, decision.smallest_gap) == (math.inf, 0.0, 0.0)
    assert (decision.log_e, decision.alpha, decision.draws) == (math.inf, 0.0, 1)
    assert decision.details == {"where": "entry 3"}
    assert malformed("means", "x", "y", 0.05, 7).alpha == 0.05
    assert malformed("means", "x", "y", 0.05, 7).draws == 7


@pytest.mark.parametrize("verdicts", [[a, b, c] for a in Verdict for b in Verdict for c in Verdict])
def test_the_worst_of_several_verdicts_is_the_first_in_severity(verdicts):
    found = worst(verdicts)
    assert found in verdicts
    assert all(SEVERITY.index(found) <= SEVERITY.index(verdict) for verdict in verdicts)
    assert SEVERITY == (Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.SUPPORTED)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1.5),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float64(math.nan), "nan"),
        (7, 7),
        ("word", "word"),
        (None, None),
        ([1.0, math.inf, [math.nan, 2]], [1.0, "inf", ["nan", 2]]),
        ((math.inf, 1), ["inf", 1]),
    ],
)
def test_numbers_that_json_has_no_word_for_are_strings(value, expected):
    assert finite(value) == expected
    assert json.loads(json.dumps(finite(value), allow_nan=False)) == expected
