"""Montanari & Zhong, 2007.12826: ridge regression with the kernel and what stands for it.

Risks are those given the inputs, exact over label noise and over isotropic targets: no test set, no
draw of labels. What a measurement takes for granted - the ridge, the score, the energies - is an
argument, so that a fault can be planted there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ntval.activations import Activation
from ntval.claims.claim import Claim
from ntval.claims.domain import Hypothesis, Interval
from ntval.claims.montanari_zhong.setting import (
    DIMENSIONS,
    LAST_DEGREE,
    MEASURED,
    MIXES,
    NOISES,
    PAPER,
    RIDGES,
    SAMPLES,
    SETTING,
    arguments,
    between,
    fresh_inputs,
    grid,
    harmonics_of,
    regimes,
    ridge_of,
    risk_given_inputs,
    samples_over_d,
    sigma,
    target_of,
    two_layer,
)
from ntval.claims.montanari_zhong.setting import constant_target as constant_target_of
from ntval.claims.procedures import Means
from ntval.claims.sampling import Replicate, infinite, looped
from ntval.regimes import Regime
from ntval.theory import isotropic_targets
from ntval.theory import montanari_zhong as theory
from ntval.theory.ridge_equivalents import Target

Ridge = Callable[[Regime], float]
Targets = Callable[[Regime], Target]


def kernel_risk(
    draw: Replicate,
    target: Targets = target_of,
    ridge: Ridge = ridge_of,
    score: Callable[..., float] = risk_given_inputs,
) -> float:
    """Risk of kernel ridge regression with the infinite-width kernel, given the inputs."""
    regime, harmonics = draw.regime, harmonics_of(draw)
    gamma = theory.energies(sigma(regime), regime.d, LAST_DEGREE)
    moments = isotropic_targets.kernel_moments(gamma, regime.d, harmonics)
    return score(draw.gram, harmonics, moments, target(regime), ridge=ridge(regime))


def polynomial_risk(
    draw: Replicate,
    target: Targets = target_of,
    ridge: Ridge = ridge_of,
    score: Callable[..., float] = risk_given_inputs,
    energies: Callable[..., Any] = theory.energies,
    tail: Callable[..., float] = theory.tail_energy,
) -> float:
    """Risk of polynomial ridge regression with the self-induced ridge, given the inputs."""
    regime, fn = draw.regime, sigma(draw.regime)
    harmonics = harmonics_of(draw, max(regime.degree, len(target(regime).energies) - 1))
    gamma = energies(fn, regime.d, regime.degree)
    moments = isotropic_targets.kernel_moments(gamma, regime.d, harmonics)
    gram = np.tensordot(gamma, harmonics[: len(gamma)], axes=1)
    whole = ridge(regime) + tail(fn, regime.d, regime.degree)
    return score(gram, harmonics, moments, target(regime), ridge=whole)


@looped
def _kernel_ridge_risk(
    draw: Replicate,
    target: Targets = target_of,
    ridge: Ridge = ridge_of,
    score: Callable[..., float] = risk_given_inputs,
) -> list[float]:
    return [kernel_risk(draw, target, ridge, score)]


LINEAR_OR_QUADRATIC = Hypothesis(
    "n / d is between 0.5 and 10 or n / d^2 between 1.2 and 4",
    lambda regime: (
        (0.5 <= regime.n / regime.d <= 10 and regime.degree < 2)
        or 1.2 <= regime.n / regime.d**2 <= 4
    ),
)
SMALL, MIDDLE, LARGE = (120, 40, 4), (240, 80, 4), (480, 160, 4)
_RIDGES = tuple(
    regime
    for ridge in (0.0, 0.05, 0.1, 0.5)
    for noise_std in (0.0, 0.5, 1.0)
    for regime in grid(
        (60, 20, 4),
        SMALL,
        (160, 40, 4),
        activations=("relu", "tanh", "gelu"),
        ridge=ridge,
        noise_std=noise_std,
    )
)
_QUADRATIC = tuple(  # n > d^2: degree 2
    regime
    for ridge in (0.0, 0.1)
    for regime in grid((252, 14, 4), ridge=ridge, noise_std=0.3, target_mix=0.75)
)

deterministic_equivalent = Claim(
    name="montanari_zhong.deterministic_equivalent",
    source="Deterministic equivalent of kernel ridge regression; derived and checked in the spec, "
    "section 3 (not in the paper); E18.",
    statement="The risk of kernel ridge regression with K is E_0 (sum_k F_k (1 - L_k)^2 + s^2) "
    "- s^2, with learnabilities L_k of the energies gamma_k.",
    needs=SETTING,
    points={
        "quick": grid(SMALL, ridge=0.1, noise_std=0.5),
        "standard": (
            *grid(SMALL, MIDDLE, activations=("relu", "tanh"), ridge=0.1, noise_std=0.5),
            *grid(SMALL, activations=("relu", "tanh"), noise_std=0.5),
            *grid((252, 14, 4), noise_std=0.3, target_mix=0.75),
        ),
        "thorough": (
            *_RIDGES,
            *grid(MIDDLE, LARGE, ridge=0.1, noise_std=0.5),
            *grid((252, 14, 4), (665, 22, 4), noise_std=0.3, target_mix=0.75),
        ),
    },
    domain=regimes(
        LINEAR_OR_QUADRATIC,
        n=(*SAMPLES, 400),
        d=(*range(10, 20), *DIMENSIONS),
        ridge=RIDGES,
        noise_std=NOISES,
        target_mix=MIXES,
    ),
    subject=two_layer,
    procedure=Means(
        _kernel_ridge_risk,
        labels=("risk of kernel ridge regression",),
        formula=theory.kernel_ridge_risk,
        remainder=theory.kernel_ridge_risk_remainder,
        at=arguments,
        resolution=0.002,
        first=32,
        most=256,
    ),
    faults=(
        "analytic_off_diagonal_10",
        "inputs_on_unit_sphere",
        "analytic_scale_100",
        "ridge_times_n",
        "ridge_over_n",
        "train_for_test",
        "noise_in_risk",
        "prediction_of_three_d",
    ),
)


@looped
def _constant_risk(
    draw: Replicate,
    target: Targets = constant_target_of,
    ridge: Ridge = ridge_of,
    score: Callable[..., float] = risk_given_inputs,
) -> list[float]:
    return [kernel_risk(draw, target, ridge, score)]


def _of_constant_target(regime: Regime) -> dict[str, Any]:
    return {**arguments(regime), "target": constant_target_of(regime)}


constant_target = Claim(
    name="montanari_zhong.constant_target",
    source="Deterministic equivalent; derived and checked in the spec, sections 3 and 6; E26.",
    statement="The intercept is only partly learned: the risk on f = 1 is that of the "
    "deterministic equivalent, above 1 for tanh, whose kernel lacks degree 0.",
    needs=SETTING,
    points={
        "quick": grid(SMALL, activations=("relu", "tanh")),
        "standard": grid(SMALL, MIDDLE, activations=("relu", "gelu", "tanh")),
        "thorough": grid(SMALL, MIDDLE, LARGE, activations=("relu", "gelu", "tanh")),
    },
    domain=regimes(samples_over_d(0.5, 10), d=(*range(10, 20), *DIMENSIONS), ridge=RIDGES),
    subject=two_layer,
    procedure=Means(
        _constant_risk,
        labels=("risk on a constant target",),
        formula=theory.kernel_ridge_risk,
        remainder=theory.kernel_ridge_risk_remainder,
        at=_of_constant_target,
        resolution=0.005,
        first=32,
        most=1024,
    ),
    faults=("ridge_left_on", "analytic_centered", "train_for_test", "prediction_free_intercept"),
)


@looped
def _polynomial_ridge_risk(
    draw: Replicate,
    ridge: Ridge = ridge_of,
    score: Callable[..., float] = risk_given_inputs,
    tail: Callable[..., float] = theory.tail_energy,
) -> list[float]:
    return [polynomial_risk(draw, ridge=ridge, score=score, tail=tail)]


linear_target_risk = Claim(
    name="montanari_zhong.linear_target_risk",
    source=f"{PAPER}, theorem E (recalled; formulas derived anew and checked in the spec); E17.",
    statement="On a linear target the risk is B(gamma) + s^2 V(gamma), that of ridge regression "
    "with gamma = (lambda + gamma_{>1})/gamma_1, bias and variance explicit in n/d.",
    needs=SETTING,
    points={
        "quick": grid(SMALL, ridge=0.1, noise_std=0.5),
        "standard": (
            *grid(SMALL, MIDDLE, activations=("relu", "tanh"), ridge=0.1, noise_std=0.5),
            *grid(SMALL, MIDDLE, activations=("relu", "tanh"), noise_std=0.5),
        ),
        "thorough": (*_RIDGES, *grid(MIDDLE, LARGE, noise_std=0.5)),
    },
    domain=regimes(samples_over_d(1.2, 10), ridge=RIDGES, noise_std=NOISES),
    subject=two_layer,
    procedure=Means(
        _polynomial_ridge_risk,
        labels=("risk of PRR on a linear target",),
        formula=theory.linear_target_risk,
        remainder=theory.linear_target_risk_remainder,
        at=arguments,
        resolution=0.002,
        first=32,
        most=256,
    ),
    faults=(
        "tail_shifted_up",
        "tail_shifted_down",
        "tail_missing",
        "noise_in_risk",
        "ridge_times_n",
        "prediction_n_mod_3",
    ),
)


@looped
def _train_error(
    draw: Replicate, target: Targets = target_of, ridge: Ridge = ridge_of
) -> list[float]:
    """Mean square of the residuals, over label noise and isotropic targets."""
    regime, harmonics = draw.regime, harmonics_of(draw, 3)
    return [
        isotropic_targets.train_error(draw.gram, harmonics, target(regime), ridge=ridge(regime))
    ]


train_error = Claim(
    name="montanari_zhong.train_error",
    source="Deterministic equivalent; derived and checked in the spec, section 3; E19.",
    statement="The train error of kernel ridge regression is (lambda/(n kappa))^2 (R + s^2), 0 "
    "without a ridge.",
    needs=SETTING,
    points={
        "quick": grid(SMALL, ridge=0.1, noise_std=0.5),
        "standard": grid(SMALL, MIDDLE, activations=("relu", "tanh"), ridge=0.1, noise_std=0.5),
        "thorough": grid(
            SMALL, MIDDLE, LARGE, activations=("relu", "tanh", "gelu"), ridge=0.1, noise_std=0.5
        ),
    },
    domain=regimes(
        samples_over_d(1.2, 10), ridge=Interval(0.01, 1.0), noise_std=NOISES, target_mix=MIXES
    ),
    subject=two_layer,
    procedure=Means(
        _train_error,
        labels=("train error",),
        formula=theory.kernel_ridge_train_error,
        wrong=theory.kernel_ridge_risk,
        remainder=theory.kernel_ridge_train_error_remainder,
        at=arguments,
        resolution=0.0005,
        first=32,
        most=256,
    ),
    faults=("ridge_times_n", "ridge_over_n", "target_without_noise", "analytic_scale_10"),
)


_LAST_LEARNED = 3


@looped
def _learned_shares(draw: Replicate, ridge: Ridge = ridge_of) -> list[float]:
    """What kernel ridge regression learns of a target of each degree, over fresh inputs."""
    fresh, cross = fresh_inputs(draw, _LAST_LEARNED)
    moments = isotropic_targets.sampled_moments(infinite(draw.subject, fresh, draw.x), cross)
    shares = isotropic_targets.learned_shares(draw.gram, moments, ridge=ridge(draw.regime))
    return [float(share) for share in shares]


def _up_to_the_last(regime: Regime) -> dict[str, Any]:
    return {**arguments(regime), "last": _LAST_LEARNED}


def _the_opposite(activation: Activation, n: int, d: int, *, ridge: float, last: int) -> Any:
    """Nothing learned of the degrees that are, and all of those that are not."""
    shares = np.array(theory.learned_share(activation, n, d, ridge=ridge, last=last))
    return np.where(shares > 0.5, 0.0, 1.0)


learned_degrees = Claim(
    name="montanari_zhong.learned_degrees",
    source=f"{PAPER}, staircase of degrees (lecture); shares by the deterministic equivalent, "
    "derived and checked in theory; E20.",
    statement="Of a target on degree k, kernel ridge regression learns the share L_k = e_k/(e_k + "
    "kappa); nothing of a degree that the kernel lacks, however many the samples.",
    needs=SETTING,
    points={
        "quick": grid((160, 10, 4), activations=("relu", "tanh")),
        "standard": (
            *grid((252, 14, 4), activations=("relu", "gelu", "tanh")),
            *grid((120, 40, 4), activations=("relu", "tanh"), ridge=0.1),
        ),
        "thorough": (
            *grid((252, 14, 4), (600, 16, 4), activations=("relu", "gelu", "tanh", "erf")),
            *grid((120, 40, 4), activations=("relu", "tanh"), ridge=0.1),
        ),
    },
    domain=regimes(
        between("n / d", lambda regime: regime.n / regime.d, 3),
        d=(*range(10, 20), *DIMENSIONS[:6]),
        activations=(*MEASURED, "erf"),
        ridge=RIDGES,
    ),
    subject=two_layer,
    procedure=Means(
        _learned_shares,
        labels=tuple(f"share learned of degree {k}" for k in range(_LAST_LEARNED + 1)),
        formula=theory.learned_share,
        wrong=_the_opposite,
        remainder=theory.learned_share_remainder,
        at=_up_to_the_last,
        resolution=0.03,
        first=32,
        most=256,
    ),
    faults=(
        "analytic_plus_constant",
        "analytic_squared",
        "ridge_left_on",
        "analytic_centered",
        "prediction_every_degree_learned",
        "analytic_without_inputs",
    ),
)
