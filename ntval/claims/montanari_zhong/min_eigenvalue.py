"""Montanari & Zhong, 2007.12826: the smallest eigenvalue of the kernel, of finite width and not."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
from jaxtyping import Array

from ntval.claims.claim import Claim
from ntval.claims.domain import Hypothesis
from ntval.claims.montanari_zhong.setting import (
    PAPER,
    SETTING,
    arguments,
    grid,
    parameters_over_n,
    regimes,
    samples_over_d,
    sigma,
    two_layer,
)
from ntval.claims.procedures import Bound, Means, ProbableBound
from ntval.claims.sampling import MEASURED, Replicate, infinite, kept, looped
from ntval.evidence.exact import Bracket
from ntval.evidence.sequential import Draw
from ntval.kernels import analytic, quadrature_oracle
from ntval.observables import spectra
from ntval.regimes import Regime
from ntval.subjects.subject import Ladder, NetworkSubject
from ntval.theory import gegenbauer
from ntval.theory import montanari_zhong as theory

BELOW_THE_NEXT_DEGREE = Hypothesis(
    "d^l < n < d^(l+1), and n is at most half of B(d, l+1)",
    lambda regime: (
        regime.d**regime.degree < regime.n
        and 2 * regime.n <= gegenbauer.dimension(regime.d, regime.degree + 1)
    ),
)


@looped
def _smallest_eigenvalues(draw: Replicate) -> list[float]:
    return [spectra.min_eigenvalue(draw.gram), spectra.min_eigenvalue(draw.empirical)]


min_eigenvalue = Claim(
    name="montanari_zhong.min_eigenvalue",
    source=f"{PAPER}, smallest eigenvalue (recalled); finite-d formula derived and checked in the "
    "spec, section 2 (ii); E07.",
    statement="For n uniform inputs, d^l < n < d^(l+1), the smallest eigenvalue of K is "
    "gamma_{>l} - gamma_k* [1 - (1 - sqrt(n'/B(d, k*)))^2], and that of K_N lies at most "
    "a factor 1 - eta below, eta = 2 sqrt(n/Nd) + n/Nd.",
    needs=SETTING,
    points={
        "quick": grid((120, 40, 512), (240, 80, 512)),
        "standard": (
            *grid((600, 20, 512)),
            *grid((120, 40, 512), (240, 80, 512), (480, 160, 1024)),
            *grid((240, 80, 512), activations=("leaky_relu", "gelu")),
        ),
        "thorough": grid(
            (120, 40, 512), (240, 80, 512), (480, 160, 1024), (960, 320, 2048), (854, 90, 2048)
        ),
    },
    domain=regimes(
        samples_over_d(2.5),
        BELOW_THE_NEXT_DEGREE,
        widths=(512, 640, 800, 1024),
        activations=("relu", "leaky_relu", "gelu", "silu"),
    ),
    subject=two_layer,
    procedure=Means(
        _smallest_eigenvalues,
        labels=("smallest eigenvalue of K", "smallest eigenvalue of K_N"),
        formula=(theory.min_eigenvalue, theory.empirical_min_eigenvalue),
        remainder=(theory.min_eigenvalue_remainder, theory.empirical_min_eigenvalue_remainder),
        wrong=(theory.min_eigenvalue_limit, 0.0),
        at=arguments,
        first=32,
        most=512,
    ),
    faults=(
        "analytic_scale_3",
        "empirical_scale_10",
        "empirical_derivative",
        "analytic_off_diagonal_3",
        "analytic_without_inputs",
        "inputs_gaussian",
        "prediction_limit",
        "prediction_degree_shifted",
    ),
)


@looped
def _room_above_bound(draw: Replicate) -> list[float]:
    """Room that lambda_min(K_N) >= (1 - eta) lambda_min(K) leaves, in units of K(x, x)."""
    regime = draw.regime
    share = theory.min_eigenvalue_bound(regime.n, regime.d, regime.widths[0])
    room = spectra.min_eigenvalue(draw.empirical) - share * spectra.min_eigenvalue(draw.gram)
    return [room / float(np.diag(draw.gram).mean())]


min_eigenvalue_bound = Claim(
    name="montanari_zhong.min_eigenvalue_bound",
    source=f"{PAPER}, consequence of theorem A (recalled); E09b of the spec.",
    statement="lambda_min(K_N) >= (1 - eta) lambda_min(K) > 0 with probability at least 0.99, "
    "eta = 2 sqrt(n/Nd) + n/Nd < 1.",
    needs=SETTING,
    points={
        "quick": grid((120, 30, 256)),
        "standard": grid((120, 30, 256), (240, 60, 256), activations=("relu", "tanh")),
        "thorough": grid((120, 30, 256), (240, 60, 256), activations=("relu", "tanh", "gelu")),
    },
    domain=regimes(
        samples_over_d(2),
        BELOW_THE_NEXT_DEGREE,
        parameters_over_n(8),
        widths=(64, 96, 128, 200, 256, 300),
    ),
    subject=two_layer,
    procedure=ProbableBound(
        _room_above_bound,
        failure=0.01,
        resolution=0.1,
        formula=theory.min_eigenvalue_bound,
        trivial=0.0,
        at=arguments,
    ),
    faults=("empirical_without_inputs", "empirical_over_width", "analytic_scale_100"),
)

_LIMIT_FACTORS = (1, 2, 4, 8)


def _rungs_in_d(regime: Regime) -> list[Regime]:
    return [replace(regime, n=f * regime.n, d=f * regime.d) for f in _LIMIT_FACTORS]


@kept
def _ladder_in_d(regime: Regime) -> NetworkSubject:
    regimes = _rungs_in_d(regime)
    rungs = tuple(two_layer(rung) for rung in regimes)
    ladder = Ladder("d", tuple(rung.d for rung in regimes), rungs)
    return replace(two_layer(regime), ladder=ladder)


@looped
def _smallest_eigenvalue(draw: Replicate) -> list[float]:
    return [spectra.min_eigenvalue(draw.gram)]


def _extrapolated(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Replicates of the smallest eigenvalue of K at infinite d: the constant of a parabola in
    d^(-1/2) through its values on the ladder."""
    rungs = _rungs_in_d(regime)
    draws = [
        _smallest_eigenvalue(jax.random.fold_in(key, rung.d), rung, at, stream=stream)
        for rung, at in zip(rungs, subject.rungs, strict=True)
    ]
    steps = [rung.d**-0.5 for rung in rungs]

    def extrapolated(start: int, count: int) -> np.ndarray:
        values = np.concatenate([draw(start, count) for draw in draws], axis=1)
        return np.polyfit(steps, values.T, 2)[-1:].T

    return extrapolated


def _with_sizes(regime: Regime) -> dict[str, object]:
    return {**arguments(regime), "sizes": [(rung.n, rung.d) for rung in _rungs_in_d(regime)]}


min_eigenvalue_limit = Claim(
    name="montanari_zhong.min_eigenvalue_limit",
    source=f"{PAPER}, corollary of theorem B (recalled); v_1 and the way to it derived and checked "
    "in the spec, E07.",
    statement="With n / d held fixed, the smallest eigenvalue of K tends to v_1 = Var sigma'(G): "
    "extrapolated from d, 2 d, 4 d and 8 d in powers of d^(-1/2), it is v_1.",
    needs=("theorem's setting", "kernel_fn", "random weights"),
    points={
        "quick": grid((30, 10, 4)),
        "standard": grid((30, 10, 4), (60, 20, 4), (100, 20, 4)),
        "thorough": grid((60, 20, 4), (100, 20, 4), activations=("relu", "gelu")),
    },
    domain=regimes(
        samples_over_d(2, 5),
        n=tuple(range(24, 101)),
        d=tuple(range(10, 31)),
        activations=("relu", "gelu"),
    ),
    subject=_ladder_in_d,
    procedure=Means(
        _extrapolated,
        labels=("smallest eigenvalue of K at infinite d",),
        formula=theory.min_eigenvalue_limit,
        remainder=theory.min_eigenvalue_limit_remainder,
        wrong=0.0,
        at=_with_sizes,
        resolution=0.01,
        first=32,
        most=512,
    ),
    faults=("prediction_degree_shifted", "analytic_scale_10", "analytic_without_inputs"),
)


few_samples = Claim(
    name="montanari_zhong.few_samples",
    source="Lower edge of all degrees at once; derived and checked in theory; E25 of the spec.",
    statement="For n < d the smallest eigenvalue of K lies above its limit v_1: it is the lower "
    "edge that degrees 1 and 2 make together.",
    needs=SETTING,
    points={
        "quick": grid((50, 200, 4)),
        "standard": grid((50, 200, 4), (100, 200, 4), (50, 100, 4), (100, 100, 4)),
        "thorough": grid((50, 200, 4), (100, 200, 4), (50, 100, 4), (80, 100, 4), (220, 200, 4)),
    },
    domain=regimes(
        samples_over_d(0.125, 3),
        n=tuple(range(25, 301)),
        d=(100, 115, 130, 150, 170, 200),
        activations=("relu",),
    ),
    subject=two_layer,
    procedure=Means(
        _smallest_eigenvalue,
        labels=("smallest eigenvalue of K",),
        formula=theory.expected_min_eigenvalue,
        remainder=theory.expected_min_eigenvalue_remainder,
        wrong=theory.min_eigenvalue_limit,
        at=arguments,
        resolution=0.001,
        first=32,
        most=512,
    ),
    faults=("inputs_gaussian", "analytic_scale_3", "prediction_limit", "analytic_off_diagonal_100"),
)


def _degenerate_inputs(key, regime: Regime, subject: NetworkSubject) -> list[Bracket]:
    """Smallest eigenvalues where an input is repeated, and where one is the other's opposite."""
    x = np.asarray(subject.inputs(key, regime.n))
    others = spectra.min_eigenvalue(infinite(subject, x[:-1]))
    brackets = []
    for label, last in (("a repeated input", x[0]), ("opposite inputs", -x[0])):
        gram = infinite(subject, np.concatenate([x[:-1], last[None]]))
        trace = float(np.trace(gram))
        rounding = 8 * len(gram) * (analytic.accuracy(subject.network) + quadrature_oracle.ACCURACY)
        smallest = spectra.min_eigenvalue(gram)
        singular = label == "a repeated input" or sigma(regime).parity != 0
        slack = rounding * trace
        # Singular: both lambda_min and -lambda_min are >= 0, up to rounding. Regular: lambda_min
        # is at least a quarter of what it is without the opposite. It would be less if that came
        # four times as near to another input as any two are: at random with probability 4^(1-d).
        floor = 0.0 if singular else others / 4
        brackets += [
            Bracket(
                f"{'' if sign > 0 else 'minus '}the smallest eigenvalue at {label}",
                lower=sign * smallest - slack,
                upper=sign * smallest + slack,
                bound=floor - (2 * slack if singular else 0.0),
                scale=trace,
            )
            for sign in ((1, -1) if singular else (1,))
        ]
    return brackets


degenerate_inputs = Claim(
    name="montanari_zhong.degenerate_inputs",
    source="K is a function of the angle; derived and checked in the spec, section 6; E24.",
    statement="K is singular at repeated inputs, for every activation, and at opposite ones when "
    "it has odd degrees alone, or even ones; otherwise opposite inputs leave it regular.",
    needs=("theorem's setting", "kernel_fn"),
    points={
        "quick": grid((60, 30, 4), activations=("relu", "tanh")),
        "standard": grid((60, 30, 4), activations=("relu", "gelu", "tanh", "erf")),
        "thorough": grid((60, 30, 4), (90, 40, 4), activations=("relu", "gelu", "tanh", "erf")),
    },
    domain=regimes(
        n=tuple(range(2, 91)),
        d=tuple(range(16, 41)),
        activations=("relu", "gelu", "silu", "softplus", "tanh", "erf", "sin", "cos"),
    ),
    subject=two_layer,
    procedure=Bound(_degenerate_inputs),
    faults=(
        "analytic_jitter",
        "analytic_plus_constant",
        "analytic_off_diagonal_10",
        "analytic_entry_15",
    ),
)
