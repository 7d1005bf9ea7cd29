"""Hypothesis strategies: sizes from written ladders, values freely, never a seed.

Each new array shape compiles anew, so free sizes would cost seconds an example; statistical
noise comes from hash(claim, regime, suite seed), not from Hypothesis (EVIDENCE in DESIGN).
"""

from __future__ import annotations

import hypothesis.extra.numpy as numpy_strategies
import numpy as np
from hypothesis import strategies as st

from ntval.activations import ACTIVATIONS
from ntval.claims import Claim
from ntval.regimes import D_LADDER, N_LADDER, WIDTH_LADDER, Regime

_LARGEST_WIDTH = 64  # gradients of wider networks take longer than they teach


def regimes_for(claim: Claim) -> st.SearchStrategy[Regime]:
    """Regimes where a deterministic claim holds: any size, depth and activation.

    A claim in which chance decides has its regimes written out, as its power depends on them.
    """
    if claim.random or "theorem's setting" in claim.needs:
        return st.sampled_from(claim.regimes["standard"])
    widths = st.sampled_from([w for w in WIDTH_LADDER if w <= _LARGEST_WIDTH])
    return st.builds(
        Regime,
        n=st.sampled_from(N_LADDER[:2]),
        d=st.sampled_from(D_LADDER[:2]),
        widths=st.one_of(st.tuples(widths), st.tuples(widths, widths)),
        activation=st.sampled_from(sorted(ACTIVATIONS)),
    )


def inputs(n: int, d: int, *, largest: float = 3.0) -> st.SearchStrategy[np.ndarray]:
    """Inputs of shape (n, d) with bounded entries; rows may coincide or vanish."""
    return numpy_strategies.arrays(
        np.float64,
        (n, d),
        elements=st.floats(-largest, largest, allow_subnormal=False, width=32),
    )


def positive_definite(
    n: int, *, smallest: float = 1e-3, largest: float = 10.0
) -> st.SearchStrategy[np.ndarray]:
    """Symmetric matrices with all eigenvalues in [smallest, largest]."""
    return st.builds(
        _matrix,
        st.lists(st.floats(smallest, largest), min_size=n, max_size=n),
        inputs(n, n),
    )


def _matrix(eigenvalues: list[float], basis: np.ndarray) -> np.ndarray:
    orthogonal, _ = np.linalg.qr(basis + np.eye(len(basis)))
    matrix = orthogonal * np.array(eigenvalues) @ orthogonal.T
    return (matrix + matrix.T) / 2
