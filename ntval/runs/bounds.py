"""Every bound on the smallest eigenvalue of a network's kernel that its data allows, beside the
eigenvalue."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Float

from ntval.activations import activation
from ntval.arrays import AnyArray, ArrayLike, float64, require_inputs
from ntval.errors import InputError, NtvalError
from ntval.kernels import analytic, deep_mlp
from ntval.kernels.methods import PUBLIC, methods_of
from ntval.networks import loading
from ntval.networks import mlp as mlps
from ntval.networks.mlp import Mlp
from ntval.networks.network import Network
from ntval.observables import spectra
from ntval.theory import bombari_amani_mondelli as theory

Side = Literal["lower", "upper"]
EMPIRICAL, INFINITE = "K at these weights", "K of infinite width"


@dataclass(frozen=True)
class EigenvalueBound:
    """One bound.

    `value`: in units of the kernel; None where it is not applied, for the reason `why_not`.
    `of`: the kernel that it bounds.
    `assumes`: what it supposes, in words.
    `failure`: the probability, over the weights, that it does not hold; 0 where it holds surely.
    """

    name: str
    side: Side
    of: str
    assumes: str
    value: float | None
    failure: float = 0.0
    why_not: str = ""

    @property
    def vacuous(self) -> bool:
        """Whether it says nothing: a lower bound of 0 or less."""
        return self.value is not None and self.side == "lower" and self.value <= 0


@dataclass(frozen=True)
class Bounds:
    """Bounds on smallest eigenvalues, beside what they are.

    `measured`, `certified`: by kernel, the computed smallest eigenvalue, and a lower bound of it
        with rounding included, None where entries of many scales allow none.
    `rows`: the bounds, of each kernel and side the tightest first; those not applied last.
    """

    measured: dict[str, float]
    certified: dict[str, float | None]
    rows: tuple[EigenvalueBound, ...]

    def ratio(self, row: EigenvalueBound) -> float | None:
        """A bound over the eigenvalue: 1 is tight, 0 is vacuous; None where there is neither."""
        truth = self.measured.get(row.of, 0.0)
        return row.value / truth if row.value is not None and truth > 0 else None

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [
            {**vars(row), "vacuous": row.vacuous, "ratio": self.ratio(row)} for row in self.rows
        ]
        return {
            "schema": "ntval.bounds/1",
            "measured": self.measured,
            "certified": self.certified,
            "bounds": rows,
        }


def bounds(
    x: Float[AnyArray, "n *shape"] | ArrayLike,
    network: Any,
    params: Any = None,
    *,
    seed: int = 0,
    failure: float = 1e-6,
) -> Bounds:
    """Bounds on the smallest eigenvalue of `network`'s kernel at the inputs `x`.

    network: one of ntval's, an `Mlp`, or whatever `check_network` takes as a model that holds its
    weights. For another than ours only what holds of every Gram matrix is known.

    Without `params` weights are drawn by `seed`; bounds in probability need that they are drawn,
    and hold given all layers but the last two. `failure` is the probability of each that it fails.

    Raises: `InputError` on malformed inputs, or a network without weights.
    """
    if not 0 < failure < 1:
        raise InputError(f"failure needs to be between 0 and 1, got {failure!r}; e.g. 1e-6.")
    rows, _ = require_inputs(x, None)
    if isinstance(network, Mlp):
        network = mlps.network_of(network)
    else:
        if isinstance(network, Network) and network.init_fn is None and network.params is None:
            network = _with_weights(network, params)
        network = loading.network_from(network, input_shape=rows.shape[1:])
    drawn = params is None and network.init_fn is not None
    with float64():
        if params is None:
            params = _drawn(network, rows, seed)
        name = methods_of(network)[0]
        gram = np.asarray(PUBLIC[name](network, params, rows, None))
        found = [*_of_any_gram(gram, EMPIRICAL), *_of_layers(network, params, rows, drawn, failure)]
        grams = {EMPIRICAL: gram}
        infinite = _infinite_width(network, rows)
        if infinite is not None:
            grams[INFINITE], chain = infinite
            found += [*_of_any_gram(grams[INFINITE], INFINITE), chain]
    return Bounds(
        {of: spectra.min_eigenvalue(gram) for of, gram in grams.items()},
        {of: _certified(gram) for of, gram in grams.items()},
        tuple(sorted(found, key=_tightest_first)),
    )


def _with_weights(network: Network, params: Any) -> Network:
    if params is None:
        raise InputError(f"bounds needs weights for network {network.name!r}; pass params.")
    return replace(network, params=params)


def _drawn(network: Network, rows: Float[AnyArray, "n *shape"], seed: int) -> Any:
    if network.init_fn is None:
        return network.params
    return network.init_fn(jax.random.key(seed), (-1, *rows.shape[1:]))[1]


def _certified(gram: Float[np.ndarray, "n n"]) -> float | None:
    try:
        return spectra.certified_min_eigenvalue(gram)
    except NtvalError:  # no Cholesky factor of any shift runs
        return None


def _tightest_first(row: EigenvalueBound) -> tuple:
    value = math.inf if row.value is None else row.value if row.side == "upper" else -row.value
    return row.of, row.value is None, row.side, value


def _of_any_gram(gram: Float[np.ndarray, "n n"], of: str) -> Iterator[EigenvalueBound]:
    """What holds of every Gram matrix, whatever made it."""
    circles = theory.gershgorin_lower_bound(gram)
    yield EigenvalueBound("Gershgorin", "lower", of, "a symmetric matrix", circles)
    for name, bound in (
        ("closest pair", theory.pair_upper_bound),
        ("smallest diagonal entry", theory.diagonal_upper_bound),
        ("mean of the diagonal", theory.trace_upper_bound),
    ):
        yield EigenvalueBound(name, "upper", of, "a Gram matrix", bound(gram))


def _of_layers(
    network: Network, params: Any, x: Float[AnyArray, "n d"], drawn: bool, failure: float
) -> Iterator[EigenvalueBound]:
    """What holds of fully connected networks of ours without biases."""
    mlp = network.mlp
    why_not = _why_no_layers(mlp)
    names = (
        ("sum of Schur's bounds", "a fully connected network of ntval's without biases", 0.0),
        ("Chernoff's bound of K_{L-2}", "two last layers drawn at random, after that", failure),
    )
    if mlp is None or why_not:
        for name, assumes, chance in names:
            yield EigenvalueBound(name, "lower", EMPIRICAL, assumes, None, chance, why_not)
        return
    factors = [
        (np.asarray(left), np.asarray(right)) for left, right in deep_mlp.factors(mlp, params, x)
    ]
    total = sum(theory.schur_lower_bound(left, right) for left, right in factors)
    yield EigenvalueBound(names[0][0], "lower", EMPIRICAL, names[0][1], total)
    n, rank = len(x), theory.largest_rank(activation(mlp.activation), len(x), mlp.sizes)
    if n > rank:
        words = f"{n} inputs, and features that span {rank} directions"
        yield EigenvalueBound("rank", "upper", EMPIRICAL, words, 0.0)
    reason, value = _why_no_chernoff(mlp, drawn), None
    if not reason:
        try:
            value = _chernoff(mlp, params, x, failure)
        except InputError as error:  # inputs at which its means are not known
            reason = str(error)
    yield EigenvalueBound(names[1][0], "lower", EMPIRICAL, names[1][1], value, failure, reason)


def _why_no_layers(mlp: Mlp | None) -> str:
    if mlp is None or mlp.trained_first:
        return "the network is no fully connected one of ntval's with all layers trained"
    if mlp.b_std or mlp.outputs != 1:
        return "the network has biases, or several outputs"
    return ""


# By parametrization: what multiplies the block before the last layer, whose weights are N(0, 1).
_LAST_LAYER = {
    "ntk": lambda mlp, fan_in, width: mlp.w_std**4 / (fan_in * width),
    "standard": lambda mlp, fan_in, width: mlp.w_std**2 / width,
    mlps.UNSCALED_LAST_LAYER.name: lambda mlp, fan_in, width: 1.0,
    mlps.SIGNED_LAST_LAYER.name: lambda mlp, fan_in, width: 1.0,
}


def _why_no_chernoff(mlp: Mlp, drawn: bool) -> str:
    if not drawn:
        return "the weights were given, not drawn here"
    if not mlp.widths:
        return "the network has no hidden layer"
    if mlps.parametrization(mlp.parametrization).name not in _LAST_LAYER:
        return "the last layer is drawn in a way that is not known"
    if activation(mlp.activation).name not in theory.LARGEST_SLOPES:
        return "the activation's largest slope is not known"
    return ""


def _chernoff(mlp: Mlp, params: Any, x: Float[AnyArray, "n d"], failure: float) -> float:
    features = np.asarray(deep_mlp.features(mlp, params, x)[-2])
    width, fan_in = mlp.widths[-1], features.shape[1]
    name = mlps.parametrization(mlp.parametrization).name
    bound = theory.finite_width_lower_bound(
        activation(mlp.activation),
        features,
        width,
        failure=failure,
        hidden_std=mlp.w_std,
        signs=name == mlps.SIGNED_LAST_LAYER.name,
    )
    return _LAST_LAYER[name](mlp, fan_in, width) * bound


def _infinite_width(
    network: Network, x: Float[AnyArray, "n *shape"]
) -> tuple[Float[np.ndarray, "n n"], EigenvalueBound] | None:
    """The kernel of infinite width of a network of ours in NTK parametrization, and its chain."""
    mlp = network.mlp
    if _why_no_layers(mlp) or mlp is None or mlps.parametrization(mlp.parametrization) != mlps.NTK:
        return None
    try:
        gram = np.asarray(analytic.ntk(mlp, x))
    except NtvalError:  # an activation without an analytic kernel
        return None
    value, reason = None, ""
    try:
        inputs = np.asarray(x) @ np.asarray(x).T / mlp.d
        _, value = theory.chain_lower_bound(
            activation(mlp.activation), inputs, len(mlp.widths), weight_std=mlp.w_std
        )
    except InputError as error:  # an activation or inputs whose means are not known
        reason = str(error)
    words = "a fully connected network without biases, at infinite width"
    return gram, EigenvalueBound("chain of layers", "lower", INFINITE, words, value, 0.0, reason)
