"""Gram matrices that were computed elsewhere, as subjects."""

from __future__ import annotations

import jax
import numpy as np
import numpy.typing as npt
from jaxtyping import Array, Int

from ntval.arrays import rounding_or_all
from ntval.subjects.subject import GramSubject


def rows_of(subject: GramSubject, key: Array, count: int) -> Int[np.ndarray, "count"]:
    """Random distinct rows of the matrices; all of them come in their own order."""
    n = subject.num_inputs
    return np.arange(n) if count == n else np.asarray(jax.random.permutation(key, n)[:count])


def entry_rounding(dtype: npt.DTypeLike, num_params: int) -> float:
    """Relative rounding of an entry that is a contraction over `num_params` parameters."""
    return rounding_or_all(2 * num_params, dtype)
