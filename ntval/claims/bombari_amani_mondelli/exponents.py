"""Bombari, Amani & Mondelli, 2205.10217: how the smallest eigenvalue grows with the widths."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from ntval.claims.bombari_amani_mondelli.setting import (
    PAPER,
    SETTING,
    FactorsOf,
    deep,
    factors_of,
    sigma,
    signed,
)
from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, Fixed, Hypothesis, Layers, OneOf, Sizes
from ntval.claims.procedures import Slopes
from ntval.claims.sampling import Replicate, kept, looped
from ntval.kernels import deep_mlp
from ntval.observables import spectra
from ntval.observables.slopes import log_slope
from ntval.regimes import Regime
from ntval.subjects.subject import Ladder, NetworkSubject
from ntval.theory import bombari_amani_mondelli as theory

_STEPS = (1.0, math.sqrt(2.0), 2.0, math.sqrt(8.0))


def _grown(regime: Regime, step: float) -> Regime:
    """`step` times the widths and d, and step^2 times the inputs: n / d^2 stays as it is."""
    d = round(step * regime.d)
    n = round(d**2 * regime.n / regime.d**2)
    return replace(regime, n=n, d=d, widths=(d, d))


def _side(n: int) -> int:
    """The d of which n is an eighth of the square."""
    return round(math.sqrt(8 * n))


def _of_last_width(regime: Regime, step: float) -> Regime:
    """`step` times the last hidden layer."""
    return replace(regime, widths=(*regime.widths[:-1], round(step * regime.widths[-1])))


@kept
def _growing(regime: Regime) -> NetworkSubject:
    """Networks with last layers of +1 and -1, of each size."""
    return _on_a_ladder(regime, [_grown(regime, step) for step in _STEPS])


@kept
def _growing_last(regime: Regime) -> NetworkSubject:
    return _on_a_ladder(regime, [_of_last_width(regime, step) for step in _STEPS])


def _on_a_ladder(regime: Regime, regimes: list[Regime]) -> NetworkSubject:
    sizes = tuple(rung.widths[-1] for rung in regimes)
    ladder = Ladder("width", sizes, tuple(signed(rung) for rung in regimes))
    return replace(signed(regime), ladder=ladder)


def _rungs(subject: NetworkSubject) -> tuple[NetworkSubject, ...]:
    assert subject.ladder is not None
    return subject.ladder.rungs


@looped
def _growth(draw: Replicate, factors: FactorsOf = deep_mlp.factors) -> list[float]:
    """Slopes of the smallest eigenvalues of K and of K_{L-2} over d^2; a draw of each size."""
    smallest, sizes = [], []
    for number, rung in enumerate(_rungs(draw.subject)):
        regime = _grown(draw.regime, _STEPS[number])
        products = factors_of(
            Replicate(jax.random.fold_in(draw.key, number), regime, rung), factors
        )
        left, right = products[-2]
        whole = sum(a * b for a, b in products)
        smallest.append([spectra.min_eigenvalue(whole), spectra.min_eigenvalue(left * right)])
        sizes.append(regime.d**2)
    return [float(slope) for slope in log_slope(sizes, np.array(smallest))]


@looped
def _in_last_width(draw: Replicate, factors: FactorsOf = deep_mlp.factors) -> list[float]:
    """Slope of the smallest eigenvalue of K_{L-2} over n_{L-1}, inputs and features shared: each
    layer is drawn after those below it, from one key."""
    smallest = []
    for rung in _rungs(draw.subject):
        left, right = factors_of(draw.at(rung), factors)[-2]
        smallest.append([spectra.min_eigenvalue(left * right)])
    slopes = log_slope(_rungs_sizes(draw), np.array(smallest))
    return [float(slopes[0])]


def _rungs_sizes(draw: Replicate) -> list[int]:
    return [_of_last_width(draw.regime, step).widths[-1] for step in _STEPS]


ENOUGH_PARAMETERS = Hypothesis(
    "n <= min(d, n_1) / 2: the mean of K_{L-2} is far from singular, and n_1 n_2 >= 160 n",
    lambda regime: (
        2 * regime.n <= min(regime.d, regime.widths[0])
        and regime.widths[0] * regime.widths[1] >= 160 * regime.n
    ),
)


def _activation(regime: Regime) -> dict[str, Any]:
    return {"activation": sigma(regime), "d": regime.d, "n": regime.n}


over_parameterization_exponent = Claim(
    name="bombari_amani_mondelli.over_parameterization_exponent",
    source=f"{PAPER}, main theorem: order n_(L-2) n_(L-1) (second-hand); design and offsets "
    "measured in the spec, C1.",
    statement="At a fixed share of inputs to parameters the smallest eigenvalues of K and of "
    "K_{L-2} grow in proportion to n_(L-2) n_(L-1). Fresh inputs and weights at each size. Weak: "
    "an exponent within 0.2 of 1 passes.",
    needs=SETTING,
    points={
        "quick": deep((32, 16, 16, 16)),
        "standard": deep((32, 16, 16, 16), (72, 24, 24, 24), activations=("tanh", "erf")),
        "thorough": deep((72, 24, 24, 24), (128, 32, 32, 32), activations=("tanh", "erf")),
    },
    domain=Domain(
        {
            "n": Sizes(tuple(range(32, 65))),
            "d": Fixed("the root of 8 n, rounded", lambda fields: _side(fields["n"])),
            "widths": Fixed("d, d", lambda fields: (_side(fields["n"]),) * 2),
            "activation": OneOf(("tanh", "erf")),
            "w_std": OneOf((1.0,)),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("gaussian", "sphere")),
        },
        narrow="the share of inputs to parameters is fixed: d and the widths follow from n",
    ),
    subject=_growing,
    procedure=Slopes(
        _growth,
        labels=("exponent of K", "exponent of K_{L-2}"),
        formula=theory.over_parameterization_exponents,
        remainder=theory.over_parameterization_remainder,
        wrong=(0.5, 0.5),
        at=_activation,
        resolution=0.1,
        first=16,
        most=256,
    ),
    faults=("factors_over_width", "factors_over_root_width", "factors_times_width"),
)


def _sizes(regime: Regime) -> dict[str, Any]:
    n1, n2 = regime.widths
    return {"activation": sigma(regime), "n": regime.n, "fan_in": n1, "width": n2}


last_width_exponent = Claim(
    name="bombari_amani_mondelli.last_width_exponent",
    source=f"{PAPER}, main theorem: order n_(L-2) n_(L-1) (second-hand); exponent 1 of the last "
    "width measured in the spec, C2.",
    statement="Given inputs and features, the smallest eigenvalue of K_{L-2} grows in proportion "
    "to n_(L-1).",
    needs=SETTING,
    points={
        "quick": deep((30, 60, 120, 60)),
        "standard": deep((30, 60, 120, 60), (60, 120, 240, 120), activations=("tanh", "erf")),
        "thorough": deep((60, 120, 240, 120), (100, 200, 400, 200), activations=("tanh", "erf")),
    },
    domain=Domain(
        {
            "n": Sizes(tuple(range(20, 41))),
            "d": Sizes((40, 50, 60, 80, 100)),
            "widths": Layers(
                Sizes((80, 100, 120, 150)), fewest=2, most=2, last=Sizes((60, 80, 100))
            ),
            "activation": OneOf(("tanh", "erf")),
            "w_std": OneOf((1.0,)),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("gaussian", "sphere")),
        },
        (ENOUGH_PARAMETERS,),
    ),
    subject=_growing_last,
    procedure=Slopes(
        _in_last_width,
        labels=("exponent of K_{L-2}",),
        formula=1.0,
        remainder=theory.last_width_remainder,
        wrong=0.0,
        at=_sizes,
        resolution=0.02,
        first=16,
        most=512,
    ),
    faults=("factors_over_root_width", "factors_over_width", "factors_without_signals"),
)
