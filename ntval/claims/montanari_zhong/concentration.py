"""Montanari & Zhong, 2007.12826: how the kernel of finite width concentrates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ntval.claims.claim import Claim
from ntval.claims.montanari_zhong.setting import (
    DIMENSIONS,
    PAPER,
    RATE_FACTORS,
    SAMPLES,
    SETTING,
    arguments,
    grid,
    rate_ladder,
    regimes,
    samples_over_d,
    two_layer,
)
from ntval.claims.procedures import Means, Slopes
from ntval.claims.sampling import Replicate, looped
from ntval.observables import spectra
from ntval.observables.slopes import log_slope
from ntval.regimes import Regime
from ntval.theory import montanari_zhong as theory


@looped
def _relative_distance(draw: Replicate) -> list[float]:
    """|K^(-1/2) K_N K^(-1/2) - I|."""
    return [spectra.relative_distance(draw.empirical, draw.gram)]


def _without_last_term(n: int, d: int, width: int) -> float:
    """eta without its second term: 2 sqrt(n/Nd)."""
    return 2 * math.sqrt(n / (width * d))


concentration = Claim(
    name="montanari_zhong.concentration",
    source=f"{PAPER}, concentration of K_N (recalled); constant measured in the spec, theorem A, "
    "the n + d derived in part; E09.",
    statement="The mean of |K^(-1/2) K_N K^(-1/2) - I| lies between eta(n) and 1.02 eta(n + d), "
    "eta(n) = 2 sqrt(n/Nd) + n/Nd.",
    needs=SETTING,
    points={
        "quick": grid((240, 30, 64)),  # at n = 8 d the two ends lie 9 % apart
        "standard": grid((240, 30, 64), (240, 60, 256), activations=("relu", "tanh")),
        "thorough": grid(
            *((240, 60, width) for width in (32, 64, 128, 256)),
            activations=("relu", "tanh", "gelu"),
        ),
    },
    domain=regimes(  # smaller ones lie up to 2 % below, by the Tracy-Widom shift of a norm
        samples_over_d(4),
        n=SAMPLES[7:],
        d=DIMENSIONS[2:],
        widths=(32, 36, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256),
    ),
    subject=two_layer,
    procedure=Means(
        _relative_distance,
        labels=("eta",),
        formula=theory.mean_concentration,
        remainder=theory.mean_concentration_remainder,
        wrong=_without_last_term,
        at=arguments,
        resolution=0.02,
        first=32,
        most=256,
    ),
    faults=(
        "empirical_over_sqrt_width",
        "weights_symmetrized",
        "empirical_scale_100",
        "empirical_without_inputs",
    ),
)


@looped
def _concentration_slope(draw: Replicate) -> list[float]:
    """Slope of the log distance between K_N and K over log N."""
    rungs = [draw.at(rung) for rung in draw.subject.rungs]
    eta = np.array([spectra.relative_distance(rung.empirical, draw.gram) for rung in rungs])
    return [float(log_slope(RATE_FACTORS, eta))]


def _with_widths(regime: Regime) -> dict[str, Any]:
    return {**arguments(regime), "widths": [factor * regime.widths[0] for factor in RATE_FACTORS]}


concentration_rate = Claim(
    name="montanari_zhong.concentration_rate",
    source=f"{PAPER}, rate of theorem A (recalled); slope from the measured constant, E09.",
    statement="|K^(-1/2) K_N K^(-1/2) - I| falls like N^(-1/2): its slope over log N is that of "
    "eta(n), for n >= 4 d.",
    needs=SETTING,
    points={
        "quick": grid((120, 30, 32)),
        "standard": grid((120, 30, 32), (240, 60, 32)),
        "thorough": grid((120, 30, 32), (240, 60, 32), (240, 60, 64)),
    },
    domain=regimes(samples_over_d(4), n=SAMPLES[2:13], widths=(32, 36, 40, 44, 48, 52, 56, 64)),
    subject=rate_ladder,
    procedure=Slopes(
        _concentration_slope,
        formula=theory.concentration_slope,
        remainder=theory.concentration_slope_remainder,
        at=_with_widths,
        resolution=0.015,
        most=256,
    ),
    faults=("empirical_scale_100", "empirical_without_inputs", "empirical_over_sqrt_width"),
)
