"""A search of a claim's domain: its live view, its closing tables, its map."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ntval.claims.domain import Interval, number_words
from ntval.errors import unknown_name
from ntval.evidence import e_values
from ntval.regimes import Point
from ntval.reports import figures
from ntval.reports.terminal import console, plain_table, progress
from ntval.runs.exploration import FAILED, REFUTED, SEEN, STATES, Exploration, Visit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = {"supported": "green", "refuted": "bold red", "failed": "bold red"}

# Of a map: the colors and markers of states, told apart without color too.
_MARKS = {
    "supported": (figures.COLORS[2], "o"),
    "undecided": (figures.COLORS[4], "s"),
    "vacuous": ("0.6", "D"),
    "refuted": (figures.COLORS[1], "X"),
    "failed": (figures.COLORS[3], "P"),
}

# What a map can be drawn over, beside fields of a point.
_RATIOS: dict[str, Callable[[Any], float]] = {
    "n/d": lambda point: point.n / point.d,
    "Nd/n": lambda point: point.widths[0] * point.d / point.n,
    "width": lambda point: min(point.widths),
    "depth": lambda point: len(point.widths),
}


def replay(found: Exploration, visit: Visit) -> str:
    """The command that examines one point again, on the same draws."""
    words = ["ntval", "check", found.claim, "--at", str(visit.point).replace("'", '"')]
    words += ["--seed", str(found.settings.seed), "--profile", found.settings.profile]
    return shlex.join(words)


def counts(found: Exploration) -> Text:
    """How many points are in each state, and the largest ratio."""
    tried = len(found.visits)
    text = Text(f"{tried} point{'s' * (tried != 1)}: ")
    parts = [(state, found.count(state)) for state in STATES]
    for i, (state, number) in enumerate((s, n) for s, n in parts if n):
        text.append(", " if i else "").append(f"{number} {state}", style=_STYLES.get(state, ""))
    if found.visits:
        text.append(f"; largest gap {_times(max(v.ratio for v in found.visits))} its allowance")
    return text


def _times(ratio: float) -> str:
    return "beyond" if ratio >= 1e6 else f"{ratio:.2g} of"


def worst_table(found: Exploration, most: int) -> Table:
    """The points where the claim holds worst."""
    table = plain_table("state", "gap / allowed>", "seconds>", "point")
    for visit in found.worst(most):
        ratio = "∞" if visit.ratio >= 1e6 else f"{visit.ratio:.2g}"
        state = Text(visit.state, style=_STYLES.get(visit.state, ""))
        table.add_row(state, ratio, f"{visit.seconds:.1f}", str(visit.point))
    return table


@contextmanager
def watched(claim: str, minutes: float) -> Iterator[Callable[[Exploration], None]]:
    """A live view of a search: a bar with the time left, counts, the worst points."""
    on = console()
    shown = progress(f"exploring {claim.rpartition('.')[2]}", on)
    shown.columns = tuple(c for c in shown.columns if type(c).__name__ != "MofNCompleteColumn")
    task = shown.add_task("explore", total=60 * minutes)
    start = time.monotonic()
    latest: list[Exploration] = []

    def view() -> Group:
        shown.update(task, completed=min(time.monotonic() - start, 60 * minutes))
        parts = [part for found in latest for part in (counts(found), worst_table(found, 5))]
        return Group(*parts, shown)

    def update(found: Exploration) -> None:
        latest[:] = [found]

    with Live(console=on, refresh_per_second=4, get_renderable=view):
        yield update


def print_exploration(found: Exploration, on: Console) -> None:
    """The closing words of a search: the worst points, how to repeat them, what was covered."""
    on.print(Text("\n") + counts(found))
    on.print(Text("worst points", style="bold"))
    for visit in found.worst():
        again = [word == "REFUTED" for word in visit.again]
        words = f"{visit.state}, {visit.summary}"
        if visit.state == REFUTED and again:
            words += f"; refuted again on {sum(again)} of {len(again)} fresh keys"
        on.print(Text(f"  {visit.point}"), soft_wrap=True)
        on.print(Padding(Text(words, style=_STYLES.get(visit.state, "dim")), (0, 0, 0, 4)))
        on.print(Padding(Text(f"replay: {replay(found, visit)}", style="dim"), (0, 0, 0, 4)))
    on.print(Text("coverage", style="bold"))
    on.print(Padding(Text("\n".join(coverage(found))), (0, 0, 0, 2)), soft_wrap=True)
    on.print(Text("level", style="bold"))
    on.print(Padding(Text(level(found)), (0, 0, 0, 2)))


def level(found: Exploration) -> str:
    """How often a search refutes a true claim, and the strongest evidence that it met."""
    if not found.statistical:
        return "Chance has no part: a point that is refuted is a counterexample."
    strongest = max((visit.corrected for visit in found.visits), default=0.0)
    return (
        f"The whole search refutes a true claim with probability at most {found.settings.alpha:g}: "
        "point number i is examined at alpha / (i (i + 1)). Strongest evidence, after the choice "
        f"among points: {e_values.text(strongest)}."
    )


def coverage(found: Exploration) -> list[str]:
    """How much of the domain was seen, and with what power."""
    number = found.domain.num_points
    drawn = "numbers drawn freely"
    if not math.isinf(number):
        drawn = f"{number_words(found.domain)} distinct points"
    rooms = sorted(v.room for v in found.visits if v.state not in (FAILED, REFUTED))
    tried = len(found.visits)
    lines = [f"{tried} of {drawn}; {found.compiled} programs compiled or read from the cache"]
    lines += [
        f"{name}: {len({str(getattr(v.point, name)) for v in found.visits})} values of {ranges}"
        for name, ranges in found.domain.ranges.items()
    ]
    lines += [f"where {hypothesis.words}" for hypothesis in found.domain.where]
    if tried:
        lines.append(
            f"a departure of {SEEN:.0%} would have been seen at {found.powerful} of {tried} points"
        )
    if rooms:
        lines.append(
            f"room (what is granted, over the gap): median {rooms[len(rooms) // 2]:.2g}, "
            f"smallest {rooms[0]:.2g}"
        )
    return lines


def axes_of(found: Exploration, names: tuple[str, ...] | None) -> tuple[str, str]:
    """The two axes of a map: those named, or the first two quantities that differ most.

    Raises: `UnknownNameError` for what is neither a field nor a ratio.
    """
    known = [*found.domain.ranges, *_RATIOS]
    if names is None:
        sizes = [name for name in ("d", "n") if name in found.domain.drawn]
        free = [n for n, r in found.domain.drawn.items() if isinstance(r, Interval)]
        rest = [n for n in found.domain.drawn if n not in (*sizes, *free)]
        first, second = [*sizes, *free, *rest, "n/d"][:2]
        return first, second
    for name in names:
        if name not in known:
            raise unknown_name("axis", name, known)
    first, second = names
    return first, second


def value_at(point: Point, axis: str) -> Any:
    """What a point has on an axis."""
    value = _RATIOS[axis](point) if axis in _RATIOS else getattr(point, axis)
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def map_figure(found: Exploration, axes: tuple[str, str]) -> Figure:
    """Where the claim is supported, undecided, refuted, vacuous: a mark a point, over two axes."""
    made, (ax,) = figures.figure(f"{found.claim}: {len(found.visits)} points of its domain")
    places = [_places(found, axis) for axis in axes]
    for state in STATES:
        at = [i for i, visit in enumerate(found.visits) if visit.state == state]
        if not at:
            continue
        color, marker = _MARKS[state]
        ax.scatter(
            places[0][0][at],
            places[1][0][at],
            s=[18 + 60 * min(1.0, found.visits[i].ratio) for i in at],
            c=color,
            marker=marker,
            alpha=0.75,
            linewidths=0,
            label=f"{state} ({len(at)})",
            zorder=3,
        )
    log = "".join(name for name, (_, _, wide) in zip("xy", places, strict=True) if wide)
    figures.label(ax, x=axes[0], y=axes[1], title="larger marks: gap nearer to its allowance")
    for name, (_, names, _) in zip("xy", places, strict=True):
        getattr(ax, f"set_{name}scale")("log" if name in log else "linear")
        if names:
            getattr(ax, f"set_{name}ticks")(range(len(names)), labels=names, fontsize=8)
    figures.legend(ax, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    made.set_size_inches(7.4, 4.4)
    return made


def _places(found: Exploration, axis: str) -> tuple[np.ndarray, list[str], bool]:
    """Where the points stand on an axis, the names there are, whether its scale is a log one."""
    values = [value_at(visit.point, axis) for visit in found.visits]
    if all(isinstance(value, int | float) for value in values):
        numbers = np.array(values, dtype=float)
        wide = len(numbers) > 0 and numbers.min() > 0 and numbers.max() > 20 * numbers.min()
        return numbers, [], bool(wide)
    names = sorted({str(value) for value in values})
    spread = np.random.default_rng(0).uniform(-0.25, 0.25, len(values))  # points, not a line
    return np.array([names.index(str(v)) for v in values]) + spread, names, False
