"""Planted faults of kernels: of the empirical one, of the analytic one, of the forward pass."""

from __future__ import annotations

import math
from dataclasses import replace

import jax.numpy as jnp

from ntval.faults import mutations
from ntval.faults.fault import Fault
from ntval.faults.sites import (
    in_analytic_gram,
    in_apply,
    in_empirical_gram,
    in_kernel_fn,
    in_method,
    in_mlp,
    in_option,
    in_params,
    in_public,
    in_twin,
)

NEIGHBORS = (("relu", "leaky_relu"), ("gelu", "silu"), ("erf", "erf_sqrt2"), ("tanh", "erf"))

FAULTS = (
    Fault(
        "analytic_rectangular_50",
        "the analytic kernel is 50 % too large whenever x2 is given",
        in_kernel_fn(mutations.rectangular_times(1.5)),
    ),
    Fault(
        "empirical_rectangular_3",
        "the empirical kernel is 3 % too large whenever x2 is given",
        in_method(mutations.rectangular_method_times(1.03)),
    ),
    Fault(
        "empirical_last_row_3",
        "the public empirical kernel is 3 % too large in the last row of an odd number",
        in_public(mutations.odd_last_row_times(1.03)),
    ),
    Fault(
        "apply_custom_derivative",
        "the derivative of the outputs, given by a custom rule, is 5 % too large",
        in_apply(mutations.custom_derivative_times(1.05)),
    ),
    Fault(
        "apply_stops_gradient",
        "half of every output passes no gradient",
        in_apply(mutations.half_without_gradient),
    ),
    Fault(
        "derivative_of_softplus",
        "the derivative of softplus is 1 % too large, in theory, quadrature and closed forms alike",
        in_option(derivative_of=mutations.wrong_derivative("softplus", 1.01)),
    ),
    Fault(
        "empirical_derivative",
        "sigma in place of sigma' in the empirical kernel",
        in_mlp(mutations.derivative_is_function),
    ),
    Fault(
        "empirical_function",
        "sigma' in place of sigma in the empirical kernel",
        in_mlp(mutations.function_is_derivative),
    ),
    Fault(
        "empirical_drops_bias",
        "the empirical kernel leaves the biases out",
        in_mlp(lambda mlp: replace(mlp, b_std=0.0)),
    ),
    Fault(
        "empirical_drops_layer",
        "the empirical kernel leaves the first layer's gradient out",
        in_params(mutations.without_layer(0)),
    ),
    Fault(
        "empirical_drops_head",
        "the empirical kernel leaves the last layer's gradient out",
        in_params(mutations.without_layer(-1)),
    ),
    Fault(
        "empirical_over_width",
        "the empirical kernel is divided by the width once more",
        in_method(mutations.over_width(1)),
    ),
    Fault(
        "empirical_over_sqrt_width",
        "the empirical kernel is divided by the root of the width",
        in_method(mutations.over_width(0.5)),
    ),
    Fault(
        "empirical_float32",
        "the empirical kernel passes through float32",
        in_empirical_gram(mutations.in_precision(jnp.float32)),
    ),
    Fault(
        "empirical_bfloat16",
        "the empirical kernel passes through bfloat16",
        in_empirical_gram(mutations.in_precision(jnp.bfloat16)),
    ),
    Fault(
        "empirical_rounds_float32_to_bfloat16",
        "in float32 the empirical kernel passes through bfloat16",
        in_empirical_gram(
            mutations.only_in_float32(lambda gram: gram.astype(jnp.bfloat16).astype(jnp.float32))
        ),
    ),
    Fault(
        "empirical_cancels_in_float32",
        "in float32 a large number is added to the empirical kernel and taken away again",
        in_empirical_gram(mutations.only_in_float32(mutations.cancelling)),
    ),
    Fault(
        "empirical_constant_in_float32",
        "in float32 the empirical kernel is 1 % too large",
        in_empirical_gram(mutations.only_in_float32(lambda gram: 1.01 * gram)),
    ),
    Fault(
        "empirical_jitter",
        "a millionth is added to the empirical kernel's diagonal",
        in_empirical_gram(mutations.with_jitter),
    ),
    Fault(
        "empirical_asymmetric",
        "the empirical kernel is asymmetric by 1e-6",
        in_empirical_gram(mutations.asymmetric),
    ),
    Fault(
        "empirical_permuted_rows",
        "the empirical kernel's rows are in another order",
        in_empirical_gram(mutations.swapped_rows),
    ),
    Fault(
        "empirical_shifted_down",
        "the empirical kernel's smallest eigenvalue is slightly negative",
        in_empirical_gram(mutations.shifted_down),
    ),
    Fault(
        "analytic_derivative",
        "sigma in place of sigma' in the analytic kernel",
        in_twin(mutations.derivative_is_function),
    ),
    Fault(
        "analytic_function",
        "sigma' in place of sigma in the analytic kernel",
        in_twin(mutations.function_is_derivative),
    ),
    Fault(
        "analytic_drops_bias",
        "the analytic kernel is that of the network without biases",
        in_twin(lambda mlp: replace(mlp, b_std=0.0)),
    ),
    Fault(
        "analytic_drops_layer",
        "the analytic kernel is that of the network with one hidden layer less or more",
        in_twin(
            lambda mlp: replace(
                mlp, widths=mlp.widths[1:] if len(mlp.widths) > 1 else 2 * mlp.widths
            )
        ),
    ),
    Fault(
        "analytic_drops_head",
        "the analytic kernel leaves the last layer's gradient out",
        in_kernel_fn(
            lambda kernel: (
                lambda x1, x2=None, get="ntk": kernel(x1, x2, get) - kernel(x1, x2, "nngp")
            )
        ),
    ),
    Fault(
        "analytic_ntk_for_nngp",
        "the analytic kernel is the NTK whatever is asked for",
        in_kernel_fn(lambda kernel: lambda x1, x2=None, get="ntk": kernel(x1, x2, "ntk")),
    ),
    *(
        Fault(
            f"analytic_{other}_for_{name}",
            f"the analytic kernel of {other} in place of {name}",
            in_twin(mutations.another_activation(name, other)),
        )
        for name, other in NEIGHBORS
    ),
    Fault(
        "analytic_float32",
        "the analytic kernel passes through float32",
        in_analytic_gram(mutations.in_precision(jnp.float32)),
    ),
    Fault(
        "analytic_bfloat16",
        "the analytic kernel passes through bfloat16",
        in_analytic_gram(mutations.in_precision(jnp.bfloat16)),
    ),
    Fault(
        "analytic_jitter",
        "a millionth is added to the analytic kernel's diagonal",
        in_analytic_gram(mutations.with_jitter),
    ),
    Fault(
        "analytic_asymmetric",
        "the analytic kernel is asymmetric by 1e-6",
        in_analytic_gram(mutations.asymmetric),
    ),
    Fault(
        "analytic_permuted_rows",
        "the analytic kernel's rows are in another order",
        in_analytic_gram(mutations.swapped_rows),
    ),
    Fault(
        "analytic_shifted_down",
        "the analytic kernel's smallest eigenvalue is slightly negative",
        in_analytic_gram(mutations.shifted_down),
    ),
    Fault(
        "analytic_entry_exceeds_diagonal",
        "one entry of the analytic kernel is larger than its diagonal allows",
        in_analytic_gram(mutations.entry_exceeds_diagonal),
    ),
    Fault(
        "analytic_stale_inputs",
        "the analytic kernel is computed at inputs sorted anew",
        in_kernel_fn(
            lambda kernel: (
                lambda x1, x2=None, get="ntk": kernel(
                    x1[jnp.argsort(x1.reshape(len(x1), -1)[:, 0])], x2, get
                )
            )
        ),
    ),
    Fault(
        "analytic_plus_constant",
        "a constant, as of trained biases, is added to the analytic kernel",
        in_analytic_gram(lambda gram: gram + 0.1),
    ),
    Fault(
        "analytic_centered",
        "rows and columns of the analytic kernel are centered",
        in_analytic_gram(mutations.centered),
    ),
    Fault(
        "analytic_squared",
        "a hundredth of its square is added to the analytic kernel",
        in_analytic_gram(lambda gram: gram + 0.01 * gram**2),
    ),
    Fault(
        "apply_drops_bias",
        "the forward pass leaves the biases out",
        in_apply(lambda fn: lambda params, x: fn(mutations.without_biases(params), x)),
    ),
    Fault(
        "apply_over_sqrt_width",
        "outputs are scaled by 1/width in place of 1/sqrt(width)",
        in_apply(lambda fn: lambda params, x: fn(params, x) / math.sqrt(params[-1]["w"].shape[0])),
    ),
    Fault(
        "apply_times_sqrt_width",
        "outputs lack the factor 1/sqrt(width)",
        in_apply(lambda fn: lambda params, x: fn(params, x) * math.sqrt(params[-1]["w"].shape[0])),
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
)
