"""The kernel layer by layer is that of the Jacobian, for every kind of layer."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntval.arrays import float64
from ntval.errors import InputError, NetworkError
from ntval.kernels import jacobian, layerwise
from ntval.networks.layers import affine, dense, embedding, untapped

TOKENS, WIDTH, VOCABULARY = 5, 6, 7


def params_of(seed=0, dtype=np.float64, outputs=1):
    rng = np.random.default_rng(seed)
    shapes = {
        "table": (VOCABULARY, WIDTH),
        "places": (TOKENS, WIDTH),
        "first": (WIDTH, 8),
        "first bias": (8,),
        "second": (8, WIDTH),
        "scale": (WIDTH,),
        "shift": (WIDTH,),
        "top": (WIDTH, outputs),
        "top bias": (outputs,),
    }
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def normalized(x):
    centered = x - x.mean(axis=-1, keepdims=True)
    return centered / jnp.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-3)


def words(params, tokens, tap=untapped):
    """Embeddings, an attention without weights, two layers, a normalization, the mean."""
    kept = tokens >= 0
    x = embedding(tap, jnp.where(kept, tokens, 0), params["table"])
    x = x + embedding(tap, jnp.arange(TOKENS), params["places"])
    x = jax.nn.softmax(jnp.where(kept, x @ x.T, -jnp.inf)) @ x
    inner = jnp.tanh(dense(tap, x, params["first"], params["first bias"]))
    x = affine(tap, normalized(x + dense(tap, inner, params["second"])), *scales(params))
    x = jnp.where(kept[:, None], x, 0).sum(axis=0) / kept.sum()
    return dense(tap, x, params["top"], params["top bias"])


def scales(params):
    return params["scale"], params["shift"]


def positions(params, image, tap=untapped):
    """A 1x1 convolution at positions, a normalization with constants, ReLU6, the mean."""
    x = jnp.clip(affine(tap, dense(tap, image, params["first"]) / 2, *wide(params)), 0, 6)
    return dense(tap, dense(tap, x.mean(axis=0), params["second"]), params["top"])


def wide(params):
    return params["first bias"], params["places"].ravel()[:8]


def rows(params, x, tap=untapped):
    """Two layers of vectors."""
    hidden = jnp.tanh(dense(tap, x, params["first"], params["first bias"]))
    return dense(tap, dense(tap, hidden, params["second"]), params["top"], params["top bias"])


def inputs(network, n=7):
    rng = np.random.default_rng(1)
    if network is not words:
        shape = (n, TOKENS, WIDTH) if network is positions else (n, WIDTH)
        return rng.standard_normal(shape)
    tokens = rng.integers(0, VOCABULARY, (n, TOKENS))
    lengths = rng.integers(1, TOKENS + 1, n)
    return np.where(np.arange(TOKENS) < lengths[:, None], tokens, -1)


USED = {
    words: tuple(params_of()),
    positions: ("first", "first bias", "places", "second", "top"),
    rows: ("first", "first bias", "second", "top", "top bias"),
}


def setting(network, dtype=np.float64, outputs=1):
    params = params_of(dtype=dtype, outputs=outputs)
    params = {name: params[name] for name in USED[network]}
    x = inputs(network)
    return params, x if network is words else x.astype(dtype)


def exact(network, params, x):
    """The kernel by the Jacobian, which takes tokens for floating-point numbers."""

    def one(params, x):
        return network(params, x.astype(int) if network is words else x)

    x = jnp.asarray(x, params["top"].dtype)
    return np.asarray(jacobian.gram(jax.vmap(one, (None, 0)), params, x))


def allowed(dtype, kernel):
    """Forward, backward and sum: products of at most 8 terms, in ten stages, at five tokens; each
    of functions with derivatives below 10."""
    return 100 * 8 * TOKENS * np.finfo(dtype).eps * np.abs(kernel).max()


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("network", [words, positions, rows])
def test_it_is_the_kernel_of_the_jacobian(network, dtype, outputs):
    params, x = setting(network, dtype, outputs)
    found = layerwise.ntk(network, params, x)
    with float64():
        wanted = exact(network, params, jnp.asarray(x))
    assert found.dtype == np.float64
    assert np.abs(found - wanted).max() <= allowed(dtype, wanted)
    assert np.array_equal(found, found.T)  # to the bit: it is made so


@pytest.mark.parametrize("network", [words, positions, rows])
def test_tiles_groups_and_parts_change_nothing_but_rounding(network, monkeypatch):
    params, x = setting(network)
    whole = layerwise.ntk(network, params, x)
    monkeypatch.setattr(layerwise, "_ROWS", 3)
    monkeypatch.setattr(layerwise, "_SAMPLES", 2)
    parts = layerwise.ntk(network, params, x, memory=1)
    assert np.abs(whole - parts).max() <= allowed(np.float64, whole)


@pytest.mark.parametrize("network", [words, positions, rows])
def test_one_sample_is_enough(network):
    params, x = setting(network)
    found, whole = layerwise.ntk(network, params, x[:1]), layerwise.ntk(network, params, x)
    assert abs(found[0, 0] - whole[0, 0]) <= allowed(np.float64, whole)


def test_padding_changes_nothing():
    params, x = setting(words)
    kept = x[:, :3].copy()
    kept[:, 0] = np.maximum(kept[:, 0], 0)
    longer = np.concatenate([kept, np.full((len(x), TOKENS - 3), -1)], axis=1)
    found = layerwise.ntk(words, params, longer)
    shorter = layerwise.ntk(lambda p, t, tap: words_of(3, p, t, tap), params, kept)
    assert np.abs(found - shorter).max() <= allowed(np.float64, found)


def words_of(tokens, params, x, tap):
    """`words` of fewer tokens: what is padded is put back before, and has no gradient."""
    return words(params, jnp.concatenate([x, jnp.full(TOKENS - tokens, -1)]), tap)


def test_a_parameter_that_enters_twice_or_no_layer_is_refused():
    params, x = setting(rows)

    def twice(params, x, tap=untapped):
        hidden = dense(tap, x, params["first"])
        return dense(tap, dense(tap, x, params["first"]) * hidden, params["second"])[:1]

    def beside(params, x, tap=untapped):
        return dense(tap, x @ params["first"], params["second"])[:1]

    for network in (twice, beside):
        with pytest.raises(NetworkError, match="parameters that enter one layer"):
            layerwise.ntk(network, params, x)


def test_what_is_no_network_of_layers_is_refused():
    params, x = setting(rows)
    with pytest.raises(NetworkError, match="needs layers of ntval"):
        layerwise.ntk(lambda params, x, tap: x @ params["first"], params, x)
    with pytest.raises(NetworkError, match=r"outputs of shape \(outputs,\)"):
        layerwise.ntk(lambda params, x, tap: dense(tap, x, params["first"]).sum(), params, x)
    with pytest.raises(InputError, match="add rows"):
        layerwise.ntk(rows, params, x[:0])


def test_a_sample_without_any_gradient_has_a_kernel_of_zero():
    params, x = setting(positions)
    x[2] = -1e3 * np.sign(params["first"].sum())
    x[3] = 0

    def dead(params, image, tap=untapped):
        return positions(params, image, tap) * (image[0, 0] != 0)

    found = layerwise.ntk(dead, params, x)
    assert not found[3].any()
    assert math.isfinite(found.sum())


def test_the_user_s_flags_stay():
    layerwise.ntk(rows, *setting(rows))
    assert jnp.ones(()).dtype == jnp.result_type(float)
