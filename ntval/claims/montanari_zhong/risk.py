"""Montanari & Zhong, 2007.12826: ridge regression with the kernel and what stands for it.

Risks are those given the inputs, exact over label noise and over isotropic targets: no test set, no
draw of labels. What a measurement takes for granted - the ridge, the score, the energies - is an
argument, so that a fault can be planted there.
"""

from __future__ import annotations

import functools

import numpy as np

from ntval.claims.claim import Claim
from ntval.claims.montanari_zhong.setting import (
    LAST_DEGREE,
    PAPER,
    SETTING,
    harmonics_of,
    regimes,
    ridge_of,
    risk_given_inputs,
    sigma,
    target_of,
    two_layer,
)
from ntval.claims.sampling import Draw, infinite, measured, sampled
from ntval.evidence.sequential import agreement
from ntval.regimes import Regime
from ntval.theory import gegenbauer, isotropic_targets
from ntval.theory.montanari_zhong import kernel as theory
from ntval.theory.montanari_zhong import risk as risk_theory
from ntval.theory.ridge_equivalents import Target


def _constant(regime: Regime) -> Target:
    return Target(energies=(1.0,), noise_std=regime.noise_std)


def _kernel_risk(draw: Draw, target=target_of, ridge=ridge_of, score=risk_given_inputs) -> float:
    """Risk of kernel ridge regression with the infinite-width kernel, given the inputs."""
    harmonics = harmonics_of(draw)
    gamma = theory.energies(sigma(draw.regime), draw.regime.d, LAST_DEGREE)
    moments = isotropic_targets.kernel_moments(gamma, draw.regime.d, harmonics)
    regime = draw.regime
    return score(draw.gram, harmonics, moments, target(regime), ridge=ridge(regime))


def _polynomial_risk(
    draw: Draw,
    target=target_of,
    ridge=ridge_of,
    score=risk_given_inputs,
    energies=theory.energies,
    tail=theory.tail_energy,
) -> float:
    """Risk of polynomial ridge regression with the self-induced ridge, given the inputs."""
    regime, fn = draw.regime, sigma(draw.regime)
    harmonics = harmonics_of(draw, max(regime.degree, len(target(regime).energies) - 1))
    gamma = energies(fn, regime.d, regime.degree)
    moments = isotropic_targets.kernel_moments(gamma, regime.d, harmonics)
    gram = np.tensordot(gamma, harmonics[: len(gamma)], axes=1)
    whole = ridge(regime) + tail(fn, regime.d, regime.degree)
    return score(gram, harmonics, moments, target(regime), ridge=whole)


def _predict_risk(regime: Regime, target=target_of) -> float:
    return risk_theory.kernel_ridge_risk(
        sigma(regime), regime.n, regime.d, target(regime), ridge=regime.ridge
    )


def _risk_remainder(regime: Regime, target=target_of) -> float:
    return risk_theory.kernel_ridge_risk_remainder(
        sigma(regime), regime.n, regime.d, target(regime), ridge=regime.ridge
    )


_SMALL, _MIDDLE, _LARGE = (120, 40, 4), (240, 80, 4), (480, 160, 4)
_RIDGES = tuple(
    regime
    for ridge in (0.0, 0.05, 0.1, 0.5)
    for noise_std in (0.0, 0.5, 1.0)
    for regime in regimes(
        (60, 20, 4),
        _SMALL,
        (160, 40, 4),
        activations=("relu", "tanh", "gelu"),
        ridge=ridge,
        noise_std=noise_std,
    )
)
_QUADRATIC = tuple(  # n > d^2: degree 2
    regime for ridge in (0.0, 0.1) for regime in regimes((252, 14, 4), ridge=ridge, noise_std=0.3)
)

_measure_risk = measured(lambda draw, **changes: [_kernel_risk(draw, **changes)])

deterministic_equivalent = Claim(
    name="montanari_zhong.deterministic_equivalent",
    source="Deterministic equivalent of kernel ridge regression; derived and checked in the spec, "
    "section 3 (not in the paper); E18.",
    statement="The risk of kernel ridge regression with K is E_0 (sum_k F_k (1 - L_k)^2 + s^2) "
    "- s^2, with learnabilities L_k of the energies gamma_k.",
    needs=SETTING,
    formula="kernel_ridge_risk",
    regimes={
        "quick": regimes(_SMALL, ridge=0.1, noise_std=0.5),
        "standard": (
            *regimes(_SMALL, _MIDDLE, activations=("relu", "tanh"), ridge=0.1, noise_std=0.5),
            *regimes(_SMALL, activations=("relu", "tanh"), noise_std=0.5),
            *regimes((252, 14, 4), noise_std=0.3),
        ),
        "thorough": (
            *_RIDGES,
            *regimes(_MIDDLE, _LARGE, ridge=0.1, noise_std=0.5),
            *regimes((252, 14, 4), (665, 22, 4), noise_std=0.3),
        ),
    },
    space=(*_RIDGES, *_QUADRATIC),
    subject=two_layer,
    measure=_measure_risk,
    predict=_predict_risk,
    allowance=sampled(_measure_risk, remainder=_risk_remainder, resolution=0.002),
    decide=functools.partial(
        agreement, first=32, most=256, labels=lambda i, k: "risk of kernel ridge regression"
    ),
    faults=(
        "ridge_times_n",
        "ridge_over_n",
        "train_for_test",
        "noise_in_risk",
        "kernel_scale_100",
        "kernel_off_diagonal_10",
        "inputs_on_unit_sphere",
    ),
)

_measure_constant = measured(
    lambda draw, **changes: [_kernel_risk(draw, target=_constant, **changes)]
)

constant_target = Claim(
    name="montanari_zhong.constant_target",
    source="Deterministic equivalent; derived and checked in the spec, sections 3 and 6; E26.",
    statement="The intercept is only partly learned: the risk on f = 1 is that of the "
    "deterministic equivalent, above 1 for tanh, whose kernel lacks degree 0.",
    needs=SETTING,
    formula="kernel_ridge_risk",
    regimes={
        "quick": regimes(_SMALL, activations=("relu", "tanh")),
        "standard": regimes(_SMALL, _MIDDLE, activations=("relu", "gelu", "tanh")),
        "thorough": regimes(_SMALL, _MIDDLE, _LARGE, activations=("relu", "gelu", "tanh")),
    },
    subject=two_layer,
    measure=_measure_constant,
    predict=functools.partial(_predict_risk, target=_constant),
    allowance=sampled(
        _measure_constant,
        remainder=functools.partial(_risk_remainder, target=_constant),
        resolution=0.005,
    ),
    decide=functools.partial(
        agreement, first=32, most=1024, labels=lambda i, k: "risk on a constant target"
    ),
    faults=("ridge_left_on", "train_for_test", "prediction_free_intercept", "kernel_centered"),
)


def _gap(draw: Draw, **changes) -> list[float]:
    """Risk of KRR minus that of PRR with the self-induced ridge, at the same inputs."""
    return [_kernel_risk(draw) - _polynomial_risk(draw, **changes)]


def _predict_gap(regime: Regime) -> float:
    return risk_theory.self_induced_gap(
        sigma(regime),
        regime.n,
        regime.d,
        target_of(regime),
        ridge=regime.ridge,
        degree=regime.degree,
    )


def _gap_remainder(regime: Regime) -> float:
    return risk_theory.self_induced_gap_remainder(
        sigma(regime),
        regime.n,
        regime.d,
        target_of(regime),
        ridge=regime.ridge,
        degree=regime.degree,
    )


_measure_gap = measured(_gap)

self_induced_ridge = Claim(
    name="montanari_zhong.self_induced_ridge",
    source=f"{PAPER}, theorem D: R_KRR(l) = R_PRR(l + v) + o(1) (statement of the abstract; rate "
    "recalled); the gap by the deterministic equivalent, derived; E16, E21.",
    statement="Kernel ridge regression is polynomial ridge regression with the ridge "
    "lambda + gamma_{>l}: their risks differ by O(n/B(d, k*)), as the equivalents do.",
    needs=SETTING,
    formula="self_induced_gap",
    regimes={
        "quick": regimes(_MIDDLE, noise_std=0.5),  # a smaller d hides "tail_of_limit"
        "standard": (
            *regimes(_SMALL, _MIDDLE, activations=("relu", "gelu"), noise_std=0.5),
            *regimes(_SMALL, _MIDDLE, ridge=0.1, noise_std=0.5),
        ),
        "thorough": (
            *regimes(_SMALL, _MIDDLE, _LARGE, activations=("relu", "gelu"), noise_std=0.5),
            *regimes(_SMALL, _MIDDLE, _LARGE, ridge=0.1, noise_std=0.5),
        ),
    },
    space=tuple(
        regime
        for noise_std in (0.0, 0.5, 1.0)
        for regime in regimes(
            *(_SMALL, (160, 40, 4), (180, 60, 4)),
            activations=("relu", "gelu", "silu"),
            noise_std=noise_std,
        )
    ),
    subject=two_layer,
    measure=_measure_gap,
    predict=_predict_gap,
    allowance=sampled(_measure_gap, remainder=_gap_remainder, resolution=0.0002),
    decide=functools.partial(agreement, first=32, most=256, labels=lambda i, k: "R_KRR - R_PRR"),
    faults=(
        "tail_missing",
        "tail_of_limit",
        "tail_shifted_up",
        "tail_shifted_down",
        "energies_shifted",
        "energies_without_constant",
    ),
)


def _predict_linear(regime: Regime) -> float:
    return risk_theory.linear_target_risk(
        sigma(regime), regime.n, regime.d, ridge=regime.ridge, noise_std=regime.noise_std
    )


def _linear_remainder(regime: Regime) -> float:
    return risk_theory.linear_target_risk_remainder(
        sigma(regime), regime.n, regime.d, ridge=regime.ridge, noise_std=regime.noise_std
    )


_measure_linear = measured(lambda draw, **changes: [_polynomial_risk(draw, **changes)])

linear_target_risk = Claim(
    name="montanari_zhong.linear_target_risk",
    source=f"{PAPER}, theorem E (recalled; formulas derived anew and checked in the spec); E17.",
    statement="On a linear target the risk is B(gamma) + s^2 V(gamma), that of ridge regression "
    "with gamma = (lambda + gamma_{>1})/gamma_1, bias and variance explicit in n/d.",
    needs=SETTING,
    regimes={
        "quick": regimes(_SMALL, ridge=0.1, noise_std=0.5),
        "standard": (
            *regimes(_SMALL, _MIDDLE, activations=("relu", "tanh"), ridge=0.1, noise_std=0.5),
            *regimes(_SMALL, _MIDDLE, activations=("relu", "tanh"), noise_std=0.5),
        ),
        "thorough": (*_RIDGES, *regimes(_MIDDLE, _LARGE, noise_std=0.5)),
    },
    space=_RIDGES,
    subject=two_layer,
    measure=_measure_linear,
    predict=_predict_linear,
    allowance=sampled(
        _measure_linear,
        remainder=_linear_remainder,
        resolution=0.002,
    ),
    decide=functools.partial(
        agreement, first=32, most=256, labels=lambda i, k: "risk of PRR on a linear target"
    ),
    faults=(
        "tail_shifted_up",
        "tail_shifted_down",
        "tail_missing",
        "noise_in_risk",
        "ridge_times_n",
    ),
)


def _train_error(draw: Draw, target=target_of, ridge=ridge_of) -> list[float]:
    regime = draw.regime
    return [
        isotropic_targets.train_error(
            draw.gram, harmonics_of(draw, 3), target(regime), ridge=ridge(regime)
        )
    ]


def _predict_train_error(regime: Regime) -> float:
    return risk_theory.kernel_ridge_train_error(
        sigma(regime), regime.n, regime.d, target_of(regime), ridge=regime.ridge
    )


def _train_error_remainder(regime: Regime) -> float:
    return risk_theory.kernel_ridge_train_error_remainder(
        sigma(regime), regime.n, regime.d, target_of(regime), ridge=regime.ridge
    )


_measure_train_error = measured(_train_error)

train_error = Claim(
    name="montanari_zhong.train_error",
    source="Deterministic equivalent; derived and checked in the spec, section 3; E19.",
    statement="The train error of kernel ridge regression is (lambda/(n kappa))^2 (R + s^2), 0 "
    "without a ridge.",
    needs=SETTING,
    formula="kernel_ridge_train_error",
    regimes={
        "quick": regimes(_SMALL, ridge=0.1, noise_std=0.5),
        "standard": regimes(
            _SMALL, _MIDDLE, activations=("relu", "tanh"), ridge=0.1, noise_std=0.5
        ),
        "thorough": regimes(
            _SMALL, _MIDDLE, _LARGE, activations=("relu", "tanh", "gelu"), ridge=0.1, noise_std=0.5
        ),
    },
    subject=two_layer,
    measure=_measure_train_error,
    predict=_predict_train_error,
    allowance=sampled(
        _measure_train_error,
        remainder=_train_error_remainder,
        resolution=0.0005,
    ),
    decide=functools.partial(agreement, first=32, most=256, labels=lambda i, k: "train error"),
    faults=("ridge_times_n", "ridge_over_n", "target_without_noise", "kernel_scale_10"),
)


_LEARNED = 4  # degrees 0 to 3
_FRESH = 200


def _learned_shares(draw: Draw, ridge=ridge_of) -> list[float]:
    """What kernel ridge regression learns of a target of each degree, over fresh inputs."""
    regime, x = draw.regime, np.asarray(draw.x)
    fresh = np.asarray(draw.subject.inputs(draw.key, _FRESH))
    cross = gegenbauer.polynomials(regime.d, _LEARNED - 1, fresh @ x.T / regime.d)
    moments = isotropic_targets.sampled_moments(infinite(draw.subject, fresh, draw.x), cross)
    return list(isotropic_targets.learned_shares(draw.gram, moments, ridge=ridge(regime)))


def _predict_learned(regime: Regime) -> np.ndarray:
    shares = risk_theory.learned_share(sigma(regime), regime.n, regime.d, ridge=regime.ridge)
    return np.array(shares[:_LEARNED])


def _learned_remainder(regime: Regime) -> np.ndarray:
    remainders = risk_theory.learned_share_remainder(sigma(regime), regime.d)
    return np.array(remainders[:_LEARNED])


_measure_learned = measured(_learned_shares)

learned_degrees = Claim(
    name="montanari_zhong.learned_degrees",
    source=f"{PAPER}, staircase of degrees (lecture); shares by the deterministic equivalent, "
    "derived and checked in theory; E20.",
    statement="Of a target on degree k, kernel ridge regression learns the share L_k = e_k/(e_k + "
    "kappa); nothing of a degree that the kernel lacks, however many the samples.",
    needs=SETTING,
    formula="learned_share",
    regimes={
        "quick": regimes((160, 10, 4), activations=("relu", "tanh")),
        "standard": (
            *regimes((252, 14, 4), activations=("relu", "gelu", "tanh")),
            *regimes((120, 40, 4), activations=("relu", "tanh"), ridge=0.1),
        ),
        "thorough": (
            *regimes((252, 14, 4), (600, 16, 4), activations=("relu", "gelu", "tanh", "erf")),
            *regimes((120, 40, 4), activations=("relu", "tanh"), ridge=0.1),
        ),
    },
    subject=two_layer,
    measure=_measure_learned,
    predict=_predict_learned,
    allowance=sampled(_measure_learned, remainder=_learned_remainder, resolution=0.03),
    decide=functools.partial(
        agreement, first=32, most=256, labels=lambda i, k: f"share learned of degree {i}"
    ),
    faults=(
        "kernel_plus_constant",
        "kernel_squared",
        "kernel_without_inputs",
        "kernel_centered",
        "ridge_left_on",
        "prediction_every_degree_learned",
    ),
)
