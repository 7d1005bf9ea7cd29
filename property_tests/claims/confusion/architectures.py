"""Five networks in which faults are planted, of any width, with their infinite-width twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import flax.linen as linen
import numpy as np

from ntval import stax
from ntval.networks import loading
from ntval.networks.network import Network
from ntval.subjects.arguments import subject_of
from ntval.subjects.subject import NetworkSubject

ACTIVATIONS = {"relu": stax.Relu, "erf": stax.Erf, "gelu": stax.Gelu, "sin": stax.Sin}


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Independent normal inputs."""
    return np.random.default_rng(seed).standard_normal(shape)


@dataclass(frozen=True)
class Options:
    """What its author chooses of a network.

    `weight`, `bias`: W_std and b_std, no bias where that is None. `depth`: hidden layers added to
    those that there are. `neck`: the width of one more before the head, the same at every width.
    """

    width: int = 256
    weight: float = 1.4
    bias: float | None = 0.5
    act: str = "relu"
    parametrization: str = "ntk"
    outputs: int = 1
    depth: int = 0
    neck: int | None = None

    def dense(self, width: int) -> Any:
        """A layer."""
        return stax.Dense(width, self.weight, self.bias, parameterization=self.parametrization)

    def head(self) -> Any:
        """The last layer, with one of a fixed width before it where there is a neck."""
        last = self.dense(self.outputs)
        if self.neck is None:
            return last
        return stax.serial(self.dense(self.neck), ACTIVATIONS[self.act](), last)

    def block(self) -> tuple[Any, ...]:
        """A hidden layer and its activation."""
        return self.dense(self.width), ACTIVATIONS[self.act]()


def one_hidden(o: Options) -> Any:
    """Dense, activation, dense."""
    return stax.serial(*o.block() * (1 + o.depth), o.head())


def deep(o: Options) -> Any:
    """Three hidden layers."""
    return stax.serial(*o.block() * (3 + o.depth), o.head())


def pooled(o: Options) -> Any:
    """A convolution, averaged over all places."""
    conv = stax.Conv(
        o.width, (3, 3), padding="SAME", W_std=o.weight, b_std=o.bias,
        parameterization=o.parametrization,
    )  # fmt: skip
    act = ACTIVATIONS[o.act]()
    return stax.serial(conv, act, stax.GlobalAvgPool(), *o.block() * o.depth, o.head())


def residual(o: Options) -> Any:
    """A layer, one that is skipped, a head."""
    branch = stax.serial(ACTIVATIONS[o.act](), *o.block() * o.depth, o.dense(o.width))
    return stax.serial(
        o.dense(o.width),
        stax.FanOut(2),
        stax.parallel(stax.Identity(), branch),
        stax.FanInSum(),
        ACTIVATIONS[o.act](),
        o.head(),
    )


class Linen(linen.Module):
    """One hidden layer as flax has it: the standard parametrization, biases from 0."""

    width: int
    neck: int | None = None
    outputs: int = 4

    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.Dense(self.width)(x))
        if self.neck is not None:
            x = linen.relu(linen.Dense(self.neck)(x))
        return linen.Dense(self.outputs)(x)


@dataclass(frozen=True)
class Architecture:
    """A network of any width. `build(options)`: its triple, or its twin's. `module(width)`: the
    network itself, where that is of another library. `widths`: those of its ladder."""

    build: Callable[[Options], Any]
    options: Options
    x: np.ndarray
    widths: tuple[int, ...] = (16, 32, 64, 128)
    module: Callable[..., Any] | None = None

    def network(self, **changes: Any) -> Network:
        """The network, with other options where `changes` say so."""
        options = replace(self.options, **changes)
        model = self.build(options)
        if self.module is not None:
            model = self.module(options.width, options.neck)
        return replace(loading.network_from(model), input_shape=self.x.shape[1:])

    def twin(self, *, get: str = "ntk", size: float = 1.0, **changes: Any) -> np.ndarray:
        """The kernel of the twin at the inputs times `size`, with other options."""
        kernel_fn = self.build(replace(self.options, **changes))[2]
        return np.asarray(kernel_fn(size * self.x, None, get))

    def subject(self, network: Network | None = None) -> NetworkSubject:
        """The network at the inputs."""
        return subject_of(network or self.network(), x=self.x)

    def ladder(self, change: Callable[[Network], Network], **changes: Any) -> NetworkSubject:
        """The network at growing width, changed at each."""
        nets = {w: change(self.network(width=w, **changes)) for w in self.widths}

        def init(key, width):
            return nets[width].apply_fn, nets[width].init_fn(key, (-1, *self.x.shape[1:]))[1]

        return subject_of(None, x=self.x, init=init, widths=self.widths)


INPUTS = 24
# Images that differ in their colour, as images do: of noise alone a network that averages over all
# places has nearly the same kernel at all inputs.
IMAGES = 0.7 * normal(INPUTS, 4, 4, 2, seed=1) + normal(INPUTS, 1, 1, 2, seed=5)
ARCHITECTURES: dict[str, Architecture] = {
    "one hidden layer": Architecture(one_hidden, Options(), normal(INPUTS, 6)),
    "flax": Architecture(
        one_hidden,
        Options(weight=1.0, bias=0.0, parametrization="standard", outputs=4),
        normal(INPUTS, 6, seed=2),
        module=Linen,
    ),
    "deep, three outputs": Architecture(
        deep, Options(128, act="erf", outputs=3), normal(INPUTS, 6)
    ),
    "cnn": Architecture(pooled, Options(64), IMAGES),
    "residual": Architecture(residual, Options(128, outputs=2), normal(INPUTS, 6, seed=3)),
}
