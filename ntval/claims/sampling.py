"""Randomness of claims: keys, weights, replicates."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from ntval.evidence.allowance import allowance
from ntval.kernels import analytic
from ntval.networks.network import Network
from ntval.regimes import Regime
from ntval.subjects.subject import Subject

# Streams of randomness under a claim's key: what is measured, and the pilot of its allowance.
MEASURED, PILOT = 0, 1


def key_for(name: str, regime: Regime, seed: int) -> Array:
    """PRNG key of a claim in a regime: a hash of both and the suite's seed."""
    text = json.dumps([name, regime.as_dict(), int(seed)], sort_keys=True)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], dtype=np.uint32)
    return jax.random.wrap_key_data(jax.numpy.asarray(words), impl="threefry2x32")


def draw_params(network: Network, key: Array):
    """Parameters of `network`: drawn by its init_fn, or the one set that it has.

    In a compiled program they are drawn once. XLA fuses a draw into the products that it enters,
    so that a Jacobian's three passes would each draw them anew.
    """
    if network.init_fn is None:
        return network.params
    shape = (-1, *network.input_shape) if network.input_shape else (-1,)
    params = network.init_fn(key, shape)[1]
    return _kept(params, key) if isinstance(key, Tracer) else params


def _kept(params, key: Array):
    """The same parameters, which XLA has to keep in memory.

    They are operands of a branch, and that it is always taken XLA cannot tell from a key's bits.
    On CPU it drops `jax.lax.optimization_barrier` before it fuses.
    """
    leaves, structure = jax.tree.flatten(params)
    drawn = [leaf for leaf in leaves if isinstance(leaf, Tracer)]
    always = (jax.random.key_data(key).ravel()[0] | 1) != 0
    zeros = functools.partial(jax.tree.map, jax.numpy.zeros_like)
    kept = iter(jax.lax.cond(always, lambda leaves: leaves, zeros, drawn))
    return structure.unflatten(
        [next(kept) if isinstance(leaf, Tracer) else leaf for leaf in leaves]
    )


def replicates(
    statistic: Callable[..., Float[Array, "k"]],
    key: Array,
    *operands: Float[Array, "..."],
    chunk: int = 64,
) -> Callable[[int, int], Float[np.ndarray, "draws k"]]:
    """Function of (start, count) that gives independent replicates of `statistic(key, *operands)`.

    Replicate i comes from fold_in(key, i), whatever the calls before. A statistic is compiled once,
    for as long as the same function is handed in: whatever differs between keys is an operand.
    Replicates are drawn `chunk` at a time, one after the other: memory is that of one.
    """
    run = _program(statistic, chunk)

    def draw(start: int, count: int) -> Float[np.ndarray, "draws k"]:
        parts = [
            np.asarray(run(key, first, *operands)) for first in range(start, start + count, chunk)
        ]
        return np.concatenate(parts)[:count]

    return draw


@functools.lru_cache(maxsize=64)
def _program(statistic: Callable, chunk: int) -> Callable:
    return jax.jit(
        lambda key, first, *operands: jax.lax.map(
            lambda i: statistic(jax.random.fold_in(key, i), *operands),
            first + jax.numpy.arange(chunk),
        )
    )


@functools.lru_cache(maxsize=64)
def _empirical_kernel(subject: Subject):
    return jax.jit(functools.partial(subject.road(), subject.network))


def empirical_at(subject: Subject, params, x1, x2=None) -> np.ndarray:
    """K_N at given weights."""
    return np.asarray(_empirical_kernel(subject)(params, x1, x2))


def infinite(subject: Subject, x1, x2=None) -> np.ndarray:
    """K of infinite width."""
    return np.asarray(analytic.ntk(subject.network, x1, x2))


class Draw:
    """What one replicate sees: fresh inputs, and kernels computed when they are asked for."""

    def __init__(self, key, regime: Regime, subject: Subject):
        self.regime, self.subject, self._whole = regime, subject, key
        self.key, key_x, self._key_params = jax.random.split(key, 3)
        self.x = subject.inputs(key_x, regime.n)

    @functools.cached_property
    def gram(self) -> np.ndarray:
        """K of infinite width at the inputs."""
        return infinite(self.subject, self.x)

    @functools.cached_property
    def _params(self):
        return draw_params(self.subject.network, self._key_params)

    @functools.cached_property
    def empirical(self) -> np.ndarray:
        """K_N at the inputs."""
        return empirical_at(self.subject, self._params, self.x)

    def at(self, rung: Subject) -> Draw:
        """The same inputs, examined at another width with weights of its own."""
        return Draw(self._whole, self.regime, rung)

    def rows_at(self, x) -> np.ndarray:
        """K_N between other points and the inputs, at the weights of `empirical`."""
        return empirical_at(self.subject, self._params, x, self.x)

    def features_at(self, x) -> np.ndarray:
        """Gradients of the output by the weights of `empirical`, a row an input."""
        apply_fn = self.subject.network.apply_fn
        jacobian = jax.jacobian(lambda params: apply_fn(params, x)[:, 0])(self._params)
        return np.concatenate(
            [np.asarray(j).reshape(len(x), -1) for j in jax.tree.leaves(jacobian)], 1
        )


def measured(statistic: Callable[..., list[float]]):
    """Measurement of a claim: replicates of `statistic(draw, **changes)` at fresh inputs."""

    def measure(key, regime: Regime, subject: Subject, *, stream: int = MEASURED, **changes):
        key = jax.random.fold_in(key, stream)

        def one(i: int) -> list[float]:
            return statistic(Draw(jax.random.fold_in(key, i), regime, subject), **changes)

        return lambda start, count: np.array([one(i) for i in range(start, start + count)])

    return measure


def sampled(
    measure: Callable,
    *,
    pilot: int = 32,
    resolution: float | np.ndarray = 0.0,
    remainder: Callable[[Regime], float | np.ndarray] = lambda regime: 0.0,
) -> Callable:
    """Allowance of a claim whose draws are those of `measure`; `remainder` is one of the regime."""

    def of(key, regime: Regime, subject: Subject):
        draws = measure(key, regime, subject, stream=PILOT)(0, pilot)
        return allowance(draws, remainder=remainder(regime), resolution=resolution)

    return of
