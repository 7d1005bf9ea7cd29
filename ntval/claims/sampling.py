"""Randomness of claims: keys and their streams, weights, and samplers of statistics.

A *sampler* is a function of (key, regime, subject, stream, options) that gives a function of
(start, count), which draws replicates. `looped` makes one of a statistic in Python, `replicates` of
one that JAX compiles. `kept` is the one cache: an object that is kept has one set of compiled
programs.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Shaped

from ntval.arrays import AnyArray
from ntval.evidence.sequential import Draw
from ntval.kernels import analytic, jacobian
from ntval.kernels.methods import methods_of
from ntval.networks.network import Network
from ntval.regimes import Point, Regime
from ntval.subjects.subject import NetworkSubject

Sampler = Callable[..., Draw]

# Streams of randomness under a claim's key: what is measured, and the pilot of its allowance.
MEASURED, PILOT = "measured", "pilot"
_NUMBERS = {MEASURED: 0, PILOT: 1}

_Arguments = ParamSpec("_Arguments")
_Value = TypeVar("_Value")

# The number of values that `kept` keeps, over all functions: subjects, statistics, programs.
_MOST = 96
_values: OrderedDict[tuple, Any] = OrderedDict()
_lock = threading.RLock()


def kept(function: Callable[_Arguments, _Value]) -> Callable[_Arguments, _Value]:
    """`function`, whose last values are kept; arguments need to be hashable.

    All such functions share one store of bounded size: what has not been asked for longest goes
    first, and its compiled programs with it.
    """

    @functools.wraps(function)
    def found(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Value:
        name = (function, args, tuple(sorted(kwargs.items())))
        with _lock:
            if name in _values:
                _values.move_to_end(name)
                return _values[name]
            value = _values[name] = function(*args, **kwargs)
            while len(_values) > _MOST:
                _values.popitem(last=False)
            return value

    return found


def forget() -> None:
    """Drop all that is kept, and JAX's own caches of compiled programs."""
    with _lock:
        _values.clear()
    jax.clear_caches()


def key_for(name: str, point: Point, seed: int) -> Array:
    """PRNG key of a claim at a point: a hash of both and the suite's seed."""
    text = json.dumps([name, point.as_dict(), int(seed)], sort_keys=True)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], dtype=np.uint32)
    return jax.random.wrap_key_data(jax.numpy.asarray(words), impl="threefry2x32")


def stream_of(key: Array, stream: str) -> Array:
    """The key of a named stream under `key`: streams are independent of each other.

    A claim that conditions on features draws them from one stream and the rest from another, so
    that one can be drawn anew while the other stays.
    """
    number = _NUMBERS.get(stream)
    if number is None:
        number = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:4], "big") >> 1
    return jax.random.fold_in(key, number)


def draw_params(network: Network, key: Array) -> Any:
    """Parameters of `network`: drawn by its init_fn, or the one set that it has.

    In a compiled program they are drawn once. XLA fuses a draw into the products that it enters,
    so that a Jacobian's three passes would each draw them anew.
    """
    if network.init_fn is None:
        return network.params
    shape = (-1, *network.input_shape) if network.input_shape else (-1,)
    params = network.init_fn(key, shape)[1]
    return _kept(params, key) if isinstance(key, Tracer) else params


def _kept(params: Any, key: Array) -> Any:
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
    *operands: Shaped[AnyArray, "..."],
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


@kept
def _program(statistic: Callable, chunk: int) -> Callable:
    return jax.jit(
        lambda key, first, *operands: jax.lax.map(
            lambda i: statistic(jax.random.fold_in(key, i), *operands),
            first + jax.numpy.arange(chunk),
        )
    )


@kept
def _empirical_kernel(subject: NetworkSubject, method: str) -> Callable:
    return jax.jit(functools.partial(subject.methods[method], subject.network))


def empirical_at(
    subject: NetworkSubject,
    params: Any,
    x1: Float[AnyArray, "n1 *shape"],
    x2: Float[AnyArray, "n2 *shape"] | None = None,
    *,
    method: str | None = None,
) -> Float[np.ndarray, "n1 n2"]:
    """K_N at given weights, by the method of this name or the cheapest.

    Raises: `NetworkError` naming the input at which the network has no finite derivative.
    """
    name = methods_of(subject.network)[0] if method is None else method
    kernel = np.asarray(_empirical_kernel(subject, name)(params, x1, x2))
    if not np.isfinite(kernel).all():  # of the network where it has no derivative, else K's own
        for x in (x1,) if x2 is None else (x1, x2):
            jacobian.require_finite_derivatives(subject.network.apply_fn, params, x)
    return kernel


def infinite(
    subject: NetworkSubject,
    x1: Float[AnyArray, "n1 *shape"],
    x2: Float[AnyArray, "n2 *shape"] | None = None,
) -> Float[np.ndarray, "n1 n2"]:
    """K of infinite width."""
    return np.asarray(analytic.ntk(subject.network, x1, x2))


@kept
def grams_program(subject: NetworkSubject) -> Callable[..., Float[Array, "draws n n"]]:
    """Function of (x, keys): K_N at the weights of each key; compiled once, whatever the keys."""

    def gram(x: Float[Array, "n *shape"], key: Array) -> Float[Array, "n n"]:
        return subject.cheapest_method()(subject.network, draw_params(subject.network, key), x)

    return jax.jit(lambda x, keys: jax.lax.map(functools.partial(gram, x), keys))


class Replicate:
    """What one replicate sees: fresh inputs, and kernels computed when they are asked for."""

    def __init__(self, key: Array, regime: Regime, subject: NetworkSubject) -> None:
        self.regime, self.subject, self._whole = regime, subject, key
        self.key, key_x, self._key_params = jax.random.split(key, 3)
        self.x = subject.inputs(key_x, regime.n)

    @functools.cached_property
    def gram(self) -> Float[np.ndarray, "n n"]:
        """K of infinite width at the inputs."""
        return infinite(self.subject, self.x)

    @functools.cached_property
    def params(self) -> Any:
        """The weights."""
        return draw_params(self.subject.network, self._key_params)

    @functools.cached_property
    def empirical(self) -> Float[np.ndarray, "n n"]:
        """K_N at the inputs."""
        return empirical_at(self.subject, self.params, self.x)

    def at(self, rung: NetworkSubject) -> Replicate:
        """The same inputs, at another width, with other weights."""
        return Replicate(self._whole, self.regime, rung)

    def rows_at(self, x: Float[AnyArray, "m *shape"]) -> Float[np.ndarray, "m n"]:
        """K_N between other points and the inputs, at the weights of `empirical`."""
        return empirical_at(self.subject, self.params, x, self.x)

    def features_at(self, x: Float[AnyArray, "m *shape"]) -> Float[np.ndarray, "m p"]:
        """Gradients of the output by the weights of `empirical`, a row an input."""
        apply_fn = self.subject.network.apply_fn
        jacobian = jax.jacobian(lambda params: apply_fn(params, x)[:, 0])(self.params)
        return np.concatenate(
            [np.asarray(j).reshape(len(x), -1) for j in jax.tree.leaves(jacobian)], 1
        )


def looped(
    statistic: Callable[..., list[float]], *, replicate: Callable[..., Any] = Replicate
) -> Sampler:
    """Sampler of `statistic(draw, **options)`, a number a label, at a fresh `Replicate` each, or
    what else `replicate(key, point, subject)` makes."""

    @functools.wraps(statistic)
    def sampler(
        key: Array,
        point: Any,
        subject: Any,
        *,
        stream: str = MEASURED,
        **options: object,
    ) -> Draw:
        key = stream_of(key, stream)

        def one(i: int) -> list[float]:
            return statistic(replicate(jax.random.fold_in(key, i), point, subject), **options)

        return lambda start, count: np.array([one(i) for i in range(start, start + count)])

    return sampler


def inputs_and_key(
    key: Array, regime: Regime, subject: NetworkSubject, stream: str
) -> tuple[Float[Array, "n *shape"], Array]:
    """Inputs that are the same in every stream, and the key of the stream's weights."""
    key_inputs, key_draws = jax.random.split(key)
    return subject.inputs(key_inputs, regime.n), stream_of(key_draws, stream)
