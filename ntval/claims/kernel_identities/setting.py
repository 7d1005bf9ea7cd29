"""The networks that kernel identities are checked on unless the user passes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from ntval.activations import ACTIVATIONS
from ntval.arrays import AnyArray
from ntval.claims.domain import Domain, Hypothesis, Interval, Layers, OneOf, Range, Sizes
from ntval.claims.sampling import draw_params, empirical_at, kept
from ntval.evidence.exact import Comparison
from ntval.kernels import analytic
from ntval.kernels.differentiable import raveled
from ntval.networks import loading, structure
from ntval.networks.network import num_params
from ntval.observables.entries import entry_scale
from ntval.regimes import INPUT_LAWS, Regime
from ntval.subjects.grams import (
    CONTRACTED,
    coincident_rounding,
    entry_rounding,
    gram_rounding,
    rows_of,
    stored_precision,
)
from ntval.subjects.mlp import mlp_subject
from ntval.subjects.subject import GramSubject, Ladder, NetworkSubject

ONE_LAYER = Regime(n=8, d=8, widths=(64,), activation="erf")
TWO_LAYERS = Regime(n=8, d=8, widths=(64, 32), activation="tanh")
THREE_LAYERS = Regime(n=8, d=20, widths=(16, 64, 16), activation="gelu")
RELU = Regime(n=8, d=3, widths=(64,), activation="relu")
# What the others leave out: several outputs, no biases, the standard parametrization, an odd n;
# and more inputs than a tile of 16, through three layers.
NO_BIAS = Regime(
    n=5, d=3, widths=(16,), activation="relu", b_std=0.0, outputs=3, parametrization="standard"
)
MANY_INPUTS = Regime(n=19, d=3, widths=(16, 8, 16), activation="sin", w_std=1.0, outputs=2)
QUICK = (ONE_LAYER, TWO_LAYERS, NO_BIAS, MANY_INPUTS)
STANDARD = (*QUICK, THREE_LAYERS, RELU)
REGIMES = {
    "quick": QUICK,
    "standard": STANDARD,
    "thorough": (
        *STANDARD,
        *(
            Regime(n=16, d=8, widths=(64, 64), activation=name)
            for name in ("silu", "softplus", "sigmoid", "sin", "cos", "cubic", "leaky_relu")
        ),
    ),
}

_SHALLOW = Layers(Sizes((256, 300, 512, 1024)))
_SCALES: dict[str, Range] = {"w_std": Interval(0.5, 2.0), "b_std": Interval(0.05, 1.0, zero=True)}

# Of activations without a closed form, and how large their pre-activations may be: where both of
# our quadratures are accurate.
_BY_QUADRATURE = ("tanh", "sigmoid", "silu", "softplus")
_LARGEST_STD = 8.0
_ROUND = ("sphere", "cube")  # laws of which every input has the same norm
_SPREAD = 10.0  # what |x|^2 of the other laws is times its mean, at most, with probability 0.998


def _within_quadrature(regime: Regime) -> bool:
    if regime.activation not in _BY_QUADRATURE:
        return True
    of_inputs = regime.input_scale**2 * (1.0 if regime.inputs in _ROUND else _SPREAD)
    variance = regime.w_std**2 * of_inputs + regime.b_std**2
    for _ in regime.widths[1:]:  # none of them is steeper than 1
        variance = regime.w_std**2 * variance + regime.b_std**2
    return variance <= _LARGEST_STD**2


QUADRATURE = Hypothesis(
    "pre-activations have a standard deviation of at most 8, if the activation has no closed form",
    _within_quadrature,
)

# Of identities: any network of any size, at any inputs.
ANY = Domain(
    {
        "n": Sizes((1, 2, 4, 5, 8, 19)),
        "d": Sizes((1, 2, 3, 8, 20)),
        "widths": Layers(Sizes((1, 4, 16, 64)), 1, 3),
        "activation": OneOf(tuple(ACTIVATIONS)),
        "w_std": Interval(0.25, 2.0),
        "b_std": Interval(0.01, 1.0, zero=True),
        "outputs": Sizes((1, 3)),
        "parametrization": OneOf((None, "standard")),
        "inputs": OneOf(INPUT_LAWS),
        "input_scale": Interval(0.1, 3.0),
    },
    (QUADRATURE,),
)
# Of means: Lipschitz activations, of which a draw's size is bounded by its mean's.
_LIPSCHITZ = OneOf(tuple(name for name in ACTIVATIONS if name not in ("quadratic", "cubic")))
ONE_WIDE_LAYER = Domain(
    {
        "n": Sizes((2, 3, 4, 5)),
        "d": Sizes((1, 3, 8, 20)),
        "widths": _SHALLOW,
        "activation": _LIPSCHITZ,
        **_SCALES,
        "inputs": OneOf(INPUT_LAWS),
        "input_scale": Interval(0.3, 2.0),
    },
    (QUADRATURE,),
)
WIDE = Domain(
    {
        **ONE_WIDE_LAYER.ranges,
        "n": Sizes((4, 5, 6)),
        "widths": Layers(Sizes((256, 300, 512)), 1, 2),
        "outputs": Sizes((1, 2, 3)),
        "parametrization": OneOf((None, "standard")),
    },
    (QUADRATURE,),
)
ONE_LAYER_OR_MORE = Domain(
    {**WIDE.ranges, "widths": Layers(Sizes((16, 32, 64, 100)), 1, 3)}, (QUADRATURE,)
)
LADDERS = Domain(
    {
        **ONE_WIDE_LAYER.ranges,
        "n": Sizes((2, 3, 4, 5)),
        "widths": Layers(Sizes((32, 48, 64)), 1, 2),
    },
    (QUADRATURE,),
)


@kept
def mlp_with_twin(regime: Regime) -> NetworkSubject:
    """Our fully connected network of a regime and its infinite-width twin."""
    return mlp_subject(regime, kernel_fn=analytic.kernel_fn)


@kept
def mlp_ladder(regime: Regime) -> NetworkSubject:
    """The same, with rungs at 1, 2, 4 and 8 times its widths."""
    regimes = [
        replace(regime, widths=tuple(factor * width for width in regime.widths))
        for factor in (1, 2, 4, 8)
    ]
    sizes = tuple(min(rung.widths) for rung in regimes)
    ladder = Ladder("width", sizes, tuple(mlp_with_twin(rung) for rung in regimes))
    return replace(mlp_with_twin(regime), ladder=ladder)


def params_and_inputs(
    key: Array, regime: Regime, subject: NetworkSubject
) -> tuple[Any, Float[Array, "n *shape"], Float[Array, "n *shape"]]:
    """One draw of the weights, and two independent batches of inputs."""
    key_params, key_x1, key_x2 = jax.random.split(key, 3)
    params = draw_params(subject.network, key_params)
    return params, subject.inputs(key_x1, regime.n), subject.inputs(key_x2, regime.n)


def autodiff_rows(
    subject: NetworkSubject, params: Any, x: Float[Array, "n *shape"]
) -> tuple[Float[np.ndarray, "p"], Float[np.ndarray, "n outputs p"]]:
    """Parameters in one vector, and the Jacobian of the whole batch by them."""
    flat, unravel = raveled(params)
    jacobian = jax.jit(jax.jacrev(lambda theta: subject.network.apply_fn(unravel(theta), x)))(flat)
    return np.asarray(flat), np.asarray(jacobian).reshape(len(x), -1, flat.size)


_TAIL = 100


def network_rounding(subject: NetworkSubject, params: Any, x: Float[Array, "n *shape"]) -> float:
    """Relative rounding of one kernel entry: a contraction over all P parameters.

    P products and sums, and P more for the entries of the Jacobian: each is a chain of inner
    products whose lengths and cancellations, sum of fan_in^(3/2), stay below P. An activation's
    derivative amplifies the rounding of its argument h by |h s''(h) / s'(h)|, in a Gaussian tail
    2 h^2: up to |h| = 10 that is 200, twice `_TAIL`. The precision is the lowest that the forward
    pass meets, wherever it does.
    """
    return entry_rounding(lowest_precision(subject), num_params(params) + _TAIL)


@kept
def lowest_precision(subject: NetworkSubject) -> np.dtype:
    """The floating dtype of lowest precision that the forward pass meets."""
    if subject.network.mlp is not None:
        return np.dtype(np.float64)
    return structure.lowest_precision(subject.network.apply_fn, *_shapes(subject))


@kept
def multiplies_branches(subject: NetworkSubject) -> bool:
    """Whether the network multiplies several random matrices, or uses one repeatedly."""
    if subject.network.mlp is not None:
        return False
    return structure.multiplies_branches(subject.network.apply_fn, *_shapes(subject))


def _shapes(subject: NetworkSubject) -> tuple[Any, jax.ShapeDtypeStruct]:
    """Shapes of the weights, and of two inputs."""
    shape = subject.network.input_shape or ()
    params = loading.params_shape(subject.network, shape)
    return params, jax.ShapeDtypeStruct((2, *shape), np.float64)


@dataclass(frozen=True)
class Kernel:
    """A kernel that claims about structure examine.

    `name`: empirical, analytic or given. `at(x1, x2=None)`: its Gram matrix. `rounding`: that of
    an entry, relative; `coincident`: what is added to it at equal inputs. `x1`, `x2`: the inputs it
    is examined at.
    """

    name: str
    at: Callable[..., Any]
    rounding: float
    x1: AnyArray
    x2: AnyArray
    coincident: float = 0.0

    def entry_scale(self) -> Float[np.ndarray, "n1 n2"]:
        """The size of the entries of K(x1, x2), from the diagonals."""
        return entry_scale(np.diag(self.at(self.x1)), np.diag(self.at(self.x2)))

    def agree(
        self, words: str, left: Any, right: Any, scale: Float[np.ndarray, "n1 n2"]
    ) -> Comparison:
        """Two expressions of this kernel, equal up to the rounding of an entry."""
        return Comparison(
            f"{self.name} {words}",
            np.asarray(left),
            np.asarray(right),
            self.rounding * scale,
            scale,
        )


_MOST_GRAMS = 16  # of several Gram matrices that a user passed, each is examined by itself


def kernels(key: Array, regime: Regime, subject: NetworkSubject | GramSubject) -> Iterator[Kernel]:
    """Each kernel of a subject; the inputs of a given Gram matrix are the numbers of its rows."""
    if isinstance(subject, GramSubject):
        rows = rows_of(subject, key, regime.n)
        for number, gram in enumerate(subject.grams[:_MOST_GRAMS]):
            name = "given" if len(subject.grams) == 1 else f"given ({number})"
            yield Kernel(name, partial(_lookup, gram), subject.rounding, rows, rows)
        return
    params, x1, x2 = params_and_inputs(key, regime, subject)
    at = partial(empirical_at, subject, params)
    yield Kernel("empirical", at, network_rounding(subject, params, x1), x1, x2)
    if subject.network.kernel_fn is not None:
        twin = partial(analytic.ntk, subject.network)
        # A user's kernel_fn may compute in a lower precision; what it gives says so.
        precision = stored_precision(np.asarray(twin(x1)))
        name, rounding, coincident = "analytic", analytic.accuracy(subject.network), 0.0
        if precision != np.float64:
            name = f"analytic ({precision.name})"
            rounding = max(rounding, gram_rounding(precision, CONTRACTED))
            coincident = coincident_rounding(rounding)
        yield Kernel(name, twin, rounding, x1, x2, coincident)


def _lookup(
    gram: Float[np.ndarray, "n n"],
    rows: Int[np.ndarray, "n1"],
    columns: Int[np.ndarray, "n2"] | None = None,
) -> Float[np.ndarray, "n1 n2"]:
    """Entries of a Gram matrix at rows and columns of these numbers."""
    return gram[np.ix_(rows, rows if columns is None else columns)]
