r"""Random matrices: edges of spectra, and ridge regression on features of known covariance.

| here | literature | meaning |
|---|---|---|
| `eigenvalues`, `multiplicities` | $e_k$, $B_k$ | the operator's levels: $e_k$ occurs $B_k$ times |
| `ridge` | $\lambda$ | absolute: $K + \lambda I$, $K$ the Gram matrix of the levels |
| `tail` | $\gamma_{>}$ | levels too many and too small to list: adds $\gamma_> I$ to $K$ |
| `ratio` | $\delta = n/d$ | samples a dimension |
| `threshold` | $\kappa$ | learning threshold: levels with $e_k \gg \kappa$ are learned |
| `learnabilities` | $L_k$ | share of level k that is learned, $e_k / (e_k + \kappa)$ |
| `overfitting` | $E_0$ | overfitting coefficient: the factor on all that is not learned |
| `effective_dimension` | $n_{\text{eff}}$ | directions learned, $\sum_k B_k L_k$ |
| `Target.energies` | $F_k$ | $E\|f_k\|^2$, mean square of the target on each level |

The features on the levels are taken as independent and light-tailed; what that costs on the
sphere is measured in `montanari_zhong`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from ntval.errors import InputError

Levels = Sequence[float] | Float[np.ndarray, "levels"]

# Mean of the Tracy-Widom law of real symmetric matrices.
TRACY_WIDOM_MEAN = -1.2065335745820

# Brackets are exact up to rounding; this much wider they change sign.
_WIDER = 1e-6


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
    reach = z.inner_reach()
    starts, ends = z.levels[:-1] + reach[:-1], z.levels[1:] - reach[1:]
    gaps = [t for left, right in zip(starts, ends, strict=True) for t in z.gap(left, right)]
    critical = [z.lowest_critical_point(), *gaps, z.highest_critical_point()]
    return np.array([z.value(t) for t in critical]).reshape(-1, 2)


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

    def inner_reach(self) -> Float[np.ndarray, "levels"]:
        """The distance from each level within which z certainly decreases."""
        return (1 - _WIDER) * self.levels * np.sqrt(self.counts / self.n)

    def outer_reach(self) -> float:
        """The distance from every level beyond which z certainly increases."""
        return (1 + _WIDER) * math.sqrt(float((self.counts * self.levels**2).sum()) / self.n)

    def lowest_critical_point(self) -> float:
        """Below every level; 0 when there are as many directions as samples."""
        excess = self.counts.sum() - self.n
        if excess == 0:
            return 0.0
        if excess > 0:
            return _root(self.slope, -self.outer_reach(), 0.0)
        return _root(self.slope, 0.0, self.levels[0] - self.inner_reach()[0])

    def highest_critical_point(self) -> float:
        """Above every level."""
        top = self.levels[-1]
        return _root(self.slope, top + self.inner_reach()[-1], top + self.outer_reach())

    def gap(self, left: float, right: float) -> list[float]:
        """Both ends of the interval within (left, right) where z increases, if there is one.

        Between two levels the slope is concave: it is largest where the curvature vanishes.
        """
        if not left < right or self.curvature(left) <= 0 or self.curvature(right) >= 0:
            return []
        top = _root(self.curvature, left, right)
        if self.slope(top) <= 0:
            return []
        return [_root(self.slope, left, top), _root(self.slope, top, right)]


def _inverse_map(eigenvalues: Levels, multiplicities: Levels, n: float, tail: float) -> _InverseMap:
    return _InverseMap(*_present(eigenvalues, multiplicities, n, tail), n, tail)


def _root(fn: Callable, left: float, right: float) -> float:
    # The smallest tolerances that brentq takes: values are wanted to many digits at any scale.
    return float(brentq(fn, left, right, xtol=1e-300, rtol=2.0**-50, maxiter=2000))  # pyright: ignore


@dataclass(frozen=True)
class RidgeEquivalent:
    """Kernel ridge regression on n samples, as deterministic numbers; see `ridge_equivalent`.

    `residual_factor` is the root mean square of residuals on the training points over that on
    fresh ones.
    """

    threshold: float
    learnabilities: Float[np.ndarray, "levels"]
    effective_dimension: float
    overfitting: float
    residual_factor: float


def ridge_equivalent(
    eigenvalues: Levels, multiplicities: Levels, n: float, *, ridge: float, tail: float = 0.0
) -> RidgeEquivalent:
    r"""Deterministic equivalent of kernel ridge regression on n samples.

    $$n = \sum_k B_k L_k + \frac{\lambda + \gamma_>}{\kappa}, \qquad
      L_k = \frac{e_k}{e_k + \kappa}, \qquad
      E_0 = \frac{n}{\sum_k B_k L_k (1 - L_k) + (\lambda + \gamma_>) / \kappa}$$
    with $\lambda / (n \kappa)$ the factor of residuals. For $\lambda = \gamma_> = 0$: the limit,
    $\kappa = 0$ when there are fewer directions than samples.

    Source: derived; "eigenlearning" literature (recalled); spec montanari_zhong, section 3.
    Accuracy: rounding, of the equations.
    Raises: `InputError` on negative arguments, and at the interpolation threshold
    $\lambda = \gamma_> = 0$, $\sum_k B_k = n$, where $E_0$ is infinite.
    """
    present, counts = _present(eigenvalues, multiplicities, n, tail)
    if not ridge >= 0:
        raise InputError(f"ridge needs to be >= 0, got {ridge!r}; 0 is the limit of no ridge.")
    total, directions = ridge + tail, float(counts.sum())
    if total == 0 and directions == n:
        raise InputError(
            f"ridge needs to be > 0 with as many directions as samples, n={n!r}; add a ridge."
        )
    levels = np.asarray(eigenvalues, dtype=np.float64)
    if total == 0 and directions < n:
        learned = (levels > 0).astype(np.float64)
        remaining = n - directions
        return RidgeEquivalent(0.0, learned, directions, n / remaining, remaining / n)
    kappa = _threshold(present, counts, n, total)
    learned = levels / (levels + kappa)
    dimension = np.asarray(multiplicities, dtype=np.float64) * learned
    spread = float((dimension * kappa / (levels + kappa)).sum()) + total / kappa
    return RidgeEquivalent(kappa, learned, float(dimension.sum()), n / spread, ridge / (n * kappa))


def _threshold(levels: np.ndarray, counts: np.ndarray, n: float, ridge: float) -> float:
    r"""The root $\kappa$ of $\sum_k B_k e_k / (e_k + \kappa) + \lambda / \kappa = n$, in log scale.

    Below $\max(\lambda / n, e_{\min} (\sum B / n - 1))$ the left side exceeds n; above
    $(\sum B_k e_k + \lambda) / n$ it is smaller.
    """
    low = max(ridge / n, float(levels.min() * (counts.sum() / n - 1)))
    high = (float(counts @ levels) + ridge) / n

    def excess(log_kappa: float) -> float:
        kappa = math.exp(log_kappa)
        return float((counts * levels / (levels + kappa)).sum()) + ridge / kappa - n

    return math.exp(_root(excess, math.log(low) - _WIDER, math.log(high) + _WIDER))


@dataclass(frozen=True)
class Target:
    r"""Labels: `energies[k]` is the target's mean square $F_k$ on level k, further ones are 0;
    `noise_std` is the standard deviation $\sigma$ of the noise.

    Raises: `InputError` unless all are >= 0.
    """

    energies: tuple[float, ...]
    noise_std: float = 0.0

    def __post_init__(self):
        if not (min(self.energies, default=0.0) >= 0 and self.noise_std >= 0):
            raise InputError(
                f"Target needs energies >= 0 and noise_std >= 0, got {self.energies} and "
                f"{self.noise_std!r}; pass mean squares and a standard deviation."
            )

    def require_levels(self, count: int) -> Float[np.ndarray, "levels"]:
        """The energies as an array, when there are at most `count`."""
        if len(self.energies) > count:
            raise InputError(
                f"Target needs at most {count} energies here, one a level, got "
                f"{len(self.energies)}; list more levels."
            )
        return np.asarray(self.energies, dtype=np.float64)


def risk(equivalent: RidgeEquivalent, target: Target) -> float:
    r"""Excess risk $R = E_0 (\sum_k F_k (1 - L_k)^2 + \sigma^2) - \sigma^2$.

    Computed as $E_0 \sum_k F_k (1 - L_k)^2 + (E_0 - 1) \sigma^2$.

    Source: derived; "eigenlearning" literature (recalled); spec montanari_zhong, section 3.
    Accuracy: that of the equivalent; see `montanari_zhong_risk`.
    Raises: `InputError` on more energies than levels.
    """
    energies = target.require_levels(len(equivalent.learnabilities))
    missed = (1 - equivalent.learnabilities[: len(energies)]) ** 2
    factor = equivalent.overfitting
    return float(factor * (energies @ missed) + (factor - 1) * target.noise_std**2)


def train_error(equivalent: RidgeEquivalent, target: Target) -> float:
    r"""Mean square of the residuals, $(\lambda / n \kappa)^2 (R + \sigma^2)$.

    Source: derived; spec montanari_zhong, section 3. Accuracy: that of the equivalent.
    Raises: `InputError` as `risk`.
    """
    return equivalent.residual_factor**2 * (risk(equivalent, target) + target.noise_std**2)


def isotropic_bias(ratio: float, *, ridge: float) -> float:
    r"""Bias B of ridge regression on isotropic inputs, $\hat\beta = (X^\top X + d\gamma I)^{-1}
    X^\top y$ with $n / d \to \delta$, in units of $\|\beta\|^2$; $\gamma$ = `ridge`.

    $$B = \frac{\delta (1 - L)^2}{L (1 - L) + q}
        = \tfrac12 \{1 - \delta + S - \gamma (1 + \delta + \gamma) / S\}$$
    with $S = \sqrt{(\delta - 1 + \gamma)^2 + 4 \gamma}$, $2 q = S + \delta - 1 - \gamma$ and
    $L = \delta - q$. The first form is computed: all its terms are positive. For $\gamma = 0$ it
    is $\max(0, 1 - \delta)$.

    Source: spec montanari_zhong, theorem E (recalled; derived anew, checked).
    Accuracy: 1e-12 relative; the mean over X at finite d lies within O(1/d).
    Raises: `InputError` unless `ratio` > 0 and `ridge` >= 0.
    """
    _, missed, spread = _isotropic(ratio, ridge)
    return ratio * missed**2 / spread if missed > 0 else 0.0


def isotropic_variance(ratio: float, *, ridge: float) -> float:
    r"""Variance V of ridge regression on isotropic inputs, in units of the noise's $\sigma^2$.

    $$V = \frac{L^2}{L (1 - L) + q} = \tfrac12 \{(1 + \delta + \gamma) / S - 1\}$$
    in the notation of `isotropic_bias`. For $\gamma = 0$ it is $1 / (\delta - 1)$ or
    $\delta / (1 - \delta)$, and infinite at $\delta = 1$.

    Source: spec montanari_zhong, theorem E (recalled; derived anew, checked).
    Accuracy: 1e-12 relative; the mean over X at finite d lies within O(1/d).
    Raises: `InputError` unless `ratio` > 0 and `ridge` >= 0.
    """
    learned, _, spread = _isotropic(ratio, ridge)
    return learned**2 / spread if spread > 0 else math.inf


def _isotropic(ratio: float, ridge: float) -> tuple[float, float, float]:
    r"""L, 1 - L and L (1 - L) + q of the one-level equivalent $L + \gamma/\kappa = \delta$.

    $\kappa$ and $q = \gamma / \kappa$ are roots of quadratics; of each the root without
    cancellation is taken.
    """
    if not ratio > 0 or not ridge >= 0:
        raise InputError(f"ratio > 0 and ridge >= 0 are needed, got ratio={ratio!r}, {ridge=!r}.")
    root = math.hypot(ratio - 1 + ridge, 2 * math.sqrt(ridge))
    lead = ratio - 1 - ridge
    if lead >= 0:
        rest = (root + lead) / 2
        kappa = ridge / rest if ridge > 0 else 0.0
    else:
        kappa = (root - lead) / (2 * ratio)
        rest = ridge / kappa
    learned, missed = 1 / (1 + kappa), kappa / (1 + kappa)
    return learned, missed, learned * missed + rest


def _present(
    eigenvalues: Levels, multiplicities: Levels, n: float, tail: float
) -> tuple[np.ndarray, np.ndarray]:
    """Levels > 0 and their multiplicities, ascending."""
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
