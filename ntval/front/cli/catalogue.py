"""`ntval list` and `ntval where`."""

from __future__ import annotations

from typing import Annotated

import typer


def list_claims(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print THEOREMS.md: where everything is.")
    ] = False,
) -> None:
    """List every claim: what it says, where from, and the faults that it catches."""
    from ntval.reports import theorems

    if markdown:
        print(theorems.theorems_markdown(), end="")
        return
    from ntval.claims.catalogue import CLAIMS
    from ntval.reports import terminal

    terminal.print_claims(CLAIMS.values())


def where(
    word: Annotated[str, typer.Argument(help="A claim's word, e.g. min_eigenvalue.")],
) -> None:
    """Print where a theorem's formula, claim, test, planted faults and experiment are."""
    from ntval.claims.catalogue import CLAIMS, find
    from ntval.reports import theorems

    for claim in find(word, CLAIMS):
        print(claim.name)
        for part, path in theorems.of(claim).items():
            print(f"  {part:<11}{path}")
