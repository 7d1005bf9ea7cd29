"""`ntval power`: which planted faults are caught."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ntval.front.cli.options import (
    Alpha,
    Claims,
    Json,
    Profile,
    Seed,
    Workers,
    prepare,
    require_directories,
)
from ntval.runs.settings import Settings, alpha_of, seed_of


def power(
    claims: Claims = None,
    profile: Profile = "quick",
    fault: Annotated[
        list[str] | None, typer.Option(help="A planted fault; all without any.")
    ] = None,
    sizes: Annotated[bool, typer.Option(help="Bisect the smallest refuted sizes.")] = True,
    alpha: Alpha = 1e-6,
    seed: Seed = "0",
    json_path: Json = None,
    workers: Workers = 1,
) -> None:
    """Plant every fault and print which claims catch it, how small a one, and how soon."""
    settings = Settings(profile, alpha_of(alpha), seed_of(seed))
    require_directories(json_path)
    prepare()
    from ntval.claims.catalogue import OURS
    from ntval.faults import catalogue
    from ntval.reports import tables, terminal
    from ntval.reports.documents import writer
    from ntval.runs import power as measured
    from ntval.runs.applicable import runnable

    chosen, not_run = runnable(list(OURS.chosen(claims).values()))
    wanted = None if fault is None else [catalogue.find(name).name for name in fault]
    cells = measured.cells(chosen, wanted, settings)
    listed = {str(cell.fault): None for cell in cells}
    families = measured.family_cells(chosen, settings) if sizes and fault is None else []
    pairs = {(cell.claim, cell.fault) for cell in cells}
    found, smallest, allclose = [], [], {}
    total = len(pairs) + len(families) + len(listed)
    keep = writer(json_path)

    def document() -> dict[str, Any]:
        return measured.document(found, smallest, allclose, settings)

    with terminal.bar("planting faults", total) as advance:
        for detection in measured.detections(cells, workers=workers):
            found.append(detection)
            advance()
            keep(document)
        for name, passed in measured.allclose_column(list(listed), workers=workers):
            allclose[name] = passed
            advance()
            keep(document)
        for size in measured.smallest_sizes(families, workers=workers):
            smallest.append(size)
            advance()
            keep(document)
    keep(document, last=True)
    on = terminal.console()
    terminal.print_not_run(not_run)
    for table in tables.power_tables(found, allclose, on.width):
        on.print(table)
    if smallest:
        on.print(terminal.fitted(tables.smallest_table(smallest), on.width))
    missed = [d for d in found if not d.caught]
    uncaught = set(listed) - {d.fault for d in found if d.caught}
    passed = sum(value is True for value in allclose.values())
    terminal.prose(
        on,
        f"\n{len(found) - len(missed)} of {len(found)} pairs caught, {len(uncaught)} of "
        f"{len(listed)} faults caught by no claim. {passed} faults pass "
        f"allclose(rtol={measured.RTOL}, atol={measured.ATOL}) on a Monte Carlo kernel of width "
        f"{measured.COMPARED_WIDTH} and {measured.COMPARED_DRAWS} draws.",
    )
    if json_path is not None:
        on.print(f"wrote {json_path}", soft_wrap=True)
    if missed:
        raise typer.Exit(1)
