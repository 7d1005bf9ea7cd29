"""Bounds on smallest eigenvalues as a table: the tightest first, each with what it assumes."""

from __future__ import annotations

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ntval.reports.terminal import plain_table
from ntval.runs.bounds import Bounds


def print_bounds(found: Bounds, on: Console) -> None:
    """A table a kernel, and below it what is not applied and why."""
    for of in found.measured:
        on.print(Group(_title(found, of), Padding(_table(found, of), (0, 0, 0, 2))))
    reasons = {row.name: row.why_not for row in found.rows if row.value is None}
    for name, why_not in reasons.items():
        on.print(Text(f"not applied: {name}, because {why_not}"), soft_wrap=True)


def _title(found: Bounds, of: str) -> Text:
    certified = found.certified[of]
    words = "not certified" if certified is None else f"certified at least {certified:.6g}"
    return Text(f"{of}: smallest eigenvalue {found.measured[of]:.6g}, {words}")


def _table(found: Bounds, of: str) -> Table:
    table = plain_table("bound", "side", "value>", "of the eigenvalue>", "fails with>", "assumes")
    for row in found.rows:
        if row.of != of or row.value is None:
            continue
        ratio = found.ratio(row)
        table.add_row(
            row.name,
            row.side,
            "vacuous" if row.vacuous else f"{row.value:.4g}",
            "" if ratio is None or row.vacuous else f"{ratio:.3g}",
            "never" if row.failure == 0 else f"{row.failure:.1g}",
            row.assumes,
        )
    return table
