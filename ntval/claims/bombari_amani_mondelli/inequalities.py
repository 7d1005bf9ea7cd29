"""Neighbors of Bombari, Amani & Mondelli: inequalities between eigenvalues, and singular inputs."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import rounding_allowance
from ntval.claims.bombari_amani_mondelli.setting import (
    SETTING,
    FactorsOf,
    brackets,
    deep,
    factors_of,
    networks,
    sigma,
    unscaled,
)
from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, Hypothesis, Layers, OneOf, Sizes
from ntval.claims.kernel_identities.setting import network_rounding
from ntval.claims.procedures import Bound, Identity
from ntval.claims.sampling import Replicate, empirical_at
from ntval.evidence.exact import Bracket, Comparison
from ntval.kernels import deep_mlp
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import bombari_amani_mondelli as theory

Gram = Float[np.ndarray, "n n"]


def _schur(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    factors: FactorsOf = deep_mlp.factors,
    lower: Callable[[Gram, Gram], float] = theory.schur_lower_bound,
    upper: Callable[[Gram, Gram], float] = theory.schur_upper_bound,
    circles: Callable[[Gram], float] = theory.gershgorin_lower_bound,
    pair: Callable[[Gram], float] = theory.pair_upper_bound,
) -> list[Bracket]:
    """Eigenvalues of each layer's share and of K, less what they cannot be below or above."""
    draw = Replicate(key, regime, subject)
    kernel, products = draw.empirical, factors_of(draw, factors)
    shares = [np.linalg.eigvalsh(left * right) for left, right in products]
    whole, fewer = np.linalg.eigvalsh(kernel), np.linalg.eigvalsh(kernel[:-1, :-1])
    rooms = [
        ("smallest of K less the sum of the layers'", whole[0] - sum(s[0] for s in shares)),
        ("sum of the layers' largest less that of K", sum(s[-1] for s in shares) - whole[-1]),
        ("smallest of K less Gershgorin's bound", whole[0] - circles(kernel)),
        ("the closest pair's less the smallest of K", pair(kernel) - whole[0]),
    ]
    if regime.n > 1:
        rooms.append(("smallest without the last input less that of K", fewer[0] - whole[0]))
    for layer, ((left, right), share) in enumerate(zip(products, shares, strict=True), start=1):
        rooms += [
            (f"smallest of layer {layer} less Schur's bound", share[0] - lower(left, right)),
            (f"Schur's bound less the largest of layer {layer}", upper(left, right) - share[-1]),
        ]
    # Of an entry, and n roundings of the norm, which the trace bounds, of an eigenvalue.
    rounding = network_rounding(subject, draw.params, draw.x) + rounding_allowance(16 * regime.n)
    scale = float(sum(np.trace(left * right) for left, right in products))
    slack = rounding * scale
    return brackets(rooms, slack, scale)


schur = Claim(
    name="bombari_amani_mondelli.schur",
    source="Schur's product theorem, Weyl, Gershgorin, Cauchy's interlacing (textbook); derived "
    "and checked in the spec, section 4.1, A2.",
    statement="The eigenvalues of each layer's share, a Hadamard product, lie between Schur's "
    "bounds, and those of K between the sums over layers, Gershgorin's circles and those of fewer "
    "inputs.",
    needs=SETTING,
    points={
        "quick": deep((2, 5, 8, 6), (12, 4, 6, 5, 4), activations=("relu",)),
        "standard": deep((2, 5, 8, 6), (12, 4, 6, 5, 4), (24, 8, 20), activations=("relu", "tanh")),
        "thorough": deep(
            (1, 5, 8, 6), (2, 5, 8, 6), (12, 4, 6, 5, 4), (24, 8, 20), activations=("relu", "gelu")
        ),
    },
    domain=networks(n=tuple(range(1, 25)), fewest=1),
    subject=unscaled,
    procedure=Bound(_schur),
    faults=(
        "pair_halved",
        "gershgorin_of_largest_row",
        "schur_of_largest_diagonal",
        "schur_of_smallest_diagonal",
        "schur_of_smallest_eigenvalue",
        "factors_over_width",
    ),
)


def _with_pairs(x: Float[Array, "n d"], pairs: theory.Pairs) -> Float[Array, "m d"]:
    factor = {"repeated": 1.0, "antipodal": -1.0, "doubled": 2.0}[pairs]
    return jnp.concatenate([x, factor * x])


def _singular_inputs(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    rank: Callable[..., int] = theory.rank_of_pairs,
) -> list[Comparison]:
    """Rank of the kernel at inputs beside which each again, its antipode, or twice it is put."""
    draw = Replicate(key, regime, subject)
    comparisons, one = [], np.ones(1)
    kinds: tuple[theory.Pairs, ...] = ("repeated", "antipodal", "doubled")
    for pairs in kinds:
        x = _with_pairs(draw.x, pairs)
        kernel = empirical_at(subject, draw.params, x)
        found = _rank(kernel, network_rounding(subject, draw.params, x))
        expected = rank(sigma(regime), pairs, regime.n, regime.d, len(regime.widths))
        comparisons.append(
            Comparison(f"rank of K, inputs {pairs}", found * one, expected * one, 0 * one, one)
        )
    return comparisons


def _rank(kernel: Gram, rounding: float) -> int:
    """Eigenvalues above what rounding of the entries leaves of one that is 0."""
    eigenvalues = np.linalg.eigvalsh(kernel)
    return int((eigenvalues > rounding * np.trace(kernel)).sum())


singular_inputs = Claim(
    name="bombari_amani_mondelli.singular_inputs",
    source="Symmetries of networks without biases; derived and checked in the spec, section 6, "
    "A11.",
    statement="Repeated inputs make K singular; antipodal ones where the activation is odd or "
    "even, and with one hidden layer and an odd part that is linear beyond d pairs; collinear ones "
    "where it is homogeneous; each by the rank stated, and nothing else does.",
    needs=SETTING,
    points={
        "quick": (
            *deep((9, 8, 40), activations=("relu", "tanh")),
            *deep((9, 8, 30, 30), activations=("relu",)),
        ),
        "standard": (
            *deep((9, 8, 40), (8, 8, 40), activations=("relu", "gelu", "tanh", "erf")),
            *deep((9, 8, 30, 30), activations=("relu", "gelu", "tanh")),
        ),
        "thorough": (
            *deep((9, 8, 40), (8, 8, 40), (12, 5, 60), activations=("relu", "gelu", "tanh", "erf")),
            *deep((9, 8, 30, 30), (9, 8, 30, 30, 30), activations=("relu", "gelu", "tanh")),
        ),
    },
    domain=Domain(
        {
            "n": Sizes(tuple(range(2, 13))),
            "d": Sizes((3, 4, 5, 6, 8, 10)),
            "widths": Layers(Sizes((30, 40, 50, 60)), fewest=1, most=2),
            "activation": OneOf(("relu", "leaky_relu", "gelu", "tanh", "erf", "sin", "cos")),
            "w_std": OneOf((1.0,)),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("gaussian", "sphere")),
        },
        (
            Hypothesis(
                "each hidden layer is at least 2 n wide",
                lambda regime: min(regime.widths) >= 2 * regime.n,
            ),
        ),
    ),
    subject=unscaled,
    procedure=Identity(_singular_inputs, formula=theory.rank_of_pairs),
    faults=(
        "rank_of_pairs_at_any_depth",
        "empirical_jitter",
        "apply_adds_bias",
        "rank_of_pairs_without_d",
    ),
)
