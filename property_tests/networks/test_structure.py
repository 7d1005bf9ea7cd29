"""What is read off forward passes: their precision, and whether they multiply branches."""

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import (
    FLAT,
    KEY,
    PLAIN,
    PRODUCTS,
    SERIES,
    LinenMlp,
    LinenRnn,
    Mixed,
    NnxMlp,
)
from flax import nnx
from jax import lax

from ntval import stax
from ntval.networks import loading
from ntval.networks.structure import biases, lowest_precision, multiplies_branches

# stax says so of attention with linear scaling.
pytestmark = pytest.mark.filterwarnings("ignore:Linear scaling attention used")


def seen(question, model, shape):
    """`question` asked of the network that `model` is read as, at three inputs."""
    network = loading.network_from(model)
    params = loading.params_shape(network, shape)
    return question(network.apply_fn, params, jax.ShapeDtypeStruct((3, *shape), np.float64))


@pytest.mark.parametrize("name", PLAIN)
def test_layers_that_follow_one_another_multiply_no_branches(name):
    assert not seen(multiplies_branches, *PLAIN[name])


@pytest.mark.parametrize("name", PRODUCTS)
def test_attention_gates_and_repeated_weights_multiply_branches(name):
    assert seen(multiplies_branches, *PRODUCTS[name])


# jax.nn.dot_product_attention takes its softmax in float32.
FLOAT32 = {"nnx attention"}


@pytest.mark.parametrize("name", [*PLAIN, *PRODUCTS])
def test_networks_in_float64_are_seen_in_float64(name):
    dtype = np.float32 if name in FLOAT32 else np.float64
    assert seen(lowest_precision, *(PLAIN | PRODUCTS)[name]) == dtype


@pytest.mark.parametrize(
    ("model", "shape", "dtype"),
    [
        (Mixed(), FLAT, jnp.bfloat16),
        (Mixed(jnp.float32), FLAT, jnp.bfloat16),
        (Mixed(jnp.bfloat16), FLAT, jnp.bfloat16),
        (LinenMlp(dtype=jnp.float16), FLAT, jnp.float16),
        (LinenMlp(dtype=jnp.float32), FLAT, jnp.float32),
        (NnxMlp(nnx.Rngs(0), dtype=jnp.float32), FLAT, jnp.float32),
    ],
)
def test_precision_is_the_lowest_on_the_way_not_that_of_the_output(model, shape, dtype):
    assert seen(lowest_precision, model, shape) == dtype


def leaves(model, shape):
    """Shapes of the biases of a network, and those of its weights."""
    network = loading.network_from(model)
    found = jax.tree.leaves(loading.params_shape(network, shape))
    numbers = seen(biases, model, shape)
    return (
        sorted(leaf.shape for i, leaf in enumerate(found) if i in numbers),
        sorted(leaf.shape for i, leaf in enumerate(found) if i not in numbers),
    )


def test_biases_are_known_by_what_they_do_whatever_their_shape():
    stax_net = stax.serial(stax.Dense(16, 1.0, 0.1), stax.Erf(), stax.Dense(1, 1.0, 0.1))
    assert leaves(stax_net, FLAT) == ([(1, 1), (1, 16)], [(6, 16), (16, 1)])
    assert leaves(NnxMlp(nnx.Rngs(0)), FLAT) == ([(1,), (16,), (16,)], [(6, 16), (16,), (16, 1)])
    # A head of one output is (1, width) in equinox, as a bias is in stax.
    assert leaves(PLAIN["equinox mlp"][0], FLAT)[1] == [(1, 16), (16, 6), (16, 16), (16, 16)]
    haiku_biases, haiku_weights = leaves(PLAIN["haiku mlp"][0], FLAT)
    assert haiku_biases == [(1,), (16,), (16,), (16,)]
    assert haiku_weights == [(6, 16), (16,), (16, 1), (16, 16)]
    # Shifts of a LayerNorm are biases, its scales are not.
    normed = PLAIN["linen layer norm"][0]
    assert leaves(normed, FLAT)[0].count((16,)) == 6 + 5
    assert leaves(normed, FLAT)[1].count((16,)) == 5


@pytest.mark.parametrize(
    ("fn", "found"),
    [
        (lambda p, x: x @ p["w"] + p["b"], ["b"]),
        (lambda p, x: x @ p["w"] - 0.1 * p["b"].reshape(1, -1), ["b"]),
        (lambda p, x: jnp.tanh(x @ p["w"]) * p["b"], []),
        (lambda p, x: (jnp.tanh(x @ p["w"]) * p["b"]).sum(1, keepdims=True) + p["b"], []),
        (lambda p, x: x @ (p["w"] * p["b"]), []),
        (lambda p, x: jax.jit(jnp.add)(x @ p["w"], p["b"]), ["b"]),
        (lambda p, x: jax.vmap(lambda row: p["w"].T @ row + p["b"])(x), ["b"]),
        (lambda p, x: jnp.where(x[:, :1] > 0, x @ p["w"], p["b"]), []),
    ],
)
def test_a_bias_is_added_to_what_depends_on_the_input_and_does_nothing_else(fn, found):
    params = {"b": jnp.ones(5), "w": jnp.ones((4, 5))}
    numbers = asked(biases, fn, params)
    assert [name for i, name in enumerate(sorted(params)) if i in numbers] == found


def asked(question, fn, params, *, d=4, dtype=np.float64):
    return question(fn, params, jax.ShapeDtypeStruct((3, d), dtype))


def test_network_that_carries_float32_is_traced_in_float32():
    module = LinenRnn(linen.GRUCell, param_dtype=jnp.float32)
    params = module.init(KEY, jnp.zeros((1, *SERIES), jnp.float32))
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
    x = jnp.zeros((3, *SERIES))
    assert lowest_precision(module.apply, params, x) == np.float32
    assert multiplies_branches(module.apply, params, x)


W = jax.ShapeDtypeStruct((4, 4), np.float64)


def low(x):
    return x.astype(jnp.bfloat16).astype(jnp.float64)


low_jvp, low_vjp = jax.custom_jvp(low), jax.custom_vjp(low)
low_jvp.defjvps(lambda tangent, *_: tangent)
low_vjp.defvjp(lambda x: (low(x), None), lambda _, cotangent: (cotangent,))

CALLS = {
    "jit": jax.jit(low),
    "remat": jax.checkpoint(low),
    "custom_jvp": low_jvp,
    "custom_vjp": low_vjp,
    "scan": lambda x: lax.scan(lambda carry, row: (carry, low(row)), 0.0, x)[1],
    "map": lambda x: lax.map(low, x),
    "carry": lambda x: (
        lax.scan(
            lambda c, row: ((c + row).astype(jnp.bfloat16), row), jnp.zeros(4, jnp.bfloat16), x
        )[0][None]
        * 1.0
    ),
    "while": lambda x: lax.while_loop(lambda c: c.sum() < 3, low, x),
    "fori": lambda x: lax.fori_loop(0, 3, lambda i, c: low(c), x),
    "cond": lambda x: lax.cond(x.sum() > 0, low, lambda x: x, x),
    "vmap": jax.vmap(low),
    "reduce_precision": lambda x: lax.reduce_precision(x, 8, 7),
    "algorithm": lambda x: lax.dot(x, x.T, precision=lax.DotAlgorithmPreset.BF16_BF16_F32),
    "algorithm by parts": lambda x: lax.dot(
        x, x.T, precision=lax.DotAlgorithm(jnp.bfloat16, jnp.bfloat16, jnp.float32)
    ),
    "preferred": lambda x: lax.dot(x, x.T, preferred_element_type=jnp.bfloat16),
}


@pytest.mark.parametrize("name", CALLS)
def test_low_precision_is_seen_inside_of_calls_and_loops(name):
    assert asked(lowest_precision, lambda w, x: CALLS[name](jnp.tanh(x @ w)), W) == jnp.bfloat16


@pytest.mark.parametrize(
    "fn",
    [
        lambda w, x: x @ w + jnp.ones(4, jnp.bfloat16),
        lambda w, x: (x @ w, low(x @ w))[0],
        lambda w, x: jnp.where(x > 0, x, 0.0) * (x > 0).astype(jnp.bfloat16) @ w,
        lambda w, x: x @ w * jax.nn.one_hot(jnp.argmax(x, axis=-1), 4, dtype=jnp.float32),
    ],
    ids=["constant", "unused", "mask", "one hot"],
)
def test_constants_masks_and_unused_values_are_not_rounded(fn):
    assert asked(lowest_precision, fn, W) == np.float64


def test_bfloat16_is_lower_than_float16_and_both_than_float32():
    def through(*dtypes):
        return lambda w, x: sum((x @ w).astype(dtype).astype(jnp.float64) for dtype in dtypes)

    assert asked(lowest_precision, through(jnp.float16, jnp.bfloat16), W) == jnp.bfloat16
    assert asked(lowest_precision, through(jnp.float32, jnp.float16), W) == jnp.float16
    assert asked(lowest_precision, through(jnp.float32, jnp.float8_e4m3fn), W) == "float8_e4m3fn"


PAIR = {"a": W, "b": W}
TWO = jax.ShapeDtypeStruct((2, 4, 4), np.float64)


@pytest.mark.parametrize(
    ("fn", "params", "expected"),
    [
        (lambda p, x: jax.nn.glu(x @ p), W, True),
        (lambda p, x: (x @ p[0]) * (x @ p[1]), TWO, True),
        (lambda p, x: jnp.tanh(x @ p[0]) @ p[1], TWO, False),
        (lambda p, x: x @ p["a"] @ p["a"].T, PAIR, True),
        (lambda p, x: x @ p["a"] + x @ p["a"].T, PAIR, False),
        (lambda p, x: (x @ p["a"]) / (1 + (x @ p["b"]) ** 2), PAIR, True),
        (lambda p, x: jnp.where(x @ p["a"] > 0, x @ p["b"], 0.0), PAIR, True),
        (lambda p, x: jnp.maximum(x @ p["a"], x @ p["b"]), PAIR, False),
        (lambda p, x: jnp.prod(jnp.stack([x @ p["a"], x @ p["b"]]), 0), PAIR, True),
        (lambda p, x: x * jax.nn.sigmoid(x @ p["a"]) @ p["b"], PAIR, False),
        (lambda p, x: (x @ p["a"]) * x.sum(1, keepdims=True), PAIR, False),
        (lambda p, x: lax.map(lambda row: jnp.tanh(row @ p["a"]) @ p["b"], x), PAIR, False),
        (lambda p, x: lax.fori_loop(0, 3, lambda i, h: jnp.tanh(h @ p["a"]), x), PAIR, True),
        (lambda p, x: lax.while_loop(lambda h: h.sum() < 1, lambda h: h @ p["a"], x), PAIR, True),
        (lambda p, x: lax.scan(lambda h, w: (jnp.tanh(h @ w), None), x, p)[0], TWO, False),
        (lambda p, x: lax.scan(lambda h, w: (h * (h @ w), None), x @ x.T @ x, p)[0], TWO, True),
    ],
    ids=[
        "glu", "product of slices", "layers of one leaf", "tied", "same depth", "quotient",
        "gated linear", "maxout", "prod", "gate of the input", "scaled by the input", "map", "fori",
        "while", "stacked layers", "stacked gates",
    ],
)  # fmt: skip
def test_products_of_branches_are_told_from_layers(fn, params, expected):
    assert asked(multiplies_branches, fn, params) == expected


def test_products_of_embeddings_multiply_branches():
    def factors(params, tokens):
        return (params["a"][tokens[:, 0]] * params["b"][tokens[:, 1]]).sum(1, keepdims=True)

    assert asked(multiplies_branches, factors, PAIR, d=2, dtype=np.int32)
    assert asked(lowest_precision, factors, PAIR, d=2, dtype=np.int32) == np.float64


def test_untraceable_network_gets_the_cautious_answer():
    def untraceable(params, x):
        return np.asarray(x) @ params

    assert asked(multiplies_branches, untraceable, W)
    assert asked(lowest_precision, untraceable, W) == np.float64
    assert multiplies_branches(untraceable, "no weights", jnp.ones((3, 4)))
    assert lowest_precision(untraceable, "no weights", jnp.ones((3, 4))) == np.float64


def test_structure_is_read_without_computing():
    large = jax.ShapeDtypeStruct((10**6, 10**6), np.float64)
    x = jax.ShapeDtypeStruct((10**6, 10**6), np.float64)
    assert not multiplies_branches(lambda w, x: jnp.tanh(x @ w), large, x)
    assert lowest_precision(lambda w, x: jnp.tanh(x @ w), large, x) == np.float64
