"""`ntval calibrate`: how often true claims are refuted."""

from __future__ import annotations

from typing import Annotated

import typer

from ntval.front.cli.options import (
    Claims,
    Json,
    Seed,
    Workers,
    prepare,
    require_directories,
)
from ntval.reports.documents import writer
from ntval.runs.settings import alpha_of, seed_of


def calibrate(
    claims: Claims = None,
    runs: Annotated[int, typer.Option(help="Runs a claim, each on a fresh seed.", min=1)] = 400,
    alpha: Annotated[float, typer.Option(help="The loosened level that is tested.")] = 0.05,
    seed: Seed = "0",
    json_path: Json = None,
    workers: Workers = 1,
) -> None:
    """Test on correct code that the stated level is kept: refutations and mean e-values."""
    alpha = alpha_of(alpha)
    require_directories(json_path)
    prepare()
    from ntval.reports import tables, terminal
    from ntval.runs import calibration, suite

    settings = {"alpha": alpha, "seed": seed_of(seed)}
    chosen = list(suite.chosen_claims(claims).values())
    cells = calibration.cells(chosen, runs=runs, **settings)
    found, keep = {}, writer(json_path)
    with terminal.bar("calibrating", len(cells)) as advance:
        for found in calibration.calibrations(cells, workers=workers):
            advance()
            keep(lambda found=found: calibration.document(found, settings))
    keep(lambda: calibration.document(found, settings), last=True)
    on = terminal.console()
    on.print(tables.calibration_table(found))
    if json_path is not None:
        on.print(f"wrote {json_path}", soft_wrap=True)
    if not all(calibrated.holds for calibrated in found.values()):
        raise typer.Exit(1)
