"""What fragments on the pages call `model`, `twin` and so on."""

import jax
import jax.numpy as jnp
import numpy as np
from mymodule import model as net
from shallow import Gelu, Relu, relu_kernel

__all__ = [
    "Gelu",
    "Relu",
    "apply_fn",
    "gram",
    "init",
    "model",
    "net",
    "old",
    "params",
    "relu_kernel",
    "twin",
    "x",
]

x = np.random.default_rng(0).standard_normal((12, 4))
model = net
params = model.init(jax.random.key(0), x)
twin = relu_kernel
gram = np.asarray(twin(x))


def init(key, width):
    """Weights of one hidden layer at any width."""
    key_first, key_second = jax.random.split(key)
    return jax.random.normal(key_first, (8, width)), jax.random.normal(key_second, (width, 1))


def apply_fn(params, x):
    """A hidden layer of ReLUs with He's gain, as `Relu` is."""
    first, second = params
    hidden = jax.nn.relu(x @ first / jnp.sqrt(x.shape[1]))
    return 2**0.5 * hidden @ second / jnp.sqrt(len(second))


class Old(Relu):
    """The same with 1.39 for the square root of 2."""

    def __call__(self, x):
        return super().__call__(x) * 1.39 / 2**0.5


old = Old
