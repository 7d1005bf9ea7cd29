"""Bombari, Amani & Mondelli, 2205.10217: noise labels are fitted below as many inputs as
parameters, and not above.

The check is weak: both thresholds lie far from what is measured, and no theorem gives them. It
tells training that fits from training that does not, and noise from labels that can be learned; a
loss that is 10 % off it does not see.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from ntval.claims.bombari_amani_mondelli.memorization import outputs_of
from ntval.claims.bombari_amani_mondelli.setting import PAPER, SETTING, deep, unscaled
from ntval.claims.claim import Claim
from ntval.claims.domain import Domain, Fixed, Layers, OneOf, Sizes
from ntval.claims.procedures import ProbableBound
from ntval.claims.sampling import MEASURED, draw_params, kept, replicates, stream_of
from ntval.evidence.sequential import Draw
from ntval.observables import training
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import bombari_amani_mondelli as theory

_STEPS = 500
_FEWER = 12  # of 2 P inputs, P / 6: the paper's N / d^2 = 1/2 in a network of four layers
_FITTED, _NOT_FITTED = 0.03, 0.1


def _inputs(fields) -> int:
    return 2 * theory.num_parameters((fields["d"], *fields["widths"], 1))


def noise(key: Array, x: Float[Array, "n d"]) -> Float[Array, "n"]:
    """Labels that say nothing of the inputs."""
    return jax.random.normal(key, (len(x),))


def rate(n: int) -> float:
    r"""The paper's $1 / (10 \sqrt{n})$."""
    return 0.1 / n**0.5


@kept
def _room(
    subject: NetworkSubject, train: Callable, labels: Callable, rate: Callable, optimizer: Callable
) -> Callable:
    """Statistic of one draw: the room of the three inequalities, in decimal logarithms."""
    outputs = outputs_of(subject)

    def best(key: Array, n: int) -> tuple[Float[Array, ""], Float[Array, ""]]:
        key_x, key_y, key_params = jax.random.split(key, 3)
        x = subject.inputs(key_x, n)
        y = labels(key_y, x)
        start = draw_params(subject.network, key_params)
        run = train(outputs, start, x, y, optimizer=optimizer(rate(n)), steps=_STEPS)
        # Twice the loss is the mean square error. Adam oscillates: the last is not the best.
        return 2 * run.losses.min(), jnp.mean(y**2)

    def statistic(key: Array, like: Float[Array, "n d"]) -> Float[Array, "1"]:
        key_few, key_many = jax.random.split(key)
        (few, _), (many, nothing) = best(key_few, len(like) // _FEWER), best(key_many, len(like))
        rooms = jnp.array([_FITTED / few, many / _NOT_FITTED, nothing / many])
        return jnp.log10(rooms).min()[None]

    return statistic


def _optimization_threshold(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    *,
    stream: str = MEASURED,
    train: Callable = training.descent,
    labels: Callable = noise,
    rate: Callable[[int], float] = rate,
    optimizer: Callable = optax.adam,
) -> Draw:
    statistic = _room(subject, train, labels, rate, optimizer)
    like = jnp.zeros((regime.n, regime.d))
    return replicates(statistic, stream_of(key, stream), like, chunk=8)


optimization_threshold = Claim(
    name="bombari_amani_mondelli.optimization_threshold",
    source=f"{PAPER}, figure 2 (read in the authors' code), in small; thresholds measured here; "
    "C7 of the spec.",
    statement="Adam at rate 1 / (10 sqrt(n)) fits noise labels at n = P / 6 inputs to a mean "
    "square error of at most 0.03 within 500 steps, and at n = 2 P to none below 0.1 nor above "
    "that of the output 0, with probability at least 0.95; P parameters. A weak check: it does not "
    "see a loss that is 10 % off.",
    needs=SETTING,
    points={
        "quick": deep((2 * 200, 8, 8, 8, 8), activations=("tanh",)),
        "standard": deep((2 * 200, 8, 8, 8, 8), (2 * 148, 6, 10, 8), activations=("tanh", "gelu")),
        "thorough": deep(
            (2 * 200, 8, 8, 8, 8),
            (2 * 444, 12, 12, 12, 12),
            activations=("tanh", "erf", "gelu", "silu"),
        ),
    },
    domain=Domain(
        {
            "n": Fixed("twice the number of parameters", _inputs),
            "d": Sizes(tuple(range(6, 13))),
            "widths": Layers(Sizes((8, 10, 12)), fewest=2, most=3),
            "activation": OneOf(("tanh", "erf", "gelu", "silu")),
            "w_std": OneOf((1.0,)),
            "b_std": OneOf((0.0,)),
            "inputs": OneOf(("gaussian", "sphere")),
        }
    ),
    subject=unscaled,
    procedure=ProbableBound(
        _optimization_threshold, failure=0.05, resolution=0.25, first=16, most=256
    ),
    faults=(
        "rate_over_n",
        "training_by_gradient",
        "labels_of_inputs",
        "training_of_last_layer",
        "loss_not_averaged",
    ),
)
