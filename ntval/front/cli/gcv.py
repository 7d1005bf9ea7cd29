"""`ntval gcv`: what GCV says of a regression on your kernel, beside the held-out risk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ntval.errors import InputError
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


def gcv(
    network: NetworkPath = None,
    mlp: MlpWords = None,
    data: Annotated[
        str, typer.Option(help=f"{DATA}, with labels.", metavar="NAME|FILE.npz")
    ] = "digits",
    rows: Annotated[int, typer.Option(help="How many rows of the data, at random.", min=8)] = 1000,
    infinite: Annotated[
        bool, typer.Option("--infinite", help="The kernel of infinite width, not at weights.")
    ] = False,
    classes: Annotated[
        bool | None,
        typer.Option("--classes/--numbers", help="Whether y names classes, where it is not plain."),
    ] = None,
    ridge: Annotated[
        list[float] | None, typer.Option(help="A ridge in K + ridge I; may be repeated.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Parts that are left out in turn, 5 as a rule.", min=2)
    ] = None,
    seed: Seed = "0",
    json_path: Json = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with a picture.", metavar="FILE.html")
    ] = None,
) -> None:
    """Print GCV, LOO and the held-out risk over a grid of ridges, and what they say together."""
    require_directories(json_path, report)
    prepare()
    import numpy as np

    from ntval.data import sets
    from ntval.reports import documents, terminal
    from ntval.reports.risk import print_risk, write_risk_page
    from ntval.runs import gcv as runs
    from ntval.runs.settings import seed_of

    source = sets.load(data, repeated=True)
    if source.y is None:
        raise InputError(f"gcv needs labels, got no array 'y' in {data!r}; add one.")
    number = seed_of(seed)
    chosen = np.sort(np.random.default_rng(number).permutation(len(source.x))[:rows])
    y = source.y[chosen].astype(int) if source.whole else source.y[chosen]
    model, x = model_of("gcv", network, mlp, source.given[chosen])
    folds = runs.folds_of(len(x), folds)
    with terminal.bar("fitting", folds) as advance:
        found = runs.gcv(
            model,
            x,
            y,
            infinite=infinite,
            classes=classes,
            ridges=ridge,
            folds=folds,
            seed=number,
            callback=lambda done, total: advance(),
        )
    on = terminal.console()
    print_risk(found, on)
    if json_path is not None:
        documents.write_json({**found.document(), "versions": documents.versions()}, json_path)
        on.print(f"wrote {json_path}", soft_wrap=True)
    if report is not None:
        width = "infinite width" if infinite else "at its weights"
        what = f"{network or mlp}, {width}; {len(x)} rows of {data}"
        write_risk_page(found, report, what=what)
        on.print(f"wrote {report}", soft_wrap=True)
