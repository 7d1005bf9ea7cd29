"""`ntval bounds`: what theorems say of the smallest eigenvalue of your kernel at your data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ntval.front.cli.options import (
    DATA,
    Json,
    MlpWords,
    NetworkPath,
    Seed,
    model_of,
    prepare,
    require_directories,
)


def bounds(
    network: NetworkPath = None,
    mlp: MlpWords = None,
    data: Annotated[str, typer.Option(help=f"{DATA}.", metavar="NAME|FILE")] = "digits",
    rows: Annotated[int, typer.Option(help="How many rows of the data.", min=1)] = 200,
    failure: Annotated[float, typer.Option(help="Probability that a bound may fail.")] = 1e-6,
    seed: Seed = "0",
    json_path: Json = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with pictures.", metavar="FILE.html")
    ] = None,
) -> None:
    """Print every bound on the smallest eigenvalue that applies, beside the eigenvalue."""
    require_directories(json_path, report)
    prepare()
    from ntval.data import sets
    from ntval.reports import documents, terminal
    from ntval.reports.bounds import print_bounds, write_bounds_page
    from ntval.runs import bounds as runs
    from ntval.runs.settings import seed_of

    model, x = model_of("bounds", network, mlp, sets.load(data, repeated=True).given[:rows])
    found = runs.bounds(x, model, seed=seed_of(seed), failure=failure)
    on = terminal.console()
    print_bounds(found, on)
    if json_path is not None:
        documents.write_json({**found.document(), "versions": documents.versions()}, json_path)
        on.print(f"wrote {json_path}", soft_wrap=True)
    if report is not None:
        what = f"{network or mlp}, {len(x)} rows of {data}"
        write_bounds_page(found, report, what=what)
        on.print(f"wrote {report}", soft_wrap=True)
