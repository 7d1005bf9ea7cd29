"""check_network: right networks are supported, planted ones are refuted and diagnosed by name."""

import functools
import io
import warnings
from dataclasses import replace

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_networks import D, X, drawn, tanh_mlp, weights

import ntval
from ntval import Network, stax
from ntval.arrays import float64
from ntval.claims.catalogue import Catalogue
from ntval.claims.procedures import Identity
from ntval.data.sets import Data
from ntval.errors import NetworkError, RefutedError, UnknownNameError
from ntval.evidence.verdict import Verdict
from ntval.front.check_network import RefutedWarning, check_network
from ntval.front.checks import checks_for, parametrize_with_claims
from ntval.kernels.methods import METHODS
from ntval.runs.applicable import NotRun, claims_about
from ntval.runs.cell import Cell, run_cell
from ntval.runs.settings import Settings
from ntval.subjects import network

QUICK = ["batch_independence", "symmetry", "positive_semidefinite"]


def verdicts(run):
    return {name.rpartition(".")[2]: o.verdict for name, o in run.outcomes.items()}


@functools.cache
def stax_mlp(bias=0.5):
    return stax.serial(
        stax.Dense(256, W_std=1.5, b_std=bias), stax.Erf(), stax.Dense(1, W_std=1.5, b_std=bias)
    )


def refuted(**network):
    """The run of a planted network: its first refuted claim, and the whole message."""
    with pytest.raises(RefutedError) as caught:
        check_network(**network)
    return str(caught.value)


def test_a_function_with_fixed_weights_is_supported():
    run = check_network(tanh_mlp, weights(16), X)
    assert set(verdicts(run).values()) == {Verdict.SUPPORTED}
    assert {"methods_agree", "precision", "permutation_equivariance"} <= set(verdicts(run))
    reasons = {item.claim: item.reason for item in run.not_run}
    assert "no kernel_fn" in reasons["kernel_identities.mean_kernel"]
    assert "one fixed set of weights" in reasons["kernel_identities.width_concentration"]


@pytest.mark.parametrize("claims", [QUICK])
def test_networks_of_every_library_are_supported(claims):
    haiku = pytest.importorskip("haiku")

    def forward(x):
        return haiku.nets.MLP([8, 1], activation=jnp.tanh)(x)

    class Linen(flax.linen.Module):
        @flax.linen.compact
        def __call__(self, x):
            return flax.linen.Dense(1)(flax.linen.tanh(flax.linen.Dense(8)(x)))

    for model in (haiku.transform(forward), haiku.without_apply_rng(haiku.transform(forward))):
        assert (
            Verdict.REFUTED not in verdicts(check_network(model, None, X, claims=claims)).values()
        )
    linen = Linen()
    params = linen.init(jax.random.key(0), jnp.zeros((1, D)))
    for given in (None, params):
        assert (
            Verdict.REFUTED not in verdicts(check_network(linen, given, X, claims=claims)).values()
        )


def test_init_brings_claims_about_rates():
    run = check_network(
        tanh_mlp, x=X, init=drawn, claims=["width_concentration", "parametrization"]
    )
    assert verdicts(run)["parametrization"] is Verdict.SUPPORTED
    assert verdicts(run)["width_concentration"] is Verdict.SUPPORTED


def test_the_standard_parametrization_is_called_so():
    def standard(params, x):
        return jnp.tanh(x @ params["w"]) @ params["v"]

    def init(key, width):
        params = drawn(key, width)
        return {**params, "v": params["v"] / width**0.5}

    message = refuted(model=standard, x=X, init=init, claims=["parametrization"])
    assert "the standard parametrization" in message


class WithBatchNorm(nnx.Module):
    """Batch normalization of nnx, in training mode until eval() is called."""

    def __init__(self, rngs):
        self.first = nnx.Linear(D, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.second = nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.second(nnx.relu(self.norm(self.first(x))))


class WithDropout(flax.linen.Module):
    """Dropout that is never switched off."""

    @flax.linen.compact
    def __call__(self, x):
        return flax.linen.Dense(1)(
            flax.linen.Dropout(0.5, deterministic=False)(flax.linen.Dense(8)(x))
        )


def test_batch_norm_in_training_mode_is_called_so():
    model = WithBatchNorm(nnx.Rngs(0))
    with pytest.raises(NetworkError, match="BatchNorm in training mode"):
        check_network(model, None, X, claims=QUICK)
    model.eval()
    assert Verdict.REFUTED not in verdicts(check_network(model, None, X, claims=QUICK)).values()


def test_batch_statistics_of_one_s_own_are_called_so():
    def coupled(params, x):
        return tanh_mlp(params, x - x.mean(axis=0))

    message = refuted(model=coupled, params=weights(8), x=X)
    assert "batch_independence is REFUTED" in message
    assert "BatchNorm in training mode" in message
    run = check_network(coupled, weights(8), X, on_fail="return")
    assert any("every other claim rests on it" in item.reason for item in run.not_run)


def test_dropout_left_on_is_called_so():
    module = WithDropout()
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    params = module.init(keys, jnp.zeros((1, D)))
    with pytest.raises(NetworkError, match="dropout left on"):
        check_network(module, params, X, claims=QUICK)

    def with_fixed_key(params, x):
        return module.apply(params, x, rngs={"dropout": jax.random.key(2)})

    assert "dropout left on" in refuted(model=with_fixed_key, params=params, x=X, claims=QUICK)


def test_a_kernel_three_percent_too_large_is_called_so():
    init_fn, apply_fn, kernel_fn = stax_mlp()

    def twin(x1, x2=None, get="ntk"):
        return 1.03 * kernel_fn(x1, x2, get)

    message = refuted(model=(init_fn, apply_fn, twin), x=X, claims=["mean_kernel"], name="mine")
    assert "mean_kernel is REFUTED for mine" in message
    assert "throughout: a wrong scale" in message
    assert "confirmed 3/3" in message


def test_a_twin_without_biases_is_called_so():
    init_fn, apply_fn, _ = stax_mlp()
    twin = stax_mlp(bias=None)[2]
    message = refuted(model=(init_fn, apply_fn, twin), x=X, claims=["mean_kernel"])
    assert "a missing bias" in message


def notes(run):
    (result,) = run.outcomes["kernel_identities.positive_semidefinite"].results
    return " ".join(result.decision.details["notes"])


def test_a_near_duplicate_in_float32_is_called_rounding():
    def in_float32(params, x):
        low = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (params, x))
        return tanh_mlp(*low)

    x = X.copy()
    x[7] = x[3] + 1e-7
    run = check_network(in_float32, weights(40), x, claims=["positive_semidefinite"])
    assert verdicts(run)["positive_semidefinite"] is Verdict.SUPPORTED
    assert "0 within rounding" in notes(run)
    assert "inputs 3 and 7" in notes(run)


def test_fewer_parameters_than_inputs_are_called_rank_deficient():
    run = check_network(tanh_mlp, weights(2), X, claims=["positive_semidefinite"])
    assert "rank-deficient as predicted: 40 inputs, 14 parameters" in notes(run)


@functools.cache
def gram():
    with float64():
        return np.asarray(stax_mlp()[2](X, None, "ntk"))


def test_a_gram_matrix_is_held_against_its_twin():
    run = check_network(gram(), x=X, kernel_fn=stax_mlp()[2])
    assert set(verdicts(run).values()) == {Verdict.SUPPORTED}
    assert "gram_matrices.equals_reference" in run.outcomes
    assert "positive" in notes(run)


def test_a_wrong_entry_of_a_gram_matrix_is_called_so():
    wrong = gram().copy()
    wrong[2, 9] *= 1.15
    message = refuted(model=wrong)
    assert "symmetry is REFUTED" in message
    assert "[2, 9]" in message
    wrong[9, 2] = wrong[2, 9]
    message = refuted(model=wrong, kernel_fn=gram())
    assert "entry [2, 9] of the Gram matrix is 15.0% too large, and no other" in message


def test_a_gram_matrix_that_is_none_is_called_a_bug():
    message = refuted(model=gram() - 2 * np.eye(len(X)) * np.linalg.eigvalsh(gram())[0])
    assert "negative beyond rounding" in message


def test_gram_matrices_of_independent_weights_are_held_against_their_twin():
    params = [weights(64, seed) for seed in range(800)]
    x = X[:4] / np.linalg.norm(X[:4], axis=1, keepdims=True)

    @jax.jit
    def empirical(params):
        jacobian = jax.jacobian(lambda p: tanh_mlp(p, x)[:, 0])(params)
        rows = jnp.concatenate([j.reshape(len(x), -1) for j in jax.tree.leaves(jacobian)], axis=1)
        return rows @ rows.T

    with float64():
        grams = np.stack([np.asarray(empirical(p)) for p in params])
    other = [weights(64, seed) for seed in range(800, 3000)]
    with float64():
        reference = np.mean([np.asarray(empirical(p)) for p in other], axis=0)
    run = check_network(grams, kernel_fn=reference, claims=["gram_matrices"])
    assert verdicts(run)["mean"] is Verdict.SUPPORTED
    assert "a wrong scale" in refuted(
        model=1.1 * grams, kernel_fn=reference, claims=["gram_matrices"]
    )


def test_on_fail_says_what_happens():
    wrong = gram() + np.triu(gram(), 1)
    with pytest.warns(RefutedWarning, match="symmetry is REFUTED"):
        check_network(wrong, on_fail="warn")
    assert "kernel_identities.symmetry" in check_network(wrong, on_fail="return").refuted


def test_an_expected_refutation_passes_and_an_unexpected_support_does_not():
    wrong = gram() + np.triu(gram(), 1)
    run = check_network(wrong, expected_refutations={"symmetry": "an upper triangle"})
    assert run.refuted == {}
    message = refuted(model=gram(), expected_refutations={"symmetry": "an upper triangle"})
    assert "SUPPORTED: take it out" in message
    with pytest.raises(UnknownNameError, match="symmetry"):
        check_network(gram(), expected_refutations={"symetry": "a slip"})


@pytest.mark.parametrize("terminal", [True, False])
def test_a_live_table_is_shown_on_a_terminal_only(monkeypatch, terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    run = check_network(gram())
    assert not run.refuted
    shown = stream.getvalue()
    assert ("symmetry" in shown and "SUPPORTED" in shown) if terminal else shown == ""


def test_the_callback_sees_every_state():
    states = []
    check_network(gram(), callback=states.append)
    assert [len(state.results) for state in states] == [1, 2, 3]


def test_flags_of_the_host_stay_as_they_are():
    before = jax.config.read("jax_enable_x64")
    check_network(gram(), claims=["symmetry"])
    assert jax.config.read("jax_enable_x64") == before


def test_a_gram_matrix_in_bfloat16_has_a_verdict():
    run = check_network(jnp.asarray(np.eye(3), jnp.bfloat16), claims=["symmetry"])
    assert verdicts(run)["symmetry"] is Verdict.SUPPORTED


def callback(params, x):
    shape = jax.ShapeDtypeStruct((len(x), 1), x.dtype)
    return jax.pure_callback(lambda a: np.tanh(a).sum(axis=1, keepdims=True), shape, x * params)


def test_an_error_names_the_network_and_the_place_it_comes_from():
    with pytest.raises(NetworkError, match=r"'callback' .* in front/test_check_network.py:\d"):
        check_network(callback, 1.0, X, claims=["symmetry"])

    claim = ntval.CLAIMS["kernel_identities.symmetry"]
    broken = replace(claim, procedure=Identity(functools.partial(len, ())))
    cell = Cell(claim.name, claim.points["quick"][0], 1e-6, Settings(network="mine"))
    with pytest.raises(NetworkError, match=r"'mine' .* TypeError in claims/procedures.py:\d"):
        run_cell(cell, Catalogue({claim.name: broken}))


def test_checks_have_readable_names_and_share_a_budget():
    checks = checks_for((tanh_mlp, weights(4)), x=X, name="mine")
    assert "mine-batch_independence" in [check.name for check in checks]
    random = [c for c in checks if ntval.CLAIMS[c.claim].statistical]
    assert sum(check.share for check in random) <= 1
    (check,) = [c for c in checks if c.claim.endswith("methods_agree")]
    run = check()
    assert verdicts(run)["methods_agree"] is Verdict.SUPPORTED
    assert "batch_independence" in verdicts(run)  # a prerequisite comes along


def test_a_check_whose_prerequisite_is_broken_is_skipped():
    def coupled(params, x):
        return tanh_mlp(params, x - x.mean(axis=0))

    checks = checks_for((coupled, weights(4)), x=X, claims=["methods_agree"])
    with pytest.raises(pytest.skip.Exception, match="not run, because"):
        checks[0]()


def test_parametrize_with_claims_names_networks_and_marks_what_is_expected():
    marker = parametrize_with_claims(
        {"mine": {"model": gram()}, "other": gram()},
        expected_refutations={"mine-symmetry": "known"},
    )
    name, parameters = marker.args
    assert name == "check"
    ids = {parameter.id: parameter.marks for parameter in parameters}
    assert {"mine-symmetry", "other-symmetry"} <= set(ids)
    assert [mark.name for mark in ids["mine-symmetry"]] == ["xfail"]
    assert ids["other-symmetry"] == []
    with pytest.raises(UnknownNameError, match="expected_refutations"):
        parametrize_with_claims([gram()], expected_refutations={"mine-nothing": "known"})


def test_nothing_is_warned_of_where_nothing_is_wrong():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_network(gram(), claims=["symmetry"])


def test_memory_is_predicted_and_the_method_chosen_by_it():
    run = check_network(tanh_mlp, weights(16), X, claims=["symmetry"])
    assert run.note.startswith("112 parameters; at 40 inputs K takes 12.8 kB, its Jacobian 35.8 kB")
    assert "method: jacobian" in run.note
    wide = Network(lambda key, shape: (None, drawn(key, 4_000_000)), tanh_mlp)
    subject = network.network_subject(wide, Data("x", X))
    assert "method: operator" in subject.note
    assert subject.cheapest_method() is METHODS["operator"]
    # Then nothing is left to compare it with, which the claim says instead of being supported.
    not_run = {
        item.claim: item.reason for item in claims_about(subject) if isinstance(item, NotRun)
    }
    assert "leaves one method" in not_run["kernel_identities.methods_agree"]
