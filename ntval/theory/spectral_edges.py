r"""Random matrices: edges of spectra of features of known covariance.

| here | literature | meaning |
|---|---|---|
| `eigenvalues`, `multiplicities` | $e_k$, $B_k$ | the operator's levels: $e_k$ occurs $B_k$ times |
| `tail` | $\gamma_{>}$ | levels too many and too small to list: adds $\gamma_> I$ to $K$ |
| `ratio` | $r = n/B$ | samples a direction |

The features on the levels are taken as independent and light-tailed; what that costs on the
sphere is measured in `theory.montanari_zhong`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ntval.errors import InputError
from ntval.theory.levels import WIDER, Levels, bracketed_root, present_levels

# Mean of the Tracy-Widom law of real symmetric matrices.
TRACY_WIDOM_MEAN = -1.2065335745820


def marchenko_pastur_edges(ratio: float) -> tuple[float, float]:
    r"""Edges $(1 \mp \sqrt r)^2$ of the nonzero spectrum of $Z Z^\top / B$, Z standard n x B.

    `ratio` is r = n / B; above 1 there are n - B further eigenvalues, all 0.

    Source: Marchenko & Pastur (1967) (recalled, checked). Accuracy: rounding.
    Raises: `InputError` unless `ratio` > 0.
    """
    if not ratio > 0:
        raise InputError(f"ratio needs to be > 0, got {ratio!r}; pass n / B.")
    root = math.sqrt(ratio)
    return (1 - root) ** 2, (1 + root) ** 2


def support(
    eigenvalues: Levels, multiplicities: Levels, n: float, *, tail: float = 0.0
) -> Float[np.ndarray, "bands 2"]:
    r"""Lower and upper edges of the bands that the spectrum of $K$ fills, ascending.

    They are the critical values of
    $$z(t) = \gamma_> + n t + \sum_k \frac{B_k e_k t}{t - e_k},$$
    one below the smallest level, one above the largest, and two wherever z increases between
    levels: a gap. One level gives Marchenko and Pastur's edges. When $\sum_k B_k < n$, the
    eigenvalue $\gamma_>$ itself comes on top, $n - \sum_k B_k$ times.

    Source: Silverstein & Choi (1995) (recalled; derived anew, checked).
    Accuracy: 1e-12 relative, of the limit in which n and all $B_k$ grow together.
    Raises: `InputError` on negative arguments, or when no level is positive.
    """
    z = _inverse_map(eigenvalues, multiplicities, n, tail)
    return np.array([z.value(t) for t in z.critical_points()]).reshape(-1, 2)


def lower_edge(
    eigenvalues: Levels, multiplicities: Levels, n: float, *, tail: float = 0.0
) -> tuple[float, float]:
    r"""The lowest edge of `support` and the scale of the eigenvalue next to it.

    That eigenvalue is about the edge less the scale times a Tracy-Widom variable, of mean
    `TRACY_WIDOM_MEAN`. The scale is $(t^4 |z''(t)| / 2)^{1/3}$ at the critical point t of z: at
    distance x from the edge the density of eigenvalues is $\sqrt{2 x / |z''|} / (\pi t^2)$.

    Source: derived; for one level it is Johnstone's (2001) scale of a Wishart matrix (recalled,
    checked), to rounding.
    Accuracy: of the mean, 1 % of the eigenvalue for light-tailed features (measured, n >= 50).
    Raises: `InputError` as `support`.
    """
    z = _inverse_map(eigenvalues, multiplicities, n, tail)
    return z.edge(z.lowest_critical_point())


def lowest_band(
    eigenvalues: Levels, multiplicities: Levels, n: float, *, tail: float = 0.0
) -> tuple[float, float]:
    """The upper edge of the lowest band of `support` and the scale of the eigenvalue next to it.

    That eigenvalue is about the edge plus the scale times a Tracy-Widom variable.

    Source: derived; as `lower_edge`. Accuracy: rounding, of the formula.
    Raises: `InputError` as `support`.
    """
    z = _inverse_map(eigenvalues, multiplicities, n, tail)
    return z.edge(z.critical_points()[1])


def upper_edge(
    eigenvalues: Levels, multiplicities: Levels, n: float, *, tail: float = 0.0
) -> tuple[float, float]:
    """The highest edge of `support` and the scale of the eigenvalue next to it.

    That eigenvalue is about the edge plus the scale times a Tracy-Widom variable.

    Source: derived; Johnstone (2001) (recalled, checked), as `lower_edge`.
    Accuracy: rounding, of the formula. Raises: `InputError` as `support`.
    """
    z = _inverse_map(eigenvalues, multiplicities, n, tail)
    return z.edge(z.highest_critical_point())


def spike(
    eigenvalue: float, eigenvalues: Levels, multiplicities: Levels, n: float, *, tail: float = 0.0
) -> float | None:
    r"""The eigenvalue $z(e)$ that one more level $e$ of multiplicity 1 adds outside the bands.

    None when z does not increase at e: the bands then swallow it.

    Source: Baik & Silverstein (2006) (recalled, checked).
    Accuracy: 2 % for the constant mode of ReLU at n >= 30 d (measured).
    Raises: `InputError` as `support`.
    """
    z = _inverse_map(eigenvalues, multiplicities, n, tail)
    if eigenvalue in z.levels or z.slope(eigenvalue) <= 0:
        return None
    return z.value(eigenvalue)


@dataclass(frozen=True)
class _InverseMap:
    """The map z of `support`, with its derivatives and its critical points."""

    levels: Float[np.ndarray, "levels"]  # ascending, positive
    counts: Float[np.ndarray, "levels"]
    n: float
    tail: float

    def value(self, t: float) -> float:
        bands = self.counts * self.levels * t / (t - self.levels)
        return float(self.tail + self.n * t + bands.sum())

    def slope(self, t: float) -> float:
        return float(self.n - (self.counts * (self.levels / (t - self.levels)) ** 2).sum())

    def curvature(self, t: float) -> float:
        return float(2 * (self.counts * self.levels**2 / (t - self.levels) ** 3).sum())

    def edge(self, t: float) -> tuple[float, float]:
        """The value at a critical point, and the scale of the eigenvalue there."""
        return self.value(t), (t**4 * abs(self.curvature(t)) / 2) ** (1 / 3)

    def critical_points(self) -> list[float]:
        """Where z turns, ascending: a pair encloses a band."""
        reach = self.inner_reach()
        starts, ends = self.levels[:-1] + reach[:-1], self.levels[1:] - reach[1:]
        gaps = [t for left, right in zip(starts, ends, strict=True) for t in self.gap(left, right)]
        return [self.lowest_critical_point(), *gaps, self.highest_critical_point()]

    def inner_reach(self) -> Float[np.ndarray, "levels"]:
        """The distance from each level within which z certainly decreases."""
        return (1 - WIDER) * self.levels * np.sqrt(self.counts / self.n)

    def outer_reach(self) -> float:
        """The distance from every level beyond which z certainly increases."""
        return (1 + WIDER) * math.sqrt(float((self.counts * self.levels**2).sum()) / self.n)

    def lowest_critical_point(self) -> float:
        """Below every level; 0 when there are as many directions as samples."""
        excess = self.counts.sum() - self.n
        if excess == 0:
            return 0.0
        if excess > 0:
            return bracketed_root(self.slope, -self.outer_reach(), 0.0)
        return bracketed_root(self.slope, 0.0, self.levels[0] - self.inner_reach()[0])

    def highest_critical_point(self) -> float:
        """Above every level."""
        top = self.levels[-1]
        return bracketed_root(self.slope, top + self.inner_reach()[-1], top + self.outer_reach())

    def gap(self, left: float, right: float) -> list[float]:
        """Both ends of the interval within (left, right) where z increases, if there is one.

        Between two levels the slope is concave: it is largest where the curvature vanishes.
        """
        if not left < right or self.curvature(left) <= 0 or self.curvature(right) >= 0:
            return []
        top = bracketed_root(self.curvature, left, right)
        if self.slope(top) <= 0:
            return []
        return [bracketed_root(self.slope, left, top), bracketed_root(self.slope, top, right)]


def _inverse_map(eigenvalues: Levels, multiplicities: Levels, n: float, tail: float) -> _InverseMap:
    return _InverseMap(*present_levels(eigenvalues, multiplicities, n, tail), n, tail)
