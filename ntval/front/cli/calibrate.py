"""`ntval calibrate`: how often true claims are refuted."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ntval.front.cli.options import (
    Claims,
    Json,
    Seed,
    Workers,
    prepare,
    require_directories,
)
from ntval.runs.settings import Settings, alpha_of, seed_of

_LEVEL = 0.05


def calibrate(
    claims: Claims = None,
    runs: Annotated[int, typer.Option(help="Runs a claim, each on a fresh seed.", min=1)] = 400,
    alpha: Annotated[float, typer.Option(help="The loosened level that is tested.")] = _LEVEL,
    seed: Seed = "0",
    json_path: Json = None,
    workers: Workers = 1,
) -> None:
    """Test on correct code that the stated level is kept: refutations and mean e-values."""
    settings = Settings(alpha=alpha_of(alpha, default=str(_LEVEL)), seed=seed_of(seed))
    require_directories(json_path)
    prepare()
    from ntval.claims.catalogue import OURS
    from ntval.reports import tables, terminal
    from ntval.reports.documents import writer
    from ntval.runs import calibration
    from ntval.runs.applicable import runnable

    chosen, not_run = runnable(list(OURS.chosen(claims).values()))
    cells = calibration.cells(chosen, settings, runs=runs)
    found: dict[str, calibration.Calibration] = {}
    keep = writer(json_path)

    def document() -> dict[str, Any]:
        return calibration.document(found, settings)

    with terminal.bar("calibrating", len(cells)) as advance:
        for calibrated in calibration.calibrations(cells, workers=workers):
            found[calibrated.claim] = calibrated
            advance()
            keep(document)
    keep(document, last=True)
    on = terminal.console()
    terminal.print_not_run(not_run)
    table = tables.calibration_table(found)
    dispensable = ("s", "mean e", "most", "inconclusive")
    on.print(terminal.fitted(table, on.width, dispensable=dispensable))
    if json_path is not None:
        on.print(f"wrote {json_path}", soft_wrap=True)
    if not all(calibrated.holds for calibrated in found.values()):
        raise typer.Exit(1)
