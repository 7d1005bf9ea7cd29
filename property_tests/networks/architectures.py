"""Networks of every library that is adapted: layers after one another, and products of branches."""

import equinox
import flax.linen as linen
import haiku
import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from ntval import stax

KEY = jax.random.key(0)
FLAT, SERIES, IMAGE = (6,), (5, 6), (8, 8, 3)


def triple(*layers):
    return stax.serial(*layers)


def attention(mechanism="SOFTMAX", **options):
    return stax.GlobalSelfAttention(
        8, 4, 4, 2, attention_mechanism=mechanism, linear_scaling=mechanism != "IDENTITY", **options
    )


def residual(*layers):
    return stax.serial(
        stax.FanOut(2), stax.parallel(stax.Identity(), stax.serial(*layers)), stax.FanInSum()
    )


def without_key(network):
    """A triple whose apply_fn asks for a key, though it draws nothing."""
    init_fn, apply_fn, kernel_fn = network
    return init_fn, lambda params, x: apply_fn(params, x, rng=KEY), kernel_fn


DENSE = (stax.Dense(16), stax.Gelu(), stax.Dense(16))
CONV = (stax.Conv(16, (3, 3), padding="SAME"), stax.Relu(), stax.LayerNorm(axis=-1))
STAX_PLAIN = {
    "mlp": (triple(*DENSE, stax.Erf(), stax.Dense(1)), FLAT),
    "standard": (triple(stax.Dense(16, parameterization="standard"), stax.Dense(1)), FLAT),
    "layer norm": (triple(*DENSE, stax.LayerNorm(), stax.Dense(1)), FLAT),
    "residual": (triple(stax.Dense(16), residual(*DENSE), residual(*DENSE)), FLAT),
    "dropout off": (without_key(triple(*DENSE, stax.Dropout(0.9, mode="test"))), FLAT),
    "cnn": (
        triple(*CONV, stax.AvgPool((2, 2)), *CONV, stax.GlobalAvgPool(), stax.Dense(1)),
        IMAGE,
    ),
    "residual cnn": (
        triple(*CONV, residual(*CONV), stax.Flatten(), stax.Dense(1)),
        IMAGE,
    ),
}
STAX_PRODUCTS = {
    "product": (
        triple(stax.FanOut(2), stax.parallel(triple(*DENSE), triple(*DENSE)), stax.FanInProd()),
        FLAT,
    ),
    **{
        mechanism: (triple(attention(mechanism), stax.GlobalAvgPool(), stax.Dense(1)), SERIES)
        for mechanism in ("SOFTMAX", "IDENTITY", "ABS", "RELU")
    },
    "residual attention": (
        triple(stax.Dense(8), stax.LayerNorm(), residual(attention()), stax.GlobalAvgPool()),
        SERIES,
    ),
}


class LinenMlp(linen.Module):
    dtype: object = None
    norm: object = None

    @linen.compact
    def __call__(self, x):
        x = linen.Dense(16, dtype=self.dtype)(x)
        for act in (linen.gelu, linen.silu, linen.elu, linen.selu, linen.PReLU()):
            x = act(linen.Dense(16)(x))
            if self.norm:
                x = self.norm()(x)
        return linen.Dense(1)(x)


class Mixed(linen.Module):
    """Mixed precision as flax documents it: weights and output in float32 or more."""

    head: object = None

    @linen.compact
    def __call__(self, x):
        return linen.Dense(1, dtype=self.head)(linen.tanh(linen.Dense(32, dtype=jnp.bfloat16)(x)))


class LinenCnn(linen.Module):
    @linen.compact
    def __call__(self, x):
        y = linen.relu(linen.Conv(8, (3, 3))(x))
        z = linen.BatchNorm(use_running_average=True)(linen.Conv(8, (3, 3))(y))
        z = linen.max_pool(linen.relu(z + y), (2, 2))
        z = linen.GroupNorm(num_groups=2)(linen.Conv(8, (3, 3), feature_group_count=8)(z))
        return linen.Dense(1)(z.reshape(len(z), -1))


class LinenRnn(linen.Module):
    cell: object
    param_dtype: object = jnp.float64

    @linen.compact
    def __call__(self, x):
        cell = self.cell(8, param_dtype=self.param_dtype)
        return linen.Dense(1)(linen.RNN(cell)(x)[:, -1])


class LinenAttention(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.Dense(8)(x)
        x = x + linen.MultiHeadDotProductAttention(num_heads=2)(linen.LayerNorm()(x))
        return linen.Dense(1)(x.mean(1))


class SwiGlu(linen.Module):
    fused: bool = False

    @linen.compact
    def __call__(self, x):
        if self.fused:
            gate, up = jnp.split(linen.Dense(32)(x), 2, axis=-1)
        else:
            gate, up = linen.Dense(16)(x), linen.Dense(16)(x)
        return linen.Dense(1)(linen.silu(gate) * up)


class SqueezeAndExcitation(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.Dense(16)(x))
        return linen.Dense(1)(x * linen.sigmoid(linen.Dense(16)(x)))


class Tied(linen.Module):
    @linen.compact
    def __call__(self, x):
        dense = linen.Dense(6)
        return linen.Dense(1)(linen.tanh(dense(linen.tanh(dense(x)))))


class Layer(linen.Module):
    @linen.compact
    def __call__(self, x, _):
        return linen.tanh(linen.LayerNorm()(linen.Dense(6)(x))), None


class Scanned(linen.Module):
    """Layers whose weights are stacked, as of deep transformers."""

    @linen.compact
    def __call__(self, x):
        layers = linen.scan(Layer, {"params": 0}, split_rngs={"params": True}, length=3)
        return linen.Dense(1)(layers()(x, None)[0])


class NnxMlp(nnx.Module):
    def __init__(self, rngs, dtype=None):
        self.first = nnx.Linear(6, 16, rngs=rngs, dtype=dtype)
        self.norm = nnx.BatchNorm(16, rngs=rngs, use_running_average=True)
        self.second = nnx.Linear(16, 1, rngs=rngs)

    def __call__(self, x):
        return self.second(nnx.gelu(self.norm(self.first(x))))


class NnxAttention(nnx.Module):
    def __init__(self, rngs):
        self.attention = nnx.MultiHeadAttention(2, 6, decode=False, rngs=rngs)
        self.head = nnx.Linear(6, 1, rngs=rngs)

    def __call__(self, x):
        return self.head(self.attention(x).mean(1))


class NnxRnn(nnx.Module):
    def __init__(self, rngs):
        cell = nnx.LSTMCell(6, 8, rngs=rngs, param_dtype=jnp.float64)
        self.rnn, self.head = nnx.RNN(cell, rngs=rngs), nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.head(self.rnn(x)[:, -1])


class EquinoxCnn(equinox.Module):
    layers: list

    def __init__(self):
        self.layers = [
            equinox.nn.Conv2d(8, 4, 3, key=KEY),
            equinox.nn.GroupNorm(2, 4),
            jax.nn.gelu,
            equinox.nn.AvgPool2d(2),
            jnp.ravel,
            equinox.nn.Linear(4, 1, key=KEY),
        ]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class EquinoxAttention(equinox.Module):
    attention: equinox.nn.MultiheadAttention

    def __call__(self, x):
        return self.attention(x, x, x).mean(0)


class EquinoxRnn(equinox.Module):
    cell: equinox.nn.GRUCell

    def __call__(self, x):
        return lax.scan(lambda h, row: (self.cell(row, h), None), jnp.zeros(8), x)[0]


def haiku_mlp(x):
    x = haiku.LayerNorm(-1, True, True)(haiku.nets.MLP([16, 16], activation=jax.nn.silu)(x))
    return haiku.Linear(1)(x)


def haiku_cnn(x):
    x = jax.nn.relu(haiku.Conv2D(8, 3)(x))
    return haiku.Linear(1)(haiku.Flatten()(haiku.MaxPool((1, 2, 2, 1), (1, 2, 2, 1), "SAME")(x)))


def haiku_attention(x):
    return haiku.MultiHeadAttention(2, 4, w_init=haiku.initializers.RandomNormal())(x, x, x)


def haiku_lstm(x):
    core = haiku.LSTM(8)
    return haiku.dynamic_unroll(core, x, core.initial_state(len(x)), time_major=False)[0][:, -1]


def of(fn):
    return haiku.without_apply_rng(haiku.transform(fn))


PLAIN = {
    **STAX_PLAIN,
    "linen mlp": (LinenMlp(), FLAT),
    "linen layer norm": (LinenMlp(norm=linen.LayerNorm), FLAT),
    "linen rms norm": (LinenMlp(norm=linen.RMSNorm), FLAT),
    "linen group norm": (LinenMlp(norm=lambda: linen.GroupNorm(4)), FLAT),
    "linen cnn": (LinenCnn(), IMAGE),
    "linen scanned layers": (Scanned(), FLAT),
    "nnx mlp": (NnxMlp(nnx.Rngs(0)), FLAT),
    "equinox mlp": (equinox.nn.MLP(6, 1, 16, 3, jax.nn.silu, key=KEY), FLAT),
    "equinox cnn": (EquinoxCnn(), (8, 4, 4)),
    "haiku mlp": (of(haiku_mlp), FLAT),
    "haiku cnn": (of(haiku_cnn), IMAGE),
}
PRODUCTS = {
    **STAX_PRODUCTS,
    "linen attention": (LinenAttention(), SERIES),
    "linen gru": (LinenRnn(linen.GRUCell), SERIES),
    "linen lstm": (LinenRnn(linen.OptimizedLSTMCell), SERIES),
    "linen simple rnn": (LinenRnn(linen.SimpleCell), SERIES),
    "linen swiglu": (SwiGlu(), FLAT),
    "linen fused swiglu": (SwiGlu(fused=True), FLAT),
    "linen gate behind its layer": (SqueezeAndExcitation(), FLAT),
    "linen tied": (Tied(), FLAT),
    "nnx attention": (NnxAttention(nnx.Rngs(0)), SERIES),
    "nnx lstm": (NnxRnn(nnx.Rngs(0)), SERIES),
    "equinox attention": (
        EquinoxAttention(equinox.nn.MultiheadAttention(2, 6, key=KEY)),
        SERIES,
    ),
    "equinox gru": (EquinoxRnn(equinox.nn.GRUCell(6, 8, key=KEY)), SERIES),
    "haiku attention": (of(haiku_attention), SERIES),
    "haiku lstm": (of(haiku_lstm), SERIES),
}
