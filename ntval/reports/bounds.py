"""Bounds on smallest eigenvalues as a table, a picture and a page: the tightest first, each with
what it assumes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ntval.reports import figures
from ntval.reports.documents import rendered, write_whole
from ntval.reports.terminal import fitted, plain_table, prose
from ntval.runs.bounds import Bounds
from ntval.runs.eigenvalue_bounds import EigenvalueBound

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def print_bounds(found: Bounds, on: Console) -> None:
    """A table a kernel, and below it what is not applied and why."""
    for of in found.measured:
        table = fitted(_table(found, of), on.width - 2, dispensable=_DISPENSABLE)
        on.print(Group(_title(found, of), Padding(table, (0, 0, 0, 2))))
    reasons = {row.name: row.why_not for row in found.rows if row.value is None}
    for name, why_not in reasons.items():
        prose(on, f"not applied: {name}, because {why_not}")


_DISPENSABLE = ("assumes", "fails with", "of the eigenvalue")


def _title(found: Bounds, of: str) -> Text:
    certified = found.certified[of]
    words = "not certified" if certified is None else f"certified at least {certified:.6g}"
    return Text(f"{of}: smallest eigenvalue {found.measured[of]:.6g}, {words}")


def _table(found: Bounds, of: str) -> Table:
    table = plain_table("bound", "side", "value>", "of the eigenvalue>", "fails with>", "assumes")
    for row in found.rows:
        if row.of != of or row.value is None:
            continue
        table.add_row(*_words(found, row))
    return table


def _words(found: Bounds, row: EigenvalueBound) -> tuple[str, str, str, str, str, str]:
    """The cells of a bound's row."""
    ratio = found.ratio(row)
    return (
        row.name,
        row.side,
        "vacuous" if row.vacuous else f"{row.value:.4g}",
        "" if ratio is None or row.vacuous else f"{ratio:.3g}",
        "never" if row.failure == 0 else f"{row.failure:.1g}",
        row.assumes,
    )


def draw_bounds(found: Bounds, of: str) -> Figure:
    """Each bound's place on a logarithmic axis, around the eigenvalue; vacuous ones at the edge."""
    rows = [row for row in found.rows if row.of == of and row.value is not None]
    rows.sort(key=lambda row: (row.side == "lower", row.value or 0.0), reverse=True)
    made, (ax,) = figures.figure(f"Smallest eigenvalue of {of}, and its bounds")
    made.set_size_inches(8.2, 1.3 + 0.27 * len(rows))
    truth = found.measured[of]
    places = [row.value for row in rows if row.value is not None and row.value > 0]
    places += [truth] if truth > 0 else []
    least = min(places, default=1.0) / 3
    marks = {"lower": (">", figures.COLORS[0]), "upper": ("<", figures.COLORS[1])}
    for height, row in enumerate(reversed(rows)):
        marker, color = marks[row.side]
        value = row.value or 0.0
        if value > 0:
            ax.plot(value, height, marker=marker, color=color, linestyle="none")
        else:
            ax.plot(least, height, marker="x", color="0.55", linestyle="none")
    names = [row.name if not row.vacuous else f"{row.name} (vacuous)" for row in reversed(rows)]
    ax.set_yticks(range(len(rows)), names, fontsize=9)
    ax.set_xscale("log")
    ax.set_xlabel("smallest eigenvalue, in the kernel's unit")
    if truth > 0:
        figures.threshold(ax, truth, name=f"measured, {truth:.4g}")
        figures.legend(ax, loc="lower right")
    return made


def write_bounds_page(found: Bounds, path: Path, *, what: str) -> None:
    """Write the bounds as one self-contained page: a picture and a table a kernel.

    `what`: the network and data, in words.
    """
    kernels = [
        {
            "title": _title(found, of).plain,
            "picture": figures.svg(partial(draw_bounds, found, of)),
            "rows": [
                _words(found, row) for row in found.rows if row.of == of and row.value is not None
            ],
            "not_applied": [row for row in found.rows if row.of == of and row.value is None],
        }
        for of in found.measured
    ]
    write_whole(path, rendered("bounds.html", command="bounds", what=what, kernels=kernels))
