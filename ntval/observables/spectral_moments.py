r"""Moments of a covariance's spectrum from the Gram matrix of samples, without bias.

With independent rows $x_i$ of mean 0 and covariance $\Sigma$, $K_{ij} = x_i^\top x_j$ and different
i, j, k, the mean of $K_{ii}$ is $\operatorname{tr} \Sigma$, that of $K_{ij}^2$ is
$\operatorname{tr} \Sigma^2$, that of $K_{ij} K_{jk} K_{ki}$ is $\operatorname{tr} \Sigma^3$.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ntval.arrays import ArrayLike, require_gram
from ntval.errors import InputError


def unbiased_moments(
    gram: Float[np.ndarray, "n n"] | ArrayLike,
) -> tuple[float, float, float]:
    r"""Estimates of $\operatorname{tr} \Sigma$, $\operatorname{tr} \Sigma^2$ and
    $\operatorname{tr} \Sigma^3$, each with that mean at every n.

    Sums over different samples, divided by n, n (n - 1) and n (n - 1) (n - 2).

    Source: derived in the spec wei_hu_steinhardt, X5. Accuracy: n u, relative to
    $\|K\|_F^p$, u the rounding. Raises: `InputError` unless n >= 3; as `require_gram`.
    """
    matrix = require_gram("gram", gram)
    n = len(matrix)
    if n < 3:
        raise InputError(f"gram needs 3 samples or more, got {n}; a triangle has 3.")
    others = matrix - np.diag(np.diag(matrix))
    squared = others @ others
    return (
        float(np.trace(matrix)) / n,
        float(np.trace(squared)) / (n * (n - 1)),
        float((squared * others).sum()) / (n * (n - 1) * (n - 2)),
    )
