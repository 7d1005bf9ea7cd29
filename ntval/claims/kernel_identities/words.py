"""What a gap between two kernels looks like, in words: a cause, where it excludes the others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ntval.arrays import rounding_or_all
from ntval.claims.kernel_identities import causes
from ntval.claims.kernel_identities.causes import Cause

_TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Fit:
    """One cause, held against a gap.

    `cause`: what it is. `words`: its words, filled in. `left`: the norm of what it leaves of the
    gap. `noise`: the norm of what chance has in that; None where it is that of the gap. `exact`:
    whether the cause says how large the gap is; the others have a size that is fitted.
    """

    cause: Cause
    words: str
    left: float
    noise: float | None = None
    exact: bool = False


def gap_words(
    name: str,
    kernel: Float[np.ndarray, "n n"],
    other: Float[np.ndarray, "n n"],
    *,
    noise: float = 0.0,
    more: Sequence[Fit] = (),
    outputs: int = 1,
    draws: int | None = None,
) -> str:
    """What the gap of `kernel`, called `name`, to `other` looks like.

    A cause is named where it explains the gap and no other cause does so as well; where several do,
    one that says how large the gap is comes before those that are fitted. `noise` is the norm of
    what chance leaves in the gap; `more` the causes of which the caller knows; `outputs` the number
    of outputs; `draws` how many finite networks `kernel` is the mean of, where they are few.
    """
    gap = kernel - other
    size = float(np.linalg.norm(gap))
    if not np.isfinite(size):
        return causes.NOT_FINITE(name=name)
    if size == 0:
        return f"{name} is equal to the other"
    # Of a kernel that is far too small the gap is all of the other; of one that is nearly the same
    # at all inputs, every cause that is smooth explains it. What is left is held to the smallest.
    whole = float(np.linalg.norm(kernel))
    varies = float(np.linalg.norm(kernel - kernel.mean())) if len(kernel) > 1 else whole
    rounding = rounding_or_all(kernel.size, float)
    seen = 2 * noise + rounding * float(np.linalg.norm(other))
    other_varies = float(np.linalg.norm(other - other.mean())) > seen
    if whole > 0 and varies <= rounding * whole and other_varies:
        return f"{name} is {kernel.flat[0]:.3g} at all pairs of inputs: it does not depend on them"
    beyond_chance = max(size**2 - noise**2, _TINY) ** 0.5
    signal = max(min(beyond_chance, whole, varies or whole), _TINY**0.5)

    def chance(fit: Fit) -> float:
        return (noise if fit.noise is None else fit.noise) / signal

    def rest(fit: Fit) -> float:
        left, by_chance = float(fit.left) / signal, float(chance(fit))
        return math.sqrt(max(left - by_chance, 0.0)) * math.sqrt(left + by_chance)

    fits = sorted([*_fits(name, kernel, other, outputs, noise), *more], key=rest)
    relative = size / max(float(np.linalg.norm(other)), _TINY)
    if rest(fits[0]) <= _EXPLAINED:
        # Chance may make a wrong cause look as good as the right one by about its own size.
        least = max(2 * rest(fits[0]), _NOTHING)
        near = [fit for fit in fits if rest(fit) <= max(least, 2 * chance(fit))]
        near = [fit for fit in near if fit.exact and rest(fit) <= _EXPLAINED] or near
        said = dict(reversed([(fit.cause, fit.words) for fit in near]))
        if causes.ENTRY in said:
            said.pop(causes.ROWS, None)  # those of the entry
        return causes.one_of(
            list(said.values())[::-1],
            f"{name} is {relative:.1%} away, too little beside chance to tell causes apart",
        )
    if draws is not None and _ROUNDING < relative < _OF_A_DRAW:
        few = "one draw" if draws == 1 else f"the mean of {draws} draws"
        return causes.A_DRAW(name=name, relative=f"{relative:.1%}", draws=few)
    looked = ", ".join(dict.fromkeys(fit.cause.name for fit in fits))
    return f"{name} is {relative:.1%} away, by no single cause; looked for, and not found: {looked}"


_EXPLAINED = 0.1  # of the gap, without its noise, that a named cause may leave: finite width
_NOTHING = 0.02  # of the gap: so little is left of a true cause where there is no noise
_ROUNDING = 1e-4  # relative gap below which it is no draw of a network of any usual width
_OF_A_DRAW = 0.5  # relative gap of a draw that finite width may explain


def share_of(gap: np.ndarray, cause: np.ndarray) -> float:
    """The factor by which `cause` fits a gap best."""
    return float((gap * cause).sum() / max((cause**2).sum(), _TINY))


def _fits(
    name: str,
    kernel: Float[np.ndarray, "n n"],
    other: Float[np.ndarray, "n n"],
    outputs: int,
    noise: float,
) -> Iterator[Fit]:
    """What is left of the gap by each cause that two matrices show."""
    gap, n = kernel - other, len(other)
    identity, off = np.eye(n), 1 - np.eye(n)

    def left(cause: np.ndarray) -> float:
        return float(np.linalg.norm(gap - share_of(gap, cause) * cause))

    def error(cause: np.ndarray) -> float:
        """Two standard errors at most of the share of a cause in the gap."""
        return 2 * noise / max(float(np.linalg.norm(cause)), _TINY)

    def larger(part: np.ndarray) -> str:
        """By what factor a part of `other` is larger."""
        factor = 1 + share_of(gap, part)
        return factor_words(factor, abs(factor) * error(part))

    scale = 1 + share_of(gap, other)
    said = causes.SCALE(name=name, factor=larger(other))
    yield Fit(causes.SCALE, said, left(other), noise=abs(scale) * noise)
    for wrong in (outputs, 1 / outputs):
        said = causes.OUTPUTS(name=name, factor=factor_words(wrong), outputs=outputs)
        if outputs > 1:
            apart = float(np.linalg.norm(kernel - wrong * other))
            yield Fit(causes.OUTPUTS, said, apart, noise=wrong * noise, exact=True)
    if n == 1:
        return
    said = causes.OFF_DIAGONAL(name=name, factor=larger(other * off))
    yield Fit(causes.OFF_DIAGONAL, said, left(other * off))
    by_constant = left(identity) < left(other * identity)
    how = f", by {share_of(gap, identity):+.3g} each: jitter" if by_constant else ""
    said = causes.DIAGONAL(name=name, factor=larger(other * identity), how=how)
    yield Fit(causes.DIAGONAL, said, min(left(identity), left(other * identity)))
    ones = np.ones_like(other)
    within = f" (± {error(ones):.2g} by chance)" if noise > 0 else ""
    constant = f"{share_of(gap, ones):+.3g}{within}"
    said = causes.CONSTANT(name=name, constant=constant)
    yield Fit(causes.CONSTANT, said, left(ones))
    i, j = sorted(int(k) for k in np.unravel_index(int(np.abs(gap).argmax()), gap.shape))
    entry = np.zeros_like(other)
    entry[[i, j], [j, i]] = gap[[i, j], [j, i]]
    factor = factor_words(kernel[i, j] / other[i, j] if other[i, j] else math.inf)
    said = causes.ENTRY(i=i, j=j, name=name, factor=factor)
    yield Fit(causes.ENTRY, said, float(np.linalg.norm(gap - entry)))
    rows = rows_off(gap)
    yield Fit(causes.ROWS, causes.ROWS(rows=rows, name=name), _rows_left(gap, rows))


def rows_off(gap: Float[np.ndarray, "n n"]) -> list[int]:
    """The rows whose gaps among each other or to all rows stand out; at most half of them."""
    sizes = np.sort(np.abs(gap), axis=1)[:, len(gap) // 2]  # a row that is not off has few gaps
    return [int(i) for i in np.flatnonzero(sizes > sizes.max() / 3)]


def _rows_left(gap: Float[np.ndarray, "n n"], rows: list[int]) -> float:
    """What is left where these rows are left out; all where the others are off as well."""
    size = float(np.linalg.norm(gap))
    others = np.setdiff1d(np.arange(len(gap)), rows)
    left = float(np.linalg.norm(gap[np.ix_(others, others)]))
    few = len(gap) >= _MANY and 2 * len(rows) <= len(gap)
    return left if few and left <= _OTHERS * size else size


_MANY = 6  # inputs, of which some may be told from the others
_OTHERS = 0.1  # of a gap, that rows which are not off may have in it


def factor_words(factor: float, error: float = 0.0) -> str:
    """A factor in words: "64 times too small", or, with the part of chance in it, "3.0% (± 0.4% by
    chance) too large". What a finite width adds to a mean is no chance."""
    if factor <= 0 or not math.isfinite(factor):
        return f"{factor:.3g} times the other"
    if factor >= 2 or factor <= 0.5:
        times, word = (factor, "large") if factor > 1 else (1 / factor, "small")
        within = f" (± {error * times / factor:.2g} by chance)" if error > 0 else ""
        return f"{times:.3g}{within} times too {word}"
    within = f" (± {error:.1%} by chance)" if error > 0 else ""
    return f"{abs(factor - 1):.1%}{within} too {'large' if factor > 1 else 'small'}"
