r"""Generalized cross-validation of samples that are correlated, as their noise is (CorrGCV).

Features $X = C^{1/2} Z \Sigma^{1/2}$ and noise $C^{1/2} \epsilon$ of n samples, eigenvalues c of C
known up to a factor. GCV takes C for the identity.
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from jaxtyping import Float

from ntval.arrays import ArrayLike, as_float64, require_gram
from ntval.errors import InputError
from ntval.observables.generalized_cross_validation import cross_validation
from ntval.observables.regression import Labels, require_labels


def correlated_cross_validation(
    gram: Float[np.ndarray, "n n"] | ArrayLike,
    y: Labels | ArrayLike,
    rows: Float[np.ndarray, "n"] | ArrayLike,
    *,
    ridge: float,
) -> float:
    r"""Estimate of the risk on a fresh sample from correlated ones, with absolute ridge r.

    $$\frac{a}{t_1 - t_2} R_{\text{emp}}, \quad
      t_1 = \tfrac1n \operatorname{tr} K (K + r I)^{-1} = \overline{a c / (1 + a c)}, \quad
      t_2 = \overline{(a c / (1 + a c))^2}$$
    with a the root of the equation for $t_1$, and c = `rows` of mean 1, that is with fresh samples
    as large as these. With c = 1 it is GCV.

    Source: Atanasov, Zavatone-Veth & Pehlevan (2024), 2408.04607 (recalled at second hand, verified
    numerically in the spec wei_hu_steinhardt, X1). Accuracy: that of `cross_validation`.
    Raises: `InputError` unless `ridge` > 0, and on `rows` that are no n numbers >= 0; as
    `cross_validation`.
    """
    matrix = require_gram("gram", gram)
    labels = require_labels(y, len(matrix))
    c = as_float64("rows", rows)
    if c.shape != (len(matrix),) or not (c >= 0).all() or not c.sum() > 0:
        raise InputError(
            f"rows needs {len(matrix)} numbers >= 0, one a sample, got shape {c.shape}; pass the "
            "eigenvalues of the samples' covariance, clipped at 0."
        )
    if not ridge > 0:
        raise InputError(f"ridge needs to be > 0, got {ridge!r}; pass a small one.")
    found = cross_validation(matrix, labels, ridges=np.array([ridge]))
    fitted = float(found.effective_dimension[0]) / len(matrix)
    c = c / c.mean()
    a = _coupling(c, fitted)
    learned = a * c / (1 + a * c)
    return a / float((learned / (1 + a * c)).mean()) * float(found.train_error[0])


def _coupling(c: Float[np.ndarray, "n"], fitted: float) -> float:
    """The a with a mean `fitted` of a c / (1 + a c), which is at most a."""
    present = c[c > 0]

    def excess(log_a: float) -> float:
        ac = math.exp(log_a) * present
        return float((ac / (1 + ac)).sum()) / len(c) - fitted

    low = high = math.log(fitted)
    while excess(high) < 0:
        high += 1.0
        if high > low + 700:
            raise InputError("rows has too few that are > 0 for what is fitted; pass all of them.")
    return math.exp(float(scipy.optimize.brentq(excess, low - 1.0, high, xtol=1e-14)))  # pyright: ignore
