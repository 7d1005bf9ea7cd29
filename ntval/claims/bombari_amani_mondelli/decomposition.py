"""Bombari, Amani & Mondelli, 2205.10217: the kernel of a deep network, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import rounding_allowance
from ntval.claims.bombari_amani_mondelli.setting import (
    PAPER,
    SETTING,
    SMOOTH,
    FactorsOf,
    before_last,
    deep,
    factors_of,
    networks,
    sigma,
    unscaled,
)
from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, Layers, OneOf, Sizes
from ntval.claims.kernel_identities.setting import network_rounding
from ntval.claims.procedures import Bound, Identity
from ntval.claims.sampling import Replicate
from ntval.evidence.exact import Bracket, Comparison
from ntval.kernels import deep_mlp
from ntval.observables.entries import entry_scale
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import bombari_amani_mondelli as theory


def _jacobian_decomposition(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    factors: FactorsOf = deep_mlp.factors,
) -> list[Comparison]:
    """Each layer's share of K, by its factors and by differentiating by that layer alone."""
    draw = Replicate(key, regime, subject)
    products = factors_of(draw, factors)
    scale = entry_scale(np.diag(sum(left * right for left, right in products)))
    rounding = network_rounding(subject, draw.params, draw.x)
    comparisons = []
    for layer, (left, right) in enumerate(products):
        block = _of_one_layer(subject, draw.params, draw.x, layer)
        comparisons.append(
            Comparison(
                f"the share of layer {layer + 1}",
                left * right,
                block,
                rounding * scale,
                entry_scale(np.diag(block)),
            )
        )
    return comparisons


def _of_one_layer(
    subject: NetworkSubject, params: Any, x: Float[Array, "n d"], layer: int
) -> Float[np.ndarray, "n n"]:
    """J J^T of the derivatives by one layer's weights, by automatic differentiation."""

    def apply_fn(weights: Any, x: Float[Array, "n d"]) -> Float[Array, "n 1"]:
        return subject.network.apply_fn([*params[:layer], weights, *params[layer + 1 :]], x)

    network = replace(subject.network, apply_fn=apply_fn)
    method = jax.jit(partial(subject.methods["jacobian"], network))
    return np.asarray(method(params[layer], x))


jacobian_decomposition = Claim(
    name="bombari_amani_mondelli.jacobian_decomposition",
    source=f"{PAPER}, decomposition of the Jacobian (recalled; derived and checked in the spec, "
    "A1).",
    statement="K is the sum over layers of (F_l F_l^T) o (B_{l+1} B_{l+1}^T), each term what the "
    "weights of that layer give.",
    needs=SETTING,
    points={
        "quick": deep((12, 7, 6, 5, 4), (5, 3, 8, 5), activations=("tanh",)),
        "standard": deep((12, 7, 6, 5, 4), (40, 30, 20, 30), activations=("tanh", "relu", "gelu")),
        "thorough": deep((12, 7, 6, 5, 4), (100, 60, 40, 80), activations=("relu", *SMOOTH)),
    },
    domain=networks(most=4),
    subject=unscaled,
    procedure=Identity(_jacobian_decomposition),
    faults=(
        "factors_of_function",
        "factors_shifted",
        "factors_rows_permuted",
        "factors_over_width",
        "apply_custom_derivative",
    ),
)


def _loewner_chain(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    factors: FactorsOf = deep_mlp.factors,
    center: Callable[..., Float[np.ndarray, "n n"]] = theory.centered_gram,
) -> list[Bracket]:
    """Smallest eigenvalues of the differences along the chain: none is negative."""
    draw = Replicate(key, regime, subject)
    left, right = factors_of(draw, factors)[-2]
    signals = _signals(draw)
    centered, both = center(before_last(draw)), center(signals)
    chain = (
        ("K - K_{L-2}", draw.empirical, left * right),
        ("K_{L-2} - (F Q F^T) o (B B^T)", left * right, centered * right),
        ("(F Q F^T) o (B B^T) - (F Q F^T) o (B Q' B^T)", centered * right, centered * both),
    )
    # Of an entry, and n roundings of the norm, which the trace bounds, of an eigenvalue.
    rounding = network_rounding(subject, draw.params, draw.x) + rounding_allowance(8 * regime.n)
    brackets = []
    for label, larger, smaller in chain:
        trace = float(np.trace(larger))
        slack = rounding * trace
        smallest = float(np.linalg.eigvalsh(larger - smaller)[0])
        brackets.append(
            Bracket(
                f"the smallest eigenvalue of {label}",
                lower=smallest - slack,
                upper=smallest + slack,
                bound=-2 * slack,
                scale=trace,
            )
        )
    return brackets


def _signals(draw: Replicate) -> Float[np.ndarray, "n width"]:
    """B_{L-1}: the output's derivatives by the pre-activations of the last hidden layer."""
    mlp = draw.subject.mlp
    hidden = before_last(draw) @ np.asarray(draw.params[-2]["w"])
    return np.asarray(sigma(draw.regime).derivative(hidden)) * np.asarray(
        draw.params[-1]["w"]
    ).reshape(1, mlp.widths[-1])


loewner_chain = Claim(
    name="bombari_amani_mondelli.loewner_chain",
    source=f"{PAPER}, centering of the Jacobian in steps (second-hand); as projections derived and "
    "checked in the spec, A3.",
    statement="In the Loewner order K >= K_{L-2} >= (F Q F^T) o (B B^T) >= (F Q F^T) o (B Q' B^T), "
    "Q and Q' projections away from the mean row.",
    needs=SETTING,
    points={
        "quick": deep((60, 20, 20, 20), activations=("tanh", "sigmoid")),
        "standard": deep((200, 40, 40, 40), activations=("tanh", "relu", "sigmoid", "erf")),
        "thorough": deep(
            (200, 40, 40, 40), (200, 40, 30, 30, 30), activations=("tanh", "relu", "sigmoid", "erf")
        ),
    },
    domain=networks(n=tuple(range(2, 121))),
    subject=unscaled,
    procedure=Bound(_loewner_chain),
    faults=("center_not_divided", "center_adds", "factors_of_function", "empirical_over_width"),
)


def _rank_threshold(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    largest: Callable[..., int] = theory.largest_rank,
) -> list[Comparison]:
    """The rank of the Jacobian, of which rounding leaves singular values 1e-15 of the largest."""
    draw = Replicate(key, regime, subject)
    rank = int(np.linalg.matrix_rank(draw.features_at(draw.x)))
    expected = largest(sigma(regime), regime.n, subject.mlp.sizes)
    one = np.ones(1)
    return [Comparison("rank of J", rank * one, expected * one, 0 * one, one)]


rank_threshold = Claim(
    name="bombari_amani_mondelli.rank_threshold",
    source="Number of parameters and symmetries of scale; derived and checked in the spec, A6, A7.",
    statement="K has rank min(n, P), P the number of parameters: its smallest eigenvalue is 0 "
    "exactly where inputs are more than parameters.",
    needs=SETTING,
    points={
        "quick": deep((130, 8, 8, 8), (140, 8, 8, 8)),
        "standard": deep((130, 8, 8, 8), (140, 8, 8, 8), activations=("tanh", "gelu")),
        "thorough": deep(
            (130, 8, 8, 8), (136, 8, 8, 8), (140, 8, 8, 8), activations=("tanh", "gelu", "erf")
        ),
    },
    domain=Domain(
        {
            "n": Sizes(tuple(range(5, 151))),
            "d": Sizes((5, 6, 7, 8)),
            "widths": Layers(Sizes((5, 6, 7, 8)), fewest=2, most=2),
            "activation": OneOf(("tanh", "gelu", "erf")),
            "w_std": OneOf((1.0,)),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("gaussian",)),
        }
    ),
    subject=unscaled,
    procedure=Identity(_rank_threshold, formula=theory.largest_rank),
    faults=("rank_of_homogeneous", "rank_without_last_layer", "inputs_repeated"),
)
