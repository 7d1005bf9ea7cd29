"""Montanari & Zhong, 2007.12826: gradient descent of a network against its linearization."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ntval import networks, training
from ntval.claims.claim import Claim, Subject, draw_params, replicates
from ntval.claims.montanari_zhong._measurements import SETTING, regimes, sampled, two_layer
from ntval.decisions import agreement
from ntval.regimes import Regime

_SCALES = (4.0, 8.0, 16.0, 32.0)
_STEPS = 400
_FRESH = 200


def _paired(params, first) -> tuple:
    """Both halves of a symmetrized initialization: equal weights, outputs subtracted."""
    return params, params


def _unpaired(params, other) -> tuple:
    """Halves with weights of their own: outputs do not start at 0."""
    return params, other


@functools.lru_cache(maxsize=16)
def _slopes(subject: Subject, halves, scale, shift: float):
    """Statistic of one draw: slopes over log alpha of the log distance between network and
    linearization after descent, and of the log relative movement of the weights."""
    mlp = subject.network.mlp
    log_scale = np.log(_SCALES)
    centered = jnp.asarray(log_scale - log_scale.mean())

    def statistic(key, x_shape):
        n, d = x_shape.shape
        keys = jax.random.split(key, 4)
        x, fresh = subject.inputs(keys[0], n), subject.inputs(keys[1], _FRESH)
        y = x[:, 0]
        start = halves(*(draw_params(subject.network, k) for k in keys[2:]))

        def apply(alpha: float, params, x: Float[Array, "m d"]) -> Float[Array, "m"]:
            def half(part):
                # Signs would cancel within a half: all outgoing weights are 1.
                return networks_sum(part, x)

            return alpha * (half(params[0]) - half(params[1])) / jnp.sqrt(2.0)

        def networks_sum(part, x):
            fn = networks.activation(mlp.activation).fn
            return fn(x @ part[0]["w"]).sum(axis=1) / jnp.sqrt(mlp.widths[0] * d)

        distances, moves = [], []
        for alpha in _SCALES:
            at_start = functools.partial(apply, scale(alpha))
            offset, offset_fresh = at_start(start, x), at_start(start, fresh)
            linear = training.linearized(at_start, jax.tree.map(lambda w: w * (1 + shift), start))
            # The kernel is alpha^2 times that of alpha = 1, whose largest eigenvalue is about n/d.
            settings = {"optimizer": optax.sgd(d / alpha**2), "steps": _STEPS}
            ends = [
                training.descent(f, start, x, y + offset, **settings).params
                for f in (at_start, linear)
            ]
            gap = at_start(ends[0], fresh) - linear(ends[1], fresh)
            distances.append(jnp.sqrt((gap**2).mean()))
            change = jax.tree.map(jnp.subtract, ends[0], start)
            moves.append(optax.tree.norm(change) / optax.tree.norm(start))
            del offset_fresh
        logs = jnp.log(jnp.stack([jnp.stack(distances), jnp.stack(moves)]))
        return logs @ centered / (centered @ centered)

    return statistic


def _lazy_training(
    key, regime: Regime, subject: Subject, halves=_paired, scale=lambda alpha: alpha, shift=0.0
):
    statistic = _slopes(subject, halves, scale, shift)
    return replicates(statistic, key, jnp.zeros((regime.n, regime.d)), chunk=4)


def _predict(regime: Regime) -> np.ndarray:
    return np.array([-2.0, -1.0])


lazy_training = Claim(
    name="montanari_zhong.lazy_training",
    source="Gradient descent link, theorem F of the spec (from a lecture; exponent of the paired "
    "initialization measured there); E22. Remainders measured.",
    statement="With outputs scaled by alpha and a symmetrized initialization, the trained network "
    "departs from its linearization like alpha^(-2), and its weights move like alpha^(-1).",
    needs=(*SETTING, "mlp"),
    regimes={
        "quick": regimes((40, 10, 60), activations=("gelu",)),
        "standard": regimes((40, 10, 60), activations=("gelu", "tanh")),
        "thorough": regimes((40, 10, 60), (80, 20, 120), activations=("gelu", "tanh", "silu")),
    },
    subject=two_layer,
    measure=_lazy_training,
    predict=_predict,
    allowance=sampled(
        _lazy_training,
        pilot=16,
        resolution=np.array([0.1, 0.02]),
        remainder=lambda regime: np.array([0.1, 0.02]),
        predict=_predict,
    ),
    decide=functools.partial(
        agreement,
        kind="rate",
        first=16,
        most=128,
        labels=lambda i, k: ("slope of the distance", "slope of the movement")[i],
    ),
    faults=("pairs_not_paired", "scale_missing_in_part", "linearized_elsewhere"),
)
