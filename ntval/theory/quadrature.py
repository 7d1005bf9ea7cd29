r"""Gauss-Legendre quadrature in panels.

| here | meaning |
|---|---|
| `edges` | points where the integrand need not be smooth; the first and the last are the limits |
| `longest` | no panel is longer than this |
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.polynomial.legendre import leggauss

# Of the integral of absolute values: rounding of nodes, weights and their sum.
ACCURACY = 3e-14

# Exact to degree 47; on a panel of length 1 a pole at distance 1 leaves 4.2^-48 = 1e-30.
_NODES = 24


def panels(
    edges: Sequence[float], *, longest: float
) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    """Nodes and weights of the integral from the first of the sorted `edges` to the last.

    Few nodes a panel: the outermost weights of a long rule lose digits.

    Source: derived.
    Accuracy: `ACCURACY` of the integral of absolute values, for integrands that are analytic, and
    not enormous, within distance `longest` of every panel.
    """
    x, w = _legendre()
    ends = [
        np.linspace(left, right, 2 + int((right - left) / longest))[:-1]
        for left, right in pairwise(edges)
    ]
    ends = np.concatenate([*ends, [edges[-1]]])
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half * (x + 1)).ravel(), (half * w).ravel()


@functools.cache
def _legendre() -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    return leggauss(_NODES)
