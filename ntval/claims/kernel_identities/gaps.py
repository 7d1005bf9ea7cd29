"""Gaps between a mean of draws and a kernel of infinite width, at inputs that stand out and at
random pairs of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ntval.claims.sampling import MEASURED, draw_params, kept, replicates, stream_of
from ntval.evidence.sequential import Draw
from ntval.kernels import analytic
from ntval.kernels.analytic import Get
from ntval.observables.entries import entry_labels, entry_scale, upper_triangle
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject

_TINY = 1e-300  # in place of a divisor of 0
UNITS = "units"  # the stream of the draws that say how large the kernel is
UNIT_DRAWS = 64
# What a replicate is the mean of: f(x) f(x')^T of single weights has a heavy tail.
_DRAWS: dict[str, int] = {"ntk": 1, "nngp": 16}
_INFINITE: dict[str, Callable[..., Any]] = {"ntk": analytic.ntk, "nngp": analytic.nngp}


def _at_weights(
    subject: NetworkSubject, get: Get
) -> Callable[[Any, Float[Array, "n *shape"]], Float[Array, "n n"]]:
    """Function of (params, x), whose mean over weights tends to the kernel of infinite width: K_N,
    or f(x) f(x')^T, the mean over outputs."""
    network = subject.network
    if get == "ntk":
        return partial(subject.cheapest_method(), network)

    def products(params: Any, x: Float[Array, "n *shape"]) -> Float[Array, "n n"]:
        outputs = network.apply_fn(params, x).reshape(len(x), -1)
        return outputs @ outputs.T / outputs.shape[1]

    return products


@dataclass(frozen=True, eq=False)
class Pool:
    """The inputs of a subject, with its infinite-width kernel there.

    `x`: all of a user's, those that stand out first (`_standing_out`). `exact`: K at them.
    `diagonal`: the larger of K(x, x) and the mean of K_N(x, x) over a few draws; where both
    are 0 the largest there is.
    """

    x: Float[Array, "m *shape"]
    exact: Float[np.ndarray, "m m"]
    diagonal: Float[np.ndarray, "m"]


_MADE_UP = 32  # inputs, where they are of our choosing
_NEAR = 0.05  # of the way from one input to another, where the nearest is of our choosing
_FEW = 4  # replicates


def pool_inputs(key: Array, regime: Regime, subject: NetworkSubject) -> Float[Array, "m *shape"]:
    """The inputs of a subject under a claim's key, at least `regime.n`, those that stand out first;
    the same in every stream.

    Where inputs may be of our choosing, one opposite to the first and one near the second are
    added.
    """
    most = min(subject.num_inputs, _MADE_UP) if subject.any_input else subject.num_inputs
    x = np.asarray(subject.inputs(stream_of(key, "inputs"), max(regime.n, most)))
    if subject.any_input:
        between = x[1:2] + _NEAR * (x[-1:] - x[1:2])
        x = np.concatenate([x, -x[:1], between])
    return jnp.asarray(x[_standing_out(x)])


def pool_of(key: Array, regime: Regime, subject: NetworkSubject, get: Get = "ntk") -> Pool:
    """`pool_inputs` with the kernel of infinite width there."""
    bits = tuple(int(word) for word in jax.random.key_data(key).ravel())
    return _pool(subject, regime, bits, get)


@kept
def _pool(subject: NetworkSubject, regime: Regime, bits: tuple[int, ...], get: Get) -> Pool:
    key = jax.random.wrap_key_data(jnp.asarray(bits, dtype=jnp.uint32), impl="threefry2x32")
    x = pool_inputs(key, regime, subject)
    exact = np.asarray(_INFINITE[get](subject.network, x))
    keys = jax.random.split(stream_of(key, "diagonal"), _FEW * _DRAWS[get])
    measured = np.asarray(_diagonals(subject, get)(x, keys)).mean(axis=0)
    diagonal = np.maximum(np.diag(exact), measured)
    return Pool(x, exact, np.where(diagonal > 0, diagonal, max(diagonal.max(), _TINY)))


@kept
def _diagonals(subject: NetworkSubject, get: Get) -> Callable[..., Float[Array, "draws m"]]:
    """Function of (x, keys): the diagonal of a draw's kernel, at the weights of each key."""
    gram = _at_weights(subject, get)

    def diagonal(x: Float[Array, "m *shape"], key: Array) -> Float[Array, "m"]:
        params = draw_params(subject.network, key)
        return jax.lax.map(lambda row: gram(params, row[None])[0, 0], x)

    return jax.jit(lambda x, keys: jax.lax.map(partial(diagonal, x), keys))


_EQUAL = 1e-12  # 1 - cosine of rows that are the same up to rounding


def _standing_out(x: Float[np.ndarray, "m *shape"]) -> Int[np.ndarray, "m"]:
    """All numbers of inputs; first the two farthest apart in angle, the two nearest that are not
    equal, the longest and the shortest."""
    rows = x.reshape(len(x), -1)
    lengths = np.linalg.norm(rows, axis=1)
    units = rows / np.where(lengths > 0, lengths, 1.0)[:, None]
    cosines = units @ units.T
    first: list[int] = []
    if len(x) > 1:
        i, j = np.triu_indices(len(x), 1)
        angles = cosines[i, j]
        equal = (angles > 1 - _EQUAL) & (lengths[i] == lengths[j])
        nearest = int(np.where(equal, -np.inf, angles).argmax())
        first = [i[angles.argmin()], j[angles.argmin()], i[nearest], j[nearest]]
    order = [*first, lengths.argmax(), lengths.argmin(), *range(len(x))]
    return np.array(list(dict.fromkeys(int(number) for number in order)))


@kept
def _gap(subject: NetworkSubject, get: Get) -> Callable:
    """Statistics of one replicate: K_N - K at pairs of the first inputs, along K, and along K off
    the diagonal; then at a random pair of all inputs."""
    gram = _at_weights(subject, get)

    def statistics(
        key: Array,
        x: Float[Array, "n *shape"],
        exact: Float[Array, "n n"],
        all_x: Float[Array, "m *shape"],
        all_exact: Float[Array, "m m"],
        diagonal: Float[Array, "m"],
    ):
        pair = jax.random.choice(
            jax.random.fold_in(key, 1), len(all_x), (2,), replace=len(all_x) < 2
        )

        def of_draw(key: Array) -> tuple[Float[Array, "n n"], Float[Array, "2 2"]]:
            params = draw_params(subject.network, key)
            return gram(params, x), gram(params, all_x[pair])

        if _DRAWS[get] == 1:
            first, far = of_draw(key)
        else:
            several = jax.lax.map(of_draw, jax.random.split(key, _DRAWS[get]))
            first, far = (grams.mean(axis=0) for grams in several)
        gap = first - exact
        along = [(gap * unit).sum() for unit in _directions(exact)]
        there = all_exact[jnp.ix_(pair, pair)]
        far = (far - there) / entry_scale(diagonal[pair])
        anywhere = [far.diagonal().mean(), far[0, 1], far[0, 1] * jnp.sign(there[0, 1])]
        return jnp.concatenate([gap[upper_triangle(len(exact))], jnp.stack(along + anywhere)])

    return statistics


def _directions(exact: Float[Array, "n n"]) -> list[Float[Array, "n n"]]:
    """K, and K off the diagonal, each divided by its norm."""
    off = jnp.where(jnp.eye(len(exact), dtype=bool), 0.0, exact)
    return [part / jnp.maximum(jnp.sqrt((part**2).sum()), _TINY) for part in (exact, off)]


def kernel_gaps(
    key: Array,
    regime: Regime,
    subject: NetworkSubject,
    *,
    stream: str = MEASURED,
    get: Get = "ntk",
) -> Draw:
    """Replicates of K_N - K at those inputs that stand out, and at a random pair of all in each.

    In units of the larger of K and the mean of K_N over draws of their own: in units of K alone, a
    K that is too small would make its own remainder large.
    """
    pool, n = pool_of(key, regime, subject, get), regime.n
    x, exact = pool.x[:n], pool.exact[:n, :n]
    operands = tuple(map(jnp.asarray, (x, exact, pool.x, pool.exact, pool.diagonal)))
    gaps = replicates(_gap(subject, get), stream_of(key, stream), *operands)
    first = replicates(_gap(subject, get), stream_of(key, UNITS), *operands)(0, UNIT_DRAWS)
    mean = first.mean(axis=0)[: len(entry_labels(n))]
    units = np.append(gap_units(exact, _symmetric(mean, n)), np.ones(len(_ANYWHERE)))
    return lambda start, count: gaps(start, count) / units


_ANYWHERE = ("diagonal of all inputs", "pairs of all inputs", "size at pairs of all inputs")


def gap_labels(regime: Regime) -> tuple[str, ...]:
    """Names of the statistics of `kernel_gaps`."""
    return (*entry_labels(regime.n), "scale of K", "scale of K off the diagonal", *_ANYWHERE)


def resolution(regime: Regime, *, entry: float, whole: float) -> Float[np.ndarray, "k"]:
    """What has to be seen of an entry, and of a scale, in the order of `gap_labels`."""
    entries, anywhere = len(entry_labels(regime.n)), len(_ANYWHERE)
    return np.array([entry] * entries + [whole] * 2 + [entry] * anywhere)


def _symmetric(entries: Float[np.ndarray, "k"], n: int) -> Float[np.ndarray, "n n"]:
    """The matrix of which these are the entries on and above the diagonal."""
    gram = np.zeros((n, n))
    gram[upper_triangle(n)] = entries
    return gram + np.triu(gram, 1).T


def gap_units(
    exact: Float[np.ndarray, "n n"], gap: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "k"]:
    """Units of the statistics of K_N - K: an entry's size, and the norms of K and of K off the
    diagonal, each the larger of K and K + `gap`.

    At an input where both kernels are 0, as that of a network without biases is at 0, the unit is
    the largest there is: 0 = 0, and whatever is not 0 is seen.
    """
    measured = exact + gap
    diagonal = np.maximum(np.diag(exact), np.diag(measured)).clip(0.0)
    scale = entry_scale(diagonal)
    scale[scale <= 0] = scale.max()
    off = 1 - np.eye(len(exact))
    norms = [
        max(np.linalg.norm(exact * part), np.linalg.norm(measured * part))
        for part in (np.ones_like(off), off)
    ]
    units = np.append(scale[upper_triangle(len(exact))], norms)
    return np.where(units > 0, units, 1.0)
