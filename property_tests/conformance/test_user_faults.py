"""Faults of users are refuted by the claim that is named, with the words that are named."""

import os

import pytest
from conformance.faults_of_users.outcomes import (
    MISSED,
    REFUSED,
    REFUTED,
    RIGHT,
    USER_FAULTS,
)

import ntval
from ntval.errors import InputError, NetworkError
from ntval.front.check_network import quiet

# stax says so of a sum of branches.
pytestmark = pytest.mark.filterwarnings("ignore:`FanIn` layers assume independent inputs")

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
QUICK = (
    "stax: a W_std 5 % too large",
    "stax: off where x2 is given",
    "stax: batch statistics",
    "flax: dropout on",
    "flax: BatchNorm in training mode",
    "Gram matrix: one entry",
)


def checked(name, claims=None):
    """The run of a fault."""
    given = USER_FAULTS[name].given()
    return ntval.check_network(**given, claims=claims, name=name, on_fail="return", callback=quiet)


def assert_found(name):
    """A fault is refused, or refuted by its claim and diagnosed in its words."""
    if name in REFUSED:
        with pytest.raises((InputError, NetworkError), match=REFUSED[name]):
            checked(name)
        return
    claim, words = REFUTED[name]
    run = checked(name, [claim])
    assert [found for found in run.refuted if found.endswith("." + claim)]
    assert words in " ".join(run.diagnoses.values())


def test_every_fault_has_an_outcome():
    assert sorted([*REFUTED, *REFUSED, *MISSED, *RIGHT]) == sorted(USER_FAULTS)


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_fault_is_found(name):
    assert_found(name)


@pytest.mark.skipif(not NIGHTLY, reason="Every fault takes half an hour.")
@pytest.mark.parametrize("name", [*REFUTED, *REFUSED])
def test_a_fault_is_found(name):
    assert_found(name)


@pytest.mark.skipif(not NIGHTLY, reason="Every fault takes half an hour.")
@pytest.mark.parametrize("name", [*MISSED, *RIGHT])
def test_nothing_is_refuted_that_is_right_or_missed(name):
    assert not checked(name).refuted, "if it is a fault, it is refuted now: say so in REFUTED"
