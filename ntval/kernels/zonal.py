r"""Kernels at inputs on one sphere, where they are functions of the angle alone.

$K(x, x') = \kappa(\cos\angle(x, x'))$: the quadrature of `quadrature_oracle` at a few angles
serves any number of inputs.
"""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.polynomial import chebyshev

from ntval.activations import activation
from ntval.arrays import AnyArray, ArrayLike
from ntval.errors import InputError
from ntval.kernels import quadrature_oracle
from ntval.networks.mlp import Mlp

_NODES = 128


def ntk(
    mlp: Mlp,
    x1: Float[AnyArray, "n1 d"] | ArrayLike,
    x2: Float[AnyArray, "n2 d"] | ArrayLike | None = None,
) -> Float[np.ndarray, "n1 n2"]:
    r"""Infinite-width NTK of `mlp` at inputs of norm $\sqrt d$, by Chebyshev interpolation.

    Inputs of other norms are handed to `quadrature_oracle.ntk`.

    Accuracy: that of `quadrature_oracle`, times 2, for smooth activations (coefficients fall to
    rounding within 64 degrees, checked when the interpolant is made).
    Raises: `InputError` for an activation with breakpoints: its kernel is no smooth function of
    the cosine.
    """
    second = x1 if x2 is None else x2
    norms = np.concatenate([np.linalg.norm(x, axis=1) for x in (x1, second)])
    if np.abs(norms / np.sqrt(mlp.d) - 1).max() > 1e-12:
        return np.asarray(quadrature_oracle.ntk(mlp, x1, x2))
    cosines = np.clip(np.asarray(x1) @ np.asarray(second).T / mlp.d, -1.0, 1.0)
    if x2 is None:
        np.fill_diagonal(cosines, 1.0)
    return chebyshev.chebval(cosines, _coefficients(mlp))


@functools.lru_cache(maxsize=32)
def _coefficients(mlp: Mlp) -> Float[np.ndarray, "degrees"]:
    if activation(mlp.activation).breakpoints:
        raise InputError(
            f"zonal needs a smooth activation, got {mlp.activation!r}; use quadrature_oracle.ntk."
        )
    cosines = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    x = np.zeros((_NODES, mlp.d))
    x[:, 0] = np.sqrt(mlp.d) * cosines
    x[:, 1] = np.sqrt(mlp.d * (1 - cosines**2))
    pole = np.zeros((1, mlp.d))
    pole[0, 0] = np.sqrt(mlp.d)
    values = np.asarray(quadrature_oracle.ntk(mlp, jnp.asarray(pole), jnp.asarray(x)))[0]
    coefficients = chebyshev.chebfit(cosines, values, _NODES - 1)
    if np.abs(coefficients[_NODES // 2 :]).max() > 1e-13 * np.abs(values).max():
        raise InputError(
            f"zonal needs a kernel smooth in the cosine, got {mlp.activation!r} at d={mlp.d}; "
            "use quadrature_oracle.ntk."
        )
    return coefficients[: _NODES // 2]
