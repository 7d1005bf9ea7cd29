"""Planted faults by name: what each changes. A claim lists, in `faults`, those it must refute.

Names say where a fault sits: `road_` in the cheapest road to the empirical kernel, `kernel_` in
the analytic kernel, `apply_` in the forward pass, `weights_` and `inputs_` in what is drawn,
`prediction_` in theory. Numbers are percent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from ntval import changes
from ntval.errors import unknown_name
from ntval.networks import symmetrized
from ntval.planting import (
    Plant,
    in_apply,
    in_gram,
    in_grams,
    in_init,
    in_inputs,
    in_kernel,
    in_kernel_gram,
    in_kernel_of,
    in_measure,
    in_mlp,
    in_params,
    in_prediction,
    in_road,
    in_twin,
)
from ntval.theory import isotropic_targets
from ntval.theory import montanari_zhong as theory
from ntval.theory.random_matrices import Target


@dataclass(frozen=True)
class Fault:
    """A planted fault: `plant(claim)` is the claim about the broken implementation.

    A fault of a `family` comes in every `size`, a share of what it changes.
    """

    name: str
    description: str
    plant: Plant
    family: str | None = None
    size: float | None = None


_CHANGES: dict[str, tuple[str, Callable[[float], Callable]]] = {
    "scale": ("is {} % too large", changes.times),
    "off_diagonal": ("is {} % too large off the diagonal", changes.off_diagonal_times),
    "row": ("is {} % too large in one row", changes.row_times),
    "entry": ("is {} % too large in one entry", changes.entry_times),
}

# Faults that come in every size: family -> plant of a size.
FAMILIES: Mapping[str, Callable[[float], Plant]] = {
    f"{place}_{kind}": lambda size, within=within, change=change: within(change(1 + size))
    for place, within in (("kernel", in_kernel_gram), ("road", in_gram), ("gram", in_grams))
    for kind, (_, change) in _CHANGES.items()
}


def sized(family: str, size: float) -> Fault:
    """The fault of a family at a size, 0.03 for 3 %."""
    place, _, kind = family.partition("_")
    which = {
        "kernel": "the analytic kernel",
        "road": "the empirical kernel",
        "gram": "a Gram matrix",
    }[place]
    percent = f"{100 * size:.3g}"
    return Fault(
        f"{family}_{percent}",
        f"{which} {_CHANGES[kind][0].format(percent)}",
        FAMILIES[family](size),
        family,
        size,
    )


NEIGHBORS = (("relu", "leaky_relu"), ("gelu", "silu"), ("erf", "erf_sqrt2"), ("tanh", "erf"))

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        *(
            sized(family, size)
            for family, sizes in (
                ("kernel_scale", (0.01, 0.03, 0.1, 1.0)),
                ("kernel_off_diagonal", (0.01, 0.03, 0.1, 1.0)),
                ("kernel_row", (0.1,)),
                ("kernel_entry", (0.15,)),
                ("road_scale", (0.01, 0.03, 0.1, 1.0)),
                ("road_off_diagonal", (0.01, 0.03, 0.1, 1.0)),
                ("road_row", (0.1,)),
                ("road_entry", (0.15,)),
                ("gram_scale", (0.01, 0.1)),
                ("gram_off_diagonal", (0.03, 0.1)),
                ("gram_entry", (0.15, 0.5)),
            )
            for size in sizes
        ),
        Fault(
            "road_derivative",
            "sigma in place of sigma' in the empirical kernel",
            in_mlp(changes.derivative_is_function),
        ),
        Fault(
            "road_function",
            "sigma' in place of sigma in the empirical kernel",
            in_mlp(changes.function_is_derivative),
        ),
        Fault(
            "road_drops_bias",
            "the empirical kernel leaves the biases out",
            in_mlp(lambda mlp: replace(mlp, b_std=0.0)),
        ),
        Fault(
            "road_drops_layer",
            "the empirical kernel leaves the first layer's gradient out",
            in_params(changes.without_layer(0)),
        ),
        Fault(
            "road_drops_head",
            "the empirical kernel leaves the last layer's gradient out",
            in_params(changes.without_layer(-1)),
        ),
        Fault(
            "road_over_width",
            "the empirical kernel is divided by the width once more",
            in_road(changes.over_width(1)),
        ),
        Fault(
            "road_over_sqrt_width",
            "the empirical kernel is divided by the root of the width",
            in_road(changes.over_width(0.5)),
        ),
        Fault(
            "road_times_d",
            "the empirical kernel lacks a factor 1/d",
            in_road(
                lambda road: (
                    lambda network, params, x1, x2=None: x1.shape[1] * road(network, params, x1, x2)
                )
            ),
        ),
        Fault(
            "road_without_inputs",
            "the empirical kernel lacks the factor <x, x'>/d",
            in_road(changes.without_input_factor),
        ),
        Fault(
            "road_float32",
            "the empirical kernel passes through float32",
            in_gram(changes.in_precision(jnp.float32)),
        ),
        Fault(
            "road_bfloat16",
            "the empirical kernel passes through bfloat16",
            in_gram(changes.in_precision(jnp.bfloat16)),
        ),
        Fault(
            "road_rounds_float32_to_bfloat16",
            "in float32 the empirical kernel passes through bfloat16",
            in_gram(
                changes.only_in_float32(lambda gram: gram.astype(jnp.bfloat16).astype(jnp.float32))
            ),
        ),
        Fault(
            "road_cancels_in_float32",
            "in float32 a large number is added to the empirical kernel and taken away again",
            in_gram(changes.only_in_float32(changes.cancelling)),
        ),
        Fault(
            "road_constant_in_float32",
            "in float32 the empirical kernel is 1 % too large",
            in_gram(changes.only_in_float32(lambda gram: 1.01 * gram)),
        ),
        Fault(
            "road_jitter",
            "a millionth is added to the empirical kernel's diagonal",
            in_gram(changes.with_jitter),
        ),
        Fault(
            "road_asymmetric",
            "the empirical kernel is asymmetric by 1e-6",
            in_gram(changes.asymmetric),
        ),
        Fault(
            "road_permuted_rows",
            "the empirical kernel's rows are in another order",
            in_gram(changes.swapped_rows),
        ),
        Fault(
            "road_shifted_down",
            "the empirical kernel's smallest eigenvalue is slightly negative",
            in_gram(changes.shifted_down),
        ),
        Fault(
            "kernel_derivative",
            "sigma in place of sigma' in the analytic kernel",
            in_twin(changes.derivative_is_function),
        ),
        Fault(
            "kernel_function",
            "sigma' in place of sigma in the analytic kernel",
            in_twin(changes.function_is_derivative),
        ),
        Fault(
            "kernel_drops_bias",
            "the analytic kernel is that of the network without biases",
            in_twin(lambda mlp: replace(mlp, b_std=0.0)),
        ),
        Fault(
            "kernel_drops_layer",
            "the analytic kernel is that of the network with one hidden layer less or more",
            in_twin(
                lambda mlp: replace(
                    mlp, widths=mlp.widths[1:] if len(mlp.widths) > 1 else 2 * mlp.widths
                )
            ),
        ),
        Fault(
            "kernel_drops_head",
            "the analytic kernel leaves the last layer's gradient out",
            in_kernel(
                lambda kernel: (
                    lambda x1, x2=None, get="ntk": kernel(x1, x2, get) - kernel(x1, x2, "nngp")
                )
            ),
        ),
        *(
            Fault(
                f"kernel_{other}_for_{name}",
                f"the analytic kernel of {other} in place of {name}",
                in_twin(changes.another_activation(name, other)),
            )
            for name, other in NEIGHBORS
        ),
        Fault(
            "kernel_of_gaussian_weights",
            "the analytic kernel is that of Gaussian weights, not of weights on the sphere",
            in_kernel_of(changes.gaussian_first_layer),
        ),
        Fault(
            "kernel_float32",
            "the analytic kernel passes through float32",
            in_kernel_gram(changes.in_precision(jnp.float32)),
        ),
        Fault(
            "kernel_bfloat16",
            "the analytic kernel passes through bfloat16",
            in_kernel_gram(changes.in_precision(jnp.bfloat16)),
        ),
        Fault(
            "kernel_jitter",
            "a millionth is added to the analytic kernel's diagonal",
            in_kernel_gram(changes.with_jitter),
        ),
        Fault(
            "kernel_asymmetric",
            "the analytic kernel is asymmetric by 1e-6",
            in_kernel_gram(changes.asymmetric),
        ),
        Fault(
            "kernel_permuted_rows",
            "the analytic kernel's rows are in another order",
            in_kernel_gram(changes.swapped_rows),
        ),
        Fault(
            "kernel_shifted_down",
            "the analytic kernel's smallest eigenvalue is slightly negative",
            in_kernel_gram(changes.shifted_down),
        ),
        Fault(
            "kernel_entry_exceeds_diagonal",
            "one entry of the analytic kernel is larger than its diagonal allows",
            in_kernel_gram(changes.entry_exceeds_diagonal),
        ),
        Fault(
            "kernel_stale_inputs",
            "the analytic kernel is computed at inputs sorted anew",
            in_kernel(
                lambda kernel: (
                    lambda x1, x2=None, get="ntk": kernel(
                        x1[jnp.argsort(x1.reshape(len(x1), -1)[:, 0])], x2, get
                    )
                )
            ),
        ),
        Fault(
            "kernel_plus_constant",
            "a constant, as of trained biases, is added to the analytic kernel",
            in_kernel_gram(lambda gram: gram + 0.1),
        ),
        Fault(
            "kernel_without_inputs",
            "the analytic kernel lacks the factor <x, x'>/d",
            in_kernel(
                lambda kernel: (
                    lambda x1, x2=None, get="ntk": (
                        kernel(x1, x2, get) / (x1 @ (x1 if x2 is None else x2).T / x1.shape[1])
                    )
                )
            ),
        ),
        Fault(
            "kernel_adds_second_layer",
            "the second layer, which is fixed, is trained in the analytic kernel",
            in_kernel(
                lambda kernel: (
                    lambda x1, x2=None, get="ntk": kernel(x1, x2, get) + kernel(x1, x2, "nngp")
                )
            ),
        ),
        Fault(
            "kernel_centered",
            "rows and columns of the analytic kernel are centered",
            in_kernel_gram(changes.centered),
        ),
        Fault(
            "kernel_squared",
            "a hundredth of its square is added to the analytic kernel",
            in_kernel_gram(lambda gram: gram + 0.01 * gram**2),
        ),
        Fault(
            "apply_drops_bias",
            "the forward pass leaves the biases out",
            in_apply(lambda fn: lambda params, x: fn(changes.without_biases(params), x)),
        ),
        Fault(
            "apply_over_sqrt_width",
            "outputs are scaled by 1/width in place of 1/sqrt(width)",
            in_apply(
                lambda fn: lambda params, x: fn(params, x) / math.sqrt(params[-1]["w"].shape[0])
            ),
        ),
        Fault(
            "apply_times_sqrt_width",
            "outputs lack the factor 1/sqrt(width)",
            in_apply(
                lambda fn: lambda params, x: fn(params, x) * math.sqrt(params[-1]["w"].shape[0])
            ),
        ),
        Fault(
            "apply_centers_batch",
            "the forward pass subtracts the batch's mean",
            in_apply(lambda fn: lambda params, x: fn(params, x) - fn(params, x).mean(axis=0)),
        ),
        Fault(
            "apply_normalizes_batch",
            "inputs are divided by the batch's standard deviation",
            in_apply(lambda fn: lambda params, x: fn(params, x / (1 + x.std(axis=0)))),
        ),
        Fault(
            "apply_permutes_batch",
            "outputs come in another order than inputs",
            in_apply(lambda fn: lambda params, x: fn(params, x)[::-1]),
        ),
        Fault(
            "weights_unnormalized",
            "weights are Gaussian with norm sqrt(d), not on the unit sphere",
            in_init(
                lambda init: (
                    lambda key: jax.tree.map(lambda w: w * math.sqrt(w.shape[0]), init(key))
                )
            ),
        ),
        Fault(
            "weights_gaussian",
            "weights are Gaussian with norm about 1, not on the unit sphere",
            in_init(changes.gaussian_weights),
        ),
        Fault(
            "weights_symmetrized",
            "neurons come in pairs of opposite outgoing weights",
            in_init(symmetrized),
        ),
        Fault(
            "weights_shared",
            "every draw has the same weights",
            in_init(lambda init: lambda key: init(jax.random.key(0))),
        ),
        Fault(
            "weights_tied",
            "a quarter of the neurons of a layer have the same weights",
            in_init(lambda init: lambda key: changes.tied_neurons(init(key))),
        ),
        Fault(
            "weights_of_random_scale",
            "all weights of a draw have one random scale",
            in_init(changes.of_random_scale),
        ),
        Fault(
            "inputs_gaussian",
            "inputs are Gaussian, not on the sphere",
            in_inputs(lambda inputs: lambda key, n: jax.random.normal(key, inputs(key, n).shape)),
        ),
        Fault(
            "inputs_on_unit_sphere",
            "inputs have norm 1, not sqrt(d)",
            in_inputs(
                lambda inputs: lambda key, n: inputs(key, n) / math.sqrt(inputs(key, n).shape[1])
            ),
        ),
        Fault(
            "energies_shifted",
            "the energy of each degree is given to the one below",
            in_measure(energies=lambda fn, d, degree: theory.energies(fn, d, degree + 1)[1:]),
        ),
        Fault(
            "energies_of_limit",
            "squared Hermite coefficients in place of the energies at finite d",
            in_measure(energies=changes.limit_energies),
        ),
        Fault(
            "energies_without_constant",
            "the energy of degree 0 is left out",
            in_measure(
                energies=lambda fn, d, degree: (
                    theory.energies(fn, d, degree) * (np.arange(degree + 1) > 0)
                )
            ),
        ),
        Fault(
            "tail_shifted_up",
            "the tail starts one degree too late",
            in_measure(tail=lambda fn, d, degree: theory.tail_energy(fn, d, degree + 1)),
        ),
        Fault(
            "tail_shifted_down",
            "the tail starts one degree too early",
            in_measure(tail=lambda fn, d, degree: theory.tail_energy(fn, d, degree - 1)),
        ),
        Fault(
            "outliers_without_constant",
            "the constant is not counted among the outliers",
            in_measure(count=lambda fn, d, degree: theory.outliers(fn, d, degree=degree) - 1),
        ),
        Fault(
            "tail_missing",
            "the self-induced ridge is left out",
            in_measure(tail=lambda fn, d, degree: 0.0),
        ),
        Fault(
            "tail_of_limit",
            "the limit v_l in place of the self-induced ridge at finite d",
            in_measure(tail=lambda fn, d, degree: theory.tail_energy_limit(fn, degree)),
        ),
        Fault(
            "ridge_times_n",
            "the ridge is multiplied by n, as of an averaged loss",
            in_measure(ridge=lambda regime: regime.ridge * regime.n),
        ),
        Fault(
            "ridge_over_n",
            "the ridge is divided by n",
            in_measure(ridge=lambda regime: regime.ridge / regime.n),
        ),
        Fault(
            "ridge_not_averaged",
            "the ridge of an averaged loss is not divided by n",
            in_measure(averaged=lambda ridge, n: ridge),
        ),
        Fault(
            "ridge_not_relative",
            "neural-tangents' diag_reg is taken for an absolute ridge",
            in_measure(relative=lambda ridge, gram: ridge),
        ),
        Fault(
            "ridge_of_primal_over_n",
            "the ridge on features is divided by n",
            in_measure(primal=lambda ridge, n: ridge / n),
        ),
        Fault(
            "ridge_left_on",
            "a ridge of 0.1 in place of none",
            in_measure(ridge=lambda regime: 0.1),
        ),
        Fault(
            "train_for_test",
            "the train error in place of the risk",
            in_measure(
                score=lambda gram, harmonics, moments, target, *, ridge: (
                    isotropic_targets.train_error(gram, harmonics, target, ridge=ridge)
                )
            ),
        ),
        Fault(
            "noise_in_risk",
            "the variance of the labels' noise is counted in the risk",
            in_measure(
                score=lambda gram, harmonics, moments, target, *, ridge: (
                    isotropic_targets.risk(gram, harmonics, moments, target, ridge=ridge)
                    + target.noise_std**2
                )
            ),
        ),
        Fault(
            "target_without_noise",
            "residuals are taken from the target, not from its noisy labels",
            in_measure(
                target=lambda regime: Target(energies=(0.0, 1.0), noise_std=0.0),
            ),
        ),
        Fault(
            "pairs_not_paired",
            "weights are independent where they should come in pairs",
            in_measure(init=lambda init: init),
        ),
        Fault(
            "scale_of_root",
            "outputs are scaled by the root of alpha",
            in_measure(scale=math.sqrt),
        ),
        Fault(
            "linearized_elsewhere",
            "the linearization is taken 5 % away from the initial weights",
            in_measure(shift=0.05),
        ),
        Fault(
            "width_not_halved",
            "all neurons of a symmetrized initialization are counted",
            in_measure(effective=lambda width, *, symmetrized: width),
        ),
        Fault(
            "weights_positive",
            "weights are replaced by their absolute values",
            in_init(lambda init: lambda key: jax.tree.map(jnp.abs, init(key))),
        ),
        Fault(
            "road_leaky_relu",
            "leaky relu in place of relu in the empirical kernel",
            in_mlp(lambda mlp: replace(mlp, activation="leaky_relu")),
        ),
        Fault(
            "prediction_free_intercept",
            "an intercept is taken to cost nothing",
            in_prediction(lambda fn, regime: 0.0),
        ),
        Fault(
            "prediction_limit",
            "the limit v_1 in place of the finite-d formula",
            in_prediction(lambda fn, regime: theory.min_eigenvalue_limit(fn)),
        ),
        Fault(
            "prediction_every_degree_learned",
            "every degree up to 3 is taken to be learned",
            in_prediction(lambda fn, regime: 1.0),
        ),
        Fault(
            "prediction_degree_shifted",
            "the tail starts one degree too late",
            in_prediction(lambda fn, regime: theory.tail_energy(fn, regime.d, 2)),
        ),
    )
}


def find(name: str) -> Fault:
    """The fault called `name`, of the catalogue or of any size of a family.

    Raises: `UnknownNameError`, naming the nearest, when there is none.
    """
    family, _, percent = name.rpartition("_")
    if name not in FAULTS and family in FAMILIES:
        try:
            return sized(family, float(percent) / 100)
        except ValueError:
            pass
    if name not in FAULTS:
        raise unknown_name("fault", name, FAULTS)
    return FAULTS[name]
