"""Bombari, Amani & Mondelli, 2205.10217: a step of the parameters that memorizes any labels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import rounding_allowance
from ntval.claims.bombari_amani_mondelli.decomposition import SMOOTH, networks
from ntval.claims.bombari_amani_mondelli.setting import PAPER, SETTING, deep, sigma, unscaled
from ntval.claims.claim import Claim
from ntval.claims.domain import Hypothesis
from ntval.claims.kernel_identities.setting import network_rounding
from ntval.claims.procedures import Identity
from ntval.claims.sampling import (
    Replicate,
    kept,
)
from ntval.evidence.exact import Comparison
from ntval.observables import training
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import bombari_amani_mondelli as theory

Layers = training.Layered
Outputs = Callable[[Any, Float[Array, "m d"]], Float[Array, "m"]]


@kept
def outputs_of(subject: NetworkSubject) -> Outputs:
    """The network's one output at each input."""
    return lambda params, x: subject.network.apply_fn(params, x)[:, 0]


def forward_rounding(regime: Regime, params: Layers, x: Float[Array, "n d"]) -> float:
    """Rounding of an output: sums of each layer's length, and an activation's, of the size that
    layers without cancellation give."""
    fn, size = sigma(regime), np.abs(np.asarray(x))
    at_zero = abs(float(np.asarray(fn.fn(np.zeros(1)))[0]))
    for layer in params[:-1]:
        size = at_zero + theory.largest_slope(fn) * (size @ np.abs(np.asarray(layer["w"])))
    size = size @ np.abs(np.asarray(params[-1]["w"]))
    return rounding_allowance(sum(len(layer["w"]) + _OF_SIGMA for layer in params)) * size.max()


_OF_SIGMA = 16  # roundings of an activation

_STEP = 0.01  # how far parameters move, in norm
_NODES = 6


@kept
def _derivatives(subject: NetworkSubject) -> Callable:
    """Outputs and three derivatives along a direction, at all steps in one program."""
    along = functools.partial(training.along, outputs_of(subject), order=3)
    return jax.jit(lambda params, direction, x, steps: along(params, direction, x, steps=steps))


@kept
def _jacobian(subject: NetworkSubject) -> Callable:
    return jax.jit(functools.partial(training.jacobian, outputs_of(subject)))


@kept
def _difference(subject: NetworkSubject, double: Callable) -> Callable:
    """Output of the double network of the parameters a step ahead, and `back` steps behind."""
    outputs = outputs_of(subject)

    def realized(
        params: Layers, direction: Array, x: Array, step: Float[Array, ""], back: Float[Array, ""]
    ) -> Array:
        ahead, behind = (training.moved(params, direction, step * k) for k in (1.0, -back))
        return outputs(double(ahead, behind, step * (1 + back)), x)

    return jax.jit(realized)


@kept
def _compiled(function: Callable) -> Callable:
    return jax.jit(function)


class _Errors(NamedTuple):
    """Predicted errors of both differences, and what the nodes leave of them."""

    forward: Float[np.ndarray, "n"]
    central: Float[np.ndarray, "n"]
    left_forward: Float[np.ndarray, "n"]
    left_central: Float[np.ndarray, "n"]


def _predicted(
    along: Callable[[Any], Float[np.ndarray, "nodes 4 n"]],
    step: float,
    forward: Callable,
    central: Callable,
) -> _Errors:
    """By as many nodes as are used, and by two fewer: what lies between them is not resolved."""
    found = []
    rules = [
        [theory.taylor_nodes(order, count) for order in (1, 2)] for count in (_NODES, _NODES - 2)
    ]
    steps = [step * part for (once, _), (twice, _) in rules for part in (once, twice, -twice)]
    parts = iter(np.split(along(np.concatenate(steps)), np.cumsum([len(s) for s in steps])[:-1]))
    for (_, weights), (_, weights_twice) in rules:
        once, ahead, behind = next(parts), next(parts), next(parts)
        found.append(
            (
                forward(once[:, 2], weights, step),
                central(ahead[:, 3], behind[:, 3], weights_twice, step),
            )
        )
    (first, second), (first_less, second_less) = found
    return _Errors(first, second, np.abs(first - first_less), np.abs(second - second_less))


def _memorization(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    memorizing: Callable = training.memorizing_step,
    double: Callable = training.double_network,
    norm: Callable[..., float] = theory.step_norm,
    forward: Callable = theory.forward_error,
    central: Callable = theory.central_error,
) -> list[Comparison]:
    """The step that memorizes random labels, and the networks of twice the width that realize its
    forward and its central difference."""
    draw = Replicate(key, regime, subject)
    params, x = draw.params, draw.x
    y = np.asarray(jax.random.normal(jax.random.fold_in(draw.key, 1), (regime.n,)))
    jacobian = _jacobian(subject)(params, x)
    direction = _compiled(memorizing)(jacobian, jnp.asarray(y))
    length = float(jnp.linalg.norm(direction))
    step = _STEP / length

    eigenvalues, vectors = np.linalg.eigh(draw.empirical)
    trace = float(np.trace(draw.empirical))
    spectral = network_rounding(subject, params, x) + rounding_allowance(8 * regime.n)
    bound = theory.step_norm_bound(eigenvalues[0], y)
    # An error of K, and of the eigenvalues, enters its inverse by the smallest of them.
    of_norm = 2 * spectral * trace / eigenvalues[0]
    one = np.ones(1)
    # Of J Delta: the backward error of QR, by at most a few roundings for each entry of J, whose
    # Frobenius norm is the root of the trace.
    exact = rounding_allowance(8 * jacobian.size) * np.sqrt(trace) * length
    realized = forward_rounding(regime, params, x) * 8 / step

    def difference(back: float) -> Float[np.ndarray, "n"]:
        return np.asarray(_difference(subject, double)(params, direction, x, step, back))

    def along(steps: Float[np.ndarray, "nodes"]) -> Float[np.ndarray, "nodes 4 n"]:
        return np.asarray(_derivatives(subject)(params, direction, x, jnp.asarray(steps)))

    errors = _predicted(along, step, forward, central)
    return [
        Comparison("J Delta and labels", np.asarray(jacobian @ direction), y,
                   exact * one, np.abs(y).max() * one),
        Comparison("|Delta|^2 and y K^{-1} y", length**2 * one,
                   norm(eigenvalues, vectors.T @ y) * one,
                   of_norm * length**2 * one, length**2 * one),
        Comparison("|Delta|^2 above its bound", np.maximum(length**2 - bound, 0) * one, 0 * one,
                   of_norm * bound * one, bound * one),
        Comparison("error of the forward difference", difference(0.0) - y, errors.forward,
                   errors.left_forward + exact + realized, np.abs(errors.forward).max() * one),
        Comparison("error of the central difference", difference(1.0) - y, errors.central,
                   errors.left_central + exact + realized, np.abs(errors.central).max() * one),
    ]  # fmt: skip


FEW_INPUTS = Hypothesis(
    "inputs are at most a quarter as many as the weights between the last two hidden layers",
    lambda regime: 4 * regime.n <= regime.widths[-1] * regime.widths[-2],
)

memorization = Claim(
    name="bombari_amani_mondelli.memorization",
    source=f"{PAPER}, corollary on memorization (recalled); the construction derived and checked "
    "in the spec, A12; both errors by Taylor's remainder, derived here.",
    statement="Delta = J^T K^{-1} y has |Delta|^2 = y^T K^{-1} y <= |y|^2 / lambda_min(K), and the "
    "network of twice the width that realizes (F(theta + h Delta) - F(theta)) / h fits any labels "
    "y up to h times its curvature along Delta; the central difference up to h^2.",
    needs=SETTING,
    points={
        "quick": deep((60, 20, 20, 20), activations=("tanh",)),
        "standard": deep((60, 20, 20, 20), (40, 12, 16, 16, 16), activations=("tanh", "gelu")),
        "thorough": deep((200, 40, 40, 40), (60, 20, 20, 20), activations=SMOOTH),
    },
    domain=networks(FEW_INPUTS, n=tuple(range(2, 81)), activations=SMOOTH),
    subject=unscaled,
    procedure=Identity(_memorization, formula=theory.forward_error),
    faults=(
        "step_with_jitter",
        "step_without_a_tenth",
        "forward_scale_10",
        "central_scale_10",
        "double_one_last_layer",
        "double_blocks_swapped",
        "central_of_first_order",
        "step_solved_transposed",
        "step_without_kernel",
        "step_of_other_labels",
        "double_not_divided",
    ),
)
