"""Montanari & Zhong, 2007.12826: gradient descent of a network against its linearization."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ntval.activations import activation
from ntval.claims.claim import Claim
from ntval.claims.montanari_zhong.setting import SETTING, regimes, two_layer
from ntval.claims.sampling import MEASURED, draw_params, replicates, sampled
from ntval.evidence.sequential import agreement
from ntval.networks.mlp import symmetrized
from ntval.observables import training
from ntval.regimes import Regime
from ntval.subjects.subject import Subject
from ntval.theory.montanari_zhong import width as theory

_SCALES = (8.0, 16.0, 32.0, 64.0)
_STEPS = 400
_FRESH = 200


@functools.lru_cache(maxsize=16)
def _slopes(subject: Subject, init: Callable, scale: Callable, shift: float):
    """Statistic of one draw: slopes over log alpha of the log distance between network and
    linearization after descent, and of the log relative movement of the weights."""
    fn, (width,) = activation(subject.network.mlp.activation).fn, subject.network.mlp.widths
    outgoing = jnp.where(jnp.arange(width) < width // 2, 1.0, -1.0)
    log_scale = np.log(_SCALES)
    centered = jnp.asarray(log_scale - log_scale.mean())

    def statistic(key, x_like):
        n, d = x_like.shape
        key_x, key_fresh, key_params = jax.random.split(key, 3)
        x, fresh = subject.inputs(key_x, n), subject.inputs(key_fresh, _FRESH)
        start = init(functools.partial(draw_params, subject.network))(key_params)

        def apply(alpha: float, params, x: Float[Array, "m d"]) -> Float[Array, "m"]:
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

        logs = jnp.log(jnp.array([ends(alpha) for alpha in _SCALES]))
        return centered @ logs / (centered @ centered)

    return statistic


def _itself(alpha: float) -> float:
    return alpha


def _lazy_training(
    key, regime, subject, *, stream=MEASURED, init=symmetrized, scale=_itself, shift=0.0
):
    key = jax.random.fold_in(key, stream)
    statistic = _slopes(subject, init, scale, shift)
    return replicates(statistic, key, jnp.zeros((regime.n, regime.d)), chunk=8)


def _predict(regime: Regime) -> np.ndarray:
    return np.array(theory.lazy_training())


lazy_training = Claim(
    name="montanari_zhong.lazy_training",
    source="Gradient descent link, theorem F of the spec (from a lecture; exponent of the paired "
    "initialization measured there); E22.",
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
        pilot=8,
        resolution=np.array([0.15, 0.02]),
        remainder=lambda regime: np.array(theory.lazy_training_remainder()),
    ),
    decide=functools.partial(
        agreement,
        kind="rate",
        first=16,
        most=128,
        labels=lambda i, k: ("slope of the distance", "slope of the movement")[i],
    ),
    faults=("pairs_not_paired", "scale_of_root", "linearized_elsewhere"),
)
