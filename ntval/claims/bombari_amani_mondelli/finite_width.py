"""Bombari, Amani & Mondelli, 2205.10217: the smallest eigenvalue of the block K_{L-2}."""

from __future__ import annotations

from typing import Any

from ntval.claims.bombari_amani_mondelli.setting import (
    PAPER,
    SETTING,
    FactorsOf,
    before_last,
    deep,
    factors_of,
    sigma,
    signed,
)
from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, Hypothesis, Layers, OneOf, Sizes
from ntval.claims.procedures import Means, ProbableBound
from ntval.claims.sampling import Replicate, looped
from ntval.kernels import deep_mlp
from ntval.observables import spectra
from ntval.regimes import Regime
from ntval.theory import bombari_amani_mondelli as theory

WIDE_LAST_LAYER = Hypothesis(
    "n <= min(d, n_1) and the last hidden layer is at least 40 n wide",
    lambda regime: (
        regime.n <= min(regime.d, regime.widths[0]) and regime.widths[1] >= 40 * regime.n
    ),
)


_DOMAIN = Domain(
    {
        "n": Sizes(tuple(range(20, 31))),
        "d": Sizes((30, 40, 50, 60, 80, 100)),
        "widths": Layers(
            Sizes((30, 40, 50, 60, 80, 100)),
            fewest=2,
            most=2,
            last=Sizes((1200, 1500, 1800, 2000, 2500, 3000, 4000)),
        ),
        "activation": OneOf(("erf", "tanh")),
        "w_std": OneOf((1.0,)),
        "b_std": OneOf((0.0,)),
        "inputs": OneOf(("gaussian", "sphere")),
    },
    (WIDE_LAST_LAYER,),
)

_POINTS = {
    "quick": deep((40, 60, 60, 2000), activations=("erf",)),
    "standard": deep((40, 60, 60, 2000), (60, 80, 80, 4000), activations=("erf", "tanh")),
    "thorough": deep((100, 100, 100, 4000), activations=("erf", "tanh")),
}


def _block(draw: Replicate, factors: FactorsOf) -> float:
    """The smallest eigenvalue of K_{L-2}."""
    left, right = factors_of(draw, factors)[-2]
    return spectra.min_eigenvalue(left * right)


@looped
def _relative_to_sharp(draw: Replicate, factors: FactorsOf = deep_mlp.factors) -> list[float]:
    """The smallest eigenvalue of K_{L-2} over the sharp value, given the features, minus 1."""
    width = draw.regime.widths[-1]
    sharp = theory.sharp_min_eigenvalue(sigma(draw.regime), before_last(draw), width)
    return [_block(draw, factors) / sharp - 1]


def _sizes(regime: Regime) -> dict[str, Any]:
    return {"activation": sigma(regime), "n": regime.n, "width": regime.widths[-1]}


sharp_min_eigenvalue = Claim(
    name="bombari_amani_mondelli.sharp_min_eigenvalue",
    source=f"{PAPER}, order of the smallest eigenvalue (second-hand); the value derived and "
    "checked in the spec, B2s, B5.",
    statement="The smallest eigenvalue of K_{L-2} is n_{L-1} times that of H o F F^T, H the mean "
    "of products of slopes.",
    needs=SETTING,
    points=_POINTS,
    domain=_DOMAIN,
    subject=signed,
    procedure=Means(
        _relative_to_sharp,
        labels=("smallest eigenvalue of K_{L-2}, relative",),
        remainder=theory.sharp_min_eigenvalue_remainder,
        wrong=-1.0,
        at=_sizes,
        resolution=0.01,
        first=16,
        most=512,
    ),
    faults=(
        "factors_of_function",
        "factors_over_width",
        "factors_rows_permuted",
        "factors_scale_10",
        "weights_hidden_unscaled",
    ),
)


# A smallest eigenvalue lies between 0 and the bound of its mean: relative to it, -1 to 0.
expected_min_eigenvalue = Claim(
    name="bombari_amani_mondelli.expected_min_eigenvalue",
    source="Concavity of the smallest eigenvalue (Jensen; derived and checked in the spec, section "
    "2.3, B5).",
    statement="Given the features, the mean smallest eigenvalue of K_{L-2} is at most n_{L-1} "
    "times that of H o F F^T, at every width. Weak below it: a kernel that is too small passes.",
    needs=SETTING,
    points={
        "quick": deep((10, 20, 20, 400), activations=("erf",)),
        "standard": deep((10, 20, 20, 400), (30, 40, 40, 1000), activations=("erf", "tanh")),
        "thorough": deep((30, 40, 40, 1000), activations=("erf", "tanh", "relu", "gelu")),
    },
    domain=Domain(
        {
            "n": Sizes(tuple(range(2, 31))),
            "d": Sizes((10, 20, 30, 50, 80)),
            "widths": Layers(
                Sizes((20, 30, 50, 80)), fewest=2, most=2, last=Sizes((20, 60, 200, 1000))
            ),
            "activation": OneOf(("erf", "tanh", "relu", "gelu")),
            "w_std": OneOf((1.0,)),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("gaussian", "sphere")),
        }
    ),
    subject=signed,
    procedure=Means(
        _relative_to_sharp,
        labels=("smallest eigenvalue of K_{L-2}, relative",),
        formula=-0.5,
        remainder=0.5,
        wrong=0.1,
        resolution=0.02,
        first=64,
        most=2048,
    ),
    faults=("factors_scale_10", "weights_last_10", "factors_doubled"),
)

_FAILURE = 0.01


@looped
def _room_between_bounds(draw: Replicate, factors: FactorsOf = deep_mlp.factors) -> list[float]:
    """Room between the smallest eigenvalue of K_{L-2} and the nearer of its bounds, relative."""
    fn, features, width = sigma(draw.regime), before_last(draw), draw.regime.widths[-1]
    half = {"failure": _FAILURE / 2}
    low = theory.finite_width_lower_bound(fn, features, width, signs=True, **half)
    high = theory.finite_width_upper_bound(fn, features, width, **half)
    smallest = _block(draw, factors)
    return [min(smallest - low, high - smallest) / high]


finite_width_bound = Claim(
    name="bombari_amani_mondelli.finite_width_bound",
    source=f"{PAPER}, main theorem (second-hand) with constants: T1' of the spec, derived from "
    "Tropp 2012 and checked; B2.",
    statement="Given the features, the smallest eigenvalue of K_{L-2} lies between "
    "(1 - e) n_{L-1} lambda_min(H o G) and (1 + e') n_{L-1} lambda_min(H o F F^T) with probability "
    "at least 0.99, e and e' by Chernoff's bound for matrices.",
    needs=SETTING,
    points=_POINTS,
    domain=_DOMAIN,
    subject=signed,
    procedure=ProbableBound(
        _room_between_bounds, failure=_FAILURE, resolution=0.1, first=32, most=256
    ),
    faults=("factors_of_function", "factors_doubled", "factors_over_width"),
)
