"""Why a kernel does not behave at growing width as it should, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.kernel_identities import causes
from ntval.claims.kernel_identities.leaves import (
    Leaves,
    fits_in_memory,
    leaf_kernels,
    leaves_of,
    outputs_of,
)
from ntval.claims.sampling import PILOT, draw_params, grams_program, inputs_and_key
from ntval.regimes import Regime
from ntval.subjects.subject import Ladder, NetworkSubject

_DRAWS = 64
_LOOKED_FOR = "; looked for, and not found: "


def _drawn_kernels(
    key: Array, regime: Regime, subject: NetworkSubject
) -> tuple[Ladder[NetworkSubject], Float[Array, "n *shape"], Array]:
    """The ladder, inputs, and keys of draws."""
    assert subject.ladder is not None
    x, key_draws = inputs_and_key(key, regime, subject, PILOT)
    return subject.ladder, x, jax.random.split(key_draws, _DRAWS)


def _same(leaves: list[np.ndarray]) -> bool:
    """Whether every key gives the same weights."""
    return all(bool((leaf == leaf[:1]).all()) for leaf in leaves)


def concentration_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """Why the relative variance of K does not fall like 1/width."""
    ladder, x, keys = _drawn_kernels(key, regime, subject)
    ends = [_draws_of(rung, keys) for rung in (ladder.rungs[0], ladder.rungs[-1])]
    if _same(ends[-1]):
        return causes.SAME_WEIGHTS()
    narrow, wide = leaves_of(ladder.rungs[0]), leaves_of(ladder.rungs[-1])
    tied = list(_tied(ends, narrow, wide, ladder.sizes[-1]))
    found = [
        *tied[:1],
        # Where neurons are the same there are fewer numbers, whose size differs more from key to
        # key: a random scale is looked for where none are.
        *([] if tied else list(_random_scale(ends, wide))[:1]),
        *list(_fixed_width(narrow, wide, outputs_of(subject, x), x.shape[1:]))[:1],
    ]
    looked = (causes.SAME_WEIGHTS, causes.TIED, causes.RANDOM_SCALE, causes.FIXED_WIDTH)
    names = ", ".join(cause.name for cause in looked)
    return causes.one_of(
        found, f"the relative variance of K falls at another rate{_LOOKED_FOR}{names}"
    )


def _draws_of(rung: NetworkSubject, keys: Array) -> list[np.ndarray]:
    """The leaves of the parameters at every key."""
    program: Callable[..., Any] = jax.jit(
        lambda keys: jax.lax.map(lambda key: draw_params(rung.network, key), keys)
    )
    return [np.asarray(leaf) for leaf in jax.tree.leaves(program(keys))]


def _tied(ends: list[list[np.ndarray]], narrow: Leaves, wide: Leaves, size: float) -> Iterator[str]:
    """Weights of which a share of the neurons, the same at both ends, is one neuron.

    A share s of one neuron has a variance of s^2 of one, beside 1 / width of the others: it is a
    cause where s^2 times the width is not below 1.
    """
    for number in wide.weights:
        for axis in range(len(wide.shapes[number])):
            if wide.shapes[number][axis] == narrow.shapes[number][axis]:
                continue
            if len(wide.shapes[number]) < 2:
                continue
            shares = [_largest_share(leaves[number][0], axis) for leaves in ends]
            if min(shares) ** 2 * size >= 1 and max(shares) <= 2 * min(shares):
                yield causes.TIED(share=f"{shares[1]:.0%}", leaf=wide.names[number])


def _largest_share(leaf: Float[np.ndarray, "*shape"], axis: int) -> float:
    """The share of slices along an axis that are equal to one another."""
    rows = np.moveaxis(leaf, axis, 0).reshape(leaf.shape[axis], -1)
    counts = np.unique(rows, axis=0, return_counts=True)[1]
    return float(counts.max() / len(rows)) if counts.max() > 1 else 0.0


_BEYOND = 3.0  # times what chance makes of it; 64 draws measure a spread to within 9 %


def _random_scale(ends: list[list[np.ndarray]], wide: Leaves) -> Iterator[str]:
    """Weights whose size differs from key to key more than independent numbers let it, as much at
    both ends."""
    for number in wide.weights:
        spreads, chances = [], []
        for leaves in ends:
            squares = (leaves[number].reshape(len(leaves[number]), -1)) ** 2
            sizes = np.sqrt(squares.mean(axis=1))
            if sizes.min() <= 0 or not _independent(leaves[number]):
                break
            spreads.append(float(sizes.std() / sizes.mean()))
            # Relative variance of a mean of squares, within a draw; half of it is that of a root.
            within = squares.var(axis=1) / squares.mean(axis=1) ** 2 / squares.shape[1]
            chances.append(math.sqrt(float(within.mean())) / 2)
        if len(spreads) == 2 and spreads[1] > max(_BEYOND * chances[1], spreads[0] / 2):
            yield causes.RANDOM_SCALE(leaf=wide.names[number], spread=f"{spreads[1]:.0%}")


def _independent(leaf: Float[np.ndarray, "draws *shape"]) -> bool:
    """Whether weights have the same size in every row and column, up to chance: one random scale
    may be in them all; of a product of random vectors it is not. Variances of 64 draws are measured
    to within a fifth: twice that of chance is no chance."""
    squares = leaf.reshape(len(leaf), -1, leaf.shape[-1]) ** 2
    squares = squares / squares.mean(axis=(1, 2), keepdims=True)
    within = squares.var(axis=(1, 2)).mean()
    return all(
        squares.mean(axis=axis).var(axis=1).mean() <= 2 * within / squares.shape[axis]
        for axis in (1, 2)
    )


def _fixed_width(
    narrow: Leaves, wide: Leaves, outputs: int, shape: tuple[int, ...]
) -> Iterator[str]:
    """A width inside that does not grow: an axis of weights, one that grows in others of as many
    axes, which is neither that of the inputs nor that of the outputs."""
    ends = {*shape, math.prod(shape), outputs}
    pairs = [(i, narrow.shapes[i], wide.shapes[i]) for i in wide.weights]
    grows = {
        (len(large), axis)
        for _, small, large in pairs
        for axis in range(len(large))
        if large[axis] != small[axis]
    }
    for number, small, large in pairs:
        for axis in range(len(large)):
            inside = len(large) > 1 and large[axis] > 1 and large[axis] not in ends
            if inside and small[axis] == large[axis] and (len(large), axis) in grows:
                yield causes.FIXED_WIDTH(size=large[axis], leaf=wide.names[number])


def parametrization_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """Which parametrization a slope of K over the width looks like."""
    ladder, x, keys = _drawn_kernels(key, regime, subject)
    if _same(_draws_of(ladder.rungs[-1], keys)):
        return causes.SAME_WEIGHTS()
    ladder = Ladder(
        "width", (ladder.sizes[0], ladder.sizes[-1]), (ladder.rungs[0], ladder.rungs[-1])
    )
    if not fits_in_memory(ladder.rungs[-1], x):
        sizes = [np.asarray(grams_program(rung)(x, keys)).mean(0).trace() for rung in ladder.rungs]
        slope = _slope(ladder, sizes)
        return f"K(x, x) goes like width^({slope:.2f}); it is too large to be looked into by layer"
    kernels = [
        np.asarray(leaf_kernels(rung)(x, keys, jnp.ones(len(leaves_of(rung).names))))
        for rung in ladder.rungs
    ]
    by_leaf = np.array([k.mean(axis=0).trace(axis1=1, axis2=2) for k in kernels])
    slope = _slope(ladder, by_leaf.sum(axis=1))
    if _standard(ladder, by_leaf, outputs_of(subject, x)):
        return causes.STANDARD(slope=f"{slope:.2f}")
    return causes.POWER(slope=f"{slope:.2f}")


def _slope(ladder: Ladder[NetworkSubject], sizes: Any) -> float:
    return float(np.polyfit(np.log(ladder.sizes), np.log(np.maximum(sizes, 1e-300)), 1)[0])


_APART = 0.25  # half of the least step between exponents of a layer, 0, 1/2 and 1


def _standard(ladder: Ladder[NetworkSubject], by_leaf: np.ndarray, outputs: int) -> bool:
    """Whether the kernel of each weight grows like what it is summed over, and that of each bias
    not at all: as in the standard parametrization, and under no single wrong power."""
    leaves = [leaves_of(rung) for rung in ladder.rungs]
    found = np.array([_slope(ladder, sizes) for sizes in by_leaf.T])
    for axis in leaves[-1].output_axes(outputs):
        fan_in = np.array([each.fan_in(axis) for each in leaves])
        expected = np.array([_slope(ladder, sizes) for sizes in fan_in.T])
        if expected.max() > _APART and (np.abs(found - expected) <= _APART).all():
            return True
    return False
