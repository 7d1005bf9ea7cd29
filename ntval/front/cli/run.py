"""`ntval run`: experiments and their figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ntval.front.cli.options import (
    Seed,
    Workers,
    prepare,
    require_figures,
    write_figures,
)
from ntval.runs.settings import seed_of


def run(
    experiment: Annotated[
        str | None, typer.Argument(help="E.g. montanari_zhong/min_eigenvalue; a list without.")
    ] = None,
    grid: Annotated[str, typer.Option(help="smoke, in seconds, or full.")] = "smoke",
    store_path: Annotated[
        Path | None,
        typer.Option("--store", help="Keep results in this file, and resume.", metavar="FILE"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write figures into this directory.", metavar="DIR")
    ] = None,
    workers: Workers = 1,
    seed: Seed = "0",
) -> None:
    """Run an experiment: measure what its store lacks, print a summary, draw its figures."""
    prepare()
    from ntval.reports import tables, terminal
    from ntval.runs import experiments, store

    on = terminal.console()
    if experiment is None:
        on.print(tables.experiments_table([experiments.find(n) for n in experiments.names()]))
        return
    found = experiments.find(experiment)
    require_figures(out)
    cells = experiments.cells(found, grid=grid, seed=seed_of(seed))
    with store.Store(store_path or store.DEFAULT) as kept:
        absent = kept.missing(cell.identity for cell in cells)
        todo = [cell for cell in cells if cell.identity in absent]
        try:
            on.print(f"{len(cells) - len(todo)} of {len(cells)} cells were there in {kept.path}")
            if todo:
                with terminal.bar("measuring", len(todo)) as advance:
                    for _ in experiments.run(todo, kept, workers=workers):
                        advance()
        except KeyboardInterrupt:
            left = len(kept.missing(cell.identity for cell in todo))
            raise KeyboardInterrupt(
                f"{len(cells) - left} of {len(cells)} cells are in {kept.path}; the same "
                "command goes on from there."
            ) from None
        rows = experiments.rows(cells, kept)
    on.print(tables.summary_table(found.summary(rows)))
    folder = out or Path(".ntval") / "figures" / found.name.replace(".", "/")
    write_figures(lambda: found.draw(rows), folder)
