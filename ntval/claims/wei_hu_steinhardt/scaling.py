"""Wei, Hu & Steinhardt, 2203.06176: how risk and norm bound change with the number of samples."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
from jaxtyping import Array

from ntval.claims.claim import Claim
from ntval.claims.domain import Hypothesis, Interval, Sizes
from ntval.claims.procedures import Slopes
from ntval.claims.sampling import looped
from ntval.claims.wei_hu_steinhardt.identities import Estimates
from ntval.claims.wei_hu_steinhardt.risk import Ridge, Truth
from ntval.claims.wei_hu_steinhardt.setting import (
    PAPER,
    SETTING,
    FeatureDraw,
    arguments,
    features_of,
    points,
    power_laws,
    ridge_of,
    risk,
)
from ntval.observables import regression
from ntval.observables.generalized_cross_validation import cross_validation
from ntval.regimes import PowerLaw
from ntval.subjects.subject import FeatureSubject
from ntval.theory import wei_hu_steinhardt as theory


class DoubledDraw:
    """Fresh features of n samples, and of these and n more: at one penalty, so twice the ridge."""

    def __init__(self, key: Array, point: PowerLaw, subject: FeatureSubject) -> None:
        twice = replace(point, n=2 * point.n, ridge=2 * point.ridge)
        self.many = FeatureDraw(key, twice, subject)
        self.few = FeatureDraw(key, point, subject)
        self.few.x = self.many.x[: point.n]
        self.both = (self.few, self.many)


doubled = functools.partial(looped, replicate=DoubledDraw)


def _slope(few: float, many: float) -> float:
    return math.log(many / few) / math.log(2)


_DOUBLED = Hypothesis(
    "there are at least 4 times as many features as samples",
    lambda point: point.features >= 4 * point.n,
)


@doubled
def _exponents(
    draw: DoubledDraw,
    estimates: Estimates = cross_validation,
    truth: Truth = risk,
    ridge: Ridge = ridge_of,
) -> list[float]:
    """Slopes of the risk and of GCV between n and 2 n samples."""
    risks = [truth(part, ridge(part.point)) for part in draw.both]
    gcvs = [
        float(estimates(part.gram, part.labels, ridges=np.array([ridge(part.point)])).gcv[0])
        for part in draw.both
    ]
    return [_slope(*risks), _slope(*gcvs)]


_NOISY = {"alignment": 2.2, "ridge": 0.02, "noise_std": 0.1}
_SMALL, _LARGE = (75, 300), (90, 360)

scaling_exponent = Claim(
    name="wei_hu_steinhardt.scaling_exponent",
    source=f"{PAPER}, scaling laws (read in the abstract); exponents at finite n derived and "
    "checked in the spec, 3.3; C12, C13.",
    statement="Between n and 2 n samples the risk, and GCV with it, falls by the exponent of the "
    "omniscient risk at these n, up to 1.5/n: not by that of its limit.",
    needs=SETTING,
    points={
        "quick": points(_SMALL, **_NOISY),
        "standard": (
            *points(_SMALL, _LARGE, **_NOISY),
            *points((60, 360), alignment=2.2),
        ),
        "thorough": (
            *points(_SMALL, _LARGE, **_NOISY),
            *points((60, 360), alignment=2.2),
            *points(_LARGE, decay=2.2, alignment=1.4, ridge=0.1, law="rademacher"),
        ),
    },
    domain=power_laws(
        _DOUBLED,
        n=Sizes((50, 57, 60, 64, 75, 90)),
        ridge=Interval(0.01, 1.0, zero=True),
    ),
    subject=features_of,
    procedure=Slopes(
        _exponents,
        labels=("exponent of the risk", "exponent of GCV"),
        formula=(theory.local_exponent, theory.local_exponent),
        remainder=theory.exponent_remainder,
        at=arguments,
        resolution=0.01,
        pilot=48,
        first=96,
        most=512,
    ),
    faults=(
        "exponent_at_an_absolute_ridge",
        "exponent_without_noise",
        "exponent_of_the_limit",
        "risk_without_noise",
    ),
)


def _norm_bound(part: FeatureDraw, ridge: float) -> float:
    """The bound on the Rademacher complexity of a ball with the fit's norm."""
    coefficients = regression.kernel_ridge(part.gram, part.labels, ridge=ridge).coefficients
    norm = float((coefficients * (part.gram @ coefficients)).sum())
    return math.sqrt(norm * float(np.trace(part.gram))) / len(part.x)


@doubled
def _norms_and_risks(
    draw: DoubledDraw, truth: Truth = risk, ridge: Ridge = ridge_of
) -> list[float]:
    """Slopes of the norm bound and of the risk between n and 2 n samples."""
    bounds = [_norm_bound(part, ridge(part.point)) for part in draw.both]
    risks = [truth(part, ridge(part.point)) for part in draw.both]
    return [_slope(*bounds), _slope(*risks)]


_STEEP = {"decay": 2.5, "alignment": 1.2, "ridge": 1e-5}
_GROWS = Hypothesis(
    "the exponent of the norm bound is at least 0.1, that of the risk at most -0.1",
    lambda point: (
        theory.norm_bound_exponent(**arguments(point)) >= 0.1
        and theory.local_exponent(**arguments(point)) <= -0.1
    ),
)

norm_bound_fails = Claim(
    name="wei_hu_steinhardt.norm_bound_fails",
    source=f"{PAPER}; that the paper has this bound is recalled; its growth derived and checked in "
    "the spec, 2; exponents at finite n derived here; C14.",
    statement="Where the spectrum falls faster than the target's shares, and the ridge is small, "
    "the norm bound |b| sqrt(tr S / n) grows with n while the risk falls, both by the exponents of "
    "their equivalents up to 1.5/n.",
    needs=SETTING,
    points={
        "quick": points((60, 240), **_STEEP),
        "standard": points(_SMALL, _LARGE, **_STEEP),
        "thorough": (
            *points(_SMALL, _LARGE, **_STEEP),
            *points(_LARGE, decay=2.2, alignment=1.4, ridge=1e-4, law="rademacher"),
        ),
    },
    domain=power_laws(
        _DOUBLED,
        _GROWS,
        n=Sizes((50, 57, 60, 64, 75, 90)),
        decay=Interval(1.5, 2.5),
        alignment=Interval(1.1, 2.0),
        ridge=Interval(1e-5, 0.1, zero=True),
        noise_std=Interval(0.01, 0.2, zero=True),
    ),
    subject=features_of,
    procedure=Slopes(
        _norms_and_risks,
        labels=("exponent of the norm bound", "exponent of the risk"),
        formula=(theory.norm_bound_exponent, theory.local_exponent),
        remainder=theory.exponent_remainder,
        at=arguments,
        resolution=0.01,
        pilot=48,
        first=96,
        most=512,
    ),
    faults=(
        "norm_bound_without_samples",
        "norm_bound_of_the_target",
        "ridge_times_n",
    ),
)
