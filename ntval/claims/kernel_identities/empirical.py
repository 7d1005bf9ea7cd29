"""Kernel identities of the empirical kernel: batch, methods, Jacobian, precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import float32, rounding_or_all
from ntval.claims.claim import Claim
from ntval.claims.kernel_identities.method_words import batch_words, method_words
from ntval.claims.kernel_identities.setting import (
    ANY,
    ONE_LAYER,
    REGIMES,
    RELU,
    THREE_LAYERS,
    TWO_LAYERS,
    autodiff_rows,
    mlp_with_twin,
    network_rounding,
    params_and_inputs,
)
from ntval.claims.procedures import Identity, ProbableBound
from ntval.claims.sampling import MEASURED, draw_params, empirical_at, kept, stream_of
from ntval.evidence.exact import Comparison
from ntval.evidence.sequential import Draw
from ntval.kernels.differentiable import raveled, require_finite
from ntval.kernels.methods import methods_of
from ntval.networks.network import num_params
from ntval.observables.entries import entry_scale
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject


def _batch_independence(key: Array, regime: Regime, subject: NetworkSubject) -> list[Comparison]:
    """Outputs of a batch against those of its rows one by one."""
    params, x, _ = params_and_inputs(key, regime, subject)
    together = np.asarray(subject.network.apply_fn(params, x)).reshape(regime.n, -1)
    alone, slopes = (np.asarray(part) for part in _one_by_one(subject)(params, x))
    # A row that is finite in one batch alone depends on the batch; one finite in none is refused.
    require_finite("values", np.where(np.isfinite(together), 0.0, alone), 0)
    # To first order a relative perturbation u of every parameter moves an output by at most
    # u |J_i| |theta|, the Cauchy-Schwarz bound of sum_p |J_ip theta_p|.
    size = slopes * np.linalg.norm(np.asarray(raveled(params)[0]))
    scale = np.nan_to_num(size) + np.abs(alone)
    allowed = network_rounding(subject, params, x) * scale
    return [Comparison("f(x)[i] against f(x[i:i+1])", together, alone, allowed, scale)]


@kept
def _one_by_one(subject: NetworkSubject) -> Callable:
    """Function of (params, x): the outputs of each row in a batch of its own, and the norms of
    their derivatives by all parameters."""

    def of_row(params: Any, row: Float[Array, "*shape"]):
        flat, unravel = raveled(params)

        def outputs(theta: Float[Array, "p"]) -> Float[Array, "outputs"]:
            return subject.network.apply_fn(unravel(theta), row[None]).reshape(-1)

        return outputs(flat), jnp.linalg.norm(jax.jacrev(outputs)(flat), axis=-1)

    return jax.jit(lambda params, x: jax.lax.map(partial(of_row, params), x))


batch_independence = Claim(
    name="kernel_identities.batch_independence",
    source="The kernel of a network is defined one input at a time.",
    statement="An output does not depend on the other inputs of the batch.",
    needs=("forward pass",),
    points=REGIMES,
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Identity(_batch_independence),
    diagnose=batch_words,
    every_input=True,
    faults=("apply_centers_batch", "apply_normalizes_batch", "apply_permutes_batch"),
    prerequisite=(
        "outputs that do not depend on the other inputs of the batch",
        "put BatchNorm and dropout into inference mode",
    ),
)


def _methods_agree(key: Array, regime: Regime, subject: NetworkSubject) -> list[Comparison]:
    """Every method against the last, square and rectangular."""
    params, x1, x2 = params_and_inputs(key, regime, subject)
    rounding = network_rounding(subject, params, x1)
    *others, reference = methods_of(subject.network)

    def grams(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        square = empirical_at(subject, params, x1, method=name)
        block = empirical_at(subject, params, x1, x2, method=name)
        return square, block, np.diag(empirical_at(subject, params, x2, method=name))

    square, block, diagonal2 = grams(reference)
    comparisons = []
    for name in others:
        of_square, of_block, _ = grams(name)
        for label, left, right, scale in (
            ("K(x, x)", of_square, square, entry_scale(np.diag(square))),
            ("K(x1, x2)", of_block, block, entry_scale(np.diag(square), diagonal2)),
        ):
            words = f"{label} by {name} against {reference}"
            comparisons.append(Comparison(words, left, right, rounding * scale, scale))
    return comparisons + _public(
        subject, params, jnp.concatenate([x1, x2[:1]]), reference, rounding
    )


def _public(
    subject: NetworkSubject,
    params: Any,
    x: Float[Array, "n *shape"],
    reference: str,
    rounding: float,
) -> list[Comparison]:
    """What users call against the reference, at one input more: the tiled Jacobian in its usual
    memory and in so little that each tile has one input."""
    x = jnp.unique(x, axis=0) if subject.from_user else x
    gram = empirical_at(subject, params, x, method=reference)
    scale = entry_scale(np.diag(gram))
    calls = [(name, None) for name in methods_of(subject.network)] + [("jacobian", 1.0)]
    return [
        Comparison(
            f"K(x, x) by the public {name}" + (" in little memory" if memory else ""),
            np.asarray(subject.public[name](subject.network, params, np.asarray(x), memory)),
            gram,
            rounding * scale,
            scale,
        )
        for name, memory in calls
    ]


methods_agree = Claim(
    name="kernel_identities.methods_agree",
    source="Definition of the neural tangent kernel, K = J J^T.",
    statement="Closed forms, layer-wise contraction, tiled Jacobian and matrix-free operator "
    "give one empirical kernel.",
    needs=("forward pass", "forward mode", "two methods"),
    points=REGIMES,
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Identity(_methods_agree),
    diagnose=method_words,
    faults=(
        "empirical_scale_1",
        "empirical_scale_3",
        "empirical_scale_10",
        "empirical_scale_100",
        "empirical_off_diagonal_1",
        "empirical_off_diagonal_3",
        "empirical_off_diagonal_10",
        "empirical_off_diagonal_100",
        "empirical_row_10",
        "empirical_entry_15",
        "empirical_derivative",
        "empirical_function",
        "empirical_drops_bias",
        "empirical_drops_layer",
        "empirical_drops_head",
        "empirical_over_width",
        "empirical_over_sqrt_width",
        "empirical_float32",
        "empirical_bfloat16",
        "empirical_jitter",
        "empirical_last_row_3",
        "empirical_on_the_sphere",
    ),
)


def jacobian_comparison(key: Array, regime: Regime, subject: NetworkSubject) -> list[Comparison]:
    """The cheapest method against J J^T of the whole batch."""
    params, x, _ = params_and_inputs(key, regime, subject)
    _, rows = autodiff_rows(subject, params, x)
    exact = np.einsum("iop,jop->ij", rows, rows) / rows.shape[1]
    gram = empirical_at(subject, params, x)
    scale = entry_scale(np.diag(exact))
    allowed = network_rounding(subject, params, x) * scale
    return [Comparison("K against J J^T", gram, exact, allowed, scale)]


jacobian_outer_product = Claim(
    name="kernel_identities.jacobian_outer_product",
    source="Definition of the neural tangent kernel, K = J J^T; E01 of the Montanari & Zhong spec.",
    statement="The kernel is the Gram matrix of the Jacobian that automatic differentiation gives.",
    needs=("forward pass",),
    points=REGIMES,
    domain=ANY,
    subject=mlp_with_twin,
    procedure=Identity(jacobian_comparison),
    faults=(
        "empirical_scale_1",
        "empirical_off_diagonal_3",
        "empirical_entry_15",
        "empirical_derivative",
        "empirical_float32",
    ),
)


@kept
def _in_both_precisions(subject: NetworkSubject) -> tuple[Callable, Callable]:
    """Function of (key, like) that gives K of a draw with its parameters and inputs in float32, and
    function of these that gives K in float32."""
    method = subject.cheapest_method()

    def exact(key: Array, like: Float[Array, "n"]) -> tuple[Float[Array, "n n"], Any, Any]:
        key_params, key_x = jax.random.split(key)
        params = draw_params(subject.network, key_params)
        x = subject.inputs(key_x, len(like))
        return method(subject.network, params, x), *jax.tree.map(_as_float32, (params, x))

    return jax.jit(exact), jax.jit(partial(method, subject.network))


def _as_float32(leaf: Any) -> Any:
    floating = jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating)
    return jnp.asarray(leaf, dtype=jnp.float32) if floating else leaf


def _precision(
    key: Array, regime: Regime, subject: NetworkSubject, *, stream: str = MEASURED
) -> Draw:
    """Room that rounding leaves the kernel in float32, relative, negative where it is not enough;
    that kernel is a program of its own, with JAX's float64 off as it is for most."""
    if stream != MEASURED:
        key = stream_of(key, stream)
    in_float64, in_float32 = _in_both_precisions(subject)

    def room(number: int) -> float:
        exact, params, x = in_float64(jax.random.fold_in(key, number), jnp.zeros(regime.n))
        try:
            with float32():
                low = in_float32(params, x)
        except (TypeError, ValueError):
            # JAX mixes constants of NumPy up that it met in float64 before: then with that on.
            low = in_float32(params, x)
        low = np.asarray(low, dtype=np.float64)
        scale = entry_scale(np.diag(exact))
        gap = np.abs(low - exact) / np.maximum(scale, np.finfo(float).tiny)
        # Two roundings a parameter, and that of the input in each of its dimensions.
        operations = 2 * num_params(params) + math.prod(x.shape[1:])
        return rounding_or_all(operations, np.float32) - float(gap.max())

    return lambda start, count: np.array([[room(i)] for i in range(start, start + count)])


precision = Claim(
    name="kernel_identities.precision",
    source="Rounding of one kernel entry, a contraction over all parameters; derived here. Kinks "
    "may flip a derivative, so it is not claimed of every input.",
    statement="With probability at least 0.99 over the inputs, the kernel in float32 is that of "
    "float64 up to rounding.",
    needs=("forward pass", "float32"),
    points={
        "quick": (ONE_LAYER,),
        "standard": (ONE_LAYER, TWO_LAYERS, RELU),
        "thorough": (ONE_LAYER, TWO_LAYERS, THREE_LAYERS, RELU),
    },
    domain=ANY,
    subject=mlp_with_twin,
    procedure=ProbableBound(_precision, failure=0.01, resolution=0.1),
    faults=(
        "empirical_cancels_in_float32",
        "empirical_rounds_float32_to_bfloat16",
        "empirical_constant_in_float32",
    ),
)
