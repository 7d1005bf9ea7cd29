"""Montanari & Zhong, 2007.12826: gradient descent of a network against its linearization."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from ntval.activations import activation
from ntval.claims.claim import Claim
from ntval.claims.montanari_zhong.setting import (
    SETTING,
    grid,
    parameters_over_n,
    regimes,
    samples_over_d,
    two_layer,
)
from ntval.claims.procedures import Slopes
from ntval.claims.sampling import MEASURED, draw_params, kept, replicates, stream_of
from ntval.evidence.sequential import Draw
from ntval.networks.mlp import Params, symmetrized
from ntval.observables import training
from ntval.observables.slopes import log_slope
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject
from ntval.theory import montanari_zhong as theory

_SCALES = (8.0, 16.0, 32.0, 64.0)
_STEPS = 400
_FRESH = 200


@kept
def _slopes(subject: NetworkSubject, init: Callable, scale: Callable, shift: float) -> Callable:
    """Statistic of one draw: slopes over log alpha of the log distance between network and
    linearization after descent, and of the log relative movement of the weights."""
    fn, (width,) = activation(subject.mlp.activation).fn, subject.mlp.widths
    outgoing = jnp.where(jnp.arange(width) < width // 2, 1.0, -1.0)

    def statistic(key: Array, x_like: Float[Array, "n d"]) -> Float[Array, "2"]:
        n, d = x_like.shape
        key_x, key_fresh, key_params = jax.random.split(key, 3)
        x, fresh = subject.inputs(key_x, n), subject.inputs(key_fresh, _FRESH)
        start = init(functools.partial(draw_params, subject.network))(key_params)

        def apply(alpha: float, params: Params, x: Float[Array, "m d"]) -> Float[Array, "m"]:
            return scale(alpha) * fn(x @ params[0]["w"]) @ outgoing / math.sqrt(width * d)

        def ends(alpha: float) -> list[Float[Array, ""]]:
            network = functools.partial(apply, alpha)
            point = jax.tree.map(lambda w: w * (1 + shift), start)
            linear = training.linearized(network, point)
            # The kernel's largest eigenvalue over n is about alpha^2 / d: steps below its inverse.
            settings = {"optimizer": optax.sgd(d / alpha**2), "steps": _STEPS}
            labels = x[:, 0] + network(start, x)  # outputs count from where they start
            after, linear_after = (
                training.descent(f, start, x, labels, **settings).params for f in (network, linear)
            )
            gap = network(after, fresh) - linear(linear_after, fresh)
            moved = optax.tree.norm(jax.tree.map(jnp.subtract, after, start))
            return [jnp.sqrt((gap**2).mean()), moved / optax.tree.norm(start)]

        return log_slope(_SCALES, jnp.array([ends(alpha) for alpha in _SCALES]))

    return statistic


def _itself(alpha: float) -> float:
    return alpha


def _lazy_training(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    *,
    stream: str = MEASURED,
    init: Callable = symmetrized,
    scale: Callable[[float], float] = _itself,
    shift: float = 0.0,
) -> Draw:
    statistic = _slopes(subject, init, scale, shift)
    like = jnp.zeros((regime.n, regime.d))
    return replicates(statistic, stream_of(key, stream), like, chunk=8)


lazy_training = Claim(
    name="montanari_zhong.lazy_training",
    source="Gradient descent link, theorem F of the spec (from a lecture; exponent of the paired "
    "initialization measured there); E22.",
    statement="With outputs scaled by alpha and a symmetrized initialization, the trained network "
    "departs from its linearization like alpha^(-2), and its weights move like alpha^(-1).",
    needs=(*SETTING, "mlp"),
    points={
        "quick": grid((40, 10, 60), activations=("gelu",)),
        "standard": grid((40, 10, 60), activations=("gelu", "tanh")),
        "thorough": grid((40, 10, 60), (80, 20, 120), activations=("gelu", "tanh", "silu")),
    },
    domain=regimes(
        samples_over_d(2, 5),
        parameters_over_n(8),
        n=tuple(range(24, 61)),
        d=tuple(range(8, 17)),
        widths=(60, 80, 100),
        activations=("gelu", "tanh", "silu"),
    ),
    subject=two_layer,
    procedure=Slopes(
        _lazy_training,
        labels=("slope of the distance", "slope of the movement"),
        formula=theory.lazy_training,
        remainder=theory.lazy_training_remainder,
        wrong=(-1.0, 0.0),
        resolution=(0.15, 0.02),
        pilot=8,
        most=128,
    ),
    faults=("scale_of_root", "pairs_not_paired", "linearized_elsewhere"),
)
