r"""EfficientNet-Lite0, pretrained on ImageNet or at random weights, and its last layers alone.

Images are in [0, 1], shape (height, width, 3), of any size that five halvings leave something of.
Convolutions pad as TensorFlow's "SAME"; batch normalization uses the statistics that come with the
weights; there is no squeeze-and-excitation, and ReLU6 throughout.

| part | what it is |
|---|---|
| `body` | the stem and 16 blocks: (n, height, width, 3) to (n, height / 32, width / 32, 320) |
| `last` | 1x1 convolution to 1280, normalization, ReLU6, mean over positions, a layer on top |

Source: Tan & Le (2019) and the published weights (recalled; checked by the classes of two
photographs, which the spec wei_hu_steinhardt gives in its section 5.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import AnyArray
from ntval.data import sources
from ntval.data.weight_files import State, require_shapes, torch_state
from ntval.networks.layers import Tap, affine, dense, untapped

# Of each stage: blocks, kernel, stride of the first, expansion, channels in and out.
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_EPSILON = 1e-3
_MEAN, _SCALE = 0.498, 0.502
BODY, WIDTH, CLASSES = 320, 1280, 1000


def _blocks() -> Iterator[tuple[int, int, int, int, int, int]]:
    """Of each block: its number, kernel, stride, expansion, channels in and out."""
    number = 0
    for blocks, kernel, stride, expansion, first, channels in _STAGES:
        for i in range(blocks):
            yield (
                number,
                kernel,
                stride if i == 0 else 1,
                expansion,
                (first if i == 0 else channels),
                channels,
            )
            number += 1


def shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors by the names that they have in the published file."""
    found: dict[str, tuple[int, ...]] = {"_conv_stem.weight": (32, 3, 3, 3)}
    norms = {"_bn0": 32, "_bn1": WIDTH}
    for i, kernel, _, expansion, first, channels in _blocks():
        inner, at = first * expansion, f"_blocks.{i}."
        if expansion > 1:
            found[f"{at}_expand_conv.weight"] = (inner, first, 1, 1)
            norms[f"{at}_bn0"] = inner
        found[f"{at}_depthwise_conv.weight"] = (inner, 1, kernel, kernel)
        found[f"{at}_project_conv.weight"] = (channels, inner, 1, 1)
        norms |= {f"{at}_bn1": inner, f"{at}_bn2": channels}
    for name, channels in norms.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{name}.{part}"] = (channels,)
    return found | {
        "_conv_head.weight": (WIDTH, BODY, 1, 1),
        "_fc.weight": (CLASSES, WIDTH),
        "_fc.bias": (CLASSES,),
    }


def pretrained() -> State:
    """The published weights.

    Raises: `DataError` where they are not there, with the command that fetches them.
    """
    path = sources.path_of("efficientnet_lite0", "models/efficientnet-lite0-57934424.pth")
    state = torch_state(path)
    require_shapes("efficientnet_lite0", state, shapes())
    return {name: state[name] for name in shapes()}


def random_weights(seed: int = 0) -> State:
    r"""Weights drawn anew: convolutions of law N(0, 2 / fan in), the identity in place of batch
    normalization."""
    rng = np.random.default_rng(seed)
    constant = {"weight": 1.0, "running_var": 1.0, "bias": 0.0, "running_mean": 0.0}

    def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) == 1:
            return np.full(shape, constant[name.rpartition(".")[2]], np.float32)
        fan_in = math.prod(shape[1:])
        return (math.sqrt(2 / fan_in) * rng.standard_normal(shape)).astype(np.float32)

    return {name: drawn(name, shape) for name, shape in shapes().items()}


def _normalized(state: State, name: str, x: Array) -> Array:
    names = (f"{name}.running_mean", f"{name}.running_var")
    mean, variance = (jnp.asarray(state[of], x.dtype) for of in names)
    return (x - mean) * jax.lax.rsqrt(variance + _EPSILON)


def _norm(state: State, name: str, x: Array) -> Array:
    scale, shift = (jnp.asarray(state[f"{name}.{part}"]) for part in ("weight", "bias"))
    return _normalized(state, name, x) * scale + shift


def _conv(state: State, name: str, x: Array, *, stride: int = 1, groups: int = 1) -> Array:
    weight = jnp.asarray(state[f"{name}.weight"]).transpose(2, 3, 1, 0)
    return jax.lax.conv_general_dilated(
        x,
        weight,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def _relu6(x: Array) -> Array:
    return jnp.clip(x, 0, 6)


def body(state: State, images: Float[AnyArray, "n h w 3"]) -> Float[Array, "n positions 320"]:
    """What the blocks make of images, positions in one row."""
    x = (jnp.asarray(images) - _MEAN) / _SCALE
    x = _relu6(_norm(state, "_bn0", _conv(state, "_conv_stem", x, stride=2)))
    for i, _, stride, expansion, first, channels in _blocks():
        at, y = f"_blocks.{i}.", x
        if expansion > 1:
            y = _relu6(_norm(state, f"{at}_bn0", _conv(state, f"{at}_expand_conv", y)))
        y = _conv(state, f"{at}_depthwise_conv", y, stride=stride, groups=first * expansion)
        y = _relu6(_norm(state, f"{at}_bn1", y))
        y = _norm(state, f"{at}_bn2", _conv(state, f"{at}_project_conv", y))
        x = x + y if stride == 1 and first == channels else y
    return x.reshape(len(x), -1, BODY)


def last_params(
    state: State, weight: Float[np.ndarray, "1280 outputs"], bias: Float[np.ndarray, "outputs"]
) -> dict[str, Any]:
    """The parameters of `last` with a layer of these weights on top: 413,441 with one output."""
    return {
        "conv": np.asarray(state["_conv_head.weight"])[:, :, 0, 0].T,
        "scale": np.asarray(state["_bn1.weight"]),
        "shift": np.asarray(state["_bn1.bias"]),
        "weight": weight,
        "bias": bias,
    }


def last(
    state: State, params: Any, x: Float[AnyArray, "positions 320"], tap: Tap = untapped
) -> Float[Array, "outputs"]:
    """Outputs of one image from what `body` made of it; statistics come from `state`."""
    x = dense(tap, x, params["conv"])
    x = affine(tap, _normalized(state, "_bn1", x), params["scale"], params["shift"])
    x = _relu6(x).mean(axis=0)
    return dense(tap, x, params["weight"], params["bias"])


def probabilities(state: State, images: Float[AnyArray, "n h w 3"]) -> Float[Array, "n 1000"]:
    """Probabilities of ImageNet's classes."""
    params = last_params(state, np.asarray(state["_fc.weight"]).T, np.asarray(state["_fc.bias"]))
    logits = jax.vmap(lambda x: last(state, params, x))(body(state, images))
    return jax.nn.softmax(logits)
