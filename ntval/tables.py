"""What a person reads in a terminal: live tables and closing lines, by rich."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
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

from ntval import report
from ntval.calibration import Calibration
from ntval.claims import CLAIMS, Claim
from ntval.claims.budget import CONFIRMATIONS, Outcome
from ntval.decisions import Verdict
from ntval.experiments import GRIDS, Experiment
from ntval.faults import FAULTS
from ntval.power import Detection, Smallest
from ntval.suite import Run

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


def header(run: Run) -> str:
    """One line before a run: what it may cost in false alarms."""
    random = sum(share > 0 for share in run.shares.values())
    each = max(run.shares.values(), default=0.0)
    claims = f"{random} claim{'s' * (random != 1)}"
    split = f", split over {claims} in which chance has a part, {each:.1e} each or less"
    return (
        f"Budget of false alarms {run.alpha:g} a run{split if random else ''}. "
        f"Seed {run.seed}, profile {run.profile}."
        + (f"\n{run.network}: {run.note}" if run.note else "")
    )


class LiveRun:
    """A live table, a row a claim, over a progress bar with the time left."""

    def __init__(self, run: Run, on: Console | None = None):
        self._console = on or console()
        self._run = run
        self._progress = progress("checking", self._console)
        self._task = self._progress.add_task("check", total=len(run.cells))
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._view)

    def __enter__(self):
        self._console.print(header(self._run), style="dim", soft_wrap=True)
        self._live.__enter__()
        return self

    def __exit__(self, *error):
        return self._live.__exit__(*error)

    def update(self, run: Run) -> None:
        """Show the run as it is now."""
        self._run = run
        repeated = sum(len(again) for again in run.repetitions.values())
        suspected = [o for o in run.finished.values() if o.suspected]
        self._progress.update(
            self._task,
            total=len(run.cells) + CONFIRMATIONS * len(suspected),
            completed=len(run.results) + repeated,
        )

    def _view(self):
        if self._progress.tasks[0].finished:
            return run_table(self._run)
        return Group(run_table(self._run, self._console.height - 4), self._progress)


@contextmanager
def watched(run: Run) -> Iterator[Callable[[Run], None]]:
    """A live table on standard error, where that is a terminal or a notebook; nothing elsewhere."""
    on = Console(stderr=True, highlight=False)
    if not (on.file.isatty() or on.is_jupyter):
        yield lambda run: None
        return
    with LiveRun(run, on) as table:
        yield table.update


def run_table(run: Run, most: int | None = None) -> Table:
    """Claims and verdicts of a run, as far as it is, in at most `most` lines below its head."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("claim", no_wrap=True, min_width=26)
    table.add_column("verdict", no_wrap=True, min_width=12)
    table.add_column("regimes", justify="right", no_wrap=True, min_width=7)
    table.add_column("seconds", justify="right", no_wrap=True, min_width=7)
    table.add_column("evidence", no_wrap=True, overflow="ellipsis", ratio=1)
    rows = []
    for name, outcome in (run.outcomes if most is None else _in_sight(run, most)).items():
        count = f"{len(outcome.results)}/{outcome.planned}"
        if not outcome.results:
            rows.append((name, Text("…", style="dim"), count))
            continue
        rows.append(
            (
                name,
                verdict_text(outcome.verdict),
                count,
                f"{sum(r.seconds for r in outcome.results):.1f}",
                Text(report.weakest(outcome.results).decision.summary),
            )
        )
    return _by_paper(table, rows)


def _by_paper(table: Table, rows: Iterable[tuple]) -> Table:
    """The table with these rows, whose first cells are claims, under headings of their papers."""
    last = ""
    for name, *cells in rows:
        paper, _, word = name.partition(".")
        if paper != last:
            table.add_row(Text(paper, style="bold"))
            last = paper
        table.add_row(f"  {word}", *cells)
    return table


def _in_sight(run: Run, most: int) -> dict[str, Outcome]:
    """The outcomes for which `most` lines have room: departures, then those about to be checked."""
    outcomes, finished = run.outcomes, run.finished
    papers = {name.partition(".")[0] for name in outcomes}
    at = next((i for i, name in enumerate(outcomes) if name not in finished), len(outcomes))

    def far(place: tuple[int, str]) -> tuple[bool, int]:
        i, name = place
        good = name not in finished or finished[name].verdict is Verdict.SUPPORTED
        return good, abs(i - at)

    near = sorted(enumerate(outcomes), key=far)[: max(1, most - len(papers))]
    return {name: outcomes[name] for _, name in sorted(near)}


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


def print_summary(run: Run, written: tuple) -> None:
    """The closing lines of a run: counts, what was spent, what was not run, refutations."""
    on = console()
    counts: dict[str, int] = {}
    for outcome in run.outcomes.values():
        counts[outcome.verdict.value] = counts.get(outcome.verdict.value, 0) + 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    on.print(
        f"\n{told or 'nothing to check'}. False alarms: at most {run.spent:.2g} of the budget "
        f"{run.alpha:g} spent. Seed {run.seed}, profile {run.profile}.",
        soft_wrap=True,
    )
    reasons: dict[str, list[str]] = {}
    for item in run.not_run:
        reasons.setdefault(item.reason, []).append(item.claim)
    for reason, names in reasons.items():
        text = f"not run: {', '.join(_grouped(names))}, because {reason}"
        on.print(Text(text, style="dim"), soft_wrap=True)
    for name, outcome in run.outcomes.items():
        if outcome.verdict is Verdict.REFUTED or outcome.suspected:
            result = report.weakest(outcome.results)
            on.print(
                verdict_text(outcome.verdict),
                Text(
                    f"{name} at {result.regime}\n  {result.decision.summary}\n"
                    f"  {report.evidence_words(outcome)}\n"
                    + (f"  looks like: {run.diagnoses[name]}\n" if name in run.diagnoses else "")
                    + f"  replay: {report.replay(run, name)}"
                ),
                soft_wrap=True,
            )
    for path in written:
        on.print(f"wrote {path}", soft_wrap=True)


def power_tables(
    found: Sequence[Detection], allclose: Mapping[str, bool | None], width: int
) -> Iterator[Group]:
    """The detection matrix: a row a fault, a numbered column a claim, a table or more a paper.

    A table has as many columns as fit into `width`; above it stand the claims it is about.
    """
    label = max((len(detection.fault) for detection in found), default=0)
    columns = max(1, (width - label - len(" caught, s  allclose")) // 4)
    caught = {(detection.fault, detection.claim): detection for detection in found}
    shown = [name for name in CLAIMS if any(name == claim for _, claim in caught)]
    for paper, names in groupby(shown, lambda name: name.partition(".")[0]):
        claims = list(names)
        for first in range(0, len(claims), columns):
            part = claims[first : first + columns]
            numbered = [f"{n} {name.partition('.')[2]}" for n, name in enumerate(part, 1)]
            yield Group(
                Text(f"\n{paper}", style="bold"),
                Columns(numbered, padding=(0, 3)),
                _power_table(part, caught, allclose),
            )


def _power_table(
    claims: Sequence[str],
    caught: Mapping[tuple[str, str], Detection],
    allclose: Mapping[str, bool | None],
) -> Table:
    table = plain_table("planted fault")
    for number in range(1, len(claims) + 1):
        table.add_column(str(number), justify="center", no_wrap=True)
    table.add_column("caught, s", justify="right", no_wrap=True)
    table.add_column("allclose", justify="left", no_wrap=True)
    marks = {True: Text("●", style="green"), False: Text("○", style="bold red")}
    for fault in FAULTS:
        row = [caught.get((fault, name)) for name in claims]
        if not any(row):
            continue
        seconds = [detection.seconds for detection in row if detection and detection.caught]
        passed = allclose.get(fault)
        table.add_row(
            fault,
            *(marks[detection.caught] if detection else "" for detection in row),
            f"{min(seconds):.1f}" if seconds else "never",
            "" if passed is None else Text("passes" if passed else "caught", style="dim"),
        )
    return table


def smallest_table(sizes: Sequence[Smallest]) -> Table:
    """The smallest refuted size of each family, a row a claim."""
    table = plain_table("claim", "family of faults", "smallest refuted>", "seconds>")
    rows = []
    for found in sorted(sizes, key=lambda s: (s.claim, s.family)):
        size = "none" if math.isinf(found.size) else f"{100 * found.size:.2g} %"
        rows.append((found.claim, found.family, size, f"{found.seconds:.1f}"))
    return _by_paper(table, rows)


def calibration_table(found: Mapping[str, Calibration]) -> Table:
    """How often true claims were refuted, against what their level explains."""
    table = plain_table("claim", "refuted>", "most>", "inconclusive>", "mean e>", "s>", "level")
    rows = []
    for name, calibration in found.items():
        holds = calibration.holds
        rows.append(
            (
                name,
                f"{calibration.refuted} of {len(calibration.results)}",
                str(calibration.most),
                str(calibration.inconclusive),
                f"{calibration.mean_e:.3f}",
                f"{sum(r.seconds for r in calibration.results):.0f}",
                Text("holds", style="green") if holds else Text("BROKEN", style="bold red"),
            )
        )
    return _by_paper(table, rows)


def experiments_table(found: Sequence[Experiment]) -> Table:
    """Experiments by name, what each shows, and how many cells its grids have."""
    table = plain_table("experiment", "shows", "cells, smoke>", "full>")
    for experiment in found:
        sizes = (str(len(experiment.grids[grid])) for grid in GRIDS)
        table.add_row(experiment.name, experiment.title, *sizes)
    return table


def summary_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """What an experiment measured: a column a name, numbers to four digits."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    numeric = {name: any(isinstance(row.get(name), int | float) for row in rows) for name in names}
    table = plain_table(*(f"{name}>" if numeric[name] else name for name in names))
    for row in rows:
        shown = (row.get(name, "") for name in names)
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in shown))
    return table
