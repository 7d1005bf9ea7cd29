"""Adapters: networks of every library, and what cannot be read."""

import functools

import equinox
import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from ntval.errors import NetworkError
from ntval.networks import loading
from ntval.networks.network import Network
from ntval.subjects.arguments import subject_of

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
    y = outputs(loading.network_from(model))
    assert y.shape == (3, 2)
    assert y.dtype == np.float64


def test_fixed_weights_leave_no_init_fn():
    assert loading.network_from(MLP).init_fn is None
    assert loading.network_from(Linen()).init_fn is not None


def test_factory_draws_new_weights_from_each_key():
    network = loading.network_from(lambda key: equinox.nn.MLP(5, 2, 16, 1, key=key))
    first, second = (network.init_fn(jax.random.key(i), (-1, 5))[1] for i in (0, 1))
    assert not np.array_equal(jax.tree.leaves(first)[0], jax.tree.leaves(second)[0])


def test_input_shape_is_read_off_the_weights():
    assert loading.network_from(MLP).input_shape == (5,)
    assert loading.network_from(Nnx(nnx.Rngs(0))).input_shape == (5,)


def test_data_is_flattened_for_a_network_of_flat_inputs():
    flat = loading.network_from((lambda params, x: x @ params, jnp.ones((64, 1))))
    assert loading.fitted(flat, (8, 8, 1)).input_shape == (64,)


def test_data_of_another_size_is_refused_with_the_shapes_tried():
    with pytest.raises(NetworkError, match=r"that the data has, \(8, 8, 1\), .*tried \(5,\)"):
        loading.fitted(loading.network_from(MLP), (8, 8, 1))


def test_wrong_input_shape_is_refused():
    with pytest.raises(NetworkError, match=r"another shape than \(6,\)"):
        loading.network_from(MLP, input_shape=(6,))


def test_network_that_mixes_up_its_batch_axis_is_refused():
    broken = Network(None, lambda params, x: x.sum(), params=jnp.ones(2), input_shape=(3,))
    with pytest.raises(NetworkError, match=r"outputs of shape \(\), not \(2, ...\)"):
        loading.network_from(broken)


@pytest.mark.parametrize("model", [3, None, "text", (1, 2, 3), {}])
def test_what_is_no_network_is_refused(model):
    with pytest.raises(NetworkError, match="needs a Network, a stax triple"):
        loading.network_from(model)


def test_factory_that_raises_is_refused_with_its_error():
    def factory(key):
        raise RuntimeError("no weights today")

    with pytest.raises(NetworkError, match="RuntimeError: no weights today"):
        loading.network_from(factory)


class Maker:
    """Networks from methods, and from objects that are called."""

    def model(self):
        return MLP

    def __call__(self, key):
        return drawn(key)


def drawn(key):
    return equinox.nn.MLP(5, 2, 16, 1, key=key)


def sized(width, key):
    return equinox.nn.MLP(5, 2, width, 1, key=key)


def with_a_default_key(key=None, width=16):
    return sized(width, jax.random.key(0) if key is None else key)


class Keyed(equinox.Module):
    layer: equinox.nn.Linear

    def __init__(self, *, key):
        self.layer = equinox.nn.Linear(5, 2, key=key)

    def __call__(self, x):
        return self.layer(x)


class Sized(flax.linen.Module):
    width: int

    @flax.linen.compact
    def __call__(self, x):
        return flax.linen.Dense(self.width)(x)


@pytest.mark.parametrize(
    "model",
    [
        lambda: MLP,
        lambda: Linen(),
        lambda: drawn,
        lambda: (lambda params, x: x @ params, jnp.ones((5, 2))),
        lambda width=16: sized(width, jax.random.key(3)),
        lambda *, width=16: sized(width, jax.random.key(3)),
        lambda *args, **options: drawn(*args, **options),
        lambda **options: MLP,
        lambda *, key: drawn(key),
        functools.partial(sized, 16, jax.random.key(3)),
        functools.partial(sized, width=16, key=jax.random.key(3)),
        functools.partial(sized, 16),
        functools.partial(sized, width=16),
        functools.lru_cache(lambda: MLP),
        with_a_default_key,
        Maker().model,
        Maker(),
        Linen,
        Keyed,
    ],
)
def test_functions_of_a_key_or_of_nothing_are_read_as_what_they_return(model):
    assert outputs(loading.network_from(model)).shape == (3, 2)


@pytest.mark.parametrize(
    ("model", "random"),
    [
        (lambda: MLP, False),
        (lambda: Linen(), True),
        (lambda: drawn, True),
        (lambda width=16: sized(width, jax.random.key(3)), False),
        (functools.partial(sized, width=16, key=jax.random.key(3)), False),
        (functools.partial(sized, 16), True),
        (with_a_default_key, True),
        (Linen, True),
        (Keyed, True),
    ],
)
def test_weights_are_random_where_a_key_reaches_them(model, random):
    assert (loading.network_from(model).init_fn is not None) == random


def raises():
    raise RuntimeError("no weights today")


def leaves():
    raise SystemExit(1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (raises, "'raises' needs to be a function of nothing .* RuntimeError: no weights today"),
        (functools.partial(raises), "'raises' needs .* RuntimeError"),
        (leaves, "'leaves' needs .* SystemExit: 1"),
        (lambda: None, "got NoneType, returned by '<lambda>'"),
        (lambda key: key, "returned by '<lambda>'"),
        (lambda params, x: x, r"got one of \(params, x\); give the pair \(apply_fn, params\)"),
        (Sized, r"'Sized' needs .* got one of \(width\); give an instance, Sized\(...\)"),
        (Nnx, r"'Nnx' needs .* got one of \(rngs\); give an instance, Nnx\(...\)"),
        (int, "'int' needs to be a function of a key"),
        (object, "got object, returned by 'object'"),
    ],
)
def test_functions_that_give_no_network_are_refused_by_name(model, message):
    with pytest.raises(NetworkError, match=message) as refused:
        loading.network_from(model)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_colon", "form MODULE:ATTR"),
        ("no_such_module_anywhere:x", "ModuleNotFoundError"),
        ("ntval.networks.network:Netwrk", "did you mean 'Network'"),
        ("math:pi.reel", "did you mean 'real'"),
    ],
)
def test_wrong_paths_are_refused(path, message):
    with pytest.raises(NetworkError, match=message):
        loading.load(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("import pytest; pytest.skip('no GPU', allow_module_level=True)", "Skipped: no GPU"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_modules_that_end_instead_of_importing_are_refused(tmp_path, monkeypatch, line, message):
    (tmp_path / "no_module_of_ours.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NetworkError, match=f"needs a module that imports, .*{message}"):
        loading.load("no_module_of_ours:model")


class Training(flax.linen.Module):
    """A network in training mode: BatchNorm or dropout."""

    layer: flax.linen.Module

    @flax.linen.compact
    def __call__(self, x):
        return flax.linen.Dense(1)(self.layer(flax.linen.Dense(6)(x)))


class EquinoxDropout(equinox.Module):
    linear: equinox.nn.Linear
    dropout: equinox.nn.Dropout

    def __call__(self, x):
        return self.dropout(self.linear(x))


class NnxBatchNorm(nnx.Module):
    def __init__(self, rngs):
        self.linear, self.norm = nnx.Linear(5, 7, rngs=rngs), nnx.BatchNorm(7, rngs=rngs)

    def __call__(self, x):
        return self.norm(self.linear(x))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Training(flax.linen.BatchNorm(use_running_average=False)), "BatchNorm in training mode"),
        (Training(flax.linen.Dropout(0.5, deterministic=False)), "dropout left on"),
        (NnxBatchNorm(nnx.Rngs(0)), "BatchNorm in training mode"),
        (
            EquinoxDropout(equinox.nn.Linear(5, 2, key=jax.random.key(0)), equinox.nn.Dropout(0.5)),
            "dropout left on",
        ),
    ],
    ids=["linen BatchNorm", "linen dropout", "nnx BatchNorm", "equinox dropout"],
)
def test_training_mode_is_said_before_any_shape_is_asked_for(model, words):
    with pytest.raises(NetworkError, match=f"needs inference mode, got {words}"):
        subject_of(model)


def test_a_shape_is_looked_for_without_a_warning_of_jax_outside_of_float64():
    network = loading.network_from(Linen())
    assert loading.misfit(network, (8,)) is None  # warnings are errors here
