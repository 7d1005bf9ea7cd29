"""Where a theorem speaks: what each field of a point ranges over, and the theorem's hypotheses.

A profile's points are points of the domain; Hypothesis and `ntval explore` draw others from it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ntval.errors import InputError
from ntval.regimes import Point, Regime

# The fewest distinct points of a domain, unless its theorem fixes more.
ENOUGH = 1000
# Points of a domain with hypotheses are counted one by one, up to here.
COUNTED = 10 * ENOUGH


@dataclass(frozen=True)
class Sizes:
    """Sizes that are drawn: whole numbers, ascending. From the first upwards every size belongs:
    each new shape compiles anew, so there are few to draw, but the theorem has no largest one."""

    values: tuple[int, ...]

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and value >= self.values[0]

    def some(self) -> tuple[int, ...]:
        return self.values

    def __str__(self) -> str:
        return f"{self.values[0]} and more ({len(self.values)} sizes drawn, to {self.values[-1]})"


@dataclass(frozen=True)
class Layers:
    """Hidden layers, from `fewest` to `most`, the width of each from these; of the last from
    `last`, where that is given. Where the two numbers differ, deeper networks than are drawn belong
    as well."""

    sizes: Sizes
    fewest: int = 1
    most: int = 1
    last: Sizes | None = None

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, tuple)
            and (len(value) == self.fewest or len(value) > self.fewest < self.most)
            and all(width in self.sizes for width in value[:-1])
            and (not value or value[-1] in (self.last or self.sizes))
        )

    def some(self) -> tuple[tuple[int, ...], ...]:
        depths = range(self.fewest, self.most + 1)
        return tuple(
            widths
            for depth in depths
            for widths in itertools.product(
                *[self.sizes.values] * (depth - 1), (self.last or self.sizes).values
            )
        )

    def __str__(self) -> str:
        depth = f"{self.fewest} to {self.most}" if self.most > self.fewest else f"{self.most}"
        return f"{depth} of {self.sizes}" + (f", the last of {self.last}" if self.last else "")


@dataclass(frozen=True)
class OneOf:
    """One of these values; names are drawn and belong, nothing else does."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def some(self) -> tuple[Any, ...]:
        return self.values

    def __str__(self) -> str:
        return ", ".join("None" if v is None else str(v) for v in self.values)


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, drawn freely; and 0, if `zero`."""

    low: float
    high: float
    zero: bool = False

    def __contains__(self, value: object) -> bool:
        number = isinstance(value, float | int)
        return number and (self.low <= value <= self.high or (self.zero and value == 0))

    def some(self) -> tuple[float, ...]:
        return (*((0.0,) if self.zero else ()), self.low, self.high)

    def __str__(self) -> str:
        return f"{'0, or ' if self.zero else ''}{self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True)
class Fixed:
    """A value that the other fields determine: `of(fields)`, `words` say how."""

    words: str
    of: Callable[[Mapping[str, Any]], Any]

    def __str__(self) -> str:
        return self.words


Drawn = Sizes | Layers | OneOf | Interval
Range = Drawn | Fixed


@dataclass(frozen=True)
class Hypothesis:
    """What a theorem supposes of a point: in its words, and as a predicate."""

    words: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Domain:
    """The points at which a theorem speaks.

    `ranges`: of each field of a point that is not fixed at its default, what it ranges over.
    `where`: the theorem's hypotheses.
    `kind`: the record of a point.
    `narrow`: why there are fewer than `ENOUGH` distinct points: what the theorem fixes.

    Raises: `InputError` for a field that a point does not have.
    """

    ranges: Mapping[str, Range]
    where: tuple[Hypothesis, ...] = ()
    kind: type = Regime
    narrow: str = ""

    def __post_init__(self) -> None:
        known = {item.name for item in dataclasses.fields(self.kind)}
        for name in self.ranges:
            if name not in known:
                raise InputError(
                    f"Domain needs fields of a {self.kind.__name__}, got {name!r}; it has "
                    f"{', '.join(sorted(known))}."
                )

    @property
    def drawn(self) -> dict[str, Drawn]:
        """The fields that are drawn, and what from."""
        return {name: r for name, r in self.ranges.items() if not isinstance(r, Fixed)}

    def point(self, drawn: Mapping[str, Any]) -> Point:
        """The point with these values of the fields that are drawn."""
        fixed = {name: r.of(drawn) for name, r in self.ranges.items() if isinstance(r, Fixed)}
        return self.kind(**drawn, **fixed)

    def why_not(self, point: Point) -> str | None:
        """Why a point lies outside, in the words of a field's range or of a hypothesis; None where
        the theorem speaks of it."""
        if not isinstance(point, self.kind):
            return f"it speaks of a {self.kind.__name__}"
        fields = {item.name: getattr(point, item.name) for item in dataclasses.fields(point)}
        for item in dataclasses.fields(point):
            value, allowed = fields[item.name], self.ranges.get(item.name)
            if allowed is None:
                belongs, allowed = value == item.default, repr(item.default)
            elif isinstance(allowed, Fixed):
                belongs = value == allowed.of(fields)
            else:
                belongs = value in allowed
            if not belongs:
                return f"{item.name} is {allowed}"
        return next((h.words for h in self.where if not h.holds(point)), None)

    def __contains__(self, point: Point) -> bool:
        return self.why_not(point) is None

    def representatives(self) -> Iterator[Point]:
        """Points with every combination of sizes and names, and the ends of each interval."""
        drawn = self.drawn
        for values in itertools.product(*(r.some() for r in drawn.values())):
            point = self.point(dict(zip(drawn, values, strict=True)))
            if all(hypothesis.holds(point) for hypothesis in self.where):
                yield point

    @functools.cached_property
    def num_points(self) -> float:
        """The number of distinct points that can be drawn: infinite with numbers drawn freely, 0
        where nothing meets the hypotheses. Where there are any, it is counted to `COUNTED`."""
        points = self.representatives()
        if any(isinstance(r, Interval) for r in self.drawn.values()):
            return math.inf if next(points, None) else 0
        if not self.where:
            return math.prod(len(r.some()) for r in self.drawn.values())
        return sum(1 for _ in itertools.islice(points, COUNTED))


def number_words(domain: Domain) -> str:
    """The number of points of a domain, and more where they were not counted to their end."""
    number = domain.num_points
    return f"{number:.0f}" + (" and more" if domain.where and number >= COUNTED else "")
