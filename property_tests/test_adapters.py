"""Adapters: networks of every library, and what cannot be read."""

import equinox
import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from ntval import adapters
from ntval.errors import NetworkError
from ntval.networks import Network

MLP = equinox.nn.MLP(in_size=5, out_size=2, width_size=16, depth=1, key=jax.random.key(0))


class Linen(flax.linen.Module):
    @flax.linen.compact
    def __call__(self, x):
        return flax.linen.Dense(2)(flax.linen.tanh(flax.linen.Dense(7)(x)))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(5, 2, rngs=rngs)

    def __call__(self, x):
        return self.linear(x)


def outputs(network, d=5):
    params = network.params
    if params is None:
        params = network.init_fn(jax.random.key(1), (-1, d))[1]
    y = network.apply_fn(params, jnp.linspace(-1.0, 1.0, 3 * d).reshape(3, d))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype("float64")}
    return y


@pytest.mark.parametrize(
    "model",
    [
        MLP,
        Linen(),
        (Linen(), Linen().init(jax.random.key(0), jnp.zeros((1, 5)))),
        Nnx(nnx.Rngs(0)),
        lambda key: equinox.nn.MLP(5, 2, 16, 1, key=key),
        lambda key: Nnx(nnx.Rngs(params=key)),
        (lambda params, x: x @ params, jnp.ones((5, 2))),
    ],
    ids=["equinox", "linen", "linen pair", "nnx", "equinox factory", "nnx factory", "function"],
)
def test_every_kind_of_network_is_read_in_float64(model):
    y = outputs(adapters.network_from(model))
    assert y.shape == (3, 2)
    assert y.dtype == np.float64


def test_fixed_weights_leave_no_init_fn():
    assert adapters.network_from(MLP).init_fn is None
    assert adapters.network_from(Linen()).init_fn is not None


def test_factory_draws_new_weights_from_each_key():
    network = adapters.network_from(lambda key: equinox.nn.MLP(5, 2, 16, 1, key=key))
    first, second = (network.init_fn(jax.random.key(i), (-1, 5))[1] for i in (0, 1))
    assert not np.array_equal(jax.tree.leaves(first)[0], jax.tree.leaves(second)[0])


def test_input_shape_is_read_off_the_weights():
    assert adapters.network_from(MLP).input_shape == (5,)
    assert adapters.network_from(Nnx(nnx.Rngs(0))).input_shape == (5,)


def test_data_is_flattened_for_a_network_of_flat_inputs():
    flat = adapters.network_from((lambda params, x: x @ params, jnp.ones((64, 1))))
    assert adapters.fitted(flat, (8, 8, 1)).input_shape == (64,)


def test_data_of_another_size_is_refused_with_the_shapes_tried():
    with pytest.raises(NetworkError, match=r"that the data has, \(8, 8, 1\), .*tried \(5,\)"):
        adapters.fitted(adapters.network_from(MLP), (8, 8, 1))


def test_wrong_input_shape_is_refused():
    with pytest.raises(NetworkError, match=r"another shape than \(6,\)"):
        adapters.network_from(MLP, input_shape=(6,))


def test_network_that_mixes_up_its_batch_axis_is_refused():
    broken = Network(None, lambda params, x: x.sum(), params=jnp.ones(2), input_shape=(3,))
    with pytest.raises(NetworkError, match=r"outputs of shape \(\), not \(2, ...\)"):
        adapters.network_from(broken)


@pytest.mark.parametrize("model", [3, None, "text", (1, 2, 3), {}])
def test_what_is_no_network_is_refused(model):
    with pytest.raises(NetworkError, match="needs a Network, a stax triple"):
        adapters.network_from(model)


def test_factory_that_raises_is_refused_with_its_error():
    def factory(key):
        raise RuntimeError("no weights today")

    with pytest.raises(NetworkError, match="RuntimeError: no weights today"):
        adapters.network_from(factory)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_colon", "form MODULE:ATTR"),
        ("no_such_module_anywhere:x", "ModuleNotFoundError"),
        ("ntval.networks:Netwrk", "did you mean 'Network'"),
    ],
)
def test_wrong_paths_are_refused(path, message):
    with pytest.raises(NetworkError, match=message):
        adapters.load(path)
