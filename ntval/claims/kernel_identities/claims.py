"""Kernel identities: what holds of every neural tangent kernel, whatever the theorem.

They apply to networks and data of your own as well (`Subject.own`).
"""

from __future__ import annotations

import functools
from dataclasses import replace

from ntval.claims.claim import Claim
from ntval.claims.kernel_identities import structure as measure
from ntval.claims.kernel_identities import width, words
from ntval.evidence.exact import bound, identity
from ntval.evidence.sequential import agreement, probable_bound, rate
from ntval.kernels import analytic
from ntval.regimes import Regime
from ntval.subjects.mlp import mlp_subject
from ntval.subjects.subject import Subject


@functools.lru_cache(maxsize=64)
def _mlp_with_twin(regime: Regime) -> Subject:
    return mlp_subject(regime, kernel_fn=analytic.kernel_fn)


@functools.lru_cache(maxsize=16)
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
    needs=("forward pass",),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=measure.roads_agree,
    decide=identity,
    faults=(
        "road_scale_1",
        "road_scale_3",
        "road_scale_10",
        "road_scale_100",
        "road_off_diagonal_1",
        "road_off_diagonal_3",
        "road_off_diagonal_10",
        "road_off_diagonal_100",
        "road_row_10",
        "road_entry_15",
        "road_derivative",
        "road_function",
        "road_drops_bias",
        "road_drops_layer",
        "road_drops_head",
        "road_over_width",
        "road_over_sqrt_width",
        "road_float32",
        "road_bfloat16",
        "road_jitter",
    ),
)

jacobian_outer_product = Claim(
    name="kernel_identities.jacobian_outer_product",
    source="Definition of the neural tangent kernel, K = J J^T; E01 of the Montanari & Zhong spec.",
    statement="The kernel is the Gram matrix of the Jacobian that automatic differentiation gives.",
    needs=("forward pass",),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=measure.jacobian_outer_product,
    decide=identity,
    faults=(
        "road_scale_1",
        "road_off_diagonal_3",
        "road_entry_15",
        "road_derivative",
        "road_float32",
    ),
)

symmetry = Claim(
    name="kernel_identities.symmetry",
    source="K(x, x') is an inner product.",
    statement="K(x1, x2) = K(x2, x1)^T, empirical and analytic.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=measure.symmetry,
    decide=identity,
    faults=(
        "kernel_asymmetric",
        "road_asymmetric",
        "kernel_stale_inputs",
    ),
    prerequisite=(
        "a kernel_fn with K(x1, x2) = K(x2, x1)^T",
        "correct it, or leave kernel_fn out",
    ),
)

permutation_equivariance = Claim(
    name="kernel_identities.permutation_equivariance",
    source="K is a function of pairs of inputs, not of their place in the batch.",
    statement="K(P x1, x2) = P K(x1, x2) for every permutation P, empirical and analytic.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=measure.permutation_equivariance,
    decide=identity,
    faults=("kernel_permuted_rows", "road_permuted_rows", "kernel_stale_inputs"),
)

positive_semidefinite = Claim(
    name="kernel_identities.positive_semidefinite",
    source="K = J J^T is a Gram matrix.",
    statement="The smallest eigenvalue of K is not negative, empirical and analytic.",
    needs=(),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=measure.positive_semidefinite,
    decide=bound,
    every_input=True,
    faults=("kernel_shifted_down", "road_shifted_down", "kernel_entry_exceeds_diagonal"),
    prerequisite=(
        "a kernel_fn whose Gram matrices are positive semi-definite",
        "correct it, or leave kernel_fn out",
    ),
)

batch_independence = Claim(
    name="kernel_identities.batch_independence",
    source="The kernel of a network is defined one input at a time.",
    statement="An output does not depend on the other inputs of the batch.",
    needs=("forward pass",),
    regimes=_STRUCTURE,
    subject=_mlp_with_twin,
    measure=measure.batch_independence,
    decide=identity,
    diagnose=measure.batch_words,
    faults=("apply_centers_batch", "apply_normalizes_batch", "apply_permutes_batch"),
    prerequisite=(
        "outputs that do not depend on the other inputs of the batch",
        "put BatchNorm and dropout into inference mode",
    ),
)

_EVERY_LAYER = {
    **_STRUCTURE,
    "quick": (
        *_STRUCTURE["quick"],
        *(Regime(n=8, d=8, widths=(64,), activation=name) for name in ("relu", "gelu")),
    ),
}

analytic_oracle = Claim(
    name="kernel_identities.analytic_oracle",
    source="Layer recursion of the infinite-width kernel; Jacot et al. (2018), recalled.",
    statement="The infinite-width kernel of neural-tangents equals our own quadrature.",
    needs=("mlp", "kernel_fn"),
    regimes=_EVERY_LAYER,
    subject=_mlp_with_twin,
    measure=measure.analytic_oracle,
    decide=identity,
    faults=(
        "kernel_scale_1",
        "kernel_scale_3",
        "kernel_scale_10",
        "kernel_scale_100",
        "kernel_off_diagonal_1",
        "kernel_off_diagonal_3",
        "kernel_off_diagonal_10",
        "kernel_off_diagonal_100",
        "kernel_row_10",
        "kernel_entry_15",
        "kernel_derivative",
        "kernel_function",
        "kernel_drops_bias",
        "kernel_drops_layer",
        "kernel_drops_head",
        "kernel_float32",
        "kernel_bfloat16",
        "kernel_jitter",
        "kernel_leaky_relu_for_relu",
        "kernel_silu_for_gelu",
        "kernel_erf_sqrt2_for_erf",
        "kernel_erf_for_tanh",
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
    space=tuple(
        Regime(n=4, d=d, widths=(1024,), activation=name)
        for d in (3, 8, 20)
        for name in ("erf", "relu", "leaky_relu", "gelu", "tanh", "silu", "sin", "softplus")
    ),
    subject=_mlp_with_twin,
    measure=width.mean_kernel,
    allowance=functools.partial(width.unbiased_kernel_allowance, entry=0.05, whole=0.01),
    decide=functools.partial(agreement, labels=width.mean_kernel_label),
    faults=(
        "kernel_scale_3",
        "kernel_off_diagonal_3",
        "kernel_row_10",
        "kernel_entry_15",
        "kernel_drops_bias",
        "kernel_erf_sqrt2_for_erf",
        "kernel_leaky_relu_for_relu",
        "road_scale_3",
        "road_entry_15",
        "road_derivative",
        "road_drops_bias",
        "road_drops_head",
        "apply_over_sqrt_width",
        "weights_shared",
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
    measure=width.mean_kernel,
    allowance=functools.partial(width.mean_kernel_allowance, entry=0.03, whole=0.02),
    diagnose=words.mean_kernel_words,
    decide=functools.partial(agreement, labels=width.mean_kernel_label),
    faults=(
        "kernel_scale_3",
        "kernel_scale_10",
        "kernel_entry_15",
        "kernel_drops_bias",
        "kernel_drops_layer",
        "kernel_drops_head",
        "road_scale_3",
        "apply_drops_bias",
        "weights_shared",
    ),
)

width_rate = Claim(
    name="kernel_identities.width_rate",
    source="Central limit theorem over neurons; remainder derived here.",
    statement="The empirical kernel tends to the analytic one at the rate width^(-1/2).",
    needs=("kernel_fn", "random weights", "ladder"),
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
    measure=width.width_rate,
    predict=lambda regime: -1.0,
    allowance=functools.partial(width.width_rate_allowance, resolution=0.15),
    decide=functools.partial(rate, first=32, most=256),
    faults=(
        "kernel_scale_100",
        "kernel_drops_layer",
        "road_derivative",
    ),
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

width_concentration = Claim(
    name="kernel_identities.width_concentration",
    source="Central limit theorem over neurons; remainder derived here.",
    statement="The empirical kernel of random weights concentrates: its relative variance falls "
    "like 1/width.",
    needs=("random weights", "ladder"),
    regimes=_LADDERS,
    subject=_ladder,
    measure=width.width_concentration,
    predict=lambda regime: -1.0,
    allowance=functools.partial(width.concentration_allowance, resolution=0.15),
    decide=functools.partial(rate, first=16, most=256),
    faults=("weights_shared", "weights_tied", "weights_of_random_scale"),
)

parametrization = Claim(
    name="kernel_identities.parametrization",
    source="Definition of the NTK parametrization; Jacot et al. (2018), recalled.",
    statement="The network has the NTK parametrization: the mean of K(x, x) does not depend on "
    "the width, up to 1/width.",
    needs=("random weights", "ladder"),
    regimes=_LADDERS,
    subject=_ladder,
    measure=width.parametrization,
    allowance=functools.partial(width.parametrization_allowance, resolution=0.05),
    decide=functools.partial(rate, first=16, most=256),
    diagnose=width.parametrization_words,
    faults=("apply_over_sqrt_width", "apply_times_sqrt_width", "road_over_sqrt_width"),
)

precision = Claim(
    name="kernel_identities.precision",
    source="Rounding of one kernel entry, a contraction over all parameters; derived here. Kinks "
    "may flip a derivative, so it is not claimed of every input.",
    statement="With probability at least 0.99 over the inputs, the kernel in float32 is that of "
    "float64 up to rounding.",
    needs=("forward pass",),
    regimes={
        "quick": (_ONE_LAYER,),
        "standard": (_ONE_LAYER, _TWO_LAYERS, _RELU),
        "thorough": (_ONE_LAYER, _TWO_LAYERS, _THREE_LAYERS, _RELU),
    },
    subject=_mlp_with_twin,
    measure=measure.precision,
    decide=functools.partial(probable_bound, failure=0.01, resolution=0.1),
    faults=(
        "road_rounds_float32_to_bfloat16",
        "road_cancels_in_float32",
        "road_constant_in_float32",
    ),
    by_chance=True,
)
