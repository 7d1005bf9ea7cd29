r"""Generalized cross-validation of ensembles of ridge regressions on subsamples (CGCV).

M members, each fitted to k of the n samples with an absolute ridge, and the mean of their
predictions. GCV of the mean prediction is too large: the members were not fitted to the samples
that they left out. The correction takes that away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ntval.arrays import ArrayLike, require_gram
from ntval.errors import InputError
from ntval.observables.regression import Labels, kernel_ridge, require_labels

Members = Sequence[Int[np.ndarray, "k"]]


@dataclass(frozen=True)
class EnsembleCrossValidation:
    """Estimates of the risk of an ensemble from its training data.

    `coefficients`: of the mean prediction, a row a sample.
    `gcv`: by the mean of the members' degrees of freedom.
    `correction`: what it is too large by. `cgcv`: the difference.
    """

    coefficients: Float[np.ndarray, "n outputs"]
    gcv: float
    correction: float

    @property
    def cgcv(self) -> float:
        """The corrected estimate."""
        return self.gcv - self.correction


def ensemble_cross_validation(
    gram: Float[np.ndarray, "n n"] | ArrayLike,
    y: Labels | ArrayLike,
    members: Members,
    *,
    ridge: float,
) -> EnsembleCrossValidation:
    r"""Estimates of the risk of the mean of ridge regressions on the rows of each member, all of
    one size k.

    $$\text{GCV} = \frac{\|y - \bar f\|^2 / n}{(1 - d/n)^2}, \qquad
      \text{CGCV} = \text{GCV}
      - \frac1M \Bigl(\frac{d/n}{1 - d/n}\Bigr)^2 \Bigl(\frac nk - 1\Bigr) \bar R$$
    with $\bar f$ the mean prediction, d the mean of the members' degrees of freedom $d_m$, and
    $\bar R$ the mean of $R_m = (\|y - f_m\|^2 / n) / (1 - 2 d_m/n + d_m^2/kn)$. One member of all
    rows gives GCV. Errors are sums over outputs and means over samples.

    Source: Bellec, Du, Koriyama, Patil & Tan (2023), 2310.01374 (abstract read; formula derived
    again in the spec wei_hu_steinhardt, X3). Accuracy: that of `kernel_ridge`.
    Raises: `InputError` unless there are members, all of k different rows, and `ridge` > 0; as
    `kernel_ridge`.
    """
    matrix = require_gram("gram", gram)
    n = len(matrix)
    labels = require_labels(y, n).reshape(n, -1)
    k = _size(members, n)
    if not ridge > 0:
        raise InputError(f"ridge needs to be > 0, got {ridge!r}; pass a small one.")
    total = np.zeros_like(labels)
    dimensions, risks = [], []
    for rows in members:
        own = matrix[np.ix_(rows, rows)]
        fit = kernel_ridge(own, np.concatenate([labels[rows], own], axis=1), ridge=ridge)
        coefficients = fit.coefficients[:, : labels.shape[1]]
        d = float(np.trace(fit.coefficients[:, labels.shape[1] :]))
        error = float(((labels - matrix[:, rows] @ coefficients) ** 2).sum()) / n
        dimensions.append(d)
        risks.append(error / (1 - 2 * d / n + d**2 / (k * n)))
        total[rows] += coefficients
    mean = total / len(members)
    share = float(np.mean(dimensions)) / n
    gcv = float(((labels - matrix @ mean) ** 2).sum()) / n / (1 - share) ** 2
    factor = (share / (1 - share)) ** 2 * (n / k - 1) / len(members)
    return EnsembleCrossValidation(mean, gcv, factor * float(np.mean(risks)))


def _size(members: Members, n: int) -> int:
    """The number of rows of each member."""
    sizes = {len(rows) for rows in members}
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(
            f"members needs one or more of one size, got sizes {sorted(sizes)}; draw as many rows "
            "for each."
        )
    for rows in members:
        if len(set(np.asarray(rows).tolist())) < len(rows) or min(rows) < 0 or max(rows) >= n:
            raise InputError(
                f"members needs different rows between 0 and {n - 1}; draw without replacement."
            )
    return sizes.pop()
