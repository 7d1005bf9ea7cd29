r"""Wei, Hu & Steinhardt, 2203.06176: the local law, and what is known of a spectrum.

The notation is that of `wei_hu_steinhardt.omniscient`. $S = X^\top (K + r I)^{-1} X$ is the matrix
of what is learned: of a target $\beta$ the regression learns $S \beta$, and its mean is
diag($L_i$).
"""

from __future__ import annotations

import math

from ntval.errors import InputError
from ntval.theory.wei_hu_steinhardt.omniscient import (
    overfitting,
    power_law,
    threshold,
)

Modes = tuple[int, int]


def mixing(
    n: float, features: int, *, decay: float, ridge: float, first: Modes, second: Modes
) -> float:
    r"""Mean of $\sum_{i, j} S_{ij}^2$ over i of `first` and j of `second`, two ranges of features
    that do not meet, counted from 1 and ends included.

    $$E\, S_{ij}^2 \simeq \frac{E_0}{n} L_i (1 - L_i) L_j (1 - L_j), \qquad i \ne j$$

    The local law: fluctuations of the resolvent away from its diagonal equivalent, of order
    $n^{-1/2}$ with their factor. A penalty $r (I + t e_j e_j^\top)$ moves the equivalent of entry
    (i, i) by $- t E\, (r A^{-1})_{ij}^2$, $A = X^\top X + r I$, through the
    threshold alone.

    Source: derived here, checked by simulation; the law is recalled (spec wei_hu_steinhardt, 1.6).
    Accuracy: against the mean `mixing_remainder`.
    Raises: `InputError` unless the ranges are apart and within `features`; as `threshold`.
    """
    for low, high in (first, second):
        if not 1 <= low <= high <= features:
            raise InputError(
                f"mixing needs ranges within 1, ..., {features}, got {first} and {second}."
            )
    if first[0] <= second[1] and second[0] <= first[1]:
        raise InputError(f"mixing needs ranges that do not meet, got {first} and {second}.")
    kappa = threshold(n, features, decay=decay, ridge=ridge)
    levels = power_law(features, decay)
    spread = levels * kappa / (levels + kappa) ** 2
    left, right = (float(spread[low - 1 : high].sum()) for low, high in (first, second))
    return overfitting(n, features, decay=decay, ridge=ridge) / n * left * right


def dimension_at(features: int, *, decay: float, kappa: float) -> float:
    r"""$\text{df}_1(\kappa) = \sum_i \lambda_i / (\lambda_i + \kappa)$: one curve for all n and
    ridges.

    Source: spec wei_hu_steinhardt, X2 (derived). Accuracy: rounding.
    Raises: `InputError` unless `kappa` > 0.
    """
    if not kappa > 0:
        raise InputError(f"kappa needs to be > 0, got {kappa!r}; it is 0 only in limits.")
    levels = power_law(features, decay)
    return float((levels / (levels + kappa)).sum())


def spectral_moment(features: int, *, decay: float, order: int) -> float:
    r"""$\operatorname{tr} \Sigma^p = \sum_i \lambda_i^p$.

    Source: spec wei_hu_steinhardt, X5 (derived: a definition). Accuracy: rounding.
    """
    return float((power_law(features, decay) ** order).sum())


def squared_norm(
    n: float, features: int, *, decay: float, alignment: float, ridge: float, noise_std: float
) -> float:
    r"""Mean of $\|\hat\beta\|^2$.

    $$\sum_i \beta_i^2 \Bigl[ L_i - \frac{r E_0}{n} \frac{\lambda_i}{(\lambda_i + \kappa)^2}
      \Bigr] + \sigma^2 \frac{E_0}{n} \sum_i \frac{\lambda_i}{(\lambda_i + \kappa)^2}$$
    from $S^2 = S - r\, d(r A^{-1}) / dr$ and the equivalent of $r A^{-1}$,
    $\kappa / (\Sigma + \kappa)$, of which $d\kappa / dr = E_0 / n$.

    Source: derived here, checked by simulation; growth in the spec wei_hu_steinhardt, 2 (derived).
    Accuracy: of order 1 / n. Raises: `InputError` as `threshold`.
    """
    kappa = threshold(n, features, decay=decay, ridge=ridge)
    factor = overfitting(n, features, decay=decay, ridge=ridge) / n
    levels, shares = power_law(features, decay), power_law(features, alignment)
    squares = shares / shares.sum() / levels
    slopes = factor * levels / (levels + kappa) ** 2
    kept = levels / (levels + kappa) - ridge * slopes
    return float(squares @ kept + noise_std**2 * slopes.sum())


def norm_bound_exponent(
    n: float,
    features: int,
    *,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
) -> float:
    r"""Slope in $\log n$, between n and 2 n at the same penalty r / n, of the bound
    $B_1 = \|\hat\beta\| (\operatorname{tr} \hat\Sigma / n)^{1/2}$ on the Rademacher complexity.

    Source: spec wei_hu_steinhardt, 2 (derived; that the paper has this bound is recalled).
    Accuracy: that of `squared_norm`; for large n and features, without ridge and noise, it is
    $(\max(\alpha - \delta + 1, 0) - 1) / 2$. Raises: `InputError` as `threshold`.
    """
    few, many = (
        squared_norm(
            times * n,
            features,
            decay=decay,
            alignment=alignment,
            ridge=times * ridge,
            noise_std=noise_std,
        )
        for times in (1, 2)
    )
    return math.log(many / few / 2) / (2 * math.log(2))


def mixing_remainder(
    n: float,
    features: int,
    *,
    decay: float,
    ridge: float,
    first: Modes,
    second: Modes,
    of_one_over_n: float,
) -> float:
    r"""Distance of the mean from `mixing`: a multiple of 1 / n of it, 6 for features 1 to 5 and 6
    to 20, 3 for 6 to 20 and 21 to 60, 2 for 21 to 60 and 61 to 120.

    Source: measured over the range of `wei_hu_steinhardt.remainders`, 64 draws at each of 150
    random points and 800 at the largest, which were $4.6 \pm 1.1$, $1.9 \pm 0.4$ and
    $1.6 \pm 0.5$, in units of 1 / n.
    Accuracy: a search of the range, not a bound. Raises: `InputError` as `mixing`.
    """
    size = mixing(n, features, decay=decay, ridge=ridge, first=first, second=second)
    return of_one_over_n / n * size


def curve_remainder(n: float, *, share: float = 1.0) -> float:
    r"""Distance of the mean of effective dimension over `dimension_at`, both from data, from 1: at
    most 1 over the number of samples, `share` times n.

    Source: measured over the range of `wei_hu_steinhardt.remainders`, of n from 25, ridge 0.01 to
    10, 24 draws at each of 200 random points; the largest was $0.55 \pm 0.11$ in these units.
    Accuracy: a search of the range, not a bound.
    """
    return 1.0 / (share * n)


def exponent_remainder(n: float) -> float:
    r"""Distance of the mean slopes of risk, GCV and norm bound between n and 2 n from
    `local_exponent` and `norm_bound_exponent`: at most $1.5 / n$.

    Source: measured over the range of `wei_hu_steinhardt.remainders`, of n = 50 to 90 and at least
    4 n features, 24 draws at each of 85 and 108 random points and 100 at the largest; the largest
    were $0.6 \pm 0.13$ of GCV, $0.7 \pm 0.4$ of the norm bound, in units of 1 / n.
    Accuracy: a search of the range, not a bound.
    """
    return 1.5 / n
