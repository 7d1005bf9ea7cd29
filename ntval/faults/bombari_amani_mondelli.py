"""Planted faults of deep networks' kernels, layer by layer, and of their theory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.activations import Activation, activation
from ntval.arrays import AnyArray
from ntval.claims.bombari_amani_mondelli.setting import Factors
from ntval.faults.fault import Fault
from ntval.faults.sites import in_init, in_inputs, in_option
from ntval.kernels import deep_mlp
from ntval.networks.mlp import Mlp
from ntval.theory import bombari_amani_mondelli as theory


def _changed(change: Callable[[Mlp, Factors], Factors]) -> Callable:
    """Factors of every layer with a change in them."""

    def broken(mlp: Mlp, params: Any, x: Float[AnyArray, "n d"]) -> Factors:
        return change(mlp, deep_mlp.factors(mlp, params, x))

    return broken


def _of_function(mlp: Mlp, params: Any, x: Float[AnyArray, "n d"]) -> Factors:
    """Slopes of the last hidden layer that are the activation's values."""
    *below, (features, _), last = deep_mlp.factors(mlp, params, x)
    hidden = deep_mlp.features(mlp, params, x)[-1] * params[-1]["w"].reshape(1, -1)
    return [*below, (features, hidden @ hidden.T), last]


def _shifted(mlp: Mlp, products: Factors) -> Factors:
    lefts, rights = zip(*products, strict=True)
    return list(zip(lefts, (rights[0], *rights[:-1]), strict=True))


def _permuted(mlp: Mlp, products: Factors) -> Factors:
    return [(left, right[::-1, ::-1]) for left, right in products]


def _over_width(mlp: Mlp, products: Factors) -> Factors:
    widths = (*mlp.widths, 1)
    return [(left, right / size) for (left, right), size in zip(products, widths, strict=True)]


def _times(factor: float) -> Callable[[Mlp, Factors], Factors]:
    return lambda mlp, products: [(left, factor * right) for left, right in products]


def _centered_about_the_mean(features: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n n"]:
    away = features - features.mean(axis=0)
    return away @ away.T


def _centered_twice(features: Float[np.ndarray, "n width"]) -> Float[np.ndarray, "n n"]:
    return 2 * (features @ features.T) - theory.centered_gram(features)


def _rank_of_homogeneous(fn: Activation, n: int, sizes: Sequence[int]) -> int:
    return theory.largest_rank(activation("relu"), n, sizes)


def _rank_without_last_layer(fn: Activation, n: int, sizes: Sequence[int]) -> int:
    return min(n, theory.num_parameters(sizes[:-1]))


def _hidden_times(factor: Callable[[int], float]) -> Callable:
    """Initialization whose last hidden layer is `factor(fan in)` times too large."""

    def changed(init: Callable[[Array], Any]) -> Callable[[Array], Any]:
        def broken(key: Array) -> Any:
            *first, hidden, last = init(key)
            scaled = {**hidden, "w": factor(hidden["w"].shape[0]) * hidden["w"]}
            return [*first, scaled, last]

        return broken

    return changed


def _last_times(factor: float) -> Callable:
    """Initialization whose last layer is `factor` times too large."""

    def changed(init: Callable[[Array], Any]) -> Callable[[Array], Any]:
        def broken(key: Array) -> Any:
            *first, last = init(key)
            return [*first, {**last, "w": factor * last["w"]}]

        return broken

    return changed


def _repeated(inputs: Callable) -> Callable:
    def broken(key: Array, n: int) -> Float[Array, "n d"]:
        x = inputs(key, n)
        return jnp.concatenate([x[: n // 2 + n % 2], x[: n // 2]])

    return broken


def _gain_one(init: Callable[[Array], Any]) -> Callable[[Array], Any]:
    def broken(key: Array) -> Any:
        *hidden, last = init(key)
        return [*jax.tree.map(lambda w: w / math.sqrt(2), hidden), last]

    return broken


FAULTS = (
    Fault(
        "factors_of_function",
        "sigma in place of sigma' in the slopes of the last hidden layer",
        in_option(factors=_of_function),
    ),
    Fault(
        "factors_shifted",
        "each layer's features meet the signals of the layer before",
        in_option(factors=_changed(_shifted)),
    ),
    Fault(
        "factors_rows_permuted",
        "the rows of B are in another order than those of F",
        in_option(factors=_changed(_permuted)),
    ),
    Fault(
        "factors_over_width",
        "each layer's share is divided by its width, as in NTK parametrization",
        in_option(factors=_changed(_over_width)),
    ),
    Fault(
        "factors_scale_10",
        "each layer's share is 10 % too large",
        in_option(factors=_changed(_times(1.1))),
    ),
    Fault(
        "factors_doubled",
        "each layer's share is twice too large",
        in_option(factors=_changed(_times(2.0))),
    ),
    Fault(
        "weights_hidden_unscaled",
        "the last hidden layer's weights are not divided by the root of their fan in",
        in_init(_hidden_times(math.sqrt)),
    ),
    Fault(
        "weights_last_10",
        "the last layer's weights are 10 % too large",
        in_init(_last_times(1.1)),
    ),
    Fault(
        "weights_gain_one",
        "hidden weights of variance 1 over fan in, where He's is 2",
        in_init(_gain_one),
    ),
    Fault(
        "center_not_divided",
        "the mean row is subtracted, where it is to be projected away",
        in_option(center=_centered_about_the_mean),
    ),
    Fault(
        "center_adds",
        "the part along the mean row is added, not taken away",
        in_option(center=_centered_twice),
    ),
    Fault(
        "rank_of_homogeneous",
        "a rank less one direction a neuron, of an activation that is not homogeneous",
        in_option(largest=_rank_of_homogeneous),
    ),
    Fault(
        "rank_without_last_layer",
        "a rank that does not count the last layer's parameters",
        in_option(largest=_rank_without_last_layer),
    ),
    Fault(
        "inputs_repeated",
        "the second half of the inputs repeats the first",
        in_inputs(_repeated),
    ),
)
