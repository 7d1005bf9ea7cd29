"""Networks as users bring them, right ones and broken ones. Not a test: named by --network."""

import equinox
import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

from ntval import Network, stax


class LinenMlp(flax.linen.Module):
    """Two hidden layers."""

    @flax.linen.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)
        for width in (64, 64):
            x = flax.linen.gelu(flax.linen.Dense(width)(x))
        return flax.linen.Dense(1)(x)


class LinenBatchNorm(flax.linen.Module):
    """Batch normalization left in training mode: outputs depend on the whole batch."""

    @flax.linen.compact
    def __call__(self, x):
        x = flax.linen.Dense(32)(x.reshape(len(x), -1))
        mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-3
        return flax.linen.Dense(1)(flax.linen.relu((x - mean) / spread))


class NnxMlp(nnx.Module):
    """One hidden layer, eight inputs."""

    def __init__(self, rngs):
        self.first = nnx.Linear(8, 32, rngs=rngs)
        self.second = nnx.Linear(32, 1, rngs=rngs)

    def __call__(self, x):
        return self.second(nnx.tanh(self.first(x)))


def equinox_mlp(key):
    """Drawn anew from every key."""
    return equinox.nn.MLP(in_size=8, out_size=1, width_size=64, depth=2, key=key)


def nnx_mlp(key):
    """Drawn anew from every key."""
    return NnxMlp(nnx.Rngs(params=key))


flax_mlp = LinenMlp()
flax_batch_norm = LinenBatchNorm()
equinox_trained = equinox_mlp(jax.random.key(3))
nnx_trained = nnx_mlp(jax.random.key(3))


def _dense(width):
    return stax.Dense(width, W_std=1.5, b_std=0.5)


def _mlp(width=256):
    return stax.serial(_dense(width), stax.Erf(), _dense(1))


def _cnn(channels=128):
    return stax.serial(
        stax.Conv(channels, (3, 3), padding="SAME", W_std=1.5, b_std=0.2),
        stax.Relu(),
        stax.AvgPool((2, 2), strides=(2, 2)),
        stax.Flatten(),
        stax.Dense(1, W_std=1.5, b_std=0.2),
    )


stax_cnn = Network(*_cnn(), input_shape=(4, 4, 1))

_init, _apply, _kernel = _mlp()


def _three_percent_too_large(x1, x2=None, get="ntk"):
    return 1.03 * _kernel(x1, x2, get)


def _asymmetric(x1, x2=None, get="ntk"):
    gram = _kernel(x1, x2, get)
    return gram * (1 + 1e-3 * jnp.arange(gram.shape[1]))


def _indefinite(x1, x2=None, get="ntk"):
    gram = _kernel(x1, x2, get)
    return gram - 0.5 * gram[0, 0] * jnp.eye(*gram.shape)


def _without_bias(params, x):
    """The forward pass of a network whose hidden biases were forgotten."""
    return _apply(jax.tree.map(lambda p: 0 * p if p.shape[0] == 1 else p, params), x)


stax_kernel_3_percent = Network(_init, _apply, _three_percent_too_large, input_shape=(8,))
stax_kernel_asymmetric = Network(_init, _apply, _asymmetric, input_shape=(8,))
stax_kernel_indefinite = Network(_init, _apply, _indefinite, input_shape=(8,))
stax_no_bias = Network(_init, _without_bias, _kernel, input_shape=(8,))
no_network = 3
