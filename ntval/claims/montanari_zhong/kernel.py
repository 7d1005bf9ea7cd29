"""Montanari & Zhong, 2007.12826: the kernel of a two-layer network, its degrees and its width."""

from __future__ import annotations

import functools

import numpy as np
import scipy.special

from ntval.arrays import rounding_allowance
from ntval.claims.claim import Claim
from ntval.claims.kernel_identities import structure as identities
from ntval.claims.montanari_zhong import setting
from ntval.claims.montanari_zhong.setting import (
    PAPER,
    SETTING,
    SMOOTH,
    ladder,
    regimes,
    sigma,
    two_layer,
)
from ntval.claims.sampling import Draw, infinite, measured, sampled
from ntval.evidence.exact import Comparison, identity
from ntval.evidence.sequential import agreement, rate
from ntval.kernels import analytic, quadrature_oracle
from ntval.observables import spectra
from ntval.regimes import Regime
from ntval.subjects.subject import Subject
from ntval.theory import gegenbauer
from ntval.theory.montanari_zhong import kernel as theory
from ntval.theory.montanari_zhong import width as width_theory


def _predict_normalization(regime: Regime) -> float:
    return theory.diagonal(sigma(regime), regime.d)


normalization = Claim(
    name="montanari_zhong.normalization",
    source=f"{PAPER}, setting (recalled); E03 of the spec.",
    statement="The mean of K_N(x, x) is E[sigma'(sqrt(d) t)^2], t a coordinate of the sphere.",
    needs=("theorem's setting", "random weights"),
    regimes={
        "quick": regimes((16, 20, 256), activations=("tanh",)),
        "standard": regimes((16, 20, 256), (16, 60, 256), activations=("tanh", "gelu", "relu")),
        "thorough": regimes(
            (16, 8, 256), (16, 20, 256), (16, 60, 256), activations=(*SMOOTH, "relu")
        ),
    },
    space=regimes((16, 8, 256), (16, 20, 256), (16, 60, 256), activations=(*SMOOTH, "relu")),
    subject=two_layer,
    measure=setting.normalization,
    predict=_predict_normalization,
    allowance=sampled(setting.normalization, pilot=64, resolution=0.005),
    decide=functools.partial(agreement, labels=lambda i, k: "mean of K_N(x, x)"),
    faults=(
        "road_scale_3",
        "road_derivative",
        "road_times_d",
        "weights_unnormalized",
        "inputs_on_unit_sphere",
    ),
)

gradient = Claim(
    name="montanari_zhong.gradient",
    source=f"{PAPER}, NT model (recalled); E01 of the spec.",
    statement="K_N is J J^T of f(x) = (N d)^(-1/2) sum_l b_l sigma(<w_l, x>), b_l = +-1.",
    needs=("theorem's setting", "mlp"),
    regimes={
        "quick": regimes((5, 6, 7), activations=("tanh",)),
        "standard": regimes((5, 6, 7), (16, 20, 64), activations=("tanh", "gelu", "relu")),
        "thorough": regimes((5, 6, 7), (16, 20, 64), activations=(*SMOOTH, "relu", "cubic")),
    },
    subject=two_layer,
    measure=identities.jacobian_outer_product,
    decide=identity,
    faults=(
        "road_derivative",
        "road_times_d",
        "road_over_width",
        "road_without_inputs",
        "road_entry_15",
    ),
)

unbiased_kernel = Claim(
    name="montanari_zhong.unbiased_kernel",
    source=f"{PAPER}: E[K_N] = K at every N and d (derived and checked in the spec); E02.",
    statement="The mean of K_N over weights on the unit sphere is the infinite-width kernel at "
    "finite d.",
    needs=SETTING,
    regimes={
        "quick": regimes((4, 8, 1024), activations=("tanh",)),
        "standard": regimes((4, 8, 1024), activations=("tanh", "relu")),
        "thorough": regimes(
            (8, 3, 1024), (8, 8, 1024), (8, 20, 1024), activations=("tanh", "erf", "gelu", "relu")
        ),
    },
    space=regimes(
        (4, 3, 1024), (4, 8, 1024), (4, 20, 1024), activations=("tanh", "erf", "relu", "gelu")
    ),
    subject=two_layer,
    measure=setting.unbiased_kernel,
    allowance=sampled(setting.unbiased_kernel, pilot=64, resolution=0.02),
    decide=agreement,
    faults=(
        "kernel_off_diagonal_10",
        "kernel_erf_for_tanh",
        "road_derivative",
        "road_without_inputs",
        "weights_unnormalized",
        "weights_gaussian",
        "weights_shared",
        "kernel_of_gaussian_weights",
    ),
)

_DEGREES = 6
_PROJECTION_NODES = 600


def _hermite_energies(key, regime: Regime, subject: Subject, energies=theory.energies):
    """Energies of K on degrees 0 to 6 by Gauss-Gegenbauer quadrature over the angle."""
    d, fn = regime.d, sigma(regime)
    cosines, weights = scipy.special.roots_gegenbauer(_PROJECTION_NODES, (d - 2) / 2)
    x = np.zeros((len(cosines), d))
    x[:, 0], x[:, 1] = np.sqrt(d) * cosines, np.sqrt(d * (1 - cosines**2))
    pole = np.zeros((1, d))
    pole[0, 0] = np.sqrt(d)
    kernel = infinite(subject, pole, x)[0]
    dimensions = np.array([gegenbauer.dimension(d, k) for k in range(_DEGREES + 1)])
    polynomials = np.array(
        [
            scipy.special.eval_gegenbauer(k, (d - 2) / 2, cosines)
            / scipy.special.eval_gegenbauer(k, (d - 2) / 2, 1.0)
            for k in range(_DEGREES + 1)
        ]
    )
    left = dimensions * (polynomials @ (weights * kernel)) / weights.sum()
    # E|P_k| <= B^(-1/2): an error of the kernel is amplified by sqrt(B) at most. Of P_k, at most 1,
    # it is the recurrence's: two roundings a degree, times B. A square-root end point of the
    # kernel (ReLU) leaves the quadrature at m^-d, below all of these.
    size = float(np.abs(kernel).max())
    of_kernel = analytic.accuracy(subject.network) + quadrature_oracle.ACCURACY
    of_kernel += rounding_allowance(_PROJECTION_NODES)
    of_polynomials = rounding_allowance(2 * _DEGREES)
    allowance = theory.ENERGIES_ACCURACY + size * (
        np.sqrt(dimensions) * of_kernel + dimensions * of_polynomials
    )
    label = "energies of degrees 0 to 6"
    return [Comparison(label, left, energies(fn, d, _DEGREES), allowance, np.full(7, size))]


hermite_energies = Claim(
    name="montanari_zhong.hermite_energies",
    source="Energies gamma_k of K with the degree shift k + 1 <- k; derived and checked in the "
    "spec, section 1; E04, E05.",
    statement="K has energy gamma_k on the spherical harmonics of degree k, at finite d.",
    needs=("theorem's setting", "kernel_fn"),
    regimes={
        "quick": regimes((2, 20, 4), activations=("relu", "tanh")),
        "standard": regimes((2, 20, 4), (2, 60, 4), activations=("relu", "tanh", "gelu")),
        "thorough": regimes((2, 12, 4), (2, 20, 4), (2, 60, 4), activations=("relu", *SMOOTH)),
    },
    subject=two_layer,
    measure=_hermite_energies,
    decide=identity,
    faults=(
        "kernel_scale_1",
        "kernel_off_diagonal_1",
        "kernel_of_gaussian_weights",
        "energies_shifted",
        "energies_of_limit",
        "energies_without_constant",
    ),
)


def _parity(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """K(x, z) against K(x, -z): what the missing degrees leave."""
    x = np.asarray(subject.inputs(key, regime.n))
    there, opposite = infinite(subject, x, x[::-1]), infinite(subject, x, -x[::-1])
    size = theory.diagonal(sigma(regime), regime.d)
    if sigma(regime).parity == -1:
        left, right, label = opposite, -there, "K(x, -z) against -K(x, z)"
    else:
        linear = theory.energies(sigma(regime), regime.d, 1)[1]
        right = 2 * linear * (x @ x[::-1].T) / regime.d
        left, label = there - opposite, "K(x, z) - K(x, -z) against its linear part"
    # Coincident and opposite points meet in one pair when n is odd: arccos is steep there.
    accuracy = 4 * (analytic.accuracy(subject.network) + quadrature_oracle.ACCURACY) * size
    return [Comparison(label, left, right, accuracy + 0 * left, size + 0 * left)]


parity = Claim(
    name="montanari_zhong.parity",
    source="sigma' - 1/2 odd or sigma' even: degrees that K lacks exactly at every d; derived and "
    "checked in the spec, section 6; E20.",
    statement="K of tanh and erf has odd degrees alone; K of ReLU, GELU, SiLU and softplus has no "
    "odd degree but 1.",
    needs=("theorem's setting", "kernel_fn"),
    regimes={
        "quick": regimes((16, 20, 4), activations=("relu", "tanh")),
        "standard": regimes((16, 20, 4), (16, 60, 4), activations=("relu", *SMOOTH)),
        "thorough": regimes((16, 8, 4), (16, 20, 4), (16, 60, 4), activations=("relu", *SMOOTH)),
    },
    subject=two_layer,
    measure=_parity,
    decide=identity,
    faults=(
        "kernel_plus_constant",
        "kernel_entry_15",
        "kernel_squared",
        "kernel_adds_second_layer",
    ),
)


def _predict_concentration(regime: Regime) -> float:
    """The middle of what is measured: between eta and eta with n + d in place of n."""
    low = width_theory.concentration(regime.n, regime.d, regime.widths[0])
    return low + _concentration_remainder(regime)


def _concentration_remainder(regime: Regime) -> float:
    return width_theory.concentration_remainder(regime.n, regime.d, regime.widths[0]) / 2


_measure_concentration = measured(
    lambda draw: [spectra.relative_distance(draw.empirical, draw.gram)]
)

concentration = Claim(
    name="montanari_zhong.concentration",
    source=f"{PAPER}, concentration of K_N (recalled); constant measured in the spec, theorem A, "
    "the n + d derived in part; E09.",
    statement="The mean of |K^(-1/2) K_N K^(-1/2) - I| lies between eta(n) and 1.02 eta(n + d), "
    "eta(n) = 2 sqrt(n/Nd) + n/Nd.",
    needs=SETTING,
    regimes={
        "quick": regimes((240, 60, 64)),
        "standard": regimes((240, 60, 64), (240, 60, 256), activations=("relu", "tanh")),
        "thorough": regimes(
            *((240, 60, width) for width in (32, 64, 128, 256)),
            activations=("relu", "tanh", "gelu"),
        ),
    },
    space=regimes(
        (160, 40, 32), (160, 40, 64), (240, 60, 64), (240, 60, 128), activations=("relu", "tanh")
    ),
    subject=two_layer,
    measure=_measure_concentration,
    predict=_predict_concentration,
    allowance=sampled(
        _measure_concentration,
        resolution=0.02,
        remainder=_concentration_remainder,
    ),
    decide=functools.partial(agreement, first=32, most=256, labels=lambda i, k: "eta"),
    faults=("weights_symmetrized", "road_scale_100", "road_over_sqrt_width", "road_without_inputs"),
)

_RATE_FACTORS = (1, 2, 4, 8)


def _concentration_slope(draw: Draw) -> list[float]:
    at = [draw.at(rung) for rung in draw.subject.rungs]
    log_eta = np.log([spectra.relative_distance(d.empirical, draw.gram) for d in at])
    return [float(np.polyfit(np.log(_RATE_FACTORS), log_eta, 1)[0])]


def _widths(regime: Regime) -> list[int]:
    return [factor * regime.widths[0] for factor in _RATE_FACTORS]


def _predict_slope(regime: Regime) -> float:
    return width_theory.concentration_slope(regime.n, regime.d, _widths(regime))


def _slope_remainder(regime: Regime) -> float:
    return width_theory.concentration_slope_remainder(regime.n, regime.d, _widths(regime))


_measure_slope = measured(_concentration_slope)

concentration_rate = Claim(
    name="montanari_zhong.concentration_rate",
    source=f"{PAPER}, rate of theorem A (recalled); slope from the measured constant, E09.",
    statement="|K^(-1/2) K_N K^(-1/2) - I| falls like N^(-1/2): its slope over log N is that of "
    "eta(n).",
    needs=SETTING,
    formula="concentration_slope",
    regimes={
        "quick": regimes((120, 30, 32)),
        "standard": regimes((120, 30, 32), (240, 60, 32)),
        "thorough": regimes((120, 30, 32), (240, 60, 32), (240, 60, 64)),
    },
    subject=functools.partial(ladder, factors=_RATE_FACTORS),
    measure=_measure_slope,
    predict=_predict_slope,
    allowance=sampled(
        _measure_slope,
        pilot=16,
        resolution=0.03,
        remainder=_slope_remainder,
    ),
    decide=functools.partial(rate, first=16, most=128),
    faults=("road_scale_100", "road_over_sqrt_width", "road_without_inputs"),
)
