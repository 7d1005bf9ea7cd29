"""Kernel identities of growing width: rates, and the parametrization."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.claim import Claim
from ntval.claims.kernel_identities.gaps import kernel_gaps
from ntval.claims.kernel_identities.means import measured_bias, single_draw_variance
from ntval.claims.kernel_identities.setting import LADDERS, mlp_ladder, multiplies_branches
from ntval.claims.kernel_identities.width_words import concentration_words, parametrization_words
from ntval.claims.procedures import Slopes
from ntval.claims.sampling import (
    MEASURED,
    PILOT,
    grams_program,
    infinite,
    inputs_and_key,
    kept,
    replicates,
)
from ntval.evidence.sequential import Draw
from ntval.observables.entries import entry_scale
from ntval.observables.slopes import log_slope
from ntval.regimes import Regime
from ntval.subjects.subject import Ladder, NetworkSubject

Widths = Ladder[NetworkSubject]

_BLOCK = 32  # draws a slope
_MEANS = 8  # where only means are compared


def _blocks(
    key: Array, ladder: Widths, x: Float[Array, "n *shape"], draws: int = _BLOCK
) -> Iterator[Float[Array, "draws n n"]]:
    """Kernels of a block of draws at each rung."""
    keys = jax.random.split(key, (len(ladder.rungs), draws))
    for rung, at in zip(ladder.rungs, keys, strict=True):
        yield grams_program(rung)(x, at)


def _slope(ladder: Widths, sizes: list[Any]) -> Float[Array, "1"]:
    return log_slope(ladder.sizes, jnp.stack(sizes))[None]


def _ladder(subject: NetworkSubject) -> Widths:
    """The ladder of a subject: a claim that asks is one that needs it."""
    assert subject.ladder is not None
    return subject.ladder


def _log_range(subject: NetworkSubject) -> float:
    sizes = _ladder(subject).sizes
    return math.log(sizes[-1] / sizes[0])


@kept
def _gap_slope(ladder: Widths) -> Callable:
    """Statistic of one block of draws: the slope of log E|K_N - K|^2 over log width."""

    def slope(key: Array, x: Float[Array, "n *shape"], exact: Float[Array, "n n"]):
        squares = [((grams - exact) ** 2).sum(axis=(1, 2)) for grams in _blocks(key, ladder, x)]
        return _slope(ladder, [square.mean() for square in squares])

    return slope


def _width_rate(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Slopes of log E|K_N - K|^2 over log width, one from each block of draws."""
    x, key_draws = inputs_and_key(key, regime, subject, stream)
    exact = jnp.asarray(infinite(subject, x))
    return replicates(_gap_slope(_ladder(subject)), key_draws, x, exact, chunk=16)


def _width_rate_bias(
    key: Array, regime: Regime, subject: NetworkSubject, pilot: np.ndarray
) -> float:
    r"""How far the slope may lie from -1: E|K_N - K|^2 = a/m + b/m^2 with |b/a| at most m times
    the relative variance v of one draw at the smallest width, so the slope is off by
    v / log(largest / smallest width) at most."""
    gaps = kernel_gaps(key, regime, subject.rungs[0], stream=PILOT)(0, 64)
    variance = single_draw_variance(regime, gaps)
    return _of_products(key, regime, subject, variance) / _log_range(subject)


def _of_products(key: Array, regime: Regime, subject: NetworkSubject, variance: float) -> float:
    """|b/a| over the smallest width: the relative variance of a draw there, or of products of
    several random matrices the bias that is measured on the first two rungs, if it is larger."""
    if not multiplies_branches(subject):
        return variance
    return max(variance, measured_bias(key, regime, subject, 0) / _ladder(subject).sizes[0])


width_rate = Claim(
    name="kernel_identities.width_rate",
    source="Central limit theorem over neurons; remainder derived here.",
    statement="The empirical kernel tends to the analytic one at the rate width^(-1/2).",
    needs=("kernel_fn", "random weights", "ladder"),
    points={
        "quick": (Regime(n=4, d=8, widths=(32, 32), activation="erf"),),
        "standard": (
            Regime(n=4, d=8, widths=(64, 64), activation="erf"),
            Regime(n=4, d=8, widths=(64, 64, 64), activation="tanh"),
        ),
        "thorough": (
            Regime(n=4, d=8, widths=(128, 128), activation="erf"),
            Regime(n=4, d=8, widths=(128, 128, 128), activation="tanh"),
            Regime(n=4, d=8, widths=(128, 128), activation="relu"),
        ),
    },
    domain=LADDERS,
    subject=mlp_ladder,
    procedure=Slopes(_width_rate, formula=-1.0, bias=_width_rate_bias, resolution=0.15, first=32),
    faults=("empirical_derivative", "analytic_drops_layer", "analytic_scale_100"),
)

_LADDERS = {
    "quick": (Regime(n=4, d=8, widths=(32,), activation="erf"),),
    "standard": (
        Regime(n=4, d=8, widths=(32,), activation="erf"),
        Regime(n=4, d=8, widths=(64, 64), activation="erf"),
        Regime(n=4, d=8, widths=(64,), activation="relu"),
    ),
    "thorough": (
        Regime(n=4, d=8, widths=(128, 128), activation="erf"),
        Regime(n=4, d=8, widths=(128, 128, 128), activation="tanh"),
        Regime(n=4, d=8, widths=(128,), activation="relu"),
    ),
}


@kept
def _spread_slope(ladder: Widths) -> Callable:
    """Statistic of one block of draws: the slope of log Var(K_N) / |E K_N|^2 over log width."""

    def spread(grams: Float[Array, "draws n n"]) -> Float[Array, ""]:
        mean = grams.mean(axis=0)
        variance = ((grams - mean) ** 2).sum() / (len(grams) - 1)
        return variance / ((mean**2).sum() - variance / len(grams))

    def slope(key: Array, x: Float[Array, "n *shape"]):
        return _slope(ladder, [spread(grams) for grams in _blocks(key, ladder, x)])

    return slope


@kept
def _size_slope(ladder: Widths) -> Callable:
    """Statistic of one block of draws: the slope of log mean K_N(x, x) over log width."""

    def slope(key: Array, x: Float[Array, "n *shape"]):
        blocks = _blocks(key, ladder, x, _MEANS)
        return _slope(ladder, [grams.diagonal(axis1=1, axis2=2).mean() for grams in blocks])

    return slope


def _slopes(
    statistic: Callable, key: Array, regime: Regime, subject: NetworkSubject, stream: str
) -> Draw:
    x, key_draws = inputs_and_key(key, regime, subject, stream)
    return replicates(statistic(_ladder(subject)), key_draws, x, chunk=16)


def _width_concentration(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Slopes of log Var(K_N) / |E K_N|^2 over log width, one from each block of draws."""
    return _slopes(_spread_slope, key, regime, subject, stream)


def _parametrization(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Slopes of log mean K_N(x, x) over log width, one from each block of draws."""
    return _slopes(_size_slope, key, regime, subject, stream)


def _relative_variance(key: Array, regime: Regime, subject: NetworkSubject) -> float:
    """Variance of an entry at the smallest width, in units of the diagonal; the mean entry's."""
    x, key_draws = inputs_and_key(key, regime, subject, PILOT)
    grams = np.asarray(grams_program(subject.rungs[0])(x, jax.random.split(key_draws, 64)))
    scale = entry_scale(np.diag(grams.mean(axis=0)))
    return float((grams.var(axis=0, ddof=1) / scale**2).mean())


def _concentration_bias(
    key: Array, regime: Regime, subject: NetworkSubject, pilot: np.ndarray
) -> float:
    r"""That of `_parametrization_bias`, and a mixture of parametrizations.

    Layers of which K grows like the width (standard parametrization) and of which it does not,
    with shares u and 1 - u of the mean and w and 1 - w of the variance, give the slope
    $-1 + 2(w - u)$. The size's own slope is u; the larger part has no smaller share of the
    variance, so $|w - u| \le \min(u, 1 - u)$.
    """
    sizes = _parametrization(key, regime, subject, stream=PILOT)(0, 16)
    share = float(np.clip(sizes.mean(), 0.0, 1.0))
    variance = _of_products(key, regime, subject, _relative_variance(key, regime, subject))
    return variance / _log_range(subject) + 2 * min(share, 1 - share)


width_concentration = Claim(
    name="kernel_identities.width_concentration",
    source="Central limit theorem over neurons; remainder derived here.",
    statement="The empirical kernel of random weights concentrates: its relative variance falls "
    "like 1/width.",
    needs=("random weights", "ladder"),
    points=_LADDERS,
    domain=LADDERS,
    subject=mlp_ladder,
    procedure=Slopes(_width_concentration, formula=-1.0, bias=_concentration_bias, resolution=0.15),
    diagnose=concentration_words,
    faults=("weights_shared", "weights_of_random_scale", "weights_tied"),
)


def _parametrization_bias(
    key: Array, regime: Regime, subject: NetworkSubject, pilot: np.ndarray
) -> float:
    r"""How far a slope may lie from that of infinite width: a mean is a + b/m, with |b/a| at most
    m times the relative variance v of one draw at the smallest width (delta method, as
    `single_draw_variance`), so the slope is off by v / log(largest / smallest width) at most; and
    the logarithm of a mean over k draws is low by v / 2k."""
    variance = _of_products(key, regime, subject, _relative_variance(key, regime, subject))
    return variance * (1 + 1 / (2 * _MEANS)) / _log_range(subject)


parametrization = Claim(
    name="kernel_identities.parametrization",
    source="Definition of the NTK parametrization; Jacot et al. (2018), recalled.",
    statement="The network has the NTK parametrization: the mean of K(x, x) does not depend on "
    "the width, up to 1/width.",
    needs=("random weights", "ladder"),
    points=_LADDERS,
    domain=LADDERS,
    subject=mlp_ladder,
    procedure=Slopes(_parametrization, bias=_parametrization_bias, wrong=1.0, resolution=0.05),
    diagnose=parametrization_words,
    faults=("apply_over_sqrt_width", "apply_times_sqrt_width", "empirical_over_sqrt_width"),
)
