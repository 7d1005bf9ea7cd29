r"""Means of products of activations, and of their derivatives, over one layer of random weights.

| here | literature | meaning |
|---|---|---|
| `covariance` | $\Sigma$ | covariance of the pre-activations, $\beta^2 F F^\top / n$ |
| `dual_kernel` | $E[\phi(u_i) \phi(u_j)]$ | $u \sim N(0, \Sigma)$ |
| `derivative_kernel` | $H = E[\phi'(u_i) \phi'(u_j)]$ | the same of derivatives |
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ntval.activations import Activation
from ntval.errors import InputError
from ntval.theory import hermite

Covariance = Float[np.ndarray, "n n"]

_DEGREES = 80
# The quadrature's panels of length 1 resolve tanh(s z), whose poles are at pi / 2 s: to 1e-15 at 4.
LARGEST_STD = 4.0
_ACCURACY = 1e-9
_SMOOTH = ("tanh", "sigmoid", "gelu", "silu", "softplus", "sin", "cos")


def derivative_kernel(activation: Activation, covariance: Covariance) -> Covariance:
    r"""$H_{ij} = E[\phi'(u_i) \phi'(u_j)]$, $u \sim N(0, \Sigma)$, $\Sigma$ = `covariance`.

    ReLU: $(\pi - \theta_{ij}) / 2 \pi$. erf: $\tfrac4\pi ((1 + 2a)(1 + 2b) - 4c^2)^{-1/2}$ of the
    entries $a, b$ on the diagonal and c off it. Smooth activations by Hermite series.

    Source: spec bombari_amani_mondelli, sections 2.3 and 4.3 (derived and checked).
    Accuracy: 1e-15 in closed form; of a series 1e-9 of the largest variance of an activation.
    Raises: `InputError` for other activations, for a variance of 0 with ReLU, and where 80 degrees
    of a series leave more: at variances above 16, or at near coincident inputs of large variance.
    """
    if activation.name == "relu":
        return (np.pi - _angles(covariance)) / (2 * np.pi)
    if activation.name == "erf":
        return 4 / np.pi / np.sqrt(_of_erf(covariance) - 4 * covariance**2)
    return _series(activation, activation.derivative, covariance)


def dual_kernel(activation: Activation, covariance: Covariance) -> Covariance:
    r"""$E[\phi(u_i) \phi(u_j)]$, $u \sim N(0, \Sigma)$, $\Sigma$ = `covariance`.

    ReLU: $\sqrt{ab}\,(\sin\theta + (\pi - \theta) \cos\theta) / 2\pi$. erf:
    $\tfrac2\pi \arcsin(2c / \sqrt{(1 + 2a)(1 + 2b)})$.

    Source: as `derivative_kernel` (derived and checked). Accuracy, Raises: as it.
    """
    if activation.name == "relu":
        angles = _angles(covariance)
        stds = np.sqrt(np.diag(covariance))
        shape = (np.sin(angles) + (np.pi - angles) * np.cos(angles)) / (2 * np.pi)
        return np.outer(stds, stds) * shape
    if activation.name == "erf":
        return 2 / np.pi * np.arcsin(2 * covariance / np.sqrt(_of_erf(covariance)))
    return _series(activation, activation.fn, covariance)


def _of_erf(covariance: Covariance) -> Covariance:
    twice = 1 + 2 * np.diag(covariance)
    return np.outer(twice, twice)


def _angles(covariance: Covariance) -> Covariance:
    """Angles between the rows that the covariance is the Gram matrix of; 0 on the diagonal."""
    stds = np.sqrt(np.diag(covariance))
    if not (stds > 0).all():
        raise InputError(
            "covariance needs variances > 0 for 'relu', got 0: an input at which all "
            "pre-activations are 0 has no angle; leave it out."
        )
    angles = np.arccos(np.clip(covariance / np.outer(stds, stds), -1.0, 1.0))
    np.fill_diagonal(angles, 0.0)
    return angles


def _series(activation: Activation, fn: Callable, covariance: Covariance) -> Covariance:
    r"""$\sum_r c_r(s_i) c_r(s_j) \rho_{ij}^r$ with $c_r(s) = E[f(s z) h_r(z)]$, exact on the
    diagonal."""
    if activation.name not in _SMOOTH:
        raise InputError(
            f"activation needs a smooth one ({', '.join(_SMOOTH)}), 'relu' or 'erf', got "
            f"{activation.name!r}: its Hermite series falls too slowly."
        )
    variances = np.diag(covariance)
    # Hermite's coefficients of each row: rows of one variance share them.
    values, rows = np.unique(np.sqrt(variances), return_inverse=True)
    each = np.stack([hermite.coefficients(lambda z, s=s: fn(s * z), _DEGREES) for s in values])
    stds = np.sqrt(np.outer(variances, variances))
    correlation = np.divide(covariance, stds, out=np.zeros_like(stds), where=stds > 0)
    total, power = np.zeros_like(covariance), np.ones_like(covariance)
    for column in each.T:
        total += np.outer(column[rows], column[rows]) * power
        power = power * correlation
    exact = np.array([hermite.second_moment(lambda z, s=s: fn(s * z)) for s in values])
    # What is cut off adds at most sqrt(t_i t_j) rho^(R + 1), t = E f^2 - sum of the squares kept.
    cut = np.sqrt(np.maximum(exact - (each**2).sum(axis=1), 0.0))[rows]
    left = np.outer(cut, cut) * np.abs(power)
    np.fill_diagonal(left, 0.0)
    if values[-1] > LARGEST_STD or left.max() > _ACCURACY * exact.max():
        raise InputError(
            f"covariance needs variances up to {LARGEST_STD**2:g}, and less at near coincident "
            f"inputs, for a Hermite series of {activation.name!r}, got {values[-1] ** 2:.3g}; "
            "scale the inputs down."
        )
    total[np.diag_indices_from(total)] = exact[rows]
    return total
