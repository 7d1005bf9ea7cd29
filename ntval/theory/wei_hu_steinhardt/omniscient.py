r"""Wei, Hu & Steinhardt, 2203.06176: what is known of ridge regression from the population.

| here | literature | meaning |
|---|---|---|
| `ridge` | $n \lambda$ | absolute: $X X^\top + r I$; $\lambda$ is the penalty on an averaged loss |
| `decay` | $\alpha$ | feature number i = 1, 2, ... has variance $\lambda_i = i^{-\alpha}$ |
| `alignment` | $\delta$ | its share of the target's mean square 1, $v_i^2 \propto i^{-\delta}$ |
| `noise_std` | $\sigma$ | standard deviation of the labels' noise |
| `threshold` | $\kappa$ | features with $\lambda_i \gg \kappa$ are learned |
| `learnability` | $L_i$ | share of feature i that is learned, $\lambda_i / (\lambda_i + \kappa)$ |
| `effective_dimension` | $\text{df}_1$ | $\sum_i L_i = n - r / \kappa$ |
| `overfitting` | $E_0$ | $d\kappa / d\lambda = 1 / (1 - \sum_i L_i^2 / n)$ |
| omniscient risk | $R$ | deterministic equivalent of the test risk, which counts the noise |

The equations are those of `theory.ridge_equivalents`, one level a feature. `ridge_equivalents.risk`
leaves the noise out; the risk here is the one that generalized cross-validation estimates.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ntval.errors import InputError
from ntval.theory import ridge_equivalents
from ntval.theory.ridge_equivalents import RidgeEquivalent, Target


def power_law(features: int, decay: float) -> Float[np.ndarray, "features"]:
    r"""Variances $\lambda_i = i^{-\alpha}$.

    Source: design D0 of the spec wei_hu_steinhardt (derived). Accuracy: 1e-14 relative.
    Raises: `InputError` unless `features` >= 1.
    """
    if features < 1:
        raise InputError(f"features needs to be >= 1, got {features!r}; a kernel has one or more.")
    return np.arange(1, features + 1, dtype=np.float64) ** -decay


def power_law_target(features: int, alignment: float, noise_std: float) -> Target:
    r"""Target with energies $v_i^2 \propto i^{-\delta}$ of sum 1, and its noise.

    Source: design D0 of the spec wei_hu_steinhardt (derived). Accuracy: 1e-14 relative.
    Raises: `InputError` on a negative `noise_std`, and unless `features` >= 1.
    """
    shares = power_law(features, alignment)
    return Target(tuple((shares / shares.sum()).tolist()), noise_std)


def _equivalent(n: float, features: int, decay: float, ridge: float) -> RidgeEquivalent:
    levels = power_law(features, decay)
    return ridge_equivalents.ridge_equivalent(levels, np.ones(features), n, ridge=ridge)


def threshold(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""$\kappa$, the root of $n = \sum_i \lambda_i / (\lambda_i + \kappa) + r / \kappa$; 0 for
    $r = 0$ with fewer features than samples.

    Source: spec wei_hu_steinhardt, 1.3 (derived, checked; "eigenlearning" literature).
    Accuracy: rounding, of the equation.
    Raises: `InputError` as `ridge_equivalents.ridge_equivalent`.
    """
    return _equivalent(n, features, decay, ridge).threshold


def learnability(n: float, features: int, *, decay: float, ridge: float, mode: int) -> float:
    r"""$L_i = \lambda_i / (\lambda_i + \kappa)$ of feature i = `mode`, counted from 1.

    Source: spec wei_hu_steinhardt, 1.3 (derived, checked). Accuracy: that of `threshold`.
    Raises: `InputError` for a mode that is none of 1, ..., `features`; as `threshold`.
    """
    if not 1 <= mode <= features:
        raise InputError(
            f"mode needs to be between 1 and features={features}, got {mode!r}; it counts from 1."
        )
    return float(_equivalent(n, features, decay, ridge).learnabilities[mode - 1])


def effective_dimension(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""$\text{df}_1 = \sum_i L_i$, which is $n - r / \kappa$: n without a ridge, where there are
    more features than samples.

    Source: spec wei_hu_steinhardt, 1.3 (derived, checked). Accuracy: that of `threshold`.
    Raises: `InputError` as `threshold`.
    """
    return _equivalent(n, features, decay, ridge).effective_dimension


def overfitting(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""$E_0 = n\, d\kappa / dr = 1 / (1 - \sum_i L_i^2 / n)$, at least 1.

    Source: spec wei_hu_steinhardt, 1.3 (derived, checked). Accuracy: that of `threshold`.
    Raises: `InputError` as `threshold`.
    """
    return _equivalent(n, features, decay, ridge).overfitting


def omniscient_risk(
    n: float, features: int, *, decay: float, alignment: float, ridge: float, noise_std: float
) -> float:
    r"""Risk $R = E_0 [\sum_i (1 - L_i)^2 v_i^2 + \sigma^2]$ on noisy labels.

    Source: spec wei_hu_steinhardt, 1.4 (derived, checked; the name is recalled).
    Accuracy: against the mean risk `omniscient_risk_remainder`.
    Raises: `InputError` as `threshold`, and on a negative `noise_std`.
    """
    target = power_law_target(features, alignment, noise_std)
    equivalent = _equivalent(n, features, decay, ridge)
    return ridge_equivalents.risk(equivalent, target) + noise_std**2


def train_error(
    n: float, features: int, *, decay: float, alignment: float, ridge: float, noise_std: float
) -> float:
    r"""Train error $(r / n \kappa)^2 R$.

    Source: spec wei_hu_steinhardt, 1.4 (derived, checked). Accuracy: that of `omniscient_risk`.
    Raises: `InputError` as `omniscient_risk`.
    """
    target = power_law_target(features, alignment, noise_std)
    return ridge_equivalents.train_error(_equivalent(n, features, decay, ridge), target)


def shrinkage(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""$r / n \kappa$: by how much residuals on the training points are smaller than fresh ones.

    Source: spec wei_hu_steinhardt, 1.4 (derived, checked). Accuracy: that of `threshold`.
    Raises: `InputError` as `threshold`.
    """
    return _equivalent(n, features, decay, ridge).residual_factor


def train_test_ratio(n: float, features: int, *, decay: float, ridge: float) -> float:
    r"""Train error over risk, $(r / n \kappa)^2$: whatever the target and the noise.

    Source: spec wei_hu_steinhardt, 1.4 (derived, checked).
    Accuracy: against the ratio of one draw `train_test_ratio_remainder`.
    Raises: `InputError` as `threshold`.
    """
    return shrinkage(n, features, decay=decay, ridge=ridge) ** 2
