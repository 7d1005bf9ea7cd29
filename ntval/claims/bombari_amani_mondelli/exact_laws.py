"""Bombari, Amani & Mondelli, 2205.10217: what is exact at finite width."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.bombari_amani_mondelli.setting import (
    SETTING,
    FactorsOf,
    deep,
    unscaled,
)
from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, Layers, OneOf, Sizes
from ntval.claims.procedures import Means
from ntval.claims.sampling import Replicate, draw_params, kept, looped
from ntval.kernels import deep_mlp
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import bombari_amani_mondelli as theory

_HE = {"w_std": math.sqrt(2.0), "inputs": "sphere", "activations": ("relu",)}


_NETWORKS = 256  # a draw: single networks' kernels have heavy tails


@kept
def _shares(subject: NetworkSubject, factors: FactorsOf) -> Callable[..., Float[Array, "networks"]]:
    """Function of (keys, x): the last layer's share of K(x, x) at the weights of each key."""

    def share(x: Float[Array, "1 d"], key: Array) -> Float[Array, ""]:
        left, right = factors(subject.mlp, draw_params(subject.network, key), x)[-1]
        return (left * right)[0, 0]

    return jax.jit(lambda keys, x: jax.lax.map(partial(share, x), keys))


@looped
def _moments(draw: Replicate, factors: FactorsOf = deep_mlp.factors) -> list[float]:
    """Mean and mean square over networks of K_{L-1}(x, x) over n_{L-1}, at one input, |x|^2 = d."""
    keys = jax.random.split(draw.key, _NETWORKS)
    shares = np.asarray(_shares(draw.subject, factors)(keys, draw.x)) / draw.regime.widths[-1]
    return [float(shares.mean()), float((shares**2).mean())]


def _widths(regime: Regime) -> dict[str, Any]:
    return {"widths": regime.widths}


def _resolution(regime: Regime) -> Float[np.ndarray, "2"]:
    """The narrower a network, the heavier the tails of its kernel."""
    return np.array([0.02, 0.04 * theory.relative_second_moment(regime.widths) ** 2])


moments = Claim(
    name="bombari_amani_mondelli.moments",
    source="Independent neurons given the layer before; derived and checked in the spec, Y1.",
    statement="With ReLU and He's initialization the last layer's share of K(x, x) has mean "
    "n_{L-1} and mean square n_{L-1}^2 prod_l (1 + 5/n_l), at every depth and width.",
    needs=SETTING,
    points={
        "quick": deep((1, 10, 40, 40), **_HE),
        "standard": deep((1, 10, 40, 40), (1, 10, 20, 20), (1, 6, 20), **_HE),
        "thorough": deep((1, 10, 40, 40), (1, 10, 20, 20), (1, 6, 20), **_HE),
    },
    domain=Domain(
        {
            "n": OneOf((1,)),
            "d": Sizes(tuple(range(3, 31))),
            "widths": Layers(Sizes((20, 25, 30, 40, 50, 60)), fewest=1, most=2),
            "activation": OneOf(("relu",)),
            "w_std": OneOf((math.sqrt(2.0),)),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("sphere",)),
        }
    ),
    subject=unscaled,
    procedure=Means(
        _moments,
        labels=("mean of the share", "mean square of the share"),
        formula=(1.0, theory.relative_second_moment),
        wrong=(0.0, 1.0),
        at=_widths,
        resolution=_resolution,
        first=32,
        most=512,
    ),
    faults=("factors_scale_10", "weights_gain_one", "factors_doubled"),
)
