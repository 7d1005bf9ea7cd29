"""Activations: function, derivative, breakpoints, parity.

The one thing that theory and measurement share, so each derivative is checked against
autodiff. Each formula is written once over a namespace: NumPy arrays stay NumPy arrays
(for `theory`), JAX arrays and tracers stay in JAX (for `kernels`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import scipy.special

from ntval.errors import unknown_name

_SQRT2 = float(np.sqrt(2.0))
_INV_SQRT_2PI = float(1 / np.sqrt(2 * np.pi))
_TWO_OVER_SQRT_PI = float(2 / np.sqrt(np.pi))

_NUMPY = SimpleNamespace(
    where=np.where,
    exp=np.exp,
    sin=np.sin,
    cos=np.cos,
    tanh=np.tanh,
    erf=scipy.special.erf,
    sigmoid=scipy.special.expit,
    softplus=lambda t: np.logaddexp(t, 0.0),
    ones_like=np.ones_like,
)


def _namespace(t):
    if isinstance(t, np.ndarray | np.generic | float | int):
        return _NUMPY
    import jax

    return SimpleNamespace(
        where=jax.numpy.where,
        exp=jax.numpy.exp,
        sin=jax.numpy.sin,
        cos=jax.numpy.cos,
        tanh=jax.numpy.tanh,
        erf=jax.scipy.special.erf,
        sigmoid=jax.nn.sigmoid,
        softplus=jax.nn.softplus,
        ones_like=jax.numpy.ones_like,
    )


@dataclass(frozen=True)
class Activation:
    r"""An activation $\sigma$ with what kernels and theory need to know of it.

    `fn` and `derivative` map arrays to arrays of one shape, NumPy or JAX.
    `breakpoints` are the points where $\sigma$ or $\sigma'$ is not smooth.
    `parity` is +1 for even, -1 for odd, 0 for neither.
    `homogeneity` is k when $\sigma(c t) = c^k \sigma(t)$ for every c > 0, else None.
    """

    name: str
    fn: Callable
    derivative: Callable
    breakpoints: tuple[float, ...] = ()
    parity: int = 0
    homogeneity: int | None = None


def _over_namespace(formula: Callable) -> Callable:
    return lambda t: formula(_namespace(t), t)


def _activation(name, fn, derivative, **facts) -> Activation:
    return Activation(name, _over_namespace(fn), _over_namespace(derivative), **facts)


def _density(xp, t):
    return _INV_SQRT_2PI * xp.exp(-t * t / 2)


def _normal_cdf(xp, t):
    return 0.5 * (1 + xp.erf(t / _SQRT2))


LEAKY_SLOPE = 0.1

ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        _activation(
            "relu",
            lambda xp, t: xp.where(t > 0, t, 0.0 * t),
            lambda xp, t: xp.where(t > 0, xp.ones_like(t), 0.0 * t),
            breakpoints=(0.0,),
            homogeneity=1,
        ),
        _activation(
            "leaky_relu",
            lambda xp, t: xp.where(t > 0, t, LEAKY_SLOPE * t),
            lambda xp, t: xp.where(t > 0, xp.ones_like(t), LEAKY_SLOPE * xp.ones_like(t)),
            breakpoints=(0.0,),
            homogeneity=1,
        ),
        _activation(
            "erf",
            lambda xp, t: xp.erf(t),
            lambda xp, t: _TWO_OVER_SQRT_PI * xp.exp(-t * t),
            parity=-1,
        ),
        _activation(
            "erf_sqrt2",  # erf(x / sqrt 2)
            lambda xp, t: xp.erf(t / _SQRT2),
            lambda xp, t: 2 * _density(xp, t),
            parity=-1,
        ),
        _activation(
            "gelu",  # x Phi(x)
            lambda xp, t: t * _normal_cdf(xp, t),
            lambda xp, t: _normal_cdf(xp, t) + t * _density(xp, t),
        ),
        _activation(
            "silu",
            lambda xp, t: t * xp.sigmoid(t),
            lambda xp, t: xp.sigmoid(t) * (1 + t * xp.sigmoid(-t)),
        ),
        _activation(
            "softplus",
            lambda xp, t: xp.softplus(t),
            lambda xp, t: xp.sigmoid(t),
        ),
        _activation(
            "sigmoid",
            lambda xp, t: xp.sigmoid(t),
            lambda xp, t: xp.sigmoid(t) * xp.sigmoid(-t),
        ),
        _activation(
            "tanh",
            lambda xp, t: xp.tanh(t),
            lambda xp, t: 1 - xp.tanh(t) ** 2,
            parity=-1,
        ),
        _activation("sin", lambda xp, t: xp.sin(t), lambda xp, t: xp.cos(t), parity=-1),
        _activation("cos", lambda xp, t: xp.cos(t), lambda xp, t: -xp.sin(t), parity=1),
        _activation(
            "quadratic",  # x^2 / 2
            lambda xp, t: t * t / 2,
            lambda xp, t: t,
            parity=1,
            homogeneity=2,
        ),
        _activation(
            "cubic",  # x^3 / 3
            lambda xp, t: t**3 / 3,
            lambda xp, t: t * t,
            parity=-1,
            homogeneity=3,
        ),
        _activation(
            "linear",
            lambda xp, t: t,
            lambda xp, t: xp.ones_like(t),
            parity=-1,
            homogeneity=1,
        ),
    )
}


def activation(name: str | Activation | None) -> Activation:
    """The activation called `name`; a record passes through, for activations of your own.

    Raises: `UnknownNameError`, naming the nearest, when there is none.
    """
    if name is None:
        raise unknown_name("activation", "None", ACTIVATIONS)
    if isinstance(name, Activation):
        return name
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]
