"""The record itself: keys, results, names."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from ntval.activations import ACTIVATIONS
from ntval.claims import kernel_identities as claims
from ntval.claims.catalogue import CLAIMS, find
from ntval.claims.sampling import draw_params, key_for, replicates
from ntval.errors import RefutedError, UnknownNameError, unknown_name
from ntval.evidence.verdict import Verdict
from ntval.faults.catalogue import FAULTS
from ntval.networks.network import Network
from ntval.regimes import Regime
from ntval.runs.settings import PROFILES

REGIME = Regime(n=4, d=3, widths=(16,), activation="erf")
SYMMETRY = claims.symmetry


def bits(name="a", regime=REGIME, seed=0):
    return tuple(np.asarray(jax.random.key_data(key_for(name, regime, seed))))


def test_key_depends_on_claim_regime_and_seed_alone():
    assert bits() == bits()
    others = [bits(name="b"), bits(regime=replace(REGIME, n=8)), bits(seed=1)]
    assert len({bits(), *others}) == 4


def test_same_seed_gives_the_same_result():
    # To the bit: the same programs of the same numbers.
    first, second = (SYMMETRY.check(3, REGIME).record() for _ in range(2))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_replicates_do_not_depend_on_how_they_are_asked_for():
    draw = replicates(lambda key: jax.random.normal(key, (2,)), jax.random.key(0), chunk=4)
    # To the bit: one compiled program makes every four draws.
    assert np.array_equal(draw(0, 16), np.concatenate([draw(0, 4), draw(4, 4), draw(8, 8)]))
    assert len(np.unique(draw(0, 16))) == 32


def test_refutation_says_claim_regime_evidence_and_replay():
    result = FAULTS["analytic_asymmetric"].plant(SYMMETRY).check(0, REGIME)
    assert result.decision.verdict is Verdict.REFUTED
    with pytest.raises(RefutedError) as raised:
        result.raise_if_refuted()
    for part in (SYMMETRY.name, str(REGIME), "largest gap", "ntval check", "--seed 0"):
        assert part in str(raised.value)


def test_supported_result_does_not_raise():
    SYMMETRY.check(0, REGIME).raise_if_refuted()


def test_claims_are_found_by_name_last_word_and_paper():
    assert find("symmetry", CLAIMS) == [SYMMETRY]
    assert find(SYMMETRY.name, CLAIMS) == [SYMMETRY]
    assert len(find("montanari_zhong", CLAIMS)) == 32
    assert len(find("bombari_amani_mondelli", CLAIMS)) == 20
    assert len(find("wei_hu_steinhardt", CLAIMS)) == 24
    with pytest.raises(UnknownNameError, match=r"did you mean 'kernel_identities\.symmetry'"):
        find("symetry", CLAIMS)


@pytest.mark.parametrize("name", ["no_such_claim", "eigen", "E99", ""])
def test_an_unknown_claim_is_told_three_names_and_where_all_are(name):
    with pytest.raises(UnknownNameError) as refused:
        find(name, CLAIMS)
    message = str(refused.value)
    assert message.endswith("All names: `ntval list`.")
    assert sum(f"'{claim}'" in message for claim in CLAIMS) <= 3
    assert len(message) < 250


@pytest.mark.parametrize(
    ("kind", "name", "known", "message"),
    [
        ("claim", "SYMETRY", CLAIMS, "did you mean 'kernel_identities.symmetry'"),
        ("fault", "Analytic_Asymetric", FAULTS, "did you mean 'analytic_asymmetric'"),
        ("activation", "RELU", ACTIVATIONS, "did you mean 'relu'"),
        ("activation", 3, ACTIVATIONS, "Unknown activation '3'; the nearest: "),
        ("profile", "QUIK", PROFILES, "did you mean 'quick'?"),
        ("profile", "x", PROFILES, "known: quick, standard, thorough."),
        ("grid", "fill", ["Full", "smoke"], "did you mean 'Full'?"),
    ],
)
def test_unknown_names_find_their_neighbours_in_any_case(kind, name, known, message):
    assert message in str(unknown_name(kind, name, known))


def test_a_compiled_program_draws_parameters_once():
    network = (
        CLAIMS["kernel_identities.mean_kernel"]
        .subject(Regime(n=2, d=3, widths=(8, 8), activation="erf"))
        .network
    )
    x = np.ones((2, 3))
    output = jax.jit(lambda key: network.apply_fn(draw_params(network, key), x))
    key = jax.random.key(0)
    # XLA has not found out that the branch is always taken.
    assert "conditional(" in output.lower(key).compile().as_text()
    np.testing.assert_allclose(output(key), network.apply_fn(draw_params(network, key), x))


@pytest.mark.parametrize("key", [jax.random.key(1), jax.random.PRNGKey(1)], ids=["key", "raw"])
def test_parameters_that_were_not_drawn_stay_as_they_are(key):
    def init_fn(key, shape):
        return shape, {"w": jax.random.normal(key, (2,)), "power": 3, "fixed": np.ones(2)}

    def apply_fn(params, x):
        assert params["power"] == 3
        return x @ (params["w"] ** params["power"] * params["fixed"])

    network = Network(init_fn, apply_fn)
    output = jax.jit(lambda key: network.apply_fn(draw_params(network, key), np.eye(2)))
    np.testing.assert_allclose(output(key), jax.random.normal(key, (2,)) ** 3)
