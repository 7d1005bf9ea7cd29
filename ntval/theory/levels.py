"""Levels of an operator, and roots in brackets: what edges and ridge equivalents share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy
from jaxtyping import Float

from ntval.errors import InputError

Levels = Sequence[float] | Float[np.ndarray, "levels"]

# Brackets are exact up to rounding; this much wider they change sign.
WIDER = 1e-6


def bracketed_root(fn: Callable, left: float, right: float) -> float:
    """A root of `fn` between `left` and `right`, where it changes sign.

    Source: Brent (1973), as SciPy computes it (read in its documentation).
    Accuracy: 2^-50 relative. Raises: `ValueError` when the sign does not change.
    """
    # The smallest tolerances that brentq takes: values are wanted to many digits at any scale.
    precision = {"xtol": 1e-300, "rtol": 2.0**-50, "maxiter": 2000}
    return float(scipy.optimize.brentq(fn, left, right, **precision))  # pyright: ignore


def present_levels(
    eigenvalues: Levels, multiplicities: Levels, n: float, tail: float
) -> tuple[np.ndarray, np.ndarray]:
    """Levels > 0 and their multiplicities, ascending.

    Source: definition of levels (derived); a level of 0 adds nothing to a kernel.
    Raises: `InputError` on negative arguments, unlike shapes, or when no level is positive.
    """
    levels = np.asarray(eigenvalues, dtype=np.float64)
    counts = np.asarray(multiplicities, dtype=np.float64)
    if levels.ndim != 1 or levels.shape != counts.shape:
        raise InputError(
            f"eigenvalues and multiplicities need one shape (levels,), got {levels.shape} and "
            f"{counts.shape}; give each level its multiplicity."
        )
    if not ((levels >= 0).all() and (counts > 0).all() and n > 0 and tail >= 0):
        raise InputError(
            "eigenvalues and tail need to be >= 0, multiplicities and n > 0, got "
            f"eigenvalues={levels.tolist()}, multiplicities={counts.tolist()}, n={n!r}, "
            f"tail={tail!r}; clip what rounding made negative."
        )
    if not (levels > 0).any():
        raise InputError("eigenvalues needs one > 0, got none; such a kernel learns nothing.")
    order = np.argsort(levels)
    order = order[levels[order] > 0]
    return levels[order], counts[order]
