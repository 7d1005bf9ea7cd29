"""Correct networks of `neural_tangents.stax`, with inputs: no claim about one may be refuted."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from ntval import stax


def normal(*shape: int, seed: int = 0) -> Float[np.ndarray, "..."]:
    """Independent normal inputs."""
    return np.random.default_rng(seed).standard_normal(shape)


def mlp(
    *widths: int,
    act: Any = stax.Relu,
    weight: float = 1.4,
    bias: float | None = 0.3,
    outputs: int = 1,
    parametrization: str = "ntk",
) -> Any:
    """Dense layers of these widths with an activation after each, and a linear head."""

    def dense(width: int) -> Any:
        return stax.Dense(width, weight, bias, parameterization=parametrization)

    hidden = [layer for width in widths for layer in (dense(width), act())]
    return stax.serial(*hidden, dense(outputs))


def conv(
    *layers: Any, channels: int = 16, padding: str = "SAME", act: Any = stax.Relu, **options: Any
) -> Any:
    """One convolution of 3 by 3 with an activation, the layers after it, and a linear head."""
    first = stax.Conv(channels, (3, 3), padding=padding, W_std=1.4, b_std=0.2, **options)
    return stax.serial(first, act(), *layers, stax.Dense(1))


def branches(join: Any, *parts: Any) -> Any:
    """Branches from one input, joined."""
    return stax.serial(stax.FanOut(len(parts)), stax.parallel(*parts), join())


def residual(*layers: Any) -> Any:
    """The layers, and their input added to what they give."""
    return branches(stax.FanInSum, stax.Identity(), stax.serial(*layers))


def attention(heads: int, mechanism: str = "SOFTMAX", *, linear: bool = True) -> Any:
    """Self-attention over a short series, averaged over its places, with a linear head."""
    with warnings.catch_warnings():
        # With linear scaling keys are the queries too, which is what stax documents, and warns of.
        warnings.simplefilter("ignore", UserWarning)
        layer = stax.GlobalSelfAttention(
            16, 4, 4, heads, linear_scaling=linear, attention_mechanism=mechanism
        )
    return stax.serial(layer, stax.GlobalAvgPool(), stax.Dense(1))


def with_key(network: Any) -> Any:
    """A triple whose forward pass asks for a key, though it draws nothing."""
    init_fn, apply_fn, kernel_fn = network
    return init_fn, lambda params, x: apply_fn(params, x, rng=jax.random.key(0)), kernel_fn


def block(width: int, act: Any = stax.Gelu) -> tuple[Any, ...]:
    """A layer with its activation, and a linear one behind."""
    return stax.Dense(width, 1.2), act(), stax.Dense(width)


FLAT = normal(9, 6)
UNIT = FLAT / np.sqrt((FLAT**2).mean(axis=1, keepdims=True))
LINE = normal(12, 1, seed=1)
IMAGES = normal(8, 6, 6, 2, seed=2)
SERIES = normal(8, 5, 6, seed=3)
ZERO_ROW = np.vstack([normal(7, 6, seed=4), np.zeros((1, 6))])
OPPOSITE = np.vstack([normal(5, 6, seed=5), -normal(5, 6, seed=5)])
NEAR = np.vstack([normal(5, 6, seed=7), normal(5, 6, seed=7) * (1 + 1e-9)])

DEPTHS: dict[str, tuple[Any, Any]] = {
    "linear, no hidden layer": (mlp(), FLAT),
    "relu, width 16": (mlp(16), FLAT),
    "relu, width 512": (mlp(512), FLAT),
    "relu, two layers": (mlp(128, 128), FLAT),
    "relu, three layers": (mlp(64, 64, 64), FLAT),
    "relu, four layers": (mlp(32, 64, 64, 32), FLAT),
    "relu, narrow layers": (mlp(16, 16, 16), FLAT),
    "erf, two wide layers": (mlp(256, 256, act=stax.Erf), FLAT),
    "no bias": (mlp(64, 64, act=stax.Erf, bias=None), FLAT),
    "large bias": (mlp(64, act=stax.Erf, bias=3.0), FLAT),
    "three outputs": (mlp(64, act=stax.Erf, outputs=3), FLAT),
}

ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "gelu": (mlp(64, 64, act=stax.Gelu), FLAT),
    "gelu by tanh": (mlp(64, act=lambda: stax.Gelu(approximate=True)), FLAT),
    "sin": (mlp(64, 64, act=stax.Sin), FLAT),
    "cos": (mlp(64, act=stax.Cos), FLAT),
    "leaky relu": (mlp(64, 64, act=lambda: stax.LeakyRelu(0.1)), FLAT),
    "absolute value": (mlp(64, act=stax.Abs), FLAT),
    "two slopes": (mlp(64, act=lambda: stax.ABRelu(-0.5, 1.0)), FLAT),
    "rbf": (mlp(64, act=lambda: stax.Rbf(0.5), weight=1.0), FLAT),
    "polynomial": (mlp(64, act=lambda: stax.Polynomial([0.2, 1, 0.3]), weight=0.8), FLAT),
    # The kernel of a Hermite polynomial is for pre-activations of variance 1. That of a rectified
    # monomial is NaN at equal inputs in neural-tangents 0.6: it is refused by name.
    "hermite": (mlp(64, act=lambda: stax.Hermite(2), weight=1.0, bias=None), UNIT),
    "gaussian": (mlp(64, act=stax.Gaussian), FLAT),
    "exponential": (mlp(64, act=lambda: stax.Exp(1, 0.3), weight=0.8), FLAT),
    "sigmoid": (mlp(64, act=stax.Sigmoid_like), FLAT),
    "step": (mlp(64, act=stax.Sign), FLAT),
}

PARAMETRIZATIONS: dict[str, tuple[Any, Any]] = {
    "standard parametrization": (mlp(64, parametrization="standard"), FLAT),
    "standard parametrization, two layers, no bias": (
        mlp(64, 32, act=stax.Erf, bias=None, parametrization="standard"),
        FLAT,
    ),
}

CONVOLUTIONS: dict[str, tuple[Any, Any]] = {
    "cnn, flattened": (conv(stax.Flatten()), IMAGES),
    "cnn, padding valid": (conv(stax.Flatten(), padding="VALID"), IMAGES),
    "cnn, strided": (conv(stax.Flatten(), padding="CIRCULAR", strides=(2, 2)), IMAGES),
    "cnn, average pool": (conv(stax.AvgPool((2, 2), (2, 2)), stax.Flatten()), IMAGES),
    "cnn, sum pool": (conv(stax.SumPool((2, 2), (1, 1)), stax.Flatten()), IMAGES),
    "cnn, global pool": (conv(stax.GlobalAvgPool(), act=stax.Erf), IMAGES),
    "cnn, two layers": (
        conv(stax.Conv(16, (3, 3)), stax.Gelu(), stax.GlobalSumPool(), padding="VALID"),
        IMAGES,
    ),
    "cnn, standard parametrization": (
        conv(stax.Flatten(), parameterization="standard"),
        IMAGES,
    ),
    "residual cnn": (
        stax.serial(
            stax.Conv(16, (3, 3), padding="SAME"),
            residual(stax.Relu(), stax.Conv(16, (3, 3), padding="SAME")),
            stax.Relu(),
            stax.GlobalAvgPool(),
            stax.Dense(1),
        ),
        IMAGES,
    ),
    "dense on images": (stax.serial(stax.Flatten(), mlp(64)), IMAGES),
    "dense on places": (stax.serial(*block(32), stax.Flatten(), stax.Dense(1)), SERIES),
}

STRUCTURES: dict[str, tuple[Any, Any]] = {
    "residual": (
        stax.serial(stax.Dense(64), residual(*block(64)), stax.Relu(), stax.Dense(1)),
        FLAT,
    ),
    "two residual blocks": (
        stax.serial(stax.Dense(32), residual(*block(32)), residual(*block(32)), stax.Dense(1)),
        FLAT,
    ),
    "branches side by side": (
        stax.serial(
            branches(stax.FanInConcat, mlp(32, outputs=16), mlp(32, act=stax.Erf, outputs=16)),
            stax.Dense(1),
        ),
        FLAT,
    ),
    "product of branches": (
        stax.serial(
            branches(stax.FanInProd, mlp(32, outputs=32), mlp(32, act=stax.Erf, outputs=32)),
            stax.Dense(1),
        ),
        FLAT,
    ),
    "layer norm": (
        stax.serial(stax.Dense(128), stax.LayerNorm(), stax.Relu(), stax.Dense(1)),
        FLAT,
    ),
    "dropout off": (
        with_key(stax.serial(stax.Dense(64), stax.Relu(), stax.Dropout(0.5, "test"), mlp())),
        FLAT,
    ),
    "attention, one head": (attention(1), SERIES),
    "attention, 64 heads": (attention(64, "IDENTITY", linear=False), SERIES),
    "attention with relu": (attention(8, "RELU"), SERIES),
}

INPUTS: dict[str, tuple[Any, Any]] = {
    "sphere": (mlp(64, act=stax.Erf), None),
    "one input": (mlp(64), FLAT[:1]),
    "two inputs": (mlp(64, act=stax.Gelu), FLAT[:2]),
    "an odd number of inputs": (mlp(64, act=stax.Gelu), normal(37, 6, seed=8)),
    "one dimension": (mlp(64), LINE),
    "one dimension, no bias": (mlp(64, bias=None), LINE),
    "a row of zeros": (mlp(64), ZERO_ROW),
    "a row of zeros, no bias": (mlp(64, act=stax.Erf, bias=None), ZERO_ROW),
    "opposite rows": (mlp(64), OPPOSITE),
    "opposite rows, no bias": (mlp(64, 64, bias=None), OPPOSITE),
    "nearly repeated rows": (mlp(64), NEAR),
    "large inputs": (mlp(64), 1e4 * FLAT),
    "small inputs": (mlp(64, act=stax.Erf), 1e-4 * FLAT),
    "sizes far apart": (mlp(64), FLAT * np.logspace(-3, 3, len(FLAT))[:, None]),
}

CORRECT: dict[str, tuple[Any, Any]] = {
    **DEPTHS,
    **ACTIVATIONS,
    **PARAMETRIZATIONS,
    **CONVOLUTIONS,
    **STRUCTURES,
    **INPUTS,
}
