"""The bounds on smallest eigenvalues that apply to a network's kernels at given inputs, one by one.

Each generator gives rows: a bound's value, or the reason why it is not applied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from ntval.activations import activation
from ntval.arrays import AnyArray, rounding_allowance
from ntval.errors import InputError, NtvalError
from ntval.kernels import analytic, deep_mlp
from ntval.networks import mlp as mlps
from ntval.networks.mlp import Mlp
from ntval.networks.network import Network
from ntval.theory import bombari_amani_mondelli as theory

Gram = Float[np.ndarray, "n n"]
Side = Literal["lower", "upper"]


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


def _row(
    name: str, side: Side, of: str, assumes: str, value: Callable[[], float], failure: float = 0.0
) -> EigenvalueBound:
    """The bound, or why it has no value: what its function refuses."""
    try:
        return EigenvalueBound(name, side, of, assumes, float(value()), failure)
    except InputError as error:
        return EigenvalueBound(name, side, of, assumes, None, failure, str(error))


def of_any_gram(gram: Gram, of: str) -> Iterator[EigenvalueBound]:
    """What holds of every Gram matrix, whatever made it."""
    half = max(1, len(gram) // 2)
    lower: tuple[tuple[str, Callable[[Gram], float]], ...] = (
        ("Gershgorin", theory.gershgorin_lower_bound),
        ("norm of the inverse", theory.inverse_lower_bound),
    )
    upper: tuple[tuple[str, Callable[[Gram], float]], ...] = (
        ("closest pair", theory.pair_upper_bound),
        ("smallest diagonal entry", theory.diagonal_upper_bound),
        ("mean of the diagonal", theory.trace_upper_bound),
        ("harmonic mean of the eigenvalues", theory.harmonic_upper_bound),
        ("distance from the other inputs", theory.leave_one_out_upper_bound),
        (f"the first {half} inputs", partial(theory.interlacing_upper_bound, size=half)),
    )
    for name, bound in lower:
        yield _row(name, "lower", of, "a Gram matrix", partial(bound, gram))
    for name, bound in upper:
        yield _row(name, "upper", of, "a Gram matrix", partial(bound, gram))


_OURS = "ntval's Mlp without biases"
_RANDOM = "last two layers drawn after the others"
_LAYERED = (
    ("sum of the layers' smallest", _OURS),
    ("sum of Schur's bounds", _OURS),
    ("features and least signals", _OURS),
    ("last hidden layer alone", _OURS),
    ("last hidden layer, features centered", _OURS),
)
_CHERNOFF = "Chernoff, last hidden layer"


def of_layers(
    network: Network,
    params: Any,
    x: Float[AnyArray, "n d"],
    of: str,
    *,
    drawn: bool,
    failure: float,
) -> Iterator[EigenvalueBound]:
    """What holds of fully connected networks of ours without biases."""
    mlp, why_not = network.mlp, why_no_layers(network.mlp)
    if mlp is None or why_not:
        for name, assumes in _LAYERED:
            yield EigenvalueBound(name, "lower", of, assumes, None, 0.0, why_not)
        yield EigenvalueBound(_CHERNOFF, "lower", of, _RANDOM, None, failure, why_not)
        return
    factors = [
        (np.asarray(left), np.asarray(right)) for left, right in deep_mlp.factors(mlp, params, x)
    ]
    values: tuple[Callable[[], float], ...] = (
        lambda: theory.superadditive_lower_bound(*(left * right for left, right in factors)),
        lambda: sum(theory.schur_lower_bound(left, right) for left, right in factors),
        lambda: sum(theory.least_signal_lower_bound(left, right) for left, right in factors),
        lambda: _before_last(mlp, params, x, factors, center=False),
        lambda: _before_last(mlp, params, x, factors, center=True),
    )
    for (name, assumes), value in zip(_LAYERED, values, strict=True):
        yield _row(name, "lower", of, assumes, value)
    n, rank = len(x), theory.largest_rank(activation(mlp.activation), len(x), mlp.sizes)
    if n > rank:
        words = f"{n} inputs, and features that span {rank} directions"
        yield EigenvalueBound("rank", "upper", of, words, 0.0)
    reason = _why_no_chernoff(mlp, drawn)
    if reason:
        yield EigenvalueBound(_CHERNOFF, "lower", of, _RANDOM, None, failure, reason)
    else:  # inputs at which its means are not known are refused
        chernoff = partial(_chernoff, mlp, params, x, failure)
        yield _row(_CHERNOFF, "lower", of, _RANDOM, chernoff, failure)


def _before_last(
    mlp: Mlp,
    params: Any,
    x: Float[AnyArray, "n d"],
    factors: list[tuple[Gram, Gram]],
    *,
    center: bool,
) -> float:
    if not mlp.widths:
        raise InputError("the network has no hidden layer")
    left, right = factors[-2]
    if center:
        features = np.asarray(deep_mlp.features(mlp, params, x)[-2])
        scale, _ = mlps.scales(mlp, features.shape[1])
        left = theory.centered_gram(scale * features)
    return theory.superadditive_lower_bound(left * right)


def why_no_layers(mlp: Mlp | None) -> str:
    """Why what holds layer by layer is not known of a network; empty where it is."""
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


_INFINITE = "a network without biases, infinitely wide"
_TWO_LAYER = (
    "Hermite series",
    "Hermite series and incoherence",
    "Gegenbauer series",
)
_DEGREES = 12


def of_infinite_width(
    network: Network, x: Float[AnyArray, "n *shape"], of: str
) -> tuple[Gram, list[EigenvalueBound]] | None:
    """The kernel of infinite width of a network of ours in NTK parametrization, and its bounds."""
    mlp = network.mlp
    if why_no_layers(mlp) or mlp is None or mlps.parametrization(mlp.parametrization) != mlps.NTK:
        return None
    try:
        gram = np.asarray(analytic.ntk(mlp, x))
        output = np.asarray(analytic.nngp(mlp, x))
    except NtvalError:  # an activation without an analytic kernel
        return None
    rows = np.asarray(x, dtype=np.float64)
    sigma = activation(mlp.activation)

    def chain() -> float:
        _, bound = theory.chain_lower_bound(
            sigma, rows @ rows.T / mlp.d, len(mlp.widths), weight_std=mlp.w_std
        )
        return bound

    found = [
        *of_any_gram(gram, of),
        _row("chain of layers", "lower", of, _INFINITE, chain),
        _row(
            "output layer alone",
            "lower",
            of,
            _INFINITE,
            lambda: theory.superadditive_lower_bound(output),
        ),
    ]
    words = "one hidden layer, no biases; rows of one norm, or a homogeneous activation"
    for name in _TWO_LAYER:
        found.append(_row(name, "lower", of, words, partial(_of_series, name, mlp, rows)))
    if sigma.name == "relu":
        closest = partial(_closest_angle, mlp, rows)
        found.append(_row("closest angle", "upper", of, "one hidden layer of ReLU", closest))
    return gram, found


def _directions(mlp: Mlp, rows: Float[np.ndarray, "n d"]) -> tuple[Gram, Float[np.ndarray, "n"]]:
    """Cosines between the rows, and their norms over the root of d.

    Raises: `InputError` where a two-layer kernel is no series in the cosines.
    """
    norms = np.linalg.norm(rows, axis=1) / math.sqrt(mlp.d)
    if len(mlp.widths) != 1:
        raise InputError(f"the network has {len(mlp.widths)} hidden layers, not one")
    if not norms.all():
        raise InputError("a row of zeros has no direction")
    one_norm = np.ptp(norms) <= 2 * rounding_allowance(mlp.d + 2) * norms.max()
    if not one_norm and activation(mlp.activation).homogeneity != 1:
        raise InputError("the rows have several norms, and the activation is not homogeneous")
    unit = rows / (norms * math.sqrt(mlp.d))[:, None]
    correlation = unit @ unit.T
    np.fill_diagonal(correlation, 1.0)
    return correlation, norms


def _of_series(name: str, mlp: Mlp, rows: Float[np.ndarray, "n d"]) -> float:
    """The bound by the kernel's series at unit rows, times the least squared norm."""
    correlation, norms = _directions(mlp, rows)
    # A homogeneous activation takes norms out of the kernel. At one norm they scale the weights,
    # but for those of the output, whose variance is a factor of the kernel.
    homogeneous = activation(mlp.activation).homogeneity == 1
    size = 1.0 if homogeneous else float(norms.mean())
    factor = float(norms.min()) ** 2 if homogeneous else size**-2
    squares, total = theory.two_layer_squares(
        activation(mlp.activation), size * mlp.w_std, _DEGREES
    )
    if name == "Hermite series":
        bound = theory.hermite_lower_bound(squares, correlation, total=total)
    elif name == "Gegenbauer series":
        if mlp.d < 3:
            raise InputError(f"Gegenbauer's polynomials need 3 dimensions, got {mlp.d}")
        energies = theory.gegenbauer_energies(squares, mlp.d)
        bound = theory.gegenbauer_lower_bound(energies, correlation, mlp.d)
    else:
        bound = theory.incoherence_lower_bound(squares, correlation, total=total)
    return factor * bound


def _closest_angle(mlp: Mlp, rows: Float[np.ndarray, "n d"]) -> float:
    """The closest two directions' eigenvalue, times the largest squared norm."""
    correlation, norms = _directions(mlp, rows)
    if len(rows) == 1:
        raise InputError("one input has no pair")
    cosine = float(np.clip((correlation - 2 * np.eye(len(rows))).max(), -1.0, 1.0))
    pair = theory.close_pair_upper_bound(math.acos(cosine))
    return pair * mlp.w_std**4 * float(norms.max()) ** 2
