"""Gram matrices that were computed elsewhere, as subjects."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jaxtyping import Array, Int, Shaped

from ntval.arrays import rounding_or_all
from ntval.subjects.subject import GramSubject

# Assumed number of parameters behind one entry of a user's Gram matrix.
CONTRACTED = 4096


def rows_of(subject: GramSubject, key: Array, count: int) -> Int[np.ndarray, "count"]:
    """Random distinct rows of the matrices; all of them come in their own order."""
    n = subject.num_inputs
    return np.arange(n) if count == n else np.asarray(jax.random.permutation(key, n)[:count])


def entry_rounding(dtype: npt.DTypeLike, num_params: int) -> float:
    """Relative rounding of an entry that is a contraction over `num_params` parameters."""
    return rounding_or_all(2 * num_params, dtype)


_DISTINCT = 64  # a matrix of fewer different values may be of small whole numbers by design
_FINE = 8  # so many different values that no narrower dtype holds are no coincidence


def stored_precision(grams: Shaped[np.ndarray, "*draws n1 n2"]) -> np.dtype:
    """The narrowest dtype that holds every entry exactly: that of the array, unless it was made of
    narrower numbers, as `numpy.savez` and lists do of float32."""
    given = grams.dtype
    values = np.unique(np.asarray(grams, dtype=np.float64))
    coarse = np.zeros(len(values), dtype=bool)  # values that a narrower dtype holds as well
    for name in ("bfloat16", "float16", "float32"):
        narrow = jnp.dtype(name)
        if jnp.finfo(narrow).bits >= jnp.finfo(given).bits:
            break
        with np.errstate(over="ignore"):
            held = values.astype(narrow).astype(np.float64) == values  # exact by construction
        enough = len(values) > _DISTINCT if name != "float32" else (~coarse).sum() >= _FINE
        if held.all() and enough:
            return narrow
        coarse |= held
    return given


def gram_rounding(dtype: npt.DTypeLike, num_params: int) -> float:
    """Relative rounding of an entry of a Gram matrix stored in `dtype`: a contraction in float32 at
    the narrowest, and one rounding where it is stored narrower."""
    if jnp.finfo(dtype).bits >= jnp.finfo(np.float32).bits:
        return entry_rounding(dtype, num_params)
    return entry_rounding(np.float32, num_params) + float(jnp.finfo(dtype).eps) / 2


def coincident_rounding(rounding: float) -> float:
    """What two computations of an arc-cosine kernel may be apart at equal inputs, where an entry
    has this rounding elsewhere: 16 roundings u of the cosine are an angle of sqrt(32 u), in each of
    up to 8 layers; `rounding` is 2 u times the number of parameters."""
    return 8 * math.sqrt(16 * rounding / CONTRACTED)
