"""`ntval explore`: where in its domain a claim holds worst."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ntval.errors import InputError
from ntval.front.cli.options import (
    Alpha,
    Json,
    Profile,
    Seed,
    prepare,
    require_directories,
    require_figures,
    write_figures,
)
from ntval.runs.process import cache_directory
from ntval.runs.settings import Settings, alpha_of, seed_of


def explore(
    claim: Annotated[str, typer.Argument(help="A claim's name, or its last word.")],
    minutes: Annotated[float, typer.Option(help="How long to search.")] = 5.0,
    profile: Profile = "quick",
    alpha: Alpha = 1e-6,
    seed: Seed = "0",
    axes: Annotated[
        str | None, typer.Option(help="Of the map, e.g. d,n or n/d,ridge.", metavar="X,Y")
    ] = None,
    store_path: Annotated[
        Path | None,
        typer.Option("--store", help="Keep points in this file, and resume.", metavar="FILE"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the map into this directory.", metavar="DIR")
    ] = None,
    json_path: Json = None,
) -> None:
    """Search a claim's domain for the points where it holds worst, and map it."""
    settings = Settings(profile, alpha_of(alpha), seed_of(seed))
    require_directories(json_path)
    names = None if axes is None else tuple(word.strip() for word in axes.split(","))
    if names is not None and len(names) != 2:
        raise InputError(f"--axes needs two names with a comma between, got {axes!r}; e.g. d,n.")
    require_figures(out)
    prepare()
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_directory().parent / "search"))
    from ntval.claims.catalogue import OURS
    from ntval.reports import documents, terminal
    from ntval.reports import exploration as reports
    from ntval.runs import exploration, store

    chosen = list(OURS.chosen([claim]).values())
    if len(chosen) != 1:
        raise InputError(f"explore needs one claim, got {claim!r}, which names {len(chosen)}.")
    if reason := chosen[0].missing_files():
        raise InputError(f"explore needs what {claim} is about: {reason}.")
    with store.Store(store_path or store.DEFAULT) as kept:
        try:
            with reports.watched(chosen[0].name, minutes) as shown:
                found = exploration.explored(
                    chosen[0], settings, minutes=minutes, kept=kept, shown=shown
                )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"points that were decided are in {kept.path}; the same command goes on from there."
            ) from None
    on = terminal.console()
    reports.print_exploration(found, on)
    folder = out or Path(".ntval") / "figures" / "exploration"
    chosen_axes = reports.axes_of(found, names)
    write_figures(lambda: {found.claim: reports.map_figure(found, chosen_axes)}, folder)
    if json_path is not None:
        documents.write_json({**found.document(), "versions": documents.versions()}, json_path)
        on.print(f"wrote {json_path}", soft_wrap=True)
    if found.count(exploration.REFUTED):
        raise typer.Exit(1)
    if found.count(exploration.FAILED):
        raise typer.Exit(4)
