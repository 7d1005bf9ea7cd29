r"""Ridge regression on features of known covariance, as deterministic numbers.

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
sphere is measured in `theory.montanari_zhong`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ntval.errors import InputError
from ntval.theory.levels import WIDER, Levels, bracketed_root, present_levels


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
    present, counts = present_levels(eigenvalues, multiplicities, n, tail)
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

    return math.exp(bracketed_root(excess, math.log(low) - WIDER, math.log(high) + WIDER))


@dataclass(frozen=True)
class Target:
    r"""Labels: `energies[k]` is the target's mean square $F_k$ on level k, further ones are 0;
    `noise_std` is the standard deviation $\sigma$ of the noise.

    Raises: `InputError` unless all are >= 0.
    """

    energies: tuple[float, ...]
    noise_std: float = 0.0

    def __post_init__(self) -> None:
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
    Accuracy: that of the equivalent; see `montanari_zhong.risk`.
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
