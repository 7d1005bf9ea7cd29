"""Planted faults of the neighbors of Bombari, Amani & Mondelli: inequalities between eigenvalues,
singular inputs, kernels of infinite width, exponents."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.activations import Activation
from ntval.arrays import AnyArray
from ntval.claims.bombari_amani_mondelli.setting import Factors
from ntval.faults.fault import Fault
from ntval.faults.sites import in_apply, in_init, in_inputs, in_option
from ntval.kernels import deep_mlp
from ntval.networks.mlp import Mlp
from ntval.theory import bombari_amani_mondelli as theory
from ntval.theory import gegenbauer, hermite

Gram = Float[np.ndarray, "n n"]


def _schur_of_largest_diagonal(factor: Gram, other: Gram) -> float:
    smallest = [max(float(np.linalg.eigvalsh(m)[0]), 0.0) for m in (factor, other)]
    largest = [float(np.diag(m).max()) for m in (factor, other)]
    return max(largest[0] * smallest[1], largest[1] * smallest[0])


def _schur_of_smallest_diagonal(factor: Gram, other: Gram) -> float:
    largest = [float(np.linalg.eigvalsh(m)[-1]) for m in (factor, other)]
    smallest = [float(np.diag(m).min()) for m in (factor, other)]
    return min(smallest[0] * largest[1], smallest[1] * largest[0])


def _schur_of_smallest_eigenvalue(factor: Gram, other: Gram) -> float:
    return float(np.linalg.eigvalsh(factor)[0] * np.linalg.eigvalsh(other)[-1])


def _gershgorin_of_largest_row(gram: Gram) -> float:
    return float((2 * np.diag(gram) - np.abs(gram).sum(axis=1)).max())


def _pair_halved(gram: Gram) -> float:
    return theory.pair_upper_bound(gram) / 2


def _of_factors(change: Callable[[Mlp, Factors], Factors]) -> Callable:
    def broken(mlp: Mlp, params: Any, x: Float[AnyArray, "n d"]) -> Factors:
        return change(mlp, deep_mlp.factors(mlp, params, x))

    return broken


def _times_width(power: float) -> Callable[[Mlp, Factors], Factors]:
    def change(mlp: Mlp, products: Factors) -> Factors:
        factor = float(mlp.widths[-1]) ** power
        return [(left, factor * right) for left, right in products]

    return change


def _without_signals(mlp: Mlp, products: Factors) -> Factors:
    return [(left, right / jnp.trace(jnp.asarray(right))) for left, right in products]


def _rank_at_any_depth(fn: Activation, pairs: theory.Pairs, count: int, d: int, layers: int) -> int:
    return theory.rank_of_pairs(fn, pairs, count, d, 1)


def _rank_without_d(fn: Activation, pairs: theory.Pairs, count: int, d: int, layers: int) -> int:
    return theory.rank_of_pairs(fn, pairs, count, count, layers)


def _adds_bias(apply_fn: Callable) -> Callable:
    """A forward pass that adds 0.1 to the inputs of the first layer, as a bias does."""
    return lambda params, x: apply_fn(params, x + 0.1)


def _squares_of_function(
    fn: Activation, weight_std: float, degree: int
) -> tuple[Float[np.ndarray, "degrees"], float]:
    """Of the output layer alone: each degree once, not 1 + r times."""
    squares, total = theory.two_layer_squares(fn, weight_std, degree)
    return squares / np.arange(1, degree + 2), total


def _squares_without_weights(
    fn: Activation, weight_std: float, degree: int
) -> tuple[Float[np.ndarray, "degrees"], float]:
    return theory.two_layer_squares(fn, 1.0, degree)


def _not_squared(
    fn: Activation, weight_std: float, degree: int
) -> tuple[Float[np.ndarray, "degrees"], float]:
    """Coefficients in place of their squares."""
    coefficients = hermite.coefficients(
        lambda z: fn.fn(weight_std * z),
        degree,
        breakpoints=[b / weight_std for b in fn.breakpoints],
    )
    _, total = theory.two_layer_squares(fn, weight_std, degree)
    return weight_std**2 * np.arange(1, degree + 2) * np.abs(coefficients), total


def _energies_not_over_dimension(
    energies: Float[np.ndarray, "degrees"], correlation: Gram, d: int
) -> float:
    dimensions = [float(gegenbauer.dimension(d, degree)) for degree in range(len(energies))]
    return theory.gegenbauer_lower_bound(energies * dimensions, correlation, d)


def _chain_without_slopes(
    fn: Activation, gram: Gram, hidden_layers: int, *, weight_std: float
) -> tuple[Gram, float]:
    """A recursion that adds the kernel of the layers below as it is."""
    covariance = weight_std**2 * gram
    kernel = covariance
    for _ in range(hidden_layers):
        covariance = weight_std**2 * theory.dual_kernel(fn, covariance)
        kernel = kernel + covariance
    return kernel, float(np.linalg.eigvalsh(kernel)[0])


def _chain_of_function(
    fn: Activation, gram: Gram, hidden_layers: int, *, weight_std: float
) -> tuple[Gram, float]:
    """Sums of products of values in place of slopes."""
    covariance = weight_std**2 * gram
    kernel = covariance
    for _ in range(hidden_layers):
        covariance = weight_std**2 * theory.dual_kernel(fn, covariance)
        kernel = covariance + kernel * covariance
    return kernel, 0.0


def _chain_gain_one(
    fn: Activation, gram: Gram, hidden_layers: int, *, weight_std: float
) -> tuple[Gram, float]:
    return theory.chain_lower_bound(fn, gram, hidden_layers, weight_std=1.0)


def _other_layer(angle: float) -> tuple[float, float]:
    hidden, output = theory.close_pair_shares(angle)
    return output, hidden


def _not_over_pi(angle: float) -> tuple[float, float]:
    return angle / 2, angle**2 / 4


def _half_sphere(inputs: Callable) -> Callable:
    def broken(key: Array, n: int) -> Float[Array, "n d"]:
        x = inputs(key, n)
        return x.at[:, 0].set(jnp.abs(x[:, 0]))

    return broken


def _flattened(inputs: Callable) -> Callable:
    def broken(key: Array, n: int) -> Float[Array, "n d"]:
        x = inputs(key, n)
        return x.at[:, 0].multiply(0.5)

    return broken


def _not_isotropic(init: Callable[[Array], Any]) -> Callable[[Array], Any]:
    def broken(key: Array) -> Any:
        first, *rest = init(key)
        return [{**first, "w": first["w"].at[0].multiply(3.0)}, *rest]

    return broken


def _without_antipodes(angle: float, width: int) -> float:
    return (1 - angle / math.pi) ** width


def _of_half_angle(angle: float, width: int) -> float:
    return theory.rank_one_probability(angle / 2, width)


FAULTS = (
    Fault(
        "schur_of_largest_diagonal",
        "the largest diagonal entry in a lower bound by Schur",
        in_option(lower=_schur_of_largest_diagonal),
    ),
    Fault(
        "schur_of_smallest_diagonal",
        "the smallest diagonal entry in an upper bound by Schur",
        in_option(upper=_schur_of_smallest_diagonal),
    ),
    Fault(
        "schur_of_smallest_eigenvalue",
        "the smallest eigenvalue in place of the diagonal in an upper bound by Schur",
        in_option(upper=_schur_of_smallest_eigenvalue),
    ),
    Fault(
        "gershgorin_of_largest_row",
        "the largest of Gershgorin's ends in place of the smallest",
        in_option(circles=_gershgorin_of_largest_row),
    ),
    Fault("pair_halved", "half of a pair's smallest eigenvalue", in_option(pair=_pair_halved)),
    Fault(
        "factors_over_root_width",
        "the kernel is divided by the root of the last width",
        in_option(factors=_of_factors(_times_width(-0.5))),
    ),
    Fault(
        "factors_times_width",
        "the kernel is multiplied by the last width",
        in_option(factors=_of_factors(_times_width(1.0))),
    ),
    Fault(
        "factors_without_signals",
        "signals of one size, whatever the widths",
        in_option(factors=_of_factors(_without_signals)),
    ),
    Fault(
        "rank_of_pairs_at_any_depth",
        "a rank at antipodal inputs that deeper networks are said to share",
        in_option(rank=_rank_at_any_depth),
    ),
    Fault(
        "rank_of_pairs_without_d",
        "a full rank at more antipodal pairs than dimensions",
        in_option(rank=_rank_without_d),
    ),
    Fault(
        "apply_adds_bias",
        "a constant is added to the inputs, as a hidden bias would be",
        in_apply(_adds_bias),
    ),
    Fault(
        "squares_of_function",
        "a series of the output layer's share alone",
        in_option(squares=_squares_of_function),
    ),
    Fault(
        "squares_without_weights",
        "Hermite coefficients at unit variance, whatever that of the weights",
        in_option(squares=_squares_without_weights),
    ),
    Fault(
        "squares_not_squared",
        "Hermite coefficients that are not squared",
        in_option(squares=_not_squared),
    ),
    Fault(
        "energies_not_over_dimension",
        "Gegenbauer coefficients that are not divided by the dimension of their degree",
        in_option(gegenbauer=_energies_not_over_dimension),
    ),
    Fault(
        "chain_without_slopes",
        "the kernel of the layers below is not multiplied by the means of slopes",
        in_option(chain=_chain_without_slopes),
    ),
    Fault(
        "chain_of_function",
        "sigma in place of sigma' in the recursion of the deep kernel",
        in_option(chain=_chain_of_function),
    ),
    Fault(
        "chain_gain_one",
        "a recursion with weights of unit variance",
        in_option(chain=_chain_gain_one),
    ),
    Fault(
        "pair_of_other_layer",
        "each layer's share of a close pair is the other's",
        in_option(shares=_other_layer),
    ),
    Fault("pair_not_over_pi", "t/2 in place of t/(2 pi)", in_option(shares=_not_over_pi)),
    Fault(
        "inputs_half_sphere",
        "inputs of one half of the sphere",
        in_inputs(_half_sphere),
    ),
    Fault(
        "inputs_flattened",
        "inputs whose first coordinate is halved",
        in_inputs(_flattened),
    ),
    Fault(
        "weights_not_isotropic",
        "weights of one input are three times too large",
        in_init(_not_isotropic),
    ),
    Fault(
        "rank_without_antipodes",
        "a probability of rank 1 that leaves out opposite signs",
        in_option(probability=_without_antipodes),
    ),
    Fault(
        "rank_of_half_angle",
        "half of the angle between two inputs",
        in_option(probability=_of_half_angle),
    ),
)
