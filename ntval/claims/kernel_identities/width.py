"""How claims about many draws of the weights are measured: means, and rates in the width."""

from __future__ import annotations

import functools
import math
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

from ntval.claims.sampling import MEASURED, PILOT, draw_params, replicates
from ntval.evidence.allowance import allowance
from ntval.kernels import analytic
from ntval.regimes import Regime
from ntval.subjects.subject import Subject


@functools.lru_cache(maxsize=64)
def _kernel_gap(subject: Subject):
    """Statistics of one draw: entries, trace and off-diagonal mass of K_N - K, in units of K."""
    road = subject.road()

    def statistics(key, x, exact):
        scale = jnp.sqrt(jnp.maximum(jnp.outer(jnp.diag(exact), jnp.diag(exact)), 0.0))
        off = jnp.where(jnp.eye(len(exact), dtype=bool), 0.0, exact)
        gap = road(subject.network, draw_params(subject.network, key), x) - exact
        return jnp.concatenate(
            [
                (gap / scale)[np.triu_indices(len(exact))],
                jnp.stack(
                    [(gap * exact).sum() / (exact**2).sum(), (gap * off).sum() / (off**2).sum()]
                ),
            ]
        )

    return statistics


def mean_kernel(key, regime: Regime, subject: Subject, *, stream: int = MEASURED):
    """Replicates of K_N - K at one set of inputs, the same in every stream."""
    key_inputs, key_draws = jax.random.split(key)
    key_draws = jax.random.fold_in(key_draws, stream)
    x = subject.inputs(key_inputs, regime.n)
    exact = jnp.asarray(analytic.ntk(subject.network, x))
    return replicates(_kernel_gap(subject), key_draws, x, exact)


def mean_kernel_label(i: int, k: int) -> str:
    """Name of statistic i of the k of `mean_kernel`."""
    n = round((math.sqrt(8 * (k - 2) + 1) - 1) / 2)
    entries = [f"K[{i}, {j}]" for i in range(n) for j in range(i, n)]
    return [*entries, "scale of K", "scale of K off the diagonal"][i]


def _resolution(n: int, entry: float, whole: float) -> np.ndarray:
    return np.array([entry] * (n * (n + 1) // 2) + [whole] * 2)


def unbiased_kernel_allowance(key, regime: Regime, subject: Subject, *, entry: float, whole: float):
    """No remainder: E[K_N] = K exactly."""
    return allowance(
        mean_kernel(key, regime, subject, stream=PILOT)(0, 64),
        resolution=_resolution(regime.n, entry, whole),
    )


def mean_kernel_allowance(key, regime: Regime, subject: Subject, *, entry: float, whole: float):
    r"""Remainder: the mean over entries of Var(K_N[i, j]) / (K_ii K_jj), the finite-width bias.

    K_N is a smooth function g of averages over neurons. By the delta method its bias is
    $\tfrac12 g'' s^2$ and its variance $g'^2 s^2$, both of order 1/width with s^2 the variance of
    those averages; in relative units, products of averages have |g''| <= 2 g'^2.
    """
    pilot = mean_kernel(key, regime, subject, stream=PILOT)(0, 64)
    return allowance(
        pilot,
        remainder=_single_draw_variance(pilot, regime.n),
        resolution=_resolution(regime.n, entry, whole),
    )


def _single_draw_variance(pilot: np.ndarray, n: int) -> float:
    return float(pilot[:, : n * (n + 1) // 2].var(axis=0, ddof=1).mean())


_BLOCK = 32  # draws a slope
_MEANS = 8  # where only means are compared


@functools.lru_cache(maxsize=16)
def _slope(rungs: tuple[Subject, ...]):
    """Statistic of one block of draws: the slope of log E|K_N - K|^2 over log width."""

    def squared(gram, exact):
        return ((gram - exact) ** 2).sum()

    def slope(key, x, exact):
        sizes = [
            jax.vmap(squared, (0, None))(_grams(rung)(x, keys), exact).mean()
            for rung, keys in _keys(key, rungs)
        ]
        return _log_slope(rungs, jnp.stack(sizes))

    return slope


def _keys(key, rungs: tuple[Subject, ...], draws: int = _BLOCK):
    """Each rung with the keys of a block of draws."""
    return zip(rungs, jax.random.split(key, (len(rungs), draws)), strict=True)


def _of_draw(rung: Subject, x, key):
    """The empirical kernel at fresh weights."""
    return rung.road()(rung.network, draw_params(rung.network, key), x)


@functools.lru_cache(maxsize=64)
def _grams(subject: Subject):
    """Function of (x, keys): K_N of each draw; compiled once, whatever the keys."""
    return jax.jit(lambda x, keys: jax.lax.map(functools.partial(_of_draw, subject, x), keys))


def _widths(rungs: tuple[Subject, ...]) -> list[int]:
    return [cast(int, rung.width) for rung in rungs]


def _log_slope(rungs: tuple[Subject, ...], sizes):
    """Slope of log `sizes` over log width, as one statistic."""
    log_width = np.log(_widths(rungs))
    centered = jnp.asarray(log_width - log_width.mean())
    return (centered @ jnp.log(sizes) / (centered @ centered))[None]


@functools.lru_cache(maxsize=16)
def _size_slope(rungs: tuple[Subject, ...]):
    """Statistic of one block of draws: the slope of log mean K_N(x, x) over log width."""

    def slope(key, x):
        sizes = [
            _grams(rung)(x, keys).diagonal(axis1=1, axis2=2).mean()
            for rung, keys in _keys(key, rungs, _MEANS)
        ]
        return _log_slope(rungs, jnp.stack(sizes))

    return slope


@functools.lru_cache(maxsize=16)
def _spread_slope(rungs: tuple[Subject, ...]):
    """Statistic of one block of draws: the slope of log Var(K_N) / |E K_N|^2 over log width."""

    def spread(grams):
        mean = grams.mean(axis=0)
        variance = ((grams - mean) ** 2).sum() / (len(grams) - 1)
        return variance / ((mean**2).sum() - variance / len(grams))

    def slope(key, x):
        sizes = [spread(_grams(rung)(x, keys)) for rung, keys in _keys(key, rungs)]
        return _log_slope(rungs, jnp.stack(sizes))

    return slope


def _slopes_at_inputs(statistic, key, regime: Regime, subject: Subject, stream: int):
    key_inputs, key_draws = jax.random.split(key)
    x = subject.inputs(key_inputs, regime.n)
    key_draws = jax.random.fold_in(key_draws, stream)
    return replicates(statistic(subject.rungs), key_draws, x, chunk=16)


def parametrization(key, regime: Regime, subject: Subject, *, stream: int = MEASURED):
    """Slopes of log mean K_N(x, x) over log width, one from each block of draws."""
    return _slopes_at_inputs(_size_slope, key, regime, subject, stream)


def width_concentration(key, regime: Regime, subject: Subject, *, stream: int = MEASURED):
    """Slopes of log Var(K_N) / |E K_N|^2 over log width, one from each block of draws."""
    return _slopes_at_inputs(_spread_slope, key, regime, subject, stream)


def parametrization_allowance(key, regime: Regime, subject: Subject, *, resolution: float):
    r"""How far a slope may lie from that of infinite width: a mean is a + b/m, with |b/a| at most
    m times the relative variance v of one draw at the smallest width (delta method, as
    `mean_kernel_allowance`), so the slope is off by v / log(largest / smallest width) at most; and
    the logarithm of a mean over k draws is low by v / 2k."""
    variance = _relative_variance(key, regime, subject) * (1 + 1 / (2 * _MEANS))
    return allowance(
        parametrization(key, regime, subject, stream=PILOT)(0, 16),
        remainder=variance / _log_range(subject.rungs),
        resolution=resolution,
    )


def concentration_allowance(key, regime: Regime, subject: Subject, *, resolution: float):
    r"""That of `parametrization_allowance`, and a mixture of parametrizations.

    Layers of which K grows like the width (standard parametrization) and of which it does not,
    with shares u and 1 - u of the mean and w and 1 - w of the variance, give the slope
    $-1 + 2(w - u)$. The size's own slope is u; the larger part has no smaller share of the
    variance, so $|w - u| \le \min(u, 1 - u)$.
    """
    sizes = parametrization(key, regime, subject, stream=PILOT)(0, 16)
    share = float(np.clip(sizes.mean(), 0.0, 1.0))
    variance = _relative_variance(key, regime, subject) / _log_range(subject.rungs)
    return allowance(
        width_concentration(key, regime, subject, stream=PILOT)(0, 16),
        remainder=variance + 2 * min(share, 1 - share),
        resolution=resolution,
    )


def _log_range(rungs: tuple[Subject, ...]) -> float:
    widths = _widths(rungs)
    return math.log(widths[-1] / widths[0])


def _relative_variance(key, regime: Regime, subject: Subject) -> float:
    """Variance of an entry at the smallest width, in units of the diagonal; the mean entry's."""
    key_inputs, key_draws = jax.random.split(key)
    x = subject.inputs(key_inputs, regime.n)
    keys = jax.random.split(jax.random.fold_in(key_draws, PILOT), 64)
    grams = np.asarray(_grams(subject.rungs[0])(x, keys))
    diagonal = np.diag(grams.mean(axis=0))
    return float((grams.var(axis=0, ddof=1) / np.outer(diagonal, diagonal)).mean())


def parametrization_words(key, regime: Regime, subject: Subject) -> str:
    """Which parametrization a slope looks like."""
    slope = float(parametrization(key, regime, subject, stream=PILOT)(0, 16).mean())
    if abs(slope - 1) < 0.25:
        return (
            f"K grows like the width (slope {slope:.2f}): the standard parametrization; in the NTK "
            "parametrization a layer is divided by the root of its fan-in, its weights are N(0, 1)"
        )
    return f"K(x, x) goes like width^({slope:.2f}): a layer is scaled by a wrong power of its width"


def width_rate(key, regime: Regime, subject: Subject, *, stream: int = MEASURED):
    """Slopes of log E|K_N - K|^2 over log width, one from each block of draws."""
    key_inputs, key_draws = jax.random.split(key)
    key_draws = jax.random.fold_in(key_draws, stream)
    x = subject.inputs(key_inputs, regime.n)
    exact = jnp.asarray(analytic.ntk(subject.network, x))
    return replicates(_slope(subject.rungs), key_draws, x, exact, chunk=16)


def width_rate_allowance(key, regime: Regime, subject: Subject, *, resolution: float):
    r"""How far the slope may lie from -1: E|K_N - K|^2 = a/m + b/m^2 with |b/a| at most m times
    the relative variance v of one draw at the smallest width, so the slope is off by
    v / log(largest / smallest width) at most."""
    pilot = mean_kernel(key, regime, subject.rungs[0], stream=PILOT)(0, 64)
    variance = _single_draw_variance(pilot, regime.n)
    widths = _widths(subject.rungs)
    return allowance(
        width_rate(key, regime, subject, stream=PILOT)(0, 16),
        remainder=variance / math.log(widths[-1] / widths[0]),
        resolution=resolution,
    )
