r"""Ridge regression on samples that are not alike or not independent.

Features $X = C^{1/2} Z \Sigma^{1/2}$ with independent entries of Z; labels $X \beta + \epsilon$
with $E \epsilon \epsilon^\top = \sigma^2 W$. A fresh sample has C = 1 and W = 1.

| here | meaning |
|---|---|
| `rows` | eigenvalues $c_j$ of C |
| `noises` | entries of W, diagonal where C is |
| a | $r (K + r I)^{-1} \simeq (I + a C)^{-1}$ |
| b | $r (X^\top X + r I)^{-1} \simeq (I + b \Sigma)^{-1}$ |

They solve $a = \operatorname{tr} \Sigma (I + b \Sigma)^{-1} / r$ and
$b = \operatorname{tr} C (I + a C)^{-1} / r$; with C = I it is $b = 1 / \kappa$. With
$A_2 = \operatorname{tr} \Sigma^2 (I + b \Sigma)^{-2} / r$ and
$B_2 = \operatorname{tr} C^2 (I + a C)^{-2} / r$, the derivatives in the ridge, and in t of a
penalty $r (I + t \Sigma)$, give train error and risk. The rest of the notation is that of
`wei_hu_steinhardt.omniscient`.

Remainders are measured over the range of `wei_hu_steinhardt.remainders` with ridges from 0.01,
`row_spread` 0.3 to 0.8, `row_correlation` 0.2 to 0.8 and up to 3 copies: 24 draws at each of 150
random points, and 200 draws where the largest were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ntval.errors import InputError
from ntval.theory.levels import WIDER, bracketed_root
from ntval.theory.wei_hu_steinhardt.omniscient import overfitting, power_law, power_law_target

Rows = Float[np.ndarray, "n"]

# The range of n in which remainders hold: measured to 120, and falling with n.
_FEWEST = 50


@dataclass(frozen=True)
class RowsEquivalent:
    r"""Ridge regression on given samples, as deterministic numbers.

    `risk`: on noisy labels of a fresh sample. `excess`: without its noise.
    `train_error`: on the noisy labels. `shrinkage`: the mean of $1 - h_i$.
    """

    risk: float
    excess: float
    train_error: float
    shrinkage: float

    @property
    def gcv(self) -> float:
        """Generalized cross-validation, which takes the samples for alike and independent."""
        return self.train_error / self.shrinkage**2


def row_variances(n: int, row_spread: float) -> Rows:
    r"""Squared scales of samples: $1 + 9 s$ of every tenth, from the first, $1 - s$ of the others.

    Source: spec wei_hu_steinhardt, C8, there drawn at random (derived). Accuracy: exact; their mean
    is 1 where n is a multiple of 10.
    Raises: `InputError` unless 0 <= `row_spread` < 1.
    """
    if not 0 <= row_spread < 1:
        raise InputError(f"row_spread needs to be >= 0 and < 1, got {row_spread!r}.")
    return np.where(np.arange(n) % 10 == 0, 1 + 9 * row_spread, 1 - row_spread)


def row_covariance(n: int, row_correlation: float, copies: int = 1) -> Float[np.ndarray, "m m"]:
    r"""Covariance of n samples of an autoregression, $\rho^{|i - j|}$, each `copies` times.

    Source: spec wei_hu_steinhardt, X1 (derived: a definition). Accuracy: rounding.
    """
    i = np.repeat(np.arange(n), copies)
    return row_correlation ** np.abs(i[:, None] - i).astype(np.float64)


def rows_equivalent(
    rows: Rows,
    noises: Rows,
    features: int,
    *,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
) -> RowsEquivalent:
    r"""Risk and train error for samples with these eigenvalues of C and entries of W.

    $$R - \sigma^2 = \frac{\beta^\top \Sigma (I + b \Sigma)^{-2} \beta}{1 - A_2 B_2}
      + \sigma^2 \frac{A_2}{1 - A_2 B_2} \frac1r \sum_j \frac{w_j c_j}{(1 + a c_j)^2}$$
    $$n R_{\text{emp}} = - r^2 b' \beta^\top \Sigma (I + b \Sigma)^{-2} \beta
      + \sigma^2 \sum_j w_j \frac{1 + a c_j + r a' c_j}{(1 + a c_j)^2}$$
    with $a' = da / dr = (A_2 b - a) / r (1 - A_2 B_2)$ and
    $b' = db / dr = (B_2 a - b) / r (1 - A_2 B_2)$.

    Source: derived here; with C = W = I the omniscient risk.
    Accuracy: 1/n and more where few samples have most of C: see the remainders.
    Raises: `InputError` unless `ridge` > 0.
    """
    if not ridge > 0:
        raise InputError(f"ridge needs to be > 0, got {ridge!r}; samples that occur twice need it.")
    levels = power_law(features, decay)
    shares = np.array(power_law_target(features, alignment, noise_std).energies)
    n, r, c, w = len(rows), ridge, np.asarray(rows), np.asarray(noises)
    a, b = _fixed_point(c, levels, r)
    a2 = float(((levels / (1 + b * levels)) ** 2).sum()) / r
    b2 = float(((c / (1 + a * c)) ** 2).sum()) / r
    spread = 1 - a2 * b2
    slope_a, slope_b = (a2 * b - a) / (r * spread), (b2 * a - b) / (r * spread)
    missed = float((shares / (1 + b * levels) ** 2).sum())
    passed = float((w * c / (1 + a * c) ** 2).sum()) / r
    excess = (missed + noise_std**2 * a2 * passed) / spread
    residual = float((w * (1 + a * c + r * slope_a * c) / (1 + a * c) ** 2).sum())
    train_error = (-(r**2) * slope_b * missed + noise_std**2 * residual) / n
    shrinkage = float((1 / (1 + a * c)).mean())
    return RowsEquivalent(excess + noise_std**2, excess, train_error, shrinkage)


def _fixed_point(c: Rows, levels: Float[np.ndarray, "features"], r: float) -> tuple[float, float]:
    """a and b; the right side for b grows with b from its value at 0, to at most its limit."""

    def a_of(b: float) -> float:
        return float((levels / (1 + b * levels)).sum()) / r

    def b_of(a: float) -> float:
        return float((c / (1 + a * c)).sum()) / r

    def excess(log_b: float) -> float:
        return log_b - math.log(b_of(a_of(math.exp(log_b))))

    low, high = math.log(b_of(a_of(0.0))), math.log(b_of(0.0))
    b = math.exp(bracketed_root(excess, low - WIDER, high + WIDER))
    return a_of(b), b


def _of_unlike(
    c: Rows, features: int, decay: float, alignment: float, ridge: float, noise_std: float
) -> RowsEquivalent:
    fields = {"decay": decay, "alignment": alignment, "ridge": ridge, "noise_std": noise_std}
    return rows_equivalent(c, np.ones(len(c)), features, **fields)


def unlike_rows_gcv_ratio(
    n: int,
    features: int,
    *,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
    row_spread: float,
) -> float:
    r"""GCV over the risk where samples are scaled by `row_variances` and the noise is not.

    Source: derived here, from `rows_equivalent`.
    Accuracy: against the mean ratio `unlike_rows_gcv_remainder`. Raises: `InputError` as
    `rows_equivalent`.
    """
    c = row_variances(n, row_spread)
    found = _of_unlike(c, features, decay, alignment, ridge, noise_std)
    return found.gcv / found.risk


def unlike_rows_leave_one_out_ratio(
    n: int,
    features: int,
    *,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
    row_spread: float,
) -> float:
    r"""The mean of leave-one-out over the risk where samples are scaled by `row_variances`: the
    mean error $\sigma^2 + c_j (R_{-j} - \sigma^2)$ at each sample j of the fit to the others.

    Source: derived here, from `rows_equivalent`; it tends to 1.
    Accuracy: against the mean ratio `unlike_rows_leave_one_out_remainder`. Raises: `InputError` as
    `rows_equivalent`.
    """
    c = row_variances(n, row_spread)
    fields = (features, decay, alignment, ridge, noise_std)
    risk = _of_unlike(c, *fields).risk
    # One of those that are scaled up, one of the others: all are one or the other.
    heavy, light = (c[j] * _of_unlike(np.delete(c, j), *fields).excess for j in (0, 1))
    share = math.ceil(n / 10) / n
    return (noise_std**2 + share * heavy + (1 - share) * light) / risk


def dependent_rows_gcv_ratio(
    n: int,
    features: int,
    *,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
    row_correlation: float,
    copies: int,
) -> float:
    r"""GCV over the risk where samples and noise have the covariance `row_covariance`.

    Source: derived here, from `rows_equivalent`.
    Accuracy: against the mean ratio `copied_rows_remainder`.
    Raises: `InputError` as `rows_equivalent`.
    """
    c = np.maximum(np.linalg.eigvalsh(row_covariance(n, row_correlation, copies)), 0.0)
    fields = {"decay": decay, "alignment": alignment, "ridge": ridge, "noise_std": noise_std}
    found = rows_equivalent(c, c, features, **fields)
    return found.gcv / found.risk


def unlike_rows_gcv_remainder(n: int) -> float:
    r"""Distance of the mean of GCV / R from `unlike_rows_gcv_ratio`: at most $3 / n$.

    Source: measured; see the module. The largest was $2.0 \pm 0.2$, in units of 1 / n.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    return _share(3.0, n)


def unlike_rows_leave_one_out_remainder(n: int) -> float:
    r"""Distance of the mean of leave-one-out over R from `unlike_rows_leave_one_out_ratio`: at most
    $4 / n$.

    Source: measured; see the module. The largest were $3.2 \pm 1.4$ and $1.0 \pm 0.5$, in units
    of 1 / n.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    return _share(4.0, n)


def copied_rows_remainder(
    n: int,
    features: int,
    *,
    decay: float,
    alignment: float,
    ridge: float,
    noise_std: float,
    copies: int,
) -> float:
    r"""Distance of the mean of GCV / R, and of leave-one-out over R, from
    `dependent_rows_gcv_ratio` where samples are independent but for their copies: at most
    $2 E_0 / n$ of it, n samples before they are copied, $E_0$ at the ridge over `copies`.

    Source: measured; see the module. The largest was $1.3 \pm 0.2$, in units of $E_0 / n$.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    ratio = dependent_rows_gcv_ratio(
        n,
        features,
        decay=decay,
        alignment=alignment,
        ridge=ridge,
        noise_std=noise_std,
        row_correlation=0.0,
        copies=copies,
    )
    factor = overfitting(n, features, decay=decay, ridge=ridge / copies)
    return _share(2.0, n) * factor * ratio


def correlated_gcv_remainder(n: int, *, row_correlation: float) -> float:
    r"""Distance of the mean of CorrGCV / R from 1: at most $2 \operatorname{tr} C^2 / n^2$, for
    large n $2 / n$ times $(1 + \rho^2) / (1 - \rho^2)$.

    Source: measured; see the module. The largest was $1.1 \pm 0.3$, in these units.
    Accuracy: a search of the range, not a bound. Raises: `InputError` outside of the range.
    """
    square = row_correlation**2
    return _share(2.0, n) * (1 + square) / (1 - square)


def _share(of_one_over_n: float, n: int) -> float:
    """A multiple of 1 / n, where it was measured."""
    if not n >= _FEWEST:
        raise InputError(
            f"n needs to be >= {_FEWEST}, where remainders are measured, got n={n!r}; take more."
        )
    return of_one_over_n / n
