"""Labelled data with a split as subjects."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from ntval.data import sets
from ntval.errors import InputError
from ntval.kernels import analytic, deep_mlp
from ntval.networks.mlp import Mlp, network_of
from ntval.regimes import RealData
from ntval.subjects import pretrained
from ntval.subjects.subject import LabelledGram

# Rows of a pool: the kernel of all of them is kept. Of a larger data set they are the first.
MOST_ROWS = 2000

# Of each pretrained network, the data that it takes, and how many rows there are.
TAKES = {"efficientnet_lite0": "mnist", "minilm": "vader"}
ROWS = {"efficientnet_lite0": pretrained.IMAGES, "minilm": pretrained.WORDS}


def labelled_pool(point: RealData) -> LabelledGram:
    """The kernel of a whole data set, up to `MOST_ROWS`; split anew by `resplit`.

    Labels of classes, whole numbers, become one row an input: 1 for its class, 0 for the others,
    both less the share 1 / C of a class. Other labels stay numbers. Of a pretrained network, the
    kernel at random weights comes along.

    Raises: `DataError` for data that cannot be read, `InputError` for data without labels, with too
    few rows, or that the network does not take.
    """
    if point.network in TAKES:
        return _pretrained(point)
    mlp, x, labels = _rows(point)
    train, test = _first(point, len(x))
    gram = analytic.ntk(mlp, x) if point.network == "infinite_width" else _drawn(mlp, x, 0)
    return LabelledGram(np.asarray(gram), labels, train, test, name=point.data)


def sized(subject: LabelledGram, point: RealData) -> LabelledGram:
    """The pool with its first rows as train and the next as test, as many as the point says.

    Raises: `InputError` where there are fewer.
    """
    train, test = _first(point, len(subject.labels))
    return replace(subject, train=train, test=test)


def finite_width_split(point: RealData, key: Array) -> LabelledGram:
    """The empirical kernel of a fresh draw of a fully connected network, at a fresh split."""
    key_split, key_weights = jax.random.split(key)
    mlp, x, labels = _rows(point)
    train, test = _first(point, len(x))
    chosen = np.asarray(jax.random.permutation(key_split, len(x)))[: len(train) + len(test)]
    gram = _drawn(mlp, x[chosen], key_weights)
    return LabelledGram(gram, labels[chosen], train, test, name=point.data)


def resplit(subject: LabelledGram, key: Array) -> LabelledGram:
    """The same kernel and labels, with another split of the same sizes: every split of all rows is
    as likely as any other."""
    order = np.asarray(jax.random.permutation(key, len(subject.labels)))
    n = len(subject.train)
    return replace(subject, train=order[:n], test=order[n : n + len(subject.test)])


def _pretrained(point: RealData) -> LabelledGram:
    if point.data != TAKES[point.network]:
        raise InputError(
            f"RealData needs data={TAKES[point.network]!r} for {point.network}, got "
            f"{point.data!r}; change one of them."
        )
    if point.network == "minilm":
        words, y = pretrained.rated_words()
        outputs = y[:, None]
        gram, control = (pretrained.minilm_gram(words, weights) for weights in pretrained.WEIGHTS)
    else:
        images, y = pretrained.digit_images()
        outputs = _outputs(y)
        gram, control = (pretrained.efficientnet_gram(images, w) for w in pretrained.WEIGHTS)
    train, test = _first(point, len(y))
    return LabelledGram(gram, outputs, train, test, name=point.network, control=control)


def _drawn(mlp: Mlp, x: Float[np.ndarray, "n d"], key: Array | int) -> Float[np.ndarray, "n n"]:
    """The empirical kernel at random weights."""
    key = jax.random.key(key) if isinstance(key, int) else key
    init_fn = network_of(mlp).init_fn
    assert init_fn is not None
    params = init_fn(key, (-1, mlp.d))[1]
    return np.asarray(deep_mlp.ntk(mlp, params, x))


def _rows(
    point: RealData,
) -> tuple[Mlp, Float[np.ndarray, "n d"], Float[np.ndarray, "n outputs"]]:
    """The network, inputs as rows, and labels of the pool."""
    source = sets.load(point.data)
    if source.y is None:
        raise InputError(f"RealData needs data with labels y, got none in {source.name}.")
    x = source.x[:MOST_ROWS].reshape(min(len(source.x), MOST_ROWS), -1)
    return Mlp(x.shape[1], point.widths, point.activation), x, _outputs(source.y)[:MOST_ROWS]


def _first(point: RealData, rows: int) -> tuple[Int[np.ndarray, "train"], Int[np.ndarray, "test"]]:
    """The first rows as train, the next as test."""
    wanted = point.n + point.n_test
    if wanted > rows:
        raise InputError(
            f"RealData needs n + n_test <= {rows}, the rows of {point.data}, got "
            f"{point.n} + {point.n_test}; take fewer."
        )
    return np.arange(point.n), np.arange(point.n, wanted)


def _outputs(y: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n outputs"]:
    """One column of numbers, or one a class."""
    classes = np.unique(y)
    if len(classes) < 2 or len(classes) > np.sqrt(len(y)) or (classes != np.round(classes)).any():
        return y[:, None]
    return (y[:, None] == classes) - 1.0 / len(classes)
