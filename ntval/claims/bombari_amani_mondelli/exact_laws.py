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
from ntval.claims.domain import Domain, Interval, Layers, OneOf, Sizes
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


@kept
def _signs(subject: NetworkSubject) -> Callable[..., Float[Array, "networks 2 width"]]:
    """Function of (keys, x): signs of the first layer's pre-activations at the weights of each."""

    def signs(x: Float[Array, "2 d"], key: Array) -> Float[Array, "2 width"]:
        return jax.numpy.sign(x @ draw_params(subject.network, key)[0]["w"])

    return jax.jit(lambda keys, x: jax.lax.map(partial(signs, x), keys))


def _between(x: Float[np.ndarray, "2 d"]) -> float:
    """The angle between two inputs, from 0 to pi."""
    first, second = x / np.linalg.norm(x, axis=1)[:, None]
    return float(2 * np.arctan2(np.linalg.norm(first - second), np.linalg.norm(first + second)))


@looped
def _rank_law(
    draw: Replicate, probability: Callable[[float, int], float] = theory.rank_one_probability
) -> list[float]:
    """Share of networks whose signs at two inputs have rank 1, less its probability."""
    keys = jax.random.split(draw.key, _NETWORKS)
    first, second = np.moveaxis(np.asarray(_signs(draw.subject)(keys, draw.x)), 1, 0)
    products = first * second
    alike = (products == products[:, :1]).all(axis=1)
    return [float(alike.mean()) - probability(_between(np.asarray(draw.x)), products.shape[1])]


rank_law = Claim(
    name="bombari_amani_mondelli.rank_law",
    source="Signs of a random neuron at two inputs agree with probability 1 - t/pi; derived and "
    "checked in the spec, Y2.",
    statement="Sign features of n Gaussian neurons at two inputs at angle t have rank 1 with "
    "probability (1 - t/pi)^n + (t/pi)^n.",
    needs=SETTING,
    points={
        "quick": deep((2, 3, 2), (2, 5, 4)),
        "standard": deep((2, 3, 2), (2, 5, 4), (2, 2, 10)),
        "thorough": deep((2, 3, 2), (2, 5, 4), (2, 2, 10), (2, 2, 20)),
    },
    domain=Domain(
        {
            "n": OneOf((2,)),
            "d": Sizes(tuple(range(2, 31))),
            "widths": Layers(Sizes(tuple(range(2, 11)))),
            "activation": OneOf(("tanh",)),
            "w_std": Interval(0.1, 3.0),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("gaussian", "sphere", "anisotropic", "low_rank")),
        }
    ),
    subject=unscaled,
    procedure=Means(
        _rank_law,
        labels=("probability of rank 1, less theory's",),
        wrong=0.1,
        resolution=0.01,
        first=32,
        most=1024,
    ),
    faults=("rank_without_antipodes", "weights_not_isotropic", "rank_of_half_angle"),
)
