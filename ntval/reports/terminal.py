"""What a person reads in a terminal: live tables and closing lines, by rich."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ntval.claims.claim import Claim
from ntval.evidence.verdict import Verdict
from ntval.reports.words import evidence_words, replay, weakest
from ntval.runs.applicable import NotRun
from ntval.runs.suite import Run

STYLES = {"SUPPORTED": "green", "REFUTED": "bold red", "INCONCLUSIVE": "yellow"}


def console() -> Console:
    """The console to print on: as wide as the terminal, 140 columns where there is none."""
    found = Console(highlight=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found = Console(highlight=False, width=140)
    return found


def plain_table(*columns: str) -> Table:
    """A table without lines, one column a name; a name that ends in ">" is set to the right.

    The first column, of names, is never wrapped.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, column in enumerate(columns):
        table.add_column(
            column.rstrip(">"),
            justify="right" if column.endswith(">") else "left",
            overflow="fold",
            no_wrap=index == 0,
        )
    return table


def print_claims(claims: Iterable[Claim]) -> None:
    """Every claim in a paragraph: its statement, where it is from, the faults that it catches."""
    on = console()
    for claim in claims:
        on.print(Text(claim.name, style="bold"))
        on.print(Padding(claim.statement, (0, 0, 0, 2)))
        for words in (f"source: {claim.source}", f"catches: {', '.join(claim.faults)}"):
            on.print(Padding(Text(words, style="dim"), (0, 0, 0, 2)))


def verdict_text(verdict: Verdict | str) -> Text:
    """A verdict in its color."""
    word = str(getattr(verdict, "value", verdict))
    return Text(word, style=STYLES.get(word, ""))


def progress(words: str, on: Console) -> Progress:
    """A progress bar with the time left."""
    return Progress(
        TextColumn(words),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=on,
    )


@contextmanager
def bar(words: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar with the time left; the function advances it by one."""
    with progress(words, console()) as shown:
        task = shown.add_task(words, total=total)
        yield lambda: shown.advance(task)


def by_paper(table: Table, rows: Iterable[tuple]) -> Table:
    """The table with these rows, whose first cells are claims, under headings of their papers."""
    last = ""
    for name, *cells in rows:
        paper, _, word = name.partition(".")
        if paper != last:
            table.add_row(Text(paper, style="bold"))
            last = paper
        table.add_row(f"  {word}", *cells)
    return table


def _grouped(names: Sequence[str]) -> list[str]:
    """Names of claims, or of a paper where four or more of its claims are meant."""
    papers: dict[str, list[str]] = {}
    for name in names:
        papers.setdefault(name.partition(".")[0], []).append(name)
    return [
        word
        for paper, group in papers.items()
        for word in (group if len(group) < 4 else [f"{len(group)} claims of {paper}"])
    ]


def print_not_run(not_run: Sequence[NotRun]) -> None:
    """Claims that were not run, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for item in not_run:
        reasons.setdefault(item.reason, []).append(item.claim)
    for reason, names in reasons.items():
        text = f"not run: {', '.join(_grouped(names))}, because {reason}"
        console().print(Text(text, style="dim"), soft_wrap=True)


def print_summary(run: Run, written: tuple) -> None:
    """The closing lines of a run: counts, what was spent, what was not run, refutations."""
    on = console()
    counts: dict[str, int] = {}
    for outcome in run.outcomes.values():
        counts[outcome.verdict.value] = counts.get(outcome.verdict.value, 0) + 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    on.print(
        f"\n{told or 'nothing to check'}. False alarms: at most {run.spent:.2g} of the budget "
        f"{run.settings.alpha:g} spent. Seed {run.settings.seed}, profile {run.settings.profile}.",
        soft_wrap=True,
    )
    print_not_run(run.not_run)
    for name, outcome in run.outcomes.items():
        if outcome.verdict is Verdict.REFUTED or outcome.suspected:
            result = weakest(outcome.results)
            on.print(
                verdict_text(outcome.verdict),
                Text(
                    f"{name} at {result.point}\n  {result.decision.summary}\n"
                    f"  {evidence_words(outcome)}\n"
                    + (f"  looks like: {run.diagnoses[name]}\n" if name in run.diagnoses else "")
                    + f"  replay: {replay(run, name)}"
                ),
                soft_wrap=True,
            )
    for path in written:
        on.print(f"wrote {path}", soft_wrap=True)
