"""`ntval list` and `ntval where`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ntval.front.cli.options import Claims


def list_claims(
    claims: Claims = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write a page a paper into this directory.", metavar="DIR"),
    ] = None,
) -> None:
    """List claims: what each says, where from, and the faults that it catches."""
    from ntval.claims.catalogue import OURS
    from ntval.reports import documents, terminal, theorems

    if markdown is not None:
        for name, text in theorems.pages().items():
            documents.write_whole(markdown / name, text)
        return
    terminal.print_claims(OURS.chosen(claims).values())


def where(
    word: Annotated[str, typer.Argument(help="A claim's word, e.g. min_eigenvalue.")],
) -> None:
    """Print where a theorem's formula, claim, test, planted faults and figure are."""
    from ntval.claims.catalogue import CLAIMS, find
    from ntval.reports import theorems

    print(f"in {theorems.ROOT}")
    for claim in find(word, CLAIMS):
        print(claim.name)
        for part, path in theorems.of(claim).items():
            print(f"  {part:<10}{path}")
