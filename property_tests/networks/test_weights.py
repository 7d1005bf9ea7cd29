"""What is trained is differentiated; running statistics and the like are held constant."""

import collections

import equinox
import flax.linen as linen
import haiku
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.core import freeze
from flax.training.train_state import TrainState

from ntval.arrays import rounding_allowance
from ntval.errors import NetworkError
from ntval.kernels import jacobian
from ntval.networks import loading
from ntval.networks.network import Network
from ntval.subjects.arguments import subject_of

KEY = jax.random.key(0)
X = np.random.default_rng(0).standard_normal((7, 5))


def moved(tree):
    """A tree of statistics, away from the 0 and 1 that they start from."""
    return jax.tree.map(
        lambda leaf: leaf + jnp.linspace(0.5, 1.0, leaf.size, dtype=leaf.dtype), tree
    )


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.BatchNorm(use_running_average=True)(linen.Dense(8)(x))
        return linen.Dense(1)(linen.tanh(x))


def in_float64(tree):
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), tree)


# In float32, as users have them.
VARIABLES = Linen().init(KEY, X)
VARIABLES = VARIABLES | {"batch_stats": moved(VARIABLES["batch_stats"])}
OPTIMIZER = optax.adam(1e-3)


class StatisticsState(TrainState):
    batch_stats: dict


STATE = StatisticsState.create(
    apply_fn=Linen().apply,
    params=VARIABLES["params"],
    tx=OPTIMIZER,
    batch_stats=VARIABLES["batch_stats"],
)
Record = collections.namedtuple("Record", ["apply_fn", "params", "batch_stats"])


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.first, self.norm = nnx.Linear(5, 8, rngs=rngs), nnx.BatchNorm(8, rngs=rngs)
        self.norm.mean[...] += 0.5
        self.dropout, self.head = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.head(self.dropout(nnx.tanh(self.norm(self.first(x)))))


def evaluated(module):
    module.eval()
    return module


class Equinox(equinox.Module):
    first: equinox.nn.Linear
    norm: equinox.nn.BatchNorm
    head: equinox.nn.Linear

    def __init__(self, key):
        self.first = equinox.nn.Linear(5, 8, key=key)
        self.norm = equinox.nn.BatchNorm(8, "batch", mode="batch")
        self.head = equinox.nn.Linear(8, 1, key=key)

    def __call__(self, x, state):
        x, state = self.norm(self.first(x), state)
        return self.head(jnp.tanh(x)), state


EQUINOX, EQUINOX_STATE = equinox.nn.make_with_state(Equinox)(KEY)


def haiku_network(x, is_training=False):
    x = haiku.BatchNorm(True, True, 0.9)(haiku.Linear(8)(x), is_training)
    return haiku.Linear(1)(jnp.tanh(x))


HAIKU = haiku.transform_with_state(haiku_network)
HAIKU_PARAMS, HAIKU_STATE = haiku.transform_with_state(
    lambda x: haiku_network(x, is_training=True)
).init(KEY, X)


def kernel_by_hand(forward, params):
    """The Gram matrix of the Jacobian by `params` alone."""
    rows = jax.tree.leaves(jax.jacobian(lambda params: forward(params)[:, 0])(params))
    rows = np.concatenate([np.reshape(row, (len(X), -1)) for row in rows], axis=1)
    return rows @ rows.T


def of_linen(params, statistics):
    return kernel_by_hand(
        lambda params: Linen().apply({"params": params, "batch_stats": statistics}, X), params
    )


BY_HAND = of_linen(in_float64(VARIABLES["params"]), in_float64(VARIABLES["batch_stats"]))
WITH_OPTIMIZER = VARIABLES | {"opt_state": OPTIMIZER.init(VARIABLES["params"]), "step": 3}


def apply_fn(variables, x):
    return Linen().apply({name: variables[name] for name in ("params", "batch_stats")}, x)


@pytest.mark.parametrize(
    "model",
    [
        (Linen(), VARIABLES),
        (Linen().apply, VARIABLES),
        (Linen().apply, freeze(VARIABLES)),
        (apply_fn, WITH_OPTIMIZER),
        Network(None, apply_fn, params=WITH_OPTIMIZER),
        STATE,
        STATE.replace(params=VARIABLES, batch_stats={}),
        Record(Linen().apply, VARIABLES["params"], VARIABLES["batch_stats"]),
        lambda: (Linen(), VARIABLES),
        lambda key: (Linen(), VARIABLES),
    ],
    ids=[
        "module", "apply", "frozen", "optimizer", "network", "train state", "all in params",
        "record", "function", "factory",
    ],
)  # fmt: skip
def test_statistics_beside_params_do_not_enter_the_kernel(model):
    network = loading.network_from(model)
    params = network.init_fn(KEY, (-1, 5))[1] if network.params is None else network.params
    np.testing.assert_allclose(
        jacobian.ntk(network.apply_fn, params, X), BY_HAND, **rounding(BY_HAND)
    )
    assert "batch_stats (16 numbers)" in loading.held_constant(network, (5,))


def rounding(gram):
    """Forward and backward pass of 6 sums of at most 8 terms, and an inner product of 65."""
    return {"rtol": 0, "atol": rounding_allowance(6 * 8 * 3 + 65) * np.abs(gram).max()}


def test_optimizer_state_is_named_among_what_is_held():
    held = loading.held_constant(loading.network_from((apply_fn, WITH_OPTIMIZER)), (5,))
    size = sum(leaf.size for leaf in jax.tree.leaves(VARIABLES["params"]))
    assert held == f"batch_stats (16 numbers), opt_state ({2 * size} numbers)"


def test_linen_module_draws_params_and_holds_its_statistics():
    network = loading.network_from(Linen(), input_shape=(5,))
    params = network.init_fn(KEY, (-1, 5))[1]
    by_hand = of_linen(params, {"BatchNorm_0": {"mean": jnp.zeros(8), "var": jnp.ones(8)}})
    np.testing.assert_allclose(
        jacobian.ntk(network.apply_fn, params, X), by_hand, **rounding(by_hand)
    )
    assert loading.held_constant(network, (5,)) == "batch_stats (16 numbers)"


def test_linen_module_takes_params_alone():
    plain = linen.Dense(1)
    variables = plain.init(KEY, X)
    kernels = [
        jacobian.ntk(network.apply_fn, network.params, X)
        for network in map(loading.network_from, [(plain, variables), (plain, variables["params"])])
    ]
    np.testing.assert_array_equal(*kernels)


def test_train_state_of_a_function_of_the_weights_alone():
    plain = linen.Dense(1)
    variables = plain.init(KEY, X)
    alone = TrainState.create(
        apply_fn=lambda params, x: plain.apply({"params": params}, x),
        params=variables["params"],
        tx=OPTIMIZER,
    )
    kernels = [
        jacobian.ntk(network.apply_fn, network.params, X)
        for network in map(loading.network_from, [(plain, variables), alone])
    ]
    np.testing.assert_array_equal(*kernels)
    broken = alone.replace(apply_fn=lambda params, x: params["kernels"])
    network = loading.network_from(broken)
    with pytest.raises(KeyError, match="kernels"):
        network.apply_fn(network.params, X)


def test_nnx_statistics_do_not_enter_the_kernel():
    network = loading.network_from(evaluated(Nnx(nnx.Rngs(0))))
    module = evaluated(Nnx(nnx.Rngs(0)))
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    by_hand = kernel_by_hand(lambda params: nnx.merge(graph, params, rest)(X), in_float64(params))
    np.testing.assert_allclose(
        jacobian.ntk(network.apply_fn, network.params, X), by_hand, **rounding(by_hand)
    )
    assert network.held == "BatchStat (16 numbers)"


def test_equinox_state_does_not_enter_the_kernel():
    model = equinox.nn.inference_mode(EQUINOX)
    network = loading.network_from((model, EQUINOX_STATE))
    params, static = equinox.partition(model, equinox.is_inexact_array)

    def forward(params):
        called = equinox.combine(params, static)
        return jnp.stack([called(row, EQUINOX_STATE)[0] for row in jnp.asarray(X)])

    by_hand = kernel_by_hand(forward, params)
    np.testing.assert_allclose(
        jacobian.ntk(network.apply_fn, network.params, X), by_hand, **rounding(by_hand)
    )
    assert network.held == "state (16 numbers)"


def test_equinox_state_that_the_module_still_holds_is_no_weight():
    module = equinox.nn.inference_mode(Equinox(KEY))
    network = loading.network_from((module, equinox.nn.State(module)))
    assert len(jax.tree.leaves(network.params)) == 6


def test_equinox_batch_norm_in_training_mode_is_refused_with_the_way_out():
    with pytest.raises(NetworkError, match=r"training mode.*inference_mode"):
        loading.network_from((EQUINOX, EQUINOX_STATE), input_shape=(5,))


@pytest.mark.parametrize("transformed", [HAIKU, haiku.without_apply_rng(HAIKU)])
def test_haiku_state_does_not_enter_the_kernel(transformed):
    network = loading.network_from((transformed, (HAIKU_PARAMS, HAIKU_STATE)))
    by_hand = kernel_by_hand(
        lambda params: HAIKU.apply(params, HAIKU_STATE, None, jnp.asarray(X))[0],
        in_float64(HAIKU_PARAMS),
    )
    np.testing.assert_allclose(
        jacobian.ntk(network.apply_fn, network.params, X), by_hand, **rounding(by_hand)
    )
    assert network.held == "state (32 numbers)"


def test_haiku_network_with_state_draws_its_params():
    def counted(x):
        scale = haiku.get_state("scale", (5,), init=jnp.ones)
        return haiku.Linear(1)(x * scale)

    network = loading.network_from(haiku.transform_with_state(counted), input_shape=(5,))
    params = network.init_fn(KEY, (-1, 5))[1]
    assert sorted(np.shape(leaf) for leaf in jax.tree.leaves(params)) == [(1,), (5, 1)]
    assert loading.held_constant(network, (5,)) == "state (5 numbers)"


def test_haiku_network_with_state_asks_for_both():
    with pytest.raises(NetworkError, match=r"the pair \(params, state\)"):
        loading.network_from((HAIKU, HAIKU_PARAMS))


@pytest.mark.parametrize(
    ("model", "held"),
    [
        ((Linen(), VARIABLES), "batch_stats (16 numbers)"),
        (Linen(), "batch_stats (16 numbers)"),
        (STATE, "batch_stats (16 numbers)"),
        (evaluated(Nnx(nnx.Rngs(0))), "BatchStat (16 numbers)"),
        ((equinox.nn.inference_mode(EQUINOX), EQUINOX_STATE), "state (16 numbers)"),
        ((HAIKU, (HAIKU_PARAMS, HAIKU_STATE)), "state (32 numbers)"),
    ],
    ids=["linen pair", "linen", "train state", "nnx", "equinox", "haiku"],
)
def test_note_says_what_is_held_constant(model, held):
    note = subject_of(model, x=X).note
    assert note.endswith(f" Differentiated: params; held constant: {held}.")


def test_params_passed_beside_the_model_are_split_alike():
    assert "batch_stats" in subject_of(Linen().apply, VARIABLES, X).note
    note = subject_of(equinox.nn.inference_mode(EQUINOX), EQUINOX_STATE, X).note
    assert "state (16 numbers)" in note


def test_nothing_is_said_where_nothing_is_held():
    plain = equinox.nn.MLP(5, 1, 8, 1, key=KEY)
    assert "held constant" not in subject_of(plain, x=X).note
    assert "held constant" not in subject_of(lambda p, x: x @ p["params"], {"params": X.T}, X).note


@pytest.mark.parametrize(
    "params", [{"params": None, "w": jnp.ones((5, 1))}, {"w": jnp.ones((5, 1))}]
)
def test_mapping_without_numbers_under_params_is_differentiated_as_a_whole(params):
    network = loading.network_from((lambda params, x: x @ params["w"], params))
    assert [leaf.shape for leaf in jax.tree.leaves(network.params)] == [(5, 1)]
