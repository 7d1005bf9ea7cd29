"""Kernel identities: what holds of every neural tangent kernel, whatever the theorem.

They apply to networks and data of your own as well (`Subject.own`).
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from ntval import spectra
from ntval.arrays import rounding_allowance
from ntval.claims.claim import Claim, Subject, draw_params, mlp_subject, replicates, roads_of
from ntval.decisions import Bracket, Comparison, agreement, bound, identity, rate
from ntval.kernels import analytic, arc_cosine
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
    """Each kernel that structure claims speak of: label, kernel(x1, x2=None), allowance, x1, x2."""
    params, x1, x2 = _fixed_draw(key, regime, subject)
    allowance = _contraction_allowance(subject, params, x1)
    yield (
        "empirical",
        jax.jit(functools.partial(subject.road(), subject.network, params)),
        (allowance),
        x1,
        x2,
    )
    if subject.network.kernel_fn is not None:
        yield (
            "analytic",
            functools.partial(analytic.ntk, subject.network),
            (analytic.accuracy(subject.network)),
            x1,
            x2,
        )


def _measure_roads_agree(key, regime: Regime, subject: Subject) -> list[Comparison]:
    params, x1, x2 = _fixed_draw(key, regime, subject)
    allowance = _contraction_allowance(subject, params, x1)
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
                    allowance * scale,
                    scale,
                )
            )
    return comparisons


def _autodiff_rows(subject: Subject, params, x) -> tuple[np.ndarray, np.ndarray]:
    """Parameters in one vector, and the Jacobian (n, outputs, P) of the whole batch by them."""
    flat, unravel = ravel_pytree(params)
    jacobian = jax.jit(jax.jacrev(lambda theta: subject.network.apply_fn(unravel(theta), x)))(flat)
    return np.asarray(flat), np.asarray(jacobian).reshape(len(x), -1, flat.size)


def _measure_jacobian_outer_product(key, regime: Regime, subject: Subject) -> list[Comparison]:
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


def _measure_symmetry(key, regime: Regime, subject: Subject) -> list[Comparison]:
    comparisons = []
    for label, kernel, allowance, x1, x2 in _kernels(key, regime, subject):
        scale = _entry_scale(np.diag(kernel(x1)), np.diag(kernel(x2)))
        comparisons.append(
            Comparison(
                f"{label} K(x1, x2) against K(x2, x1)^T",
                np.asarray(kernel(x1, x2)),
                np.asarray(kernel(x2, x1)).T,
                allowance * scale,
                scale,
            )
        )
    return comparisons


def _measure_permutation_equivariance(key, regime: Regime, subject: Subject) -> list[Comparison]:
    comparisons = []
    order = np.roll(np.arange(regime.n), 1)[::-1]
    for label, kernel, allowance, x1, x2 in _kernels(key, regime, subject):
        scale = _entry_scale(np.diag(kernel(x1)), np.diag(kernel(x2)))[order]
        comparisons.append(
            Comparison(
                f"{label} K(P x1, x2) against P K(x1, x2)",
                np.asarray(kernel(x1[order], x2)),
                np.asarray(kernel(x1, x2))[order],
                allowance * scale,
                scale,
            )
        )
    return comparisons


def _measure_positive_semidefinite(key, regime: Regime, subject: Subject) -> list[Bracket]:
    brackets = []
    for label, kernel, allowance, x, _ in _kernels(key, regime, subject):
        gram = np.asarray(kernel(x))
        gram = (gram + gram.T) / 2  # asymmetry is another claim's business
        trace = float(np.abs(np.diag(gram)).sum())
        if not np.isfinite(gram).all():
            brackets.append(
                Bracket(
                    f"the {label} kernel is not finite: smallest eigenvalue",
                    *[math.nan] * 2,
                    0.0,
                    1.0,
                )
            )
            continue
        certificate = 4 * rounding_allowance(len(gram) + 1)
        brackets.append(
            Bracket(
                f"smallest eigenvalue of the {label} kernel",
                lower=spectra.certified_min_eigenvalue(gram),
                upper=spectra.min_eigenvalue(gram) + rounding_allowance(4 * len(gram)) * trace,
                bound=-(allowance + certificate) * trace,
                scale=trace,
            )
        )
    return brackets


def _measure_batch_independence(key, regime: Regime, subject: Subject) -> list[Comparison]:
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


def _measure_analytic_oracle(key, regime: Regime, subject: Subject) -> list[Comparison]:
    x = subject.inputs(key, regime.n)
    left = np.asarray(analytic.ntk(subject.network, x))
    right = np.asarray(arc_cosine.ntk(subject.network.mlp, x))
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


def _mean_kernel_statistics(key_inputs, regime: Regime, subject: Subject):
    """Function of a key: entries, trace and off-diagonal mass of K_N - K, each in units of K."""
    x = subject.inputs(key_inputs, regime.n)
    exact = jnp.asarray(analytic.ntk(subject.network, x))
    scale = jnp.asarray(_entry_scale(np.diag(exact)))
    upper = np.triu_indices(regime.n)
    off = ~np.eye(regime.n, dtype=bool)
    road = subject.road()

    def statistics(key):
        gap = road(subject.network, draw_params(subject.network, key), x) - exact
        return jnp.concatenate(
            [
                (gap / scale)[upper],
                jnp.stack(
                    [
                        (gap * exact).sum() / (exact**2).sum(),
                        jnp.where(off, gap * exact, 0).sum()
                        / (jnp.where(off, exact, 0) ** 2).sum(),
                    ]
                ),
            ]
        )

    return statistics


def _measure_mean_kernel(key, regime: Regime, subject: Subject):
    key_inputs, key_draws = jax.random.split(key)
    return replicates(_mean_kernel_statistics(key_inputs, regime, subject), key_draws)


def _single_draw_variance(key, regime: Regime, subject: Subject) -> float:
    r"""Mean over entries of Var(K_N[i, j]) / (K_ii K_jj): the size of the finite-width bias.

    K_N is a smooth function g of averages over neurons. By the delta method its bias is
    $\tfrac12 g'' s^2$ and its variance $g'^2 s^2$, both of order 1/width with s^2 the variance of
    those averages; in relative units, products of averages have |g''| <= 2 g'^2.
    """
    key_inputs, key_draws = jax.random.split(key)
    draws = replicates(_mean_kernel_statistics(key_inputs, regime, subject), key_draws)(0, 64)
    entries = draws[:, : regime.n * (regime.n + 1) // 2]
    return float(entries.var(axis=0, ddof=1).mean())


def _mean_labels(n: int) -> tuple[str, ...]:
    entries = [f"K[{i}, {j}]" for i in range(n) for j in range(i, n)]
    return (*entries, "scale of K", "scale of K off the diagonal")


def _decide_mean_kernel(draw, *, resolution: tuple[float, float], **settings):
    first = draw(0, 1).shape[1]
    n = round((math.sqrt(8 * (first - 2) + 1) - 1) / 2)
    entry, whole = resolution
    return agreement(
        draw,
        resolution=[entry] * (first - 2) + [whole] * 2,
        labels=_mean_labels(n),
        **settings,
    )


def _measure_width_rate(key, regime: Regime, subject: Subject, block: int = 32):
    """Slopes of log E|K_N - K|^2 over log width, one from each block of draws."""
    key_inputs, key_draws = jax.random.split(key)
    x = subject.inputs(key_inputs, regime.n)
    exact = jnp.asarray(analytic.ntk(subject.network, x))
    log_width = np.log([min(rung.network.mlp.widths) for rung in subject.rungs])
    centered = jnp.asarray(log_width - log_width.mean())

    def slope(key):
        keys = jax.random.split(key, (len(subject.rungs), block))
        errors = []
        for rung, rung_keys in zip(subject.rungs, keys, strict=True):
            road = rung.road()

            def squared(key, rung=rung, road=road):
                gap = road(rung.network, draw_params(rung.network, key), x) - exact
                return (gap**2).sum()

            errors.append(jax.vmap(squared)(rung_keys).mean())
        return (centered @ jnp.log(jnp.stack(errors)) / (centered @ centered))[None]

    return replicates(slope, key_draws, chunk=16)


def _width_rate_remainder(key, regime: Regime, subject: Subject) -> float:
    r"""How far the slope may lie from -1: E|K_N - K|^2 = a/m + b/m^2 with |b/a| at most m times
    the relative variance v of one draw at the smallest width, so the slope is off by
    v / log(largest / smallest width) at most."""
    smallest = subject.rungs[0]
    variance = _single_draw_variance(key, regime, smallest)
    widths = [min(rung.network.mlp.widths) for rung in subject.rungs]
    return variance / math.log(widths[-1] / widths[0])


def _mlp_with_twin(regime: Regime) -> Subject:
    return mlp_subject(regime, kernel_fn=analytic.kernel_fn)


def _ladder(regime: Regime) -> Subject:
    rungs = tuple(
        _mlp_with_twin(replace(regime, widths=tuple(factor * width for width in regime.widths)))
        for factor in (1, 2, 4, 8)
    )
    return replace(_mlp_with_twin(regime), rungs=rungs)


_ONE_LAYER = Regime(n=8, d=8, widths=(64,), activation="erf")
_TWO_LAYERS = Regime(n=8, d=8, widths=(64, 32), activation="tanh")
_THREE_LAYERS = Regime(n=8, d=20, widths=(16, 64, 16), activation="gelu")
_RELU = Regime(n=8, d=3, widths=(64,), activation="relu")
_STRUCTURE = {
    "quick": (_ONE_LAYER, _TWO_LAYERS),
    "standard": (_ONE_LAYER, _TWO_LAYERS, _THREE_LAYERS, _RELU),
    "thorough": (
        _ONE_LAYER,
        _TWO_LAYERS,
        _THREE_LAYERS,
        _RELU,
        *(
            Regime(n=16, d=8, widths=(64, 64), activation=name)
            for name in ("silu", "softplus", "sigmoid", "sin", "cos", "cubic", "leaky_relu")
        ),
    ),
}


def _one_hidden(*activations: str) -> tuple[Regime, ...]:
    return tuple(Regime(n=4, d=8, widths=(1024,), activation=name) for name in activations)


roads_agree = Claim(
    name="kernel_identities.roads_agree",
    source="Definition of the neural tangent kernel, K = J J^T.",
    statement="Closed forms, layer-wise contraction, tiled Jacobian and matrix-free operator "
    "give one empirical kernel.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=_measure_roads_agree,
    decide=identity,
    faults=(
        "road_times_2",
        "road_off_diagonal_3",
        "road_derivative",
        "road_drops_bias",
        "road_float32",
    ),
)

jacobian_outer_product = Claim(
    name="kernel_identities.jacobian_outer_product",
    source="Definition of the neural tangent kernel, K = J J^T; E01 of the Montanari & Zhong spec.",
    statement="The kernel is the Gram matrix of the Jacobian that automatic differentiation gives.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=_measure_jacobian_outer_product,
    decide=identity,
    faults=("road_times_2", "road_off_diagonal_3", "road_derivative", "road_float32"),
)

symmetry = Claim(
    name="kernel_identities.symmetry",
    source="K(x, x') is an inner product.",
    statement="K(x1, x2) = K(x2, x1)^T, empirical and analytic.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=_measure_symmetry,
    decide=identity,
    faults=("kernel_asymmetric", "road_asymmetric", "kernel_stale_inputs"),
)

permutation_equivariance = Claim(
    name="kernel_identities.permutation_equivariance",
    source="K is a function of pairs of inputs, not of their place in the batch.",
    statement="K(P x1, x2) = P K(x1, x2) for every permutation P, empirical and analytic.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=_measure_permutation_equivariance,
    decide=identity,
    faults=("kernel_permuted_rows", "road_permuted_rows", "kernel_stale_inputs"),
)

positive_semidefinite = Claim(
    name="kernel_identities.positive_semidefinite",
    source="K is a Gram matrix.",
    statement="The smallest eigenvalue of K is not negative, empirical and analytic.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=_measure_positive_semidefinite,
    decide=bound,
    faults=("kernel_shifted_down", "road_shifted_down", "kernel_entry_exceeds_diagonal"),
)

batch_independence = Claim(
    name="kernel_identities.batch_independence",
    source="The kernel of a network is defined one input at a time.",
    statement="An output does not depend on the other inputs of the batch.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=_measure_batch_independence,
    decide=identity,
    faults=("apply_centers_batch", "apply_normalizes_batch", "apply_permutes_batch"),
)

analytic_oracle = Claim(
    name="kernel_identities.analytic_oracle",
    source="Layer recursion of the infinite-width kernel; Jacot et al. (2018), recalled.",
    statement="The infinite-width kernel of neural-tangents equals our own quadrature.",
    needs=("mlp", "kernel_fn"),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=_measure_analytic_oracle,
    decide=identity,
    faults=(
        "kernel_times_103",
        "kernel_off_diagonal_3",
        "kernel_drops_bias",
        "kernel_drops_layer",
        "kernel_float32",
    ),
)

unbiased_kernel = Claim(
    name="kernel_identities.unbiased_kernel",
    source="E[K_N] = K for one hidden layer at every width; spec montanari_zhong, section 1 "
    "(derived and checked).",
    statement="The mean empirical kernel of one hidden layer is the infinite-width kernel.",
    needs=("mlp", "kernel_fn", "random weights"),
    regimes={
        "quick": _one_hidden("erf", "relu"),
        "standard": _one_hidden("erf", "relu", "gelu", "tanh"),
        "thorough": _one_hidden("erf", "relu", "gelu", "tanh", "silu", "sin", "cos", "softplus"),
    },
    subject=_mlp_with_twin,
    measure=_measure_mean_kernel,
    decide=functools.partial(_decide_mean_kernel, resolution=(0.05, 0.01)),
    faults=(
        "kernel_times_103",
        "kernel_off_diagonal_3",
        "kernel_drops_bias",
        "road_derivative",
        "road_drops_bias",
        "apply_scale_1_over_width",
    ),
)

mean_kernel = Claim(
    name="kernel_identities.mean_kernel",
    source="K_N -> K in probability with a bias of order 1/width; remainder derived here by the "
    "delta method.",
    statement="The mean empirical kernel of a network of any depth is the infinite-width kernel "
    "up to the finite-width bias.",
    needs=("kernel_fn", "random weights"),
    regimes={
        "quick": (Regime(n=4, d=8, widths=(512, 512), activation="erf"),),
        "standard": (
            Regime(n=4, d=8, widths=(512, 512), activation="erf"),
            Regime(n=4, d=8, widths=(512, 512), activation="relu"),
        ),
        "thorough": (
            Regime(n=4, d=8, widths=(1024, 1024), activation="erf"),
            Regime(n=4, d=8, widths=(1024, 1024, 1024), activation="relu"),
        ),
    },
    subject=_mlp_with_twin,
    measure=_measure_mean_kernel,
    remainder=_single_draw_variance,
    decide=functools.partial(_decide_mean_kernel, resolution=(0.05, 0.02)),
    faults=("kernel_times_103", "kernel_drops_bias", "kernel_drops_layer", "apply_drops_bias"),
)

width_rate = Claim(
    name="kernel_identities.width_rate",
    source="Central limit theorem over neurons; remainder derived here.",
    statement="For depth >= 2 the empirical kernel tends to the analytic one at the rate "
    "width^(-1/2).",
    needs=("mlp", "kernel_fn", "random weights", "ladder"),
    regimes={
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
    subject=_ladder,
    measure=_measure_width_rate,
    predict=lambda regime: -1.0,
    remainder=_width_rate_remainder,
    decide=functools.partial(rate, resolution=0.1, first=32, most=256),
    faults=("kernel_times_2", "kernel_drops_layer", "road_derivative", "apply_scale_1_over_width"),
)
