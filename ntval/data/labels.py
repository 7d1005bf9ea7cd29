"""Targets of a regression from labels as they come: numbers, or names of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ntval.arrays import as_float64
from ntval.data.sets import array_of
from ntval.errors import InputError


@dataclass(frozen=True)
class Targets:
    """What a regression is fitted to.

    `values`: a row a sample; of classes, 1 for the sample's own and 0 else, minus 1 over their
        number.
    `classes`: the names of the classes, in the order of the columns; None of numbers.
    """

    values: Float[np.ndarray, "n outputs"]
    classes: tuple[str, ...] | None = None


def targets_of(y: Any, n: int, *, classes: bool | None = None) -> Targets:
    """Targets of n samples.

    `classes` says whether y names classes; without it whole numbers, words and truth values do,
    and floats do not. Floats that could be either are refused.

    Raises: `InputError` on another shape, entries that are no numbers, one class only, as many as
    samples, whole numbers that are hardly classes, and floats that could be either.
    """
    given = array_of("y", y)
    if given.shape[:1] != (n,) or given.ndim > 2:
        raise InputError(
            f"y needs shape ({n},) or ({n}, outputs), got {given.shape}; give each of the {n} "
            "inputs its label."
        )
    named = given.dtype.kind in "iubUSO"
    if classes is None:
        if given.ndim == 1:
            _require_told(given)
        classes = named and given.ndim == 1
    if not classes:
        numbers = given.astype(float) if given.dtype.kind in "iub" else given
        return Targets(as_float64("y", numbers).reshape(n, -1))
    if given.ndim != 1:
        raise InputError(f"y needs one class a sample, shape ({n},), got {given.shape}.")
    if not named:
        as_float64("y", given)
    try:
        names, place = np.unique(given, return_inverse=True)
    except TypeError:
        raise InputError("y needs classes of one kind, got numbers beside words.") from None
    if len(names) < 2:
        raise InputError(f"y needs two classes or more, got {names[0]} alone; there is no risk.")
    if len(names) == n > 2:
        raise InputError(
            f"y needs classes of several samples, got {n} names for {n} samples; if they are "
            "numbers to predict, pass y.astype(float)."
        )
    one_hot = np.eye(len(names))[place.reshape(n)]
    return Targets(one_hot - 1 / len(names), tuple(map(str, names)))


def _require_told(y: np.ndarray) -> None:
    """Refuse labels of which nobody knows whether they are classes."""
    if y.dtype.kind not in "fiu":
        return
    numbers = y if y.dtype.kind != "f" else as_float64("y", y)
    distinct = len(np.unique(numbers))
    if y.dtype.kind == "f" and distinct < 2:
        raise InputError(
            f"y needs two values or more, got {y[0]} alone; there is nothing to learn. Say "
            "classes=False to have it predicted nevertheless."
        )
    few = distinct <= max(2, len(y) // 4)
    if y.dtype.kind == "f" and few and (numbers == np.round(numbers)).all():
        raise InputError(
            f"y holds {distinct} distinct whole numbers as floats; say classes=True if they name "
            "classes, classes=False if they are numbers to predict."
        )
    if y.dtype.kind in "iu" and not few:
        raise InputError(
            f"y holds {distinct} distinct whole numbers in {len(y)} samples; say classes=False if "
            "they are numbers to predict, classes=True if they name classes."
        )
