"""Entries of a Gram matrix: their scale, their places, their names."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ntval.arrays import AnyArray


def entry_scale(
    diagonal1: Float[AnyArray, "n1"], diagonal2: Float[AnyArray, "n2"] | None = None
) -> Any:
    r"""$\sqrt{K_{ii} K_{jj}}$ of shape (n1, n2), which bounds an entry of a positive semi-definite
    kernel; NumPy arrays stay NumPy arrays, JAX arrays stay in JAX."""
    second = diagonal1 if diagonal2 is None else diagonal2
    return (diagonal1[:, None] * second[None, :]).clip(0.0) ** 0.5


def upper_triangle(n: int) -> tuple[Int[np.ndarray, "entries"], Int[np.ndarray, "entries"]]:
    """Rows and columns of the n (n + 1) / 2 entries on and above the diagonal."""
    rows, columns = np.triu_indices(n)
    return rows, columns


def entry_labels(n: int) -> tuple[str, ...]:
    """Names of the entries of `upper_triangle`: `K[0, 1]`."""
    return tuple(f"K[{i}, {j}]" for i, j in zip(*upper_triangle(n), strict=True))
