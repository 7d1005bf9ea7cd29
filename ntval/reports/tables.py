"""Tables of what commands measured: power, calibration, experiments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from rich.columns import Columns
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ntval.claims.catalogue import CLAIMS
from ntval.faults.catalogue import FAULTS
from ntval.reports.terminal import by_paper, plain_table
from ntval.runs.calibration import Calibration
from ntval.runs.experiments import GRIDS, Experiment
from ntval.runs.power import Detection, Smallest


def power_tables(
    found: Sequence[Detection], allclose: Mapping[str, bool | None], width: int
) -> Iterator[Group]:
    """The detection matrix: a row a fault, a numbered column a claim, a table or more a paper.

    A table has as many columns as fit into `width`; above it stand the claims it is about.
    """
    label = max((len(detection.fault) for detection in found), default=0)
    columns = max(1, (width - label - len(" caught, s  allclose")) // 4)
    caught = {(detection.fault, detection.claim): detection for detection in found}
    shown = [name for name in CLAIMS if any(name == claim for _, claim in caught)]
    for paper, names in groupby(shown, lambda name: name.partition(".")[0]):
        claims = list(names)
        for first in range(0, len(claims), columns):
            part = claims[first : first + columns]
            numbered = [f"{n} {name.partition('.')[2]}" for n, name in enumerate(part, 1)]
            yield Group(
                Text(f"\n{paper}", style="bold"),
                Columns(numbered, padding=(0, 3)),
                _power_table(part, caught, allclose),
            )


def _power_table(
    claims: Sequence[str],
    caught: Mapping[tuple[str, str], Detection],
    allclose: Mapping[str, bool | None],
) -> Table:
    table = plain_table("planted fault")
    for number in range(1, len(claims) + 1):
        table.add_column(str(number), justify="center", no_wrap=True)
    table.add_column("caught, s", justify="right", no_wrap=True)
    table.add_column("allclose", justify="left", no_wrap=True)
    marks = {True: Text("●", style="green"), False: Text("○", style="bold red")}
    for fault in FAULTS:
        row = [caught.get((fault, name)) for name in claims]
        if not any(row):
            continue
        seconds = [detection.seconds for detection in row if detection and detection.caught]
        passed = allclose.get(fault)
        table.add_row(
            fault,
            *(marks[detection.caught] if detection else "" for detection in row),
            f"{min(seconds):.1f}" if seconds else "never",
            "" if passed is None else Text("passes" if passed else "caught", style="dim"),
        )
    return table


def smallest_table(sizes: Sequence[Smallest]) -> Table:
    """The smallest refuted size of each family, a row a claim."""
    table = plain_table("claim", "family of faults", "smallest refuted>", "seconds>")
    rows = []
    for found in sorted(sizes, key=lambda s: (s.claim, s.family)):
        size = "none" if math.isinf(found.size) else f"{100 * found.size:.2g} %"
        rows.append((found.claim, found.family, size, f"{found.seconds:.1f}"))
    return by_paper(table, rows)


def calibration_table(found: Mapping[str, Calibration]) -> Table:
    """How often true claims were refuted, against what their level explains."""
    table = plain_table("claim", "refuted>", "most>", "inconclusive>", "mean e>", "s>", "level")
    rows = []
    for name, calibration in found.items():
        holds = calibration.holds
        rows.append(
            (
                name,
                f"{calibration.refuted} of {len(calibration.results)}",
                str(calibration.most),
                str(calibration.inconclusive),
                f"{calibration.mean_e:.3f}",
                f"{sum(r.seconds for r in calibration.results):.0f}",
                Text("holds", style="green") if holds else Text("BROKEN", style="bold red"),
            )
        )
    return by_paper(table, rows)


def experiments_table(found: Sequence[Experiment]) -> Table:
    """Experiments by name, what each shows, and how many cells its grids have."""
    table = plain_table("experiment", "shows", "cells, smoke>", "full>")
    for experiment in found:
        sizes = (str(len(experiment.grids[grid])) for grid in GRIDS)
        table.add_row(experiment.name, experiment.title, *sizes)
    return table


def summary_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """What an experiment measured: a column a name, numbers to four digits."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    numeric = {name: any(isinstance(row.get(name), int | float) for row in rows) for name in names}
    table = plain_table(*(f"{name}>" if numeric[name] else name for name in names))
    for row in rows:
        shown = (row.get(name, "") for name in names)
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in shown))
    return table
