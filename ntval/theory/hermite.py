r"""Hermite polynomials, orthonormal under the law of G ~ N(0, 1).

| here | Montanari & Zhong | meaning |
|---|---|---|
| `polynomials(degree, t)` | $h_k = He_k / \sqrt{k!}$ | $h_0, \dots, h_{\text{degree}}$ |
| `coefficients(fn, degree)` | $\mu_k(f)$ | $E[f(G) h_k(G)]$ |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from ntval.theory.quadrature import panels

_RANGE = 14.0  # standard deviations kept: what is cut off has weight below exp(-97)


def gaussian_quadrature(
    *, breakpoints: Sequence[float] = ()
) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    """Nodes and weights for N(0, 1), in panels that end at `breakpoints`.

    Source: derived.
    Accuracy: 1e-14 relative for integrands smooth between breakpoints.
    """
    inner = sorted(b for b in set(breakpoints) if abs(b) < _RANGE)
    t, lengths = panels([-_RANGE, *inner, _RANGE], longest=1.0)
    return t, lengths * np.exp(-t * t / 2) / np.sqrt(2 * np.pi)


def polynomials(degree: int, t: Float[np.ndarray, "*m"]) -> Float[np.ndarray, "k *m"]:
    r"""$h_0(t), \dots, h_{\text{degree}}(t)$ by $\sqrt{k+1}\, h_{k+1} = t h_k - \sqrt k\, h_{k-1}$.

    Source: spec montanari_zhong, section 1 (derived and checked).
    Accuracy: 1e-13 relative to the largest term, degrees to 12.
    """
    values = [np.ones_like(t), np.asarray(t)]
    for k in range(1, degree):
        values.append((t * values[k] - np.sqrt(k) * values[k - 1]) / np.sqrt(k + 1))
    return np.stack(values[: degree + 1])


def coefficients(
    fn: Callable, degree: int, *, breakpoints: Sequence[float] = ()
) -> Float[np.ndarray, "k"]:
    r"""$\mu_k(f) = E[f(G) h_k(G)]$ for k = 0..`degree`.

    Source: spec montanari_zhong, section 1 (derived and checked).
    Accuracy: 1e-12 absolute for f smooth between `breakpoints` and of polynomial growth.
    """
    t, weights = gaussian_quadrature(breakpoints=breakpoints)
    return polynomials(degree, t) @ (weights * fn(t))


def second_moment(fn: Callable, *, breakpoints: Sequence[float] = ()) -> float:
    r"""$E[f(G)^2] = \sum_k \mu_k(f)^2$ (Parseval).

    Source: derived. Accuracy: 1e-13 relative.
    """
    t, weights = gaussian_quadrature(breakpoints=breakpoints)
    return float(weights @ fn(t) ** 2)
