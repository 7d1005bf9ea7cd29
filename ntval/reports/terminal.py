"""What a person reads in a terminal: live tables and closing lines, by rich."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from rich.table import Column, Table
from rich.text import Text

from ntval.claims.claim import Claim
from ntval.evidence.verdict import Verdict
from ntval.reports.words import by_reason, evidence_words, replay, weakest
from ntval.runs.applicable import NotRun
from ntval.runs.suite import Run
from ntval.runs.timings import MEMORY

STYLES = {"SUPPORTED": "green", "REFUTED": "bold red", "INCONCLUSIVE": "yellow"}


def console() -> Console:
    """The console to print on: as wide as the terminal, 140 columns where there is none.

    Text stands as it is: `f(x)[i]` is no markup.
    """
    found = Console(highlight=False, markup=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found = Console(highlight=False, markup=False, width=140)
    return found


def prose(on: Console, text: str | Text, style: str | None = None, *, indent: int = 0) -> None:
    """Print sentences: between words onto further lines of a terminal, uncut into a pipe, which has
    no width. A command that ends one is copied: on a terminal it has a line of its own, which the
    terminal breaks."""
    text = Text(text) if isinstance(text, str) else text  # `[i]` is no markup on any console
    margin = " " * indent
    if not on.is_terminal:
        on.print(Text.assemble(margin, text), style=style, soft_wrap=True)
        return
    command = _COMMAND.search(text.plain)
    sentence = text[: command.start()] if command else text
    on.print(Padding.indent(sentence, indent), style=style)
    if command:
        on.print(Text(f"{margin}  {command[1]}"), style=style, soft_wrap=True)


_COMMAND = re.compile(r"(?<=:) ((?:ntval|pip|uv) [a-z].+)$")


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


def fitted(table: Table, width: int, *, dispensable: Sequence[str] = ()) -> Table:
    """A plain table that can be read at a width: headers of numbers over two lines, then without
    columns that are `dispensable`, the first of them first, as its caption says; names are wrapped.

    As it is where it fits.
    """
    columns = list(table.columns)
    cells = {id(column): [str(cell) for cell in column.cells] for column in columns}
    headers = {id(column): str(column.header) for column in columns}

    def room(longest: Callable[[Column], int]) -> int:
        return sum(longest(column) + _GAP for column in columns) - _GAP

    if room(lambda c: _longest([headers[id(c)], *cells[id(c)]])) <= width:
        return table

    def least(column: Column) -> int:
        words = headers[id(column)].rsplit(" ", 1)
        if column.justify == "right":
            return _longest([*words, *cells[id(column)]])
        return _longest(word for text in (*words, *cells[id(column)]) for word in text.split())

    left_out = []
    for name in dispensable:
        if room(least) <= width:
            break
        left_out += [name for column in columns if headers[id(column)] == name]
        columns = [column for column in columns if headers[id(column)] != name]
    found = plain_table()
    found.caption, found.caption_justify = table.caption, "left"
    if left_out:
        caption = f"{table.caption}; " if table.caption else ""
        found.caption = f"{caption}no room for {', '.join(left_out)}: widen, or ask for --json"
    for column in columns:
        number = column.justify == "right"
        header = "\n".join(headers[id(column)].rsplit(" ", 1)) if number else column.header
        found.add_column(header, justify=column.justify, overflow="fold", no_wrap=number)
    for row in zip(*(column.cells for column in columns), strict=True):
        found.add_row(*row)
    return found


_GAP = 2  # between columns


def _longest(words: Iterable[str]) -> int:
    return max(map(len, words), default=0)


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


def print_summary(run: Run) -> None:
    """The closing lines of a run: counts, what was spent, what was not run, refutations."""
    on = console()
    counts: dict[str, int] = {}
    for outcome in run.settled.values():
        counts[outcome.verdict.value] = counts.get(outcome.verdict.value, 0) + 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    left = len(run.outcomes) - len(run.settled)
    told += f"{', ' if told else ''}{left} not checked" if left else ""
    prose(
        on,
        f"\n{told or 'nothing to check'}. Correct code is refuted in such a run with probability "
        f"{run.spent:.2g} at most. Seed {run.settings.seed}, profile {run.settings.profile}.",
    )
    print_not_run(run.not_run)
    for name, outcome in run.outcomes.items():
        if outcome.verdict is Verdict.REFUTED or outcome.suspected:
            result = weakest(outcome.results)
            prose(on, Text.assemble(verdict_text(outcome.verdict), f" {name} at {result.point}"))
            prose(on, result.decision.summary, indent=2)
            prose(on, evidence_words(outcome), indent=2)
            if name in run.diagnoses:
                prose(on, f"looks like: {run.diagnoses[name]}", indent=2)
            on.print(Text(f"  replay: {replay(run, name)}"), soft_wrap=True)  # to be copied


def print_plan(run: Run, took: Mapping[str, float]) -> None:
    """What a run would check, what it took here last time, and why other claims do not apply."""
    on = console()
    table = plain_table("claim", "points>", "seconds last time>")
    rows = [
        (name, str(outcome.planned), f"{took[name]:.1f}" if name in took else "not run here yet")
        for name, outcome in run.outcomes.items()
    ]
    on.print(fitted(by_paper(table, rows), on.width))
    known = [took[name] for name in run.outcomes if name in took]
    claims, points = len(run.outcomes), len(run.cells)
    words = f"{claims} claim{'s' * (claims != 1)} at {points} point{'s' * (points != 1)}"
    if known:
        words += f"; {len(known)} of them took {sum(known):.0f} s of one core here last time"
        words += f", in {took[MEMORY] / 1e9:.1f} GB at most" if MEMORY in took else ""
    prose(on, f"\n{words}.")
    if run.note:
        prose(on, f"{run.settings.network or run.settings.data}: {run.note}")
    print_not_run(run.not_run)


def print_not_run(not_run: Sequence[NotRun]) -> None:
    """Claims that do not apply, by the reason."""
    on = console()
    for reason, names in by_reason({item.claim: item.reason for item in not_run}).items():
        prose(on, f"not run: {', '.join(_grouped(names))}, because {reason}", style="dim")


def how_to_go_on(run: Run) -> str:
    """What an interrupted run has, and the words that check the rest."""
    left = [name for name in run.outcomes if name not in run.settled]
    words = shlex.join(["ntval", "check", *left[:5]]) + (" ..." if len(left) > 5 else "")
    return (
        f"{len(run.settled)} of {len(run.outcomes)} claims are decided; what was written is marked "
        f"as incomplete. For the other {len(left)}: {words}, with the same options."
    )
