"""No claim about a correct network of stax is refuted."""

import os

import pytest
from conformance.correct_networks import CORRECT

import ntval
from ntval.front.check_network import quiet

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
CHEAP = ("linear, no hidden layer", "relu, width 16", "a row of zeros", "nearly repeated rows")


def refuted(name, seed, claims=None):
    """What is refuted of a correct network."""
    model, x = CORRECT[name]
    run = ntval.check_network(
        model, x=x, seed=seed, claims=claims, name=name, on_fail="return", callback=quiet
    )
    return {claim: outcome.results for claim, outcome in run.refuted.items()}


@pytest.mark.parametrize("name", CHEAP)
def test_no_identity_of_a_cheap_correct_network_is_refuted(name):
    assert refuted(name, 0, ["kernel_identities"]) == {}


@pytest.mark.skipif(not NIGHTLY, reason="Three seeds of every network take an hour.")
@pytest.mark.filterwarnings("ignore:`FanIn` layers assume independent inputs")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CORRECT)
def test_no_claim_about_a_correct_network_is_refuted(name, seed):
    assert refuted(name, seed) == {}
