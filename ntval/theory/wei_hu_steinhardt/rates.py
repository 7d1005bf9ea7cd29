r"""Wei, Hu & Steinhardt, 2203.06176: how far GCV and the risk of one draw lie apart.

The notation is that of `wei_hu_steinhardt.omniscient`.
"""

from __future__ import annotations

from ntval.theory.wei_hu_steinhardt.omniscient import overfitting


def gcv_rate(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""$2 (2 E_0 - 1)$, n times the mean square of $\text{GCV} / R - 1$ on Gaussian features,
    whatever the target and the noise.

    GCV is the mean of $e_i^2$, $e_i$ the error at sample i of the fit to the others, up to orders
    that do not count, and $e_i^2$ less the risk $R_{-i}$ of that fit has mean 0. With $a_i$ the
    errors of the fit to all but i and j, $A = X^\top X + r I$ without the two,
    $g = x_i^\top A^{-1} x_j$ and $s = 1 - h_i$, it is $e_i = a_i - s g a_j$, so that
    $$e_i^2 - R_{-i} = (a_i^2 - R) - 2 s a_j (g a_i - x_j^\top A^{-1} \Sigma \delta)
      + s^2 a_j^2 (g^2 - E g^2),$$
    $\delta$ the error of the coefficients. The mean of the product for i and j is that of
    $4 s^2 g^2 a_i^2 a_j^2$, as all else is of higher order: $4 R^2 (E_0 - 1) / n$, with
    $s^2 E g^2 = s^2 \operatorname{tr} (\Sigma A^{-1})^2 = (E_0 - 1) / n$. The square for i has mean
    $2 R^2$. Together that is $2 R^2 / n + 4 R^2 (E_0 - 1) / n$.

    Source: derived here, checked by simulation (that the rate is $n^{-1/2}$ is recalled).
    Accuracy: against the mean `gcv_rate_remainder`. Raises: `InputError` as `threshold`.
    """
    return 2 * (2 * overfitting(n, features, decay=decay, ridge=ridge) - 1)


def gcv_rate_remainder(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""Distance of n times the mean square of $\text{GCV} / R - 1$ from `gcv_rate`: at most
    $4 E_0 / n$ of it.

    Source: measured over the range of `wei_hu_steinhardt.remainders` on Gaussian features, with
    alignment to 2.2, ridge from 0.01 and noise from 0.1: 24 draws at each of 153 random points and
    150 at the largest, which was $3.0 \pm 0.6$, in units of $E_0 / n$.
    Accuracy: a search of the range, not a bound. Raises: `InputError` as `threshold`.
    """
    factor = overfitting(n, features, decay=decay, ridge=ridge)
    return 4.0 * factor / n * gcv_rate(n, features, decay=decay, ridge=ridge)


def regret_remainder(n: float) -> float:
    r"""Mean log of the risk at the ridge of the least GCV over the least risk: at most $8 / n$.

    Source: measured over the range of `wei_hu_steinhardt.remainders` with noise 0.2 to 1, of 16
    ridges from 1e-5 n to n, 64 draws at each of 150 random points and 300 at the largest,
    which was $4.4 \pm 0.4$, in units of 1 / n.
    Accuracy: a search of the range, not a bound, and no prediction.
    """
    return 8.0 / n
