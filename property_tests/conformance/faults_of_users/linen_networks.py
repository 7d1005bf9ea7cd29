"""Faults of networks of flax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as linen
import jax
import jax.numpy as jnp
from conformance.faults_of_users.common import UserFault, alone, leaky, mlp, twin

from ntval import stax


class Linen(linen.Module):
    """A network of flax as its users write it, in the standard parametrization."""

    act: Callable = linen.relu
    width: int = 128
    draw: Any = linen.initializers.lecun_normal()
    use_bias: bool = True
    dtype: Any = None
    between: Callable = lambda x: x

    @linen.compact
    def __call__(self, x: Any) -> Any:
        options = {"kernel_init": self.draw, "use_bias": self.use_bias, "dtype": self.dtype}
        x = self.between(self.act(linen.Dense(self.width, **options)(x)))
        return linen.Dense(1, **options)(x)


class Norm(Linen):
    """The same with a layer in between that needs to be made inside."""

    layer: Callable = linen.LayerNorm

    @linen.compact
    def __call__(self, x: Any) -> Any:
        x = self.layer()(linen.Dense(self.width)(x))
        return linen.Dense(1)(self.act(x))


def linen_twin(
    *widths: int, act: Any = stax.Relu, bias: float | None = 0.0, parametrization: str = "standard"
) -> Any:
    """The twin of `Linen`: weights of variance 1 / fan-in, biases that are trained and start at
    0."""
    return mlp(
        *(widths or (128,)),
        act=act,
        weight=1.0,
        bias=bias,
        head_bias=bias,
        parametrization=parametrization,
    )


def _batch_softmax(x: Any) -> Any:
    return x.shape[-1] * jax.nn.softmax(x, axis=0)


INITIALIZERS = linen.initializers
FLAX = {
    "none": UserFault("the right twin: no fault", twin(Linen(), linen_twin())),
    "twin in the NTK parametrization": UserFault(
        "of a network in the standard one", twin(Linen(), linen_twin(parametrization="ntk"))
    ),
    "twin of another width": UserFault(
        "256 for 128, in the standard parametrization", twin(Linen(), linen_twin(256))
    ),
    "twin without biases": UserFault("in the twin", twin(Linen(), linen_twin(bias=None))),
    "network without biases": UserFault(
        "use_bias=False", twin(Linen(use_bias=False), linen_twin())
    ),
    "he_normal for lecun_normal": UserFault(
        "in the network", twin(Linen(draw=INITIALIZERS.he_normal()), linen_twin())
    ),
    "uniform(0.1) for lecun_normal": UserFault(
        "in the network", twin(Linen(draw=INITIALIZERS.uniform(0.1)), linen_twin())
    ),
    "silu for gelu": UserFault(
        "in the network", twin(Linen(act=linen.silu), linen_twin(act=stax.Gelu))
    ),
    "flax's leaky relu for one of 0.2": UserFault(
        "0.01 is flax's default", twin(Linen(act=linen.leaky_relu), linen_twin(act=leaky(0.2)))
    ),
    "a layer missing": UserFault("in the network", twin(Linen(), linen_twin(128, 128))),
    "LayerNorm in the network alone": UserFault("not in the twin", twin(Norm(), linen_twin())),
    "BatchNorm in training mode": UserFault(
        "use_running_average=False",
        alone(Norm(layer=lambda: linen.BatchNorm(use_running_average=False))),
    ),
    "dropout on": UserFault(
        "deterministic=False", alone(Norm(layer=lambda: linen.Dropout(0.5, deterministic=False)))
    ),
    "softmax over the batch": UserFault("axis 0", alone(Linen(between=_batch_softmax))),
    "bfloat16": UserFault("dtype=bfloat16 in every layer", alone(Linen(dtype=jnp.bfloat16))),
    "features sorted": UserFault(
        "jnp.sort over the batch", alone(Linen(between=lambda x: jnp.sort(x, axis=0)))
    ),
}
