r"""MiniLM-L6, a small BERT, pretrained or at random weights, on single words.

A word becomes [CLS], its pieces, [SEP]; its representation is the mean over all of them of what
six layers make of them; padding takes no part. A layer on top gives the output.

Source: Devlin et al. (2019), Wang et al. (2020) and the published weights (recalled; checked by
cosines between words, which the spec wei_hu_steinhardt gives in its section 5.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ntval.data import sources
from ntval.data.weight_files import State, require_shapes, safetensors_state
from ntval.errors import DataError, InputError
from ntval.networks.layers import Tap, affine, dense, embedding, untapped

LAYERS, WIDTH, HEADS, INNER = 6, 384, 12, 1536
VOCABULARY, POSITIONS, TYPES = 30522, 512, 2
_EPSILON = 1e-12
_MOST_CHARACTERS = 100


def shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors that an output depends on, by their published names."""

    def linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}

    def norm(name: str) -> dict[str, tuple[int, ...]]:
        return {f"{name}.LayerNorm.weight": (WIDTH,), f"{name}.LayerNorm.bias": (WIDTH,)}

    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (TYPES, WIDTH),
        **norm("embeddings"),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            found |= linear(f"{at}.attention.self.{part}", WIDTH, WIDTH)
        found |= linear(f"{at}.attention.output.dense", WIDTH, WIDTH)
        found |= norm(f"{at}.attention.output")
        found |= linear(f"{at}.intermediate.dense", WIDTH, INNER)
        found |= linear(f"{at}.output.dense", INNER, WIDTH)
        found |= norm(f"{at}.output")
    return found


def pretrained() -> State:
    """The published weights.

    Raises: `DataError` where they are not there, with the command that fetches them.
    """
    state = safetensors_state(sources.path_of("minilm", "model/model.safetensors"))
    require_shapes("minilm", state, shapes())
    return {name: state[name] for name in shapes()}


def random_weights(seed: int = 0) -> State:
    """Weights drawn anew, as BERT is initialized: N(0, 0.02^2), biases 0, normalizations 1."""
    rng = np.random.default_rng(seed)

    def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) == 1:
            return np.full(shape, float(name.endswith("LayerNorm.weight")), np.float32)
        return (0.02 * rng.standard_normal(shape)).astype(np.float32)

    return {name: drawn(name, shape) for name, shape in shapes().items()}


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Numbers of word pieces."""

    numbers: dict[str, int]

    def pieces(self, word: str) -> list[int]:
        """Numbers of [CLS], the longest pieces of a lower-case word from its start, and [SEP].

        Raises: `InputError` unless the word is one of lower-case Latin letters.
        """
        if not (word.isascii() and word.isalpha() and word.islower()):
            raise InputError(
                f"word needs letters from a to z alone, got {word!r}; leave such words out."
            )
        found, start = [], 0
        while start < len(word) <= _MOST_CHARACTERS:
            ends = range(len(word), start, -1)
            pieces = (("##" if start else "") + word[start:end] for end in ends)
            piece = next((piece for piece in pieces if piece in self.numbers), None)
            if piece is None:
                break
            found.append(self.numbers[piece])
            start += len(piece) - (2 if start else 0)
        if start < len(word):
            found = [self.numbers["[UNK]"]]
        return [self.numbers["[CLS]"], *found, self.numbers["[SEP]"]]

    def tokens(self, words: Sequence[str]) -> Int[np.ndarray, "n tokens"]:
        """Numbers of the pieces of each word, padded with -1 to the longest."""
        rows = [self.pieces(word) for word in words]
        longest = max(map(len, rows), default=0)
        return np.array([row + [-1] * (longest - len(row)) for row in rows], dtype=np.int32)


def vocabulary() -> Vocabulary:
    """The pieces that come with the published weights, lower case.

    Raises: `DataError` where they are not there, or there are too few.
    """
    lines = sources.path_of("minilm", "model/vocab.txt").read_text(encoding="utf-8").splitlines()
    if len(lines) != VOCABULARY:
        raise DataError(f"minilm needs {VOCABULARY} pieces in vocab.txt, got {len(lines)}.")
    return Vocabulary({piece: number for number, piece in enumerate(lines)})


def represented(
    state: Any, tokens: Int[Array, "tokens"], tap: Tap = untapped
) -> Float[Array, "384"]:
    """The representation of one word: the mean over its pieces, of which -1 are none."""
    kept = tokens >= 0
    numbers, places = jnp.where(kept, tokens, 0), jnp.arange(len(tokens))

    def linear(name: str, x: Array) -> Array:
        return dense(tap, x, state[f"{name}.weight"].T, state[f"{name}.bias"])

    def norm(name: str, x: Array) -> Array:
        centered = x - x.mean(axis=-1, keepdims=True)
        variance = (centered**2).mean(axis=-1, keepdims=True)
        normalized = centered / jnp.sqrt(variance + _EPSILON)
        scale, shift = (state[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return affine(tap, normalized, scale, shift)

    def heads(x: Array) -> Array:
        return x.reshape(len(x), HEADS, WIDTH // HEADS).transpose(1, 0, 2)

    def looked_up(name: str, which: Array) -> Array:
        return embedding(tap, which, state[f"embeddings.{name}_embeddings.weight"])

    x = looked_up("word", numbers) + looked_up("position", places)
    x = norm("embeddings", x + looked_up("token_type", jnp.zeros_like(numbers)))
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (
            heads(linear(f"{at}.attention.self.{part}", x)) for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS)
        shares = jax.nn.softmax(jnp.where(kept, scores, -jnp.inf), axis=-1)
        mixed = (shares @ value).transpose(1, 0, 2).reshape(len(x), WIDTH)
        x = norm(f"{at}.attention.output", x + linear(f"{at}.attention.output.dense", mixed))
        inner = jax.nn.gelu(linear(f"{at}.intermediate.dense", x), approximate=False)
        x = norm(f"{at}.output", x + linear(f"{at}.output.dense", inner))
    return jnp.where(kept[:, None], x, 0).sum(axis=0) / kept.sum()


def output(
    params: Any, tokens: Int[Array, "tokens"], tap: Tap = untapped
) -> Float[Array, "outputs"]:
    """Outputs of one word: a layer, `params["weight"]` and `params["bias"]`, on what it is
    represented by; the others are those of `shapes`."""
    return dense(tap, represented(params, tokens, tap), params["weight"], params["bias"])
