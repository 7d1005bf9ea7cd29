"""Labelled data with a split as subjects."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.data import sets
from ntval.errors import InputError
from ntval.kernels import analytic
from ntval.networks.mlp import Mlp
from ntval.regimes import RealData
from ntval.subjects.subject import LabelledGram


def labelled_gram(point: RealData, key: Array) -> LabelledGram:
    """The infinite-width kernel of labelled data, at a random split.

    Labels of classes, whole numbers, become one row an input: 1 for its class, 0 for the others,
    both less the share 1 / C of a class. Other labels stay numbers.

    Raises: `DataError` for data that cannot be read, `InputError` for data without labels or with
    too few rows.
    """
    source = sets.load(point.data)
    if source.y is None:
        raise InputError(f"RealData needs data with labels y, got none in {source.name}.")
    wanted = point.n + point.n_test
    if wanted > len(source.x):
        raise InputError(
            f"RealData needs n + n_test <= {len(source.x)}, the rows of {source.name}, got "
            f"{point.n} + {point.n_test}; take fewer."
        )
    chosen = np.asarray(jax.random.permutation(key, len(source.x)))[:wanted]
    x = source.x[chosen].reshape(wanted, -1)
    mlp = Mlp(x.shape[1], point.widths, point.activation)
    rows = np.arange(wanted)
    return LabelledGram(
        np.asarray(analytic.ntk(mlp, x)),
        _outputs(source.y)[chosen],
        rows[: point.n],
        rows[point.n :],
        name=source.name,
    )


def _outputs(y: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n outputs"]:
    """One column of numbers, or one a class."""
    classes = np.unique(y)
    if len(classes) < 2 or len(classes) > np.sqrt(len(y)) or (classes != np.round(classes)).any():
        return y[:, None]
    return (y[:, None] == classes) - 1.0 / len(classes)
