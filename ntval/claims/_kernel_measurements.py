"""How the claims of `kernel_identities` are measured: a function of that word each.

Comparisons, brackets and replicates are what `decisions` takes; allowances stand here, beside
the derivation of each.
"""

from __future__ import annotations

import functools
import math
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ntval import spectra
from ntval.arrays import rounding_allowance
from ntval.claims.claim import MEASURED, PILOT, Subject, draw_params, replicates, roads_of
from ntval.decisions import Bracket, Comparison
from ntval.e_values import allowance
from ntval.kernels import analytic, arc_cosine
from ntval.networks import Mlp
from ntval.regimes import Regime


def _num_params(params) -> int:
    return sum(
        leaf.size
        for leaf in jax.tree.leaves(params)
        if jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating)
    )


def _entry_scale(diagonal1, diagonal2=None):
    """sqrt(K_ii K_jj), which bounds an entry of a positive semi-definite kernel."""
    diagonal2 = diagonal1 if diagonal2 is None else diagonal2
    return np.sqrt(np.maximum(np.outer(diagonal1, diagonal2), 0.0))


def _unit(subject: Subject, params, x) -> type:
    """The precision that the network really computes in: a float32 layer shows in its outputs."""
    dtype = np.dtype(jax.eval_shape(subject.network.apply_fn, params, x).dtype)
    return np.float64 if dtype == np.float64 else dtype.type


def _contraction_allowance(subject: Subject, params, x) -> float:
    """Relative rounding of one kernel entry: a contraction over all P parameters.

    P products and sums, and P more for the entries of the Jacobian: each is a chain of inner
    products whose lengths and cancellations, sum of fan_in^(3/2), stay below P.
    """
    return rounding_allowance(2 * _num_params(params), dtype=_unit(subject, params, x))


def _fixed_draw(key, regime: Regime, subject: Subject):
    key_params, key_x1, key_x2 = jax.random.split(key, 3)
    params = draw_params(subject.network, key_params)
    return params, subject.inputs(key_x1, regime.n), subject.inputs(key_x2, regime.n)


def _kernels(key, regime: Regime, subject: Subject):
    """Each kernel that structure claims speak of: label, kernel(x1, x2=None), rounding, x1, x2."""
    params, x1, x2 = _fixed_draw(key, regime, subject)
    rounding = _contraction_allowance(subject, params, x1)
    yield (
        "empirical",
        jax.jit(functools.partial(subject.road(), subject.network, params)),
        rounding,
        x1,
        x2,
    )
    if subject.network.kernel_fn is not None:
        yield (
            "analytic",
            functools.partial(analytic.ntk, subject.network),
            analytic.accuracy(subject.network),
            x1,
            x2,
        )


def roads_agree(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """Every road against the last, square and rectangular."""
    params, x1, x2 = _fixed_draw(key, regime, subject)
    rounding = _contraction_allowance(subject, params, x1)
    names = roads_of(subject.network)
    run = {name: jax.jit(functools.partial(subject.roads[name], subject.network)) for name in names}
    square = {name: np.asarray(run[name](params, x1)) for name in names}
    block = {name: np.asarray(run[name](params, x1, x2)) for name in names}
    reference = names[-1]
    scale1 = np.diag(square[reference])
    scale2 = np.diag(np.asarray(run[reference](params, x2)))
    comparisons = []
    for name in names[:-1]:
        for label, grams, scale in (
            ("K(x, x)", square, _entry_scale(scale1)),
            ("K(x1, x2)", block, _entry_scale(scale1, scale2)),
        ):
            comparisons.append(
                Comparison(
                    f"{label} by {name} against {reference}",
                    grams[name],
                    grams[reference],
                    rounding * scale,
                    scale,
                )
            )
    return comparisons


def _autodiff_rows(subject: Subject, params, x) -> tuple[np.ndarray, np.ndarray]:
    """Parameters in one vector, and the Jacobian (n, outputs, P) of the whole batch by them."""
    flat, unravel = ravel_pytree(params)
    jacobian = jax.jit(jax.jacrev(lambda theta: subject.network.apply_fn(unravel(theta), x)))(flat)
    return np.asarray(flat), np.asarray(jacobian).reshape(len(x), -1, flat.size)


def jacobian_outer_product(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """The cheapest road against J J^T of the whole batch."""
    params, x, _ = _fixed_draw(key, regime, subject)
    _, rows = _autodiff_rows(subject, params, x)
    exact = np.einsum("iop,jop->ij", rows, rows) / rows.shape[1]
    scale = _entry_scale(np.diag(exact))
    return [
        Comparison(
            "K against J J^T",
            np.asarray(jax.jit(functools.partial(subject.road(), subject.network))(params, x)),
            exact,
            _contraction_allowance(subject, params, x) * scale,
            scale,
        )
    ]


def symmetry(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """K(x1, x2) against K(x2, x1)^T, empirical and analytic."""
    comparisons = []
    for label, kernel, rounding, x1, x2 in _kernels(key, regime, subject):
        scale = _entry_scale(np.diag(kernel(x1)), np.diag(kernel(x2)))
        comparisons.append(
            Comparison(
                f"{label} K(x1, x2) against K(x2, x1)^T",
                np.asarray(kernel(x1, x2)),
                np.asarray(kernel(x2, x1)).T,
                rounding * scale,
                scale,
            )
        )
    return comparisons


def permutation_equivariance(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """Rows in another order against inputs in another order."""
    comparisons = []
    order = np.roll(np.arange(regime.n), 1)[::-1]
    for label, kernel, rounding, x1, x2 in _kernels(key, regime, subject):
        scale = _entry_scale(np.diag(kernel(x1)), np.diag(kernel(x2)))[order]
        comparisons.append(
            Comparison(
                f"{label} K(P x1, x2) against P K(x1, x2)",
                np.asarray(kernel(x1[order], x2)),
                np.asarray(kernel(x1, x2))[order],
                rounding * scale,
                scale,
            )
        )
    return comparisons


def positive_semidefinite(key, regime: Regime, subject: Subject) -> list[Bracket]:
    """Smallest eigenvalues enclosed, each against what rounding may have made of 0."""
    brackets = []
    for label, kernel, rounding, x, _ in _kernels(key, regime, subject):
        gram = np.asarray(kernel(x))
        gram = (gram + gram.T) / 2  # asymmetry is another claim's business
        trace = float(np.abs(np.diag(gram)).sum())
        if not np.isfinite(gram).all():
            name = f"the {label} kernel is not finite: smallest eigenvalue"
            brackets.append(Bracket(name, math.nan, math.nan, bound=0.0, scale=1.0))
            continue
        certificate = 4 * rounding_allowance(len(gram) + 1)
        brackets.append(
            Bracket(
                f"smallest eigenvalue of the {label} kernel",
                lower=spectra.certified_min_eigenvalue(gram),
                upper=spectra.min_eigenvalue(gram) + rounding_allowance(4 * len(gram)) * trace,
                bound=-(rounding + certificate) * trace,
                scale=trace,
            )
        )
    return brackets


def batch_independence(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """Outputs of a batch against those of its rows one by one."""
    params, x, _ = _fixed_draw(key, regime, subject)
    apply_fn = subject.network.apply_fn
    together = np.asarray(apply_fn(params, x)).reshape(regime.n, -1)
    alone = np.concatenate([np.asarray(apply_fn(params, x[i : i + 1])) for i in range(regime.n)])
    # To first order a relative perturbation u of every parameter moves an output by at most
    # u |J_i| |theta|, the Cauchy-Schwarz bound of sum_p |J_ip theta_p|.
    flat, rows = _autodiff_rows(subject, params, x)
    size = np.linalg.norm(rows, axis=-1) * np.linalg.norm(flat)
    scale = np.nan_to_num(size) + np.abs(alone.reshape(regime.n, -1))
    return [
        Comparison(
            "f(x)[i] against f(x[i:i+1])",
            together,
            alone.reshape(regime.n, -1),
            _contraction_allowance(subject, params, x) * scale,
            scale,
        )
    ]


def analytic_oracle(key, regime: Regime, subject: Subject) -> list[Comparison]:
    """The analytic kernel against the layer recursion by quadrature."""
    x = subject.inputs(key, regime.n)
    left = np.asarray(analytic.ntk(subject.network, x))
    mlp = cast(Mlp, subject.network.mlp)  # the claim needs one
    right = np.asarray(arc_cosine.ntk(mlp, x))
    scale = _entry_scale(np.diag(right))
    cosine = np.clip(np.abs(right / scale), 0.0, 1.0)
    # arccos loses digits as 1 / sin(angle); on the diagonal both sides are exact.
    steepness = 1 + 1 / np.sqrt(np.maximum(1 - cosine**2, 1e-16))
    np.fill_diagonal(steepness, 1.0)
    accuracy = analytic.accuracy(subject.network) + arc_cosine.ACCURACY
    return [
        Comparison(
            "analytic K against quadrature", left, right, accuracy * steepness * scale, scale
        )
    ]


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


@functools.lru_cache(maxsize=16)
def _slope(rungs: tuple[Subject, ...]):
    """Statistic of one block of draws: the slope of log E|K_N - K|^2 over log width."""
    log_width = np.log([min(rung.network.mlp.widths) for rung in rungs])
    centered = jnp.asarray(log_width - log_width.mean())

    def slope(key, x, exact):
        keys = jax.random.split(key, (len(rungs), _BLOCK))
        errors = []
        for rung, rung_keys in zip(rungs, keys, strict=True):
            road = rung.road()

            def squared(key, rung=rung, road=road):
                gap = road(rung.network, draw_params(rung.network, key), x) - exact
                return (gap**2).sum()

            errors.append(jax.vmap(squared)(rung_keys).mean())
        return (centered @ jnp.log(jnp.stack(errors)) / (centered @ centered))[None]

    return slope


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
    widths = [min(rung.network.mlp.widths) for rung in subject.rungs]
    return allowance(
        width_rate(key, regime, subject, stream=PILOT)(0, 16),
        remainder=variance / math.log(widths[-1] / widths[0]),
        resolution=resolution,
    )
