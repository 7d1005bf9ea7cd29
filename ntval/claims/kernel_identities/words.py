"""What a gap between two kernels looks like, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.claims.kernel_identities.gaps import pool_inputs
from ntval.claims.sampling import PILOT, draw_params, grams_program, infinite, stream_of
from ntval.regimes import Regime
from ntval.subjects.subject import NetworkSubject

_DIAGNOSED = 256  # draws


def mean_kernel_words(key: Array, regime: Regime, subject: NetworkSubject) -> str:
    """What the gap between analytic and mean kernel looks like."""
    x = pool_inputs(key, regime, subject)[: regime.n]
    keys = jax.random.split(stream_of(key, PILOT), _DIAGNOSED)
    grams = np.asarray(grams_program(subject)(x, keys))
    if (grams == grams[0]).all():  # one computation at one set of weights: equal to the bit
        return "every key gives the same weights: init ignores its key"
    apply_fn, params = subject.network.apply_fn, draw_params(subject.network, keys[0])
    outputs = math.prod(jax.eval_shape(apply_fn, params, x).shape[1:])
    return gap_words(
        "the analytic kernel",
        infinite(subject, x),
        grams.mean(axis=0),
        noise=float(np.sqrt(grams.var(axis=0, ddof=1).sum() / len(grams))),
        biases=_of_biases(subject, x, keys),
        outputs=outputs,
    )


def gap_words(
    name: str,
    kernel: Float[np.ndarray, "n n"],
    other: Float[np.ndarray, "n n"],
    *,
    noise: float = 0.0,
    biases: Float[np.ndarray, "n n"] | None = None,
    outputs: int = 1,
    draws: int | None = None,
) -> str:
    """What the gap of `kernel`, called `name`, to `other` looks like.

    A cause is named where it explains the gap and no other cause does so as well. `noise` is the
    norm of what chance leaves in the gap; `biases` the kernel of the biases alone; `outputs` their
    number; `draws` how many finite networks `kernel` is the mean of, where they are few.
    """
    gap = kernel - other
    size = float(np.linalg.norm(gap))
    if not np.isfinite(size):
        return f"{name} is not finite"
    if size == 0:
        return f"{name} is equal to the other"
    fits = sorted(_fits(name, kernel, other, biases, outputs), key=lambda fit: fit[0])
    signal = max(size**2 - noise**2, np.finfo(float).tiny)
    rests = [math.sqrt(max(norm**2 - noise**2, 0.0) / signal) for norm, _ in fits]
    (rest, second, *_), (words, instead, *_) = rests, [words for _, words in fits]
    relative = size / max(float(np.linalg.norm(other)), np.finfo(float).tiny)
    if rest <= _EXPLAINED:
        return words if second > max(2 * rest, _NOTHING) else f"{words}; or {instead}"
    if draws is not None and _ROUNDING < relative < _OF_A_DRAW:
        return (
            f"{name} is {relative:.1%} away, by no single cause, as far as "
            + ("one draw" if draws == 1 else f"the mean of {draws} draws")
            + " of a finite network may be; to hold draws against their limit pass many, of shape "
            "(draws, n, n), at independent weights"
        )
    return (
        f"{name} is {relative:.1%} away: no single scale, entry, row, diagonal or bias explains it"
    )


_EXPLAINED = 0.4  # of the gap, without its noise, that a named cause may leave
_NOTHING = 0.02  # of the gap: so little is left of a true cause where there is no noise
_ROUNDING = 1e-4  # relative gap below which it is no draw of a network of any usual width
_OF_A_DRAW = 0.5  # relative gap of a draw that finite width may explain


def _fits(
    name: str,
    kernel: Float[np.ndarray, "n n"],
    other: Float[np.ndarray, "n n"],
    biases: Float[np.ndarray, "n n"] | None,
    outputs: int,
) -> Iterator[tuple[float, str]]:
    """What each cause leaves of the gap, and its words."""
    gap, n = kernel - other, len(other)
    identity, off = np.eye(n), 1 - np.eye(n)

    def share(cause: np.ndarray) -> float:
        return float((gap * cause).sum() / max((cause**2).sum(), np.finfo(float).tiny))

    def left(cause: np.ndarray) -> float:
        return float(np.linalg.norm(gap - share(cause) * cause))

    scale = 1 + share(other)
    yield left(other), f"{name} is {_factor(scale)} throughout: {_of_scale(scale, outputs)}"
    if n == 1:
        return
    for part, where, reason in (
        (off, "away from the diagonal", ""),
        (identity, "on the diagonal", ": jitter, or a wrong norm"),
    ):
        yield left(other * part), f"{name} is {_factor(1 + share(other * part))} {where}{reason}"
    constant = share(np.ones_like(other))
    yield (
        left(np.ones_like(other)),
        f"{name} is off by a constant, {constant:+.3g}, as by a missing bias",
    )
    if biases is not None and -1.3 <= share(biases) <= 3 and abs(share(biases)) > 0.1:
        # Without a bias, minus what the biases bring is missing: a share of -1.
        reason = "a missing bias" if share(biases) < -0.7 else "a wrong size of the biases"
        words = f"{name} is off by {share(biases):+.2f} times what the biases bring: {reason}"
        yield left(biases), words
    i, j = (int(k) for k in np.unravel_index(int(np.abs(gap).argmax()), gap.shape))
    entry = np.zeros_like(other)
    entry[[i, j], [j, i]] = gap[[i, j], [j, i]]
    words = f"entry [{i}, {j}] of {name} is {_factor(kernel[i, j] / other[i, j])}, and no other"
    yield float(np.linalg.norm(gap - entry)), words
    yield _rows_left(gap), f"rows {_rows(gap)} of {name} are off, the others are not"


def _rows(gap: Float[np.ndarray, "n n"]) -> list[int]:
    """The rows whose gaps among each other or to all rows stand out; at most half of them."""
    sizes = np.sort(np.abs(gap), axis=1)[:, len(gap) // 2]  # a row that is not off has few gaps
    return [int(i) for i in np.flatnonzero(sizes > sizes.max() / 3)]


def _rows_left(gap: Float[np.ndarray, "n n"]) -> float:
    """What is left where the rows of `_rows` are left out; all where the others are off as well."""
    rows, size = _rows(gap), float(np.linalg.norm(gap))
    others = np.setdiff1d(np.arange(len(gap)), rows)
    left = float(np.linalg.norm(gap[np.ix_(others, others)]))
    few = len(gap) >= _MANY and 2 * len(rows) <= len(gap)
    return left if few and left <= _OTHERS * size else size


_MANY = 6  # inputs, of which some may be told from the others
_OTHERS = 0.1  # of a gap, that rows which are not off may have in it


def _factor(factor: float) -> str:
    """A factor in words: "3.0 % too large", "64 times too small"."""
    if factor <= 0 or not math.isfinite(factor):
        return f"{factor:.3g} times the other"
    if factor >= 2 or factor <= 0.5:
        times, word = (factor, "large") if factor > 1 else (1 / factor, "small")
        return f"{times:.3g} times too {word}"
    return f"{abs(factor - 1):.1%} too {'large' if factor > 1 else 'small'}"


def _of_scale(factor: float, outputs: int) -> str:
    """What a factor throughout may come from."""
    size = max(factor, 1 / factor) if factor > 0 else 1.0
    if outputs > 1 and abs(size / outputs - 1) < 0.1:
        return f"the sum over {outputs} outputs in place of their mean"
    if size >= 4:
        return "another parametrization (standard against NTK), or a wrong scale"
    return "a wrong scale"


def _of_biases(subject: NetworkSubject, x, keys) -> np.ndarray | None:
    """Mean kernel of the biases' gradients alone; None when there are none."""
    apply_fn = subject.network.apply_fn

    def is_bias(leaf) -> bool:
        return leaf.size == leaf.shape[-1] if jnp.ndim(leaf) else False

    def of_draw(key):
        params = draw_params(subject.network, key)
        leaves, structure = jax.tree.flatten(params)
        biases = [leaf for leaf in leaves if is_bias(leaf)]

        def outputs(biases):
            left = iter(biases)
            joined = [next(left) if is_bias(leaf) else leaf for leaf in leaves]
            return apply_fn(jax.tree.unflatten(structure, joined), x).reshape(len(x), -1)

        rows = [
            j.reshape(len(x), -1, leaf.size)
            for j, leaf in zip(jax.jacobian(outputs)(biases), biases, strict=True)
        ]
        outputs_there = rows[0].shape[1]
        return sum(jnp.einsum("iop,jop->ij", row, row) for row in rows) / outputs_there

    shapes = jax.tree.leaves(jax.eval_shape(lambda k: draw_params(subject.network, k), keys[0]))
    if not any(leaf.ndim and math.prod(leaf.shape) == leaf.shape[-1] for leaf in shapes):
        return None
    return np.asarray(jax.lax.map(of_draw, keys[:32])).mean(axis=0)
