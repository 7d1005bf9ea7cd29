"""The setting of Bombari, Amani & Mondelli: deep networks without biases, and their regimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from ntval.activations import Activation, activation
from ntval.arrays import AnyArray
from ntval.claims.domain import Domain, Hypothesis, Layers, OneOf, Sizes
from ntval.claims.sampling import Replicate, kept
from ntval.evidence.exact import Bracket
from ntval.kernels import deep_mlp
from ntval.networks.mlp import SIGNED_LAST_LAYER, UNSCALED_LAST_LAYER, Mlp
from ntval.regimes import Regime
from ntval.subjects.mlp import mlp_subject
from ntval.subjects.subject import NetworkSubject

PAPER = "Bombari, Amani & Mondelli, 2205.10217"
SETTING = ("theorem's setting", "random weights", "mlp")
SMOOTH = ("tanh", "erf", "gelu", "silu", "softplus", "sigmoid")

# Of each layer, F_l F_l^T and B_{l+1} B_{l+1}^T.
Factors = Sequence[tuple[Float[AnyArray, "n n"], Float[AnyArray, "n n"]]]
FactorsOf = Callable[[Mlp, Any, Float[AnyArray, "n d"]], Factors]


def deep(
    *sizes: tuple[int, ...], activations: tuple[str, ...] = ("tanh",), **fields: Any
) -> tuple[Regime, ...]:
    """Regimes of each size (n, d, widths...) and activation: unit weight variance over fan in, no
    biases, Gaussian inputs."""
    settings = {"w_std": 1.0, "b_std": 0.0, "inputs": "gaussian", **fields}
    return tuple(
        Regime(n=n, d=d, widths=widths, activation=name, **settings)
        for n, d, *rest in sizes
        for widths in (tuple(rest),)
        for name in activations
    )


def networks(
    *where: Hypothesis,
    n: tuple[int, ...] = tuple(range(2, 41)),
    widths: tuple[int, ...] = (3, 5, 8, 12, 20, 30),
    fewest: int = 2,
    most: int = 3,
    activations: tuple[str, ...] = ("relu", *SMOOTH),
) -> Domain:
    """Networks without biases at Gaussian inputs or on the sphere."""
    return Domain(
        {
            "n": Sizes(n),
            "d": Sizes(tuple(range(3, 31))),
            "widths": Layers(Sizes(widths), fewest=fewest, most=most),
            "activation": OneOf(activations),
            "w_std": OneOf((1.0,)),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("gaussian", "sphere")),
        },
        where,
    )


@kept
def unscaled(regime: Regime) -> NetworkSubject:
    """The paper's network of a regime: a last layer of N(0, 1) that nothing divides."""
    return mlp_subject(regime, parametrization=UNSCALED_LAST_LAYER)


@kept
def signed(regime: Regime) -> NetworkSubject:
    """The same with a last layer of +1 and -1."""
    return mlp_subject(regime, parametrization=SIGNED_LAST_LAYER)


def sigma(regime: Regime) -> Activation:
    """The activation of a regime."""
    return activation(regime.activation)


@kept
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(function, static_argnums=0)


def factors_of(draw: Replicate, factors: FactorsOf) -> list[tuple[np.ndarray, np.ndarray]]:
    """The factors of every layer's block at the draw's inputs and weights."""
    found = _compiled(factors)(draw.subject.mlp, draw.params, draw.x)
    return [(np.asarray(left), np.asarray(right)) for left, right in found]


def before_last(draw: Replicate) -> Float[np.ndarray, "n width"]:
    """F_{L-2}: the features that enter the last hidden layer."""
    features = _compiled(deep_mlp.features)(draw.subject.mlp, draw.params, draw.x)
    return np.asarray(features[-2])


def brackets(rooms: Sequence[tuple[str, float]], slack: float, scale: float) -> list[Bracket]:
    """Quantities that are not negative, each known to within `slack`; rounding takes as much."""
    return [
        Bracket(label, room - slack, room + slack, bound=-2 * slack, scale=scale)
        for label, room in rooms
    ]
