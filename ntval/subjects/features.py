"""Features of a given spectrum as subjects."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.regimes import PowerLaw
from ntval.subjects.subject import FeatureSubject

# Laws of mean 0 and variance 1.
_WHITE: dict[str, Callable[[Array, tuple[int, int]], Float[Array, "n features"]]] = {
    "gaussian": jax.random.normal,
    "rademacher": lambda key, shape: jax.random.rademacher(key, shape, dtype=float),
    "uniform": lambda key, shape: jax.random.uniform(
        key, shape, minval=-math.sqrt(3), maxval=math.sqrt(3)
    ),
}


def power_law_features(point: PowerLaw) -> FeatureSubject:
    r"""Features and target of a power law.

    Variances $\lambda_i = i^{-a}$, shares $v_i^2 \propto i^{-b}$ of the target's mean square 1, and
    $\beta_i = \pm \sqrt{v_i^2 / \lambda_i}$ with signs that are the same at every point.

    Source: design D0 of the spec wei_hu_steinhardt (derived, checked numerically).
    """
    i = np.arange(1, point.features + 1, dtype=float)
    eigenvalues, shares = i**-point.decay, i**-point.alignment
    signs = np.random.default_rng(0).choice([-1.0, 1.0], point.features)
    coefficients = signs * np.sqrt(shares / shares.sum() / eigenvalues)
    scale = jnp.asarray(np.sqrt(eigenvalues))

    def draw(key: Array, n: int) -> Float[Array, "n features"]:
        shape = (n, point.features)
        return scale * _WHITE[point.law](key, shape)

    return FeatureSubject(
        eigenvalues, coefficients, draw, noise_std=point.noise_std, name=str(point)
    )


def labels_of(
    subject: FeatureSubject, key: Array, x: Float[Array, "n features"]
) -> Float[Array, "n"]:
    """Labels of features: the target, and noise from the key's stream."""
    noise = subject.noise_std * jax.random.normal(key, (len(x),))
    return x @ jnp.asarray(subject.coefficients) + noise
