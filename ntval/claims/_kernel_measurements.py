"""How the claims of `kernel_identities` are measured: a function of that word each.

Comparisons, brackets and replicates are what `decisions` takes; allowances stand beside them, with
the derivation of each. What rests on many draws of the weights is in `_width_measurements`.
"""

from __future__ import annotations

import functools
import math
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ntval import adapters, spectra
from ntval.arrays import rounding_allowance
from ntval.claims.claim import Subject, draw_params, replicates, roads_of
from ntval.decisions import Bracket, Comparison
from ntval.kernels import analytic, arc_cosine
from ntval.networks import Mlp
from ntval.regimes import Regime


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
    return _rounding(2 * adapters.num_params(params), _unit(subject, params, x))


def _rounding(operations: int, dtype) -> float:
    """`rounding_allowance`, or 1, all of the quantity, where so many operations leave nothing."""
    unit = float(np.finfo(dtype).eps)
    return rounding_allowance(operations, dtype=dtype) if operations * unit < 1 else 1.0


def _fixed_draw(key, regime: Regime, subject: Subject):
    key_params, key_x1, key_x2 = jax.random.split(key, 3)
    params = draw_params(subject.network, key_params)
    return params, subject.inputs(key_x1, regime.n), subject.inputs(key_x2, regime.n)


def _kernels(key, regime: Regime, subject: Subject):
    """Each kernel that structure claims speak of: label, kernel(x1, x2=None), rounding, x1, x2."""
    if subject.grams is not None:
        rows = subject.inputs(key, regime.n)
        for number, gram in enumerate(subject.grams[:_MOST_GRAMS]):
            name = "given" if len(subject.grams) == 1 else f"given ({number})"
            yield name, functools.partial(_lookup, gram), subject.rounding, rows, rows
        return
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


_MOST_GRAMS = 16  # of several Gram matrices brought as such, each examined by itself


def _lookup(gram: np.ndarray, x1, x2=None) -> np.ndarray:
    """Entries of a Gram matrix at rows and columns of these numbers."""
    rows = np.asarray(x1)[:, 0].astype(int)
    return gram[np.ix_(rows, rows if x2 is None else np.asarray(x2)[:, 0].astype(int))]


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
        floor = (rounding + certificate) * trace
        smallest = spectra.min_eigenvalue(gram)
        features = _num_features(key, subject, x) if label == "empirical" else None
        brackets.append(
            Bracket(
                f"smallest eigenvalue of the {label} kernel",
                lower=spectra.certified_min_eigenvalue(gram),
                upper=smallest + rounding_allowance(4 * len(gram)) * trace,
                bound=-floor,
                scale=trace,
                note=_eigenvalue_words(gram, smallest, floor, features),
            )
        )
    return brackets


def _num_features(key, subject: Subject, x) -> int:
    """Number of parameters times outputs: K is the Gram matrix of vectors no longer than that."""
    params = draw_params(subject.network, key)
    outputs = jax.eval_shape(subject.network.apply_fn, params, x).shape[1:]
    return adapters.num_params(params) * math.prod(outputs)


_NEAR = 1e-6  # 1 - |cosine| of rows that are called nearly equal


def _eigenvalue_words(gram, smallest: float, floor: float, features: int | None) -> str:
    """What the smallest eigenvalue looks like: positive, 0 as predicted, rounding, or a bug."""
    if smallest > floor:
        return "positive"
    if smallest < -floor:
        return "negative beyond rounding: no Gram matrix, a bug"
    n = len(gram)
    if features is not None and features < n:
        return f"rank-deficient as predicted: {n} inputs, {features} parameters times outputs"
    sizes = _entry_scale(np.diag(gram))
    cosines = np.abs(np.triu(gram, 1)) / np.maximum(sizes, np.finfo(float).tiny)
    i, j = np.unravel_index(int(cosines.argmax()), cosines.shape)
    words = f"0 within rounding ({smallest:.1e}): "
    if 1 - cosines[i, j] < _NEAR:
        return words + f"inputs {i} and {j} are nearly the same to the kernel"
    return (
        words + "singular, or too small for the precision; look for dead units, a polynomial "
        "activation, float32"
    )


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


def batch_words(key, regime: Regime, subject: Subject) -> str:
    """How outputs depend on the rest of the batch, in words."""
    params, x, _ = _fixed_draw(key, regime, subject)

    def outputs(x):
        return np.asarray(subject.network.apply_fn(params, x)).reshape(len(x), -1)

    together = outputs(x)
    # One function of one input, twice in one process: the same bits, unless it draws anew.
    if not np.array_equal(together, outputs(x)):
        return "outputs differ from call to call: dropout, or other noise, left on"
    order = np.roll(np.arange(regime.n), 1)
    if not np.allclose(outputs(x[order]), together[order], rtol=_LOOSE):
        return (
            "outputs depend on the place in the batch: dropout left on with a fixed key, or rows "
            "mixed up"
        )
    return "outputs depend on the other inputs' values: BatchNorm in training mode, or the like"


_LOOSE = 1e-4  # words only: float32 rounding is below, what a dropped unit does far above


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


@functools.lru_cache(maxsize=16)
def _single_precision_room(subject: Subject):
    """Statistic of one draw: the room that rounding leaves an entry of K in float32, relative."""
    road = subject.road()

    def room(key, like):
        key_params, key_x = jax.random.split(key)
        params = draw_params(subject.network, key_params)
        x = subject.inputs(key_x, len(like))
        low_params, low_x = jax.tree.map(_as_float32, (params, x))
        exact = road(subject.network, params, x)
        low = road(subject.network, low_params, low_x)
        scale = jnp.sqrt(jnp.outer(jnp.diag(exact), jnp.diag(exact)))
        gap = jnp.abs(low - exact) / jnp.maximum(scale, np.finfo(float).tiny)
        allowed = _rounding(2 * adapters.num_params(params) + math.prod(x.shape[1:]), np.float32)
        return (allowed - gap.max())[None]

    return room


def _as_float32(leaf):
    floating = jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating)
    return jnp.asarray(leaf, dtype=jnp.float32) if floating else leaf


def precision(key, regime: Regime, subject: Subject):
    """Room that rounding leaves the kernel in float32, negative where it is not enough."""
    return replicates(_single_precision_room(subject), key, jnp.zeros(regime.n), chunk=16)
