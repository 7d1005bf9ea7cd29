"""Montanari & Zhong, 2007.12826: how many labels a network of N neurons can fit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.claim import Claim
from ntval.claims.domain import Hypothesis, Interval, OneOf
from ntval.claims.montanari_zhong.setting import (
    PAPER,
    SETTING,
    arguments,
    grid,
    regimes,
    two_layer,
)
from ntval.claims.procedures import Identity, Means
from ntval.claims.sampling import Replicate, draw_params, empirical_at, looped
from ntval.evidence.exact import Comparison
from ntval.networks.mlp import symmetrized
from ntval.observables import regression, spectra
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import montanari_zhong as theory

_SMALLEST = 1e-10  # eigenvalues of K_N below this share of the largest count as 0


def _rank(gram: Float[np.ndarray, "n n"]) -> int:
    """Eigenvalues above n eps times the largest by two orders: none of a kernel lies between."""
    eigenvalues = np.linalg.eigvalsh(gram)
    floor = 100 * len(gram) * np.finfo(float).eps * eigenvalues[-1]
    return int((eigenvalues > floor).sum())


def _no_ridge(regime: Regime) -> float:
    return 0.0


@looped
def _noise_fit(draw: Replicate, ridge: Callable[[Regime], float] = _no_ridge) -> list[float]:
    """Rank of K_N over n, and train error of labels that are noise alone."""
    gram, regime = draw.empirical, draw.regime
    noise = regime.noise_std * np.asarray(jax.random.normal(draw.key, (regime.n,)))
    fit = regression.kernel_ridge(gram, noise, ridge=ridge(regime), cutoff=_SMALLEST)
    return [_rank(gram) / regime.n, regression.train_error(fit)]


def _with_rank(regime: Regime) -> dict[str, Any]:
    rank = theory.rank(regime.n, regime.d, regime.widths[0])
    return {**arguments(regime), "rank": rank}


def _unfitted(noise_std: float) -> float:
    """Train error of noise that is not fitted at all."""
    return noise_std**2


def _three_percent(regime: Regime) -> Float[np.ndarray, "2"]:
    """Of all inputs, and of the noise."""
    return 0.03 * np.array([1.0, _unfitted(regime.noise_std)])


memorization = Claim(
    name="montanari_zhong.memorization",
    source=f"{PAPER}: arbitrary labels are interpolated once Nd >> n (abstract); rank and train "
    "error derived and checked in the spec; E10.",
    statement="K_N has rank min(n, Nd), and labels of pure noise are fitted to a train error of "
    "s^2 (1 - rank/n): 0 once Nd >= n.",
    needs=SETTING,
    points={
        "quick": grid((100, 20, 3), (100, 20, 8), activations=("tanh",), noise_std=1.0),
        "standard": grid(
            (100, 20, 3), (100, 20, 8), (200, 20, 5), activations=("tanh", "gelu"), noise_std=1.0
        ),
        "thorough": grid(
            *((200, 20, width) for width in (2, 5, 8, 12, 20)),
            activations=("tanh", "gelu", "silu"),
            noise_std=1.0,
        ),
    },
    domain=regimes(
        n=(40, 57, 60, 80, 100, 121, 150, 200),
        d=(5, 8, 11, 16, 20, 26),
        widths=(2, 3, 4, 5, 6, 8, 11, 16, 20),
        activations=("tanh", "gelu", "silu", "erf", "softplus"),
        noise_std=Interval(0.1, 2.0),
        inputs=OneOf(("sphere", "gaussian")),
    ),
    subject=two_layer,
    procedure=Means(
        _noise_fit,
        labels=("rank of K_N over n", "train error of noise"),
        formula=(theory.relative_rank, theory.noise_train_error),
        wrong=(0.0, _unfitted),
        at=_with_rank,
        resolution=_three_percent,
        pilot=64,
    ),
    faults=(
        "ridge_left_on",
        "weights_symmetrized",
        "empirical_without_inputs",
        "empirical_jitter",
        "prediction_noise_not_squared",
    ),
)


@looped
def _relative_edge(draw: Replicate) -> list[float]:
    """Smallest eigenvalue of K_N over the one that the spectrum of K predicts, minus 1; where
    Nd <= n, in units of K(x, x)."""
    regime = draw.regime
    smallest = spectra.min_eigenvalue(draw.empirical)
    eigenvalues = np.linalg.eigvalsh(draw.gram)
    expected = theory.finite_width_min_eigenvalue(eigenvalues, regime.d, regime.widths[0])
    return [
        smallest / expected - 1 if expected > 0 else smallest / float(np.diag(draw.gram).mean())
    ]


AWAY_FROM_THE_TRANSITION = Hypothesis(
    "Nd is at most n, or at least 1.4 n and N at least 16 (nearer, single draws spread far)",
    lambda regime: (
        regime.widths[0] * regime.d <= regime.n
        or (regime.widths[0] * regime.d >= 1.4 * regime.n and regime.widths[0] >= 16)
    ),
)

phase_diagram = Claim(
    name="montanari_zhong.phase_diagram",
    source=f"{PAPER}, smallest eigenvalue of K_N (abstract: away from 0 once Nd >> n); lower edge "
    "derived and checked in theory; E11.",
    statement="The smallest eigenvalue of K_N is 0 for Nd < n and leaves 0 at Nd = n as that of "
    "K^(1/2) W K^(1/2), W a Wishart matrix of Nd samples, up to a share of order 1/N.",
    needs=SETTING,
    points={
        "quick": grid((200, 20, 40), (200, 20, 5)),
        "standard": (
            *grid((200, 20, 20), (200, 20, 40), activations=("relu", "tanh")),
            *grid((200, 20, 5)),
        ),
        "thorough": (
            *grid(
                (200, 20, 20), (200, 20, 40), (240, 60, 16), activations=("relu", "tanh", "gelu")
            ),
            *grid((200, 20, 5)),
        ),
    },
    domain=regimes(
        AWAY_FROM_THE_TRANSITION,
        n=(100, 110, 121, 133, 145, 160, 180, 200, 220, 240),
        widths=(2, 3, 4, 5, 8, 16, 18, 20, 24, 28, 40, 64),
    ),
    subject=two_layer,
    procedure=Means(
        _relative_edge,
        labels=("smallest eigenvalue of K_N, relative",),
        remainder=theory.finite_width_min_eigenvalue_remainder,
        wrong=-1.0,
        at=arguments,
        resolution=0.03,
        first=32,
        most=512,
    ),
    faults=(
        "empirical_derivative",
        "weights_symmetrized",
        "empirical_without_inputs",
        "empirical_scale_100",
    ),
)


@looped
def _dead_share(draw: Replicate) -> list[float]:
    """Share of inputs whose row of K_N is 0: no neuron has a slope there, and a sum of products
    with 0 is 0 on every processor."""
    return [float((np.abs(draw.empirical).max(axis=1) == 0).mean())]


def _of_one_input(regime: Regime) -> dict[str, Any]:
    return {**arguments(regime), "n": 1}


dead_points = Claim(
    name="montanari_zhong.dead_points",
    source="Sign symmetry of the weights; derived and checked in the spec; E12.",
    statement="With ReLU an input has a zero row in K_N with probability 2^(-N): Nd >= n is not "
    "enough at small N.",
    needs=SETTING,
    points={
        "quick": grid((100, 20, 2)),
        "standard": grid((100, 20, 2), (100, 20, 4)),
        "thorough": grid((200, 20, 2), (200, 20, 4), (200, 60, 3), (200, 20, 5)),
    },
    domain=regimes(
        n=tuple(range(20, 201, 5)),
        d=(3, 5, 8, 10, 16, 20, 30, 60),
        widths=(1, 2, 3, 4, 5),
        activations=("relu",),
    ),
    subject=two_layer,
    procedure=Means(
        _dead_share,
        labels=("share of zero rows",),
        formula=theory.dead_points,
        at=_of_one_input,
        resolution=0.02,
        pilot=64,
    ),
    faults=("weights_positive", "weights_symmetrized", "empirical_leaky_relu"),
)


def _exact(label: str, measured: int, predicted: int) -> list[Comparison]:
    """Two whole numbers, which rounding cannot part."""
    one = np.ones(1)
    return [Comparison(label, measured * one, predicted * one, 0 * one, one)]


def _quadratic_rank(key: Array, regime: Regime, subject: NetworkSubject) -> list[Comparison]:
    predicted = theory.quadratic_rank(regime.n, regime.d, regime.widths[0])
    return _exact("rank of K_N", _rank(Replicate(key, regime, subject).empirical), predicted)


quadratic_rank = Claim(
    name="montanari_zhong.quadratic_rank",
    source="Features of a quadratic activation are quadratic forms; derived and checked in the "
    "spec; E13.",
    statement="With a quadratic activation K_N has rank min(n, Nd - N(N-1)/2), not min(n, Nd): "
    "v_2 = 0, and there is no memorization.",
    needs=SETTING,
    points={
        "quick": grid((200, 20, 5), (200, 20, 10), activations=("quadratic",)),
        "standard": grid(
            *((200, 20, width) for width in (2, 5, 8, 10, 15)), activations=("quadratic",)
        ),
        "thorough": grid(
            *((200, 20, width) for width in (2, 5, 8, 10, 15, 30)), activations=("quadratic",)
        ),
    },
    domain=regimes(
        n=tuple(range(20, 241, 11)),
        d=(3, 5, 8, 11, 16, 20),
        widths=(1, 2, 3, 5, 8, 10, 15, 25, 30),
        activations=("quadratic",),
        inputs=OneOf(("sphere", "gaussian")),
    ),
    subject=two_layer,
    procedure=Identity(_quadratic_rank, formula=theory.quadratic_rank),
    faults=(
        "empirical_jitter",
        "weights_symmetrized",
        "empirical_derivative",
        "empirical_without_inputs",
    ),
)


def _symmetrized_initialization(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    init: Callable[[Callable], Callable] = symmetrized,
    effective: Callable[..., int] = theory.effective_width,
) -> list[Comparison]:
    key_params, key_x = jax.random.split(key)
    params = init(functools.partial(draw_params, subject.network))(key_params)
    gram = empirical_at(subject, params, subject.inputs(key_x, regime.n))
    width = effective(regime.widths[0], symmetrized=True)
    return _exact("rank of K_N", _rank(gram), theory.rank(regime.n, regime.d, width))


symmetrized_initialization = Claim(
    name="montanari_zhong.symmetrized_initialization",
    source="Paired neurons span the same features; derived and checked in the spec; E23.",
    statement="A symmetrized initialization halves the effective width: K_N has rank "
    "min(n, (N/2) d).",
    needs=SETTING,
    points={
        "quick": grid((300, 20, 20), activations=("tanh",)),
        "standard": grid((300, 20, 20), (200, 20, 8), activations=("tanh", "gelu")),
        "thorough": grid(
            (300, 20, 20), (200, 20, 8), (200, 20, 30), activations=("tanh", "gelu", "erf")
        ),
    },
    domain=regimes(
        n=(50, 75, 100, 150, 200, 250, 300),
        d=(5, 8, 11, 16, 20),
        widths=(2, 4, 6, 8, 12, 20, 30),
        activations=("tanh", "gelu", "erf", "silu", "softplus"),
        inputs=OneOf(("sphere", "gaussian")),
    ),
    subject=two_layer,
    procedure=Identity(_symmetrized_initialization, formula=theory.effective_width),
    faults=("pairs_not_paired", "width_not_halved", "empirical_jitter", "empirical_without_inputs"),
)
