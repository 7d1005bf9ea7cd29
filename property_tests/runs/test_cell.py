"""A cell: whose claim it runs, with what, and whom it blames when that goes wrong."""

import inspect
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import pytest

from ntval.claims.catalogue import CLAIMS, Catalogue
from ntval.claims.claim import Claim
from ntval.claims.outcome import Result
from ntval.errors import InputError, NetworkError
from ntval.evidence.verdict import Decision, Verdict
from ntval.runs import cell as cells
from ntval.runs.applicable import applicable
from ntval.runs.cell import Cell
from ntval.runs.settings import Settings

SYMMETRY = CLAIMS["kernel_identities.symmetry"]
POINT = SYMMETRY.points["standard"][-1]
OURS = Cell(SYMMETRY.name, POINT, 1e-3, Settings("standard", seed=5))
USERS = replace(OURS, settings=replace(OURS.settings, network="mine"))


@dataclass(frozen=True)
class Told(Claim):
    """A claim that answers with what it was asked."""

    def check(self, seed, point, *, alpha=0.0, effort=0.0):
        told = {"effort": effort}
        decision = Decision(Verdict.SUPPORTED, "told", "", 0.0, 0.0, 0.0, alpha=alpha, details=told)
        return Result(self.name, point, seed, decision, 0.0)

    def diagnosis(self, seed, point):
        return f"{self.name} with seed {seed} at {point}"


TOLD = Told(**vars(SYMMETRY))
GIVEN = Catalogue({SYMMETRY.name: TOLD})


def test_a_cell_is_checked_at_its_point_seed_level_and_effort():
    result = cells.run_cell(OURS, GIVEN)
    assert (result.claim, result.point, result.seed) == (SYMMETRY.name, POINT, 5)
    assert (result.decision.alpha, result.decision.details) == (1e-3, {"effort": 8.0})


def test_a_cell_is_diagnosed_at_its_point_and_seed():
    assert cells.diagnosis(OURS, GIVEN) == f"{SYMMETRY.name} with seed 5 at {POINT}"
    assert cells.diagnosis(OURS) == SYMMETRY.diagnosis(5, POINT)


def test_a_claim_that_is_given_goes_before_all_others():
    for cell in (OURS, USERS, replace(OURS, fault="analytic_asymmetric")):
        assert cells.claim_of(cell, GIVEN) is TOLD
    assert cells.claim_of(OURS) is SYMMETRY
    other = Catalogue({"kernel_identities.mean_kernel": TOLD})
    assert cells.claim_of(OURS, other) is SYMMETRY


def test_a_planted_fault_is_refuted_and_planted_once():
    cell = replace(OURS, fault="analytic_asymmetric")
    planted = cells.claim_of(cell)
    assert planted is cells.claim_of(replace(cell, settings=Settings()))
    assert cells.run_cell(cell).decision.verdict is Verdict.REFUTED
    assert cells.run_cell(OURS).decision.verdict is Verdict.SUPPORTED


ONE_NETWORK = """
from ntval.networks import mlp

network = mlp.network_of(mlp.Mlp(5, (6,), "tanh"))
"""


@pytest.mark.parametrize("whose", [("network",), ("data",), ("network", "data")])
def test_a_claim_about_what_a_user_has_is_the_one_of_its_name_that_applies(
    whose, tmp_path, monkeypatch
):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).standard_normal((6, 5)))
    (tmp_path / "one_network.py").write_text(ONE_NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    named = {"network": "one_network:network", "data": str(tmp_path / "a.npz")}
    users = Settings("standard", **{name: named[name] for name in whose})
    claim, point = next(
        item
        for item in applicable(users.network, users.data, "standard")
        if isinstance(item, tuple) and item[0].name == SYMMETRY.name
    )
    # Claims are about functions of their own: the very object that applies.
    assert cells.claim_of(Cell(SYMMETRY.name, point, 1e-3, users)) is claim
    assert claim is not SYMMETRY


def multiplied():
    return jnp.zeros((2, 3)) @ jnp.zeros((2, 3))


def test_what_a_users_network_cannot_do_is_said_to_be_its_fault_with_the_place():
    with pytest.raises(NetworkError) as raised, cells.blamed_on_network(USERS, "a claim"):
        multiplied()
    line = inspect.getsourcelines(multiplied)[1] + 1
    words = str(raised.value)
    assert words.startswith("network 'mine' needs functions that JAX can trace and differentiate")
    # Not in JAX, which raises: in the innermost line that is not its own.
    assert f"a claim met TypeError in runs/test_cell.py:{line}: dot_general" in words
    assert isinstance(raised.value.__cause__, TypeError)


def test_what_ntval_says_on_purpose_and_faults_of_its_own_are_left_as_they_are():
    for cell in (OURS, USERS):
        with pytest.raises(InputError, match=r"^as it was$"), cells.blamed_on_network(cell, ""):
            raise InputError("as it was")
    with pytest.raises(ZeroDivisionError), cells.blamed_on_network(OURS, "a claim"):
        1 / 0  # noqa: B018


def test_a_check_that_breaks_is_blamed_on_the_network_under_the_claims_name():
    broken = replace(SYMMETRY, subject=lambda point: 1 / 0)
    with pytest.raises(NetworkError, match=f"{SYMMETRY.name} met ZeroDivisionError in runs/"):
        cells.run_cell(USERS, Catalogue({SYMMETRY.name: broken}))
