r"""Where the effective dimension is a function of $\kappa$ alone, whatever the number of samples.

With eigenvalues $w_j$ of K and an absolute ridge r, $\hat\kappa = 1 / \operatorname{tr} (K +
rI)^{-1}$ and $\text{df}_1 = \sum_j w_j / (w_j + r)$. If a local law holds, the points
$(\hat\kappa, \text{df}_1)$ of all ridges and sample sizes lie on one curve, that of the
population. No label is needed to see whether they do.

Source: derived, from the trace of the local law; Wei, Hu & Steinhardt's setting.
"""

from __future__ import annotations

import numpy as np
import scipy
from jaxtyping import Float

from ntval.arrays import ArrayLike, require_gram
from ntval.errors import InputError

Spectrum = Float[np.ndarray, "n"]

# The spacing of thresholds at which curves are compared, in powers of ten.
_SPACING = 0.1
_OF_THE_ROOT = 1e-12


def agreement_threshold(
    gram: Float[np.ndarray, "n n"] | ArrayLike, *, tolerance: float = 0.01
) -> float | None:
    r"""The smallest $\kappa$ from which on the curves of all n samples and of either half of them
    (the even rows, the odd ones) agree to a relative `tolerance`; None where they never do.

    Compared at ten values of $\kappa$ a power of ten, from the larger $\hat\kappa$ of the halves
    without a ridge to the mean diagonal. Give rows in random order.

    Accuracy: of K's eigenvalues, n u of the largest.
    Raises: `InputError` on fewer than four rows, what `require_gram` raises.
    """
    matrix = require_gram("gram", gram)
    n = len(matrix)
    if n < 4:
        raise InputError(f"gram needs four rows or more to be halved, got {n}; add samples.")
    top = float(np.trace(matrix)) / n
    if top <= 0:
        return None
    spectra = [
        np.maximum(np.linalg.eigvalsh(part), 0.0)
        for part in (matrix, matrix[::2, ::2], matrix[1::2, 1::2])
    ]
    least = n * np.finfo(float).eps * top
    lowest = max(least, *(_without_ridge(w) for w in spectra))
    kappas = np.geomspace(lowest, top, max(2, int(np.log10(top / lowest) / _SPACING) + 2))
    whole, even, odd = (
        np.array([_effective_dimension(w, float(kappa)) for kappa in kappas]) for w in spectra
    )
    beyond = np.flatnonzero(np.abs(np.sqrt(even * odd) / whole - 1) > tolerance)
    if len(beyond) == 0:
        return float(kappas[0])
    return None if beyond[-1] == len(kappas) - 1 else float(kappas[beyond[-1] + 1])


def ridge_at(gram: Float[np.ndarray, "n n"] | ArrayLike, kappa: float) -> float:
    r"""The absolute ridge at which $\hat\kappa$ is `kappa`; 0 where it is larger without any.

    Accuracy: of K's eigenvalues, n u of the largest.
    """
    return _ridge(np.maximum(np.linalg.eigvalsh(require_gram("gram", gram)), 0.0), kappa)


def _without_ridge(w: Spectrum) -> float:
    """kappa at ridge 0."""
    return 1 / float((1 / w).sum()) if w.min() > 0 else 0.0


def _ridge(w: Spectrum, kappa: float) -> float:
    """The root r of sum_j kappa / (w_j + r) = 1, which lies below n kappa."""
    high = len(w) * kappa
    if _without_ridge(w) >= kappa:
        return 0.0
    low = high * np.finfo(float).eps

    def excess(r: float) -> float:
        return float((kappa / (w + r)).sum()) - 1

    if excess(low) <= 0:  # kappa is that without a ridge, up to rounding
        return 0.0
    # Relative to r: the effective dimension moves by less, and is compared to parts in a hundred.
    found = scipy.optimize.root_scalar(excess, bracket=(low, high), rtol=_OF_THE_ROOT)
    return float(found.root)


def _effective_dimension(w: Spectrum, kappa: float) -> float:
    return float((w / (w + _ridge(w, kappa))).sum())
