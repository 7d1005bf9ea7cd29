"""Kernels of two pretrained networks on real data, and of the same networks at random weights.

| network | inputs | trained |
|---|---|---|
| `efficientnet_lite0` | 1,400 digits of MNIST, 64x64 | last convolution and all that follows |
| `minilm` | 1,100 words that people rated | all |

The top, a layer with one output, is drawn as PyTorch does, uniform up to one over the root of its
inputs, as in the authors' code; the same for pretrained and random weights. Kernels take minutes
and are kept in ntval's cache, each under a hash of weights, inputs and the code that makes it.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from ntval.arrays import float32, float64
from ntval.data import sets, sources
from ntval.errors import DataError
from ntval.kernels import layerwise
from ntval.networks import efficientnet_lite, layers, minilm

IMAGES, SIDE, WORDS = 1400, 64, 1100
WEIGHTS = PRETRAINED, RANDOM = "pretrained", "random"


def digit_images() -> tuple[Float[np.ndarray, "n side side 3"], Float[np.ndarray, "n"]]:
    """The first digits of MNIST in color, enlarged, and their classes."""
    mnist = sets.load("mnist")
    assert mnist.y is not None
    shape = (IMAGES, SIDE, SIDE, 1)
    with float32():
        larger = jax.image.resize(mnist.x[:IMAGES].astype(np.float32), shape, "bilinear")
    return np.repeat(np.asarray(larger), 3, axis=3), mnist.y[:IMAGES]


def rated_words() -> tuple[list[str], Float[np.ndarray, "n"]]:
    """Words of lower-case letters in a fixed order without a meaning, and their mean ratings.

    Raises: `DataError` for a lexicon that cannot be read.
    """
    path = sources.path_of("vader", "vader_lexicon.txt")
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        rated = {row[0]: float(row[1]) for row in rows if row[0].isascii() and row[0].isalpha()}
    except (ValueError, IndexError):
        raise DataError(f"vader needs a word and a rating a line, got others in {path}.") from None
    words = sorted(word for word in rated if word.islower())
    chosen = np.random.default_rng(0).permutation(len(words))[:WORDS]
    return [words[i] for i in chosen], np.array([rated[words[i]] for i in chosen])


def efficientnet_gram(
    images: Float[np.ndarray, "n side side 3"], weights: str = PRETRAINED
) -> Float[np.ndarray, "n n"]:
    """The kernel of EfficientNet-Lite0's last layers at images in [0, 1].

    Accuracy: what the blocks make of images is of float32, the kernel of that of float64.
    Raises: `DataError` where the weights are not there.
    """
    pretrained = weights == PRETRAINED
    state = efficientnet_lite.pretrained() if pretrained else efficientnet_lite.random_weights()
    params = efficientnet_lite.last_params(state, *_top(efficientnet_lite.WIDTH))

    def gram() -> Float[np.ndarray, "n n"]:
        with float32():
            body = jax.jit(lambda images: efficientnet_lite.body(state, images))
            parts = [body(part) for part in np.array_split(images, math.ceil(len(images) / 100))]
            features = np.concatenate([np.asarray(part) for part in parts]).astype(np.float64)
        with float64():
            wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
            return layerwise.ntk(
                lambda params, x, tap: efficientnet_lite.last(state, params, x, tap),
                wide,
                features,
            )

    return _kept("efficientnet_lite0", efficientnet_lite, {**state, **params}, images, gram)


def minilm_gram(words: list[str], weights: str = PRETRAINED) -> Float[np.ndarray, "n n"]:
    """The kernel of all of MiniLM at words, in float64.

    Raises: `DataError` where the weights or the vocabulary are not there.
    """
    state = minilm.pretrained() if weights == PRETRAINED else minilm.random_weights()
    top, bias = _top(minilm.WIDTH)
    params = {**state, "weight": top, "bias": bias}
    tokens = minilm.vocabulary().tokens(words)

    def gram() -> Float[np.ndarray, "n n"]:
        with float64():
            wide = {name: jnp.asarray(leaf, jnp.float64) for name, leaf in params.items()}
            return layerwise.ntk(minilm.output, wide, tokens)

    return _kept("minilm", minilm, params, tokens, gram)


def _top(inputs: int) -> tuple[Float[np.ndarray, "inputs 1"], Float[np.ndarray, "1"]]:
    """A layer with one output at random weights, always the same."""
    rng, most = np.random.default_rng(438), 1 / math.sqrt(inputs)
    return rng.uniform(-most, most, (inputs, 1)), rng.uniform(-most, most, 1)


def _kept(
    name: str,
    module: ModuleType,
    weights: Mapping[str, Any],
    x: Shaped[np.ndarray, "n *shape"],
    gram: Callable[[], Float[np.ndarray, "n n"]],
) -> Float[np.ndarray, "n n"]:
    """The Gram matrix that the cache has of these weights, inputs and code, or a new one."""
    digest = hashlib.sha256()
    for part in (module, layers, layerwise):
        digest.update(Path(str(part.__file__)).read_bytes())
    for key, array in [*sorted(weights.items()), ("x", x)]:
        array = np.ascontiguousarray(array)
        digest.update(f"{key} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    path = sources.cache_directory() / "kernels" / f"{name}-{digest.hexdigest()[:32]}.npy"
    try:
        found = np.load(path, allow_pickle=False)
        if found.shape == (len(x), len(x)) and found.dtype == np.float64:
            return found
    except (OSError, ValueError, EOFError):
        pass  # not there, or half written: it is made anew
    made = gram()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.save(file, made, allow_pickle=False)
    partial.replace(path)
    return made
