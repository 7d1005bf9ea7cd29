"""Weights and inputs that are no floats: keys, counters and tokens; and networks of neither."""

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import X, tanh_mlp, weights

import ntval
from ntval.errors import RefutedError
from ntval.evidence.verdict import Verdict
from ntval.front.check_network import check_network


def verdicts(run):
    return {name.rpartition(".")[2]: o.verdict for name, o in run.outcomes.items()}


def refuted(**network):
    """The run of a planted network: its first refuted claim, and the whole message."""
    with pytest.raises(RefutedError) as caught:
        check_network(**network)
    return str(caught.value)


def test_keys_and_counters_among_the_weights_are_no_part_of_their_size():
    """Of uint32 keys, near 4e9, rounding would allow any dependence on the batch."""
    beside = {"key": np.array([4_000_000_000, 123], np.uint32), "step": 3}
    params = {**weights(8), **beside}
    claims = ["batch_independence", "finite_differences", "jacobian_outer_product"]
    run = check_network(lambda p, x: p["step"] * tanh_mlp(p, x), params, X, claims=claims)
    assert set(verdicts(run).values()) == {Verdict.SUPPORTED}

    def coupled(params, x):
        return tanh_mlp(params, x - x.mean(axis=0))

    assert "batch_independence is REFUTED" in refuted(model=coupled, params=params, x=X)


def test_a_network_that_does_not_depend_on_its_weights_supports_nothing():
    run = check_network(lambda p, x: 0 * tanh_mlp(p, x), weights(8), X)
    found = {name.rpartition(".")[2]: verdict for name, verdict in verdicts(run).items()}
    assert found.pop("precision") is Verdict.SUPPORTED  # 0 is 0 in float32 too
    assert set(found.values()) == {Verdict.INCONCLUSIVE}, found


class WithTokens(flax.linen.Module):
    """Embedded whole numbers, which no float may stand for."""

    @flax.linen.compact
    def __call__(self, x):
        return flax.linen.Dense(1)(jnp.tanh(flax.linen.Embed(9, 4)(x).mean(axis=1)))


TOKENS = np.random.default_rng(0).integers(0, 9, (10, 5))


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_tokens_are_inputs(dtype):
    claims = ["batch_independence", "jacobian_outer_product", "finite_differences"]
    run = check_network(WithTokens(), x=TOKENS.astype(dtype), claims=claims)
    assert set(verdicts(run).values()) == {Verdict.SUPPORTED}
    y = np.random.default_rng(1).standard_normal(10)
    assert ntval.gcv(WithTokens(), TOKENS.astype(dtype), y).name == "WithTokens"
    assert ntval.bounds(TOKENS.astype(dtype), WithTokens()).rows

    def coupled(params, x):
        return params["table"][x].mean(axis=(0, 1)) + params["table"][x].mean(axis=1)

    params = {"table": np.random.default_rng(2).standard_normal((9, 4))}
    message = refuted(model=coupled, params=params, x=TOKENS.astype(dtype))
    assert "batch_independence is REFUTED" in message


def test_bytes_are_floats_where_the_network_takes_floats():
    """Products of bytes overflow, of a twin as well as of a network."""
    pixels = np.random.default_rng(3).integers(100, 256, (10, 5)).astype(np.uint8)

    def init(key, width):
        return jax.random.normal(key, (5, width))

    run = check_network(
        lambda w, x: ((x * x) @ w).sum(axis=1) / w.shape[1] ** 0.5,
        init=init,
        kernel_fn=lambda x1, x2: (x1 * x1) @ (x2 * x2).T,
        x=pixels,
        claims=["mean_kernel", "block_consistency"],
        on_fail="return",
    )
    assert set(verdicts(run).values()) == {Verdict.SUPPORTED}


FLAGS = {"jax_numpy_rank_promotion": "raise", "jax_disable_jit": True, "jax_debug_nans": True}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_of_jax_is_no_fault_of_the_network_and_is_kept(flag):
    before = getattr(jax.config, flag)
    jax.config.update(flag, FLAGS[flag])
    try:
        run = check_network(tanh_mlp, weights(8), X, claims=["methods_agree", "symmetry"])
        assert set(verdicts(run).values()) == {Verdict.SUPPORTED}
        assert ntval.gcv(ntval.Mlp(X.shape[1], (8,), "relu"), X, X[:, 0]).n == len(X)
        assert getattr(jax.config, flag) == FLAGS[flag]
    finally:
        jax.config.update(flag, before)


def test_the_twin_of_a_network_of_tokens_gets_tokens():
    table = np.eye(9)

    def init(key, width):
        return {"table": jax.random.normal(key, (9, width))}

    def shared(x1, x2=None, *, get="ntk"):  # tokens that two inputs have in common
        counts = [table[x].sum(axis=1) for x in (x1, x1 if x2 is None else x2)]
        return counts[0] @ counts[1].T

    run = check_network(
        lambda params, x: params["table"][x].sum(axis=(1, 2)) / params["table"].shape[1] ** 0.5,
        init=init,
        kernel_fn=shared,
        x=TOKENS,
        claims=["mean_kernel"],
    )
    assert verdicts(run)["mean_kernel"] is Verdict.SUPPORTED


def test_a_network_whose_outputs_are_finite_in_a_batch_alone_depends_on_the_batch():
    def normalized(params, x):
        return tanh_mlp(params, (x - x.mean(0)) / x.std(0))  # 0 / 0 of one row

    message = refuted(model=normalized, params=weights(4), x=X)
    assert "batch_independence is REFUTED" in message
    assert "outputs depend on the other inputs' values" in message
    assert "VACUOUS" not in message


def of_its_own_rule(factor):
    """A network whose activation brings a derivative for reverse mode alone: the right one times
    `factor`."""

    @jax.custom_vjp
    def act(u):
        return jnp.tanh(u)

    act.defvjp(lambda u: (jnp.tanh(u), u), lambda u, g: (factor * g * (1 - jnp.tanh(u) ** 2),))
    return lambda params, x: act(x @ params["w"]) @ params["v"]


def test_a_network_without_forward_mode_is_examined_by_its_jacobian():
    run = check_network(of_its_own_rule(1.0), weights(8), X)
    assert set(verdicts(run).values()) == {Verdict.SUPPORTED}
    assert {"finite_differences", "jacobian_outer_product", "precision"} <= set(verdicts(run))
    assert "Without forward-mode derivatives (jax.custom_vjp)" in run.note
    (left,) = (item for item in run.not_run if item.claim.endswith("methods_agree"))
    assert "leaves one method, the Jacobian" in left.reason
    said = refuted(model=of_its_own_rule(1.03), params=weights(8), x=X)
    assert "finite_differences is REFUTED" in said
    assert "custom derivative rule" in said


@pytest.mark.parametrize("dtype", [">f8", ">f4", np.longdouble])
def test_weights_of_another_machine_or_precision_are_weights_like_others(dtype):
    params = jax.tree.map(lambda leaf: np.asarray(leaf).astype(dtype), weights(8))
    params["counts"] = np.arange(3, dtype=">i4")
    run = check_network(lambda p, x: tanh_mlp(p, x), params, X, claims=["jacobian_outer_product"])
    assert verdicts(run)["jacobian_outer_product"] is Verdict.SUPPORTED


def test_the_pair_of_jax_s_own_stax_is_drawn_by_its_init():
    from jax.example_libraries import stax

    pair = stax.serial(stax.Dense(16), stax.Tanh, stax.Dense(1))
    run = check_network(pair, x=X, claims=["jacobian_outer_product"])
    assert verdicts(run)["jacobian_outer_product"] is Verdict.SUPPORTED
