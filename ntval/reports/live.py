"""The live table of a run in a terminal or notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ntval.claims.budget import CONFIRMATIONS
from ntval.claims.outcome import Outcome
from ntval.evidence.verdict import Verdict
from ntval.reports.terminal import by_paper, console, progress, prose, verdict_text
from ntval.reports.words import weakest
from ntval.runs.suite import Run


def header(run: Run) -> str:
    """One line before a run: what it may cost in false alarms."""
    random = sum(share > 0 for share in run.shares.values())
    each = max(run.shares.values(), default=0.0)
    claims = f"{random} claim{'s' * (random != 1)}"
    split = f", split over {claims} in which chance has a part, {each:.1e} each or less"
    return (
        f"Budget of false alarms {run.settings.alpha:g} a run{split if random else ''}. "
        f"Seed {run.settings.seed}, profile {run.settings.profile}."
        + (f"\n{run.settings.network or run.settings.data}: {run.note}" if run.note else "")
    )


class LiveRun:
    """What a run shows of itself: on a terminal a live table, a row a claim, over a progress bar
    with the time left; elsewhere, or where it is not to be `live`, a line a claim once it is
    settled."""

    def __init__(self, run: Run, on: Console | None = None, *, live: bool = True) -> None:
        self._console = on or console()
        self._run = run
        self._progress = progress("checking", self._console)
        self._task = self._progress.add_task("check", total=len(run.cells))
        self._live = None
        if live and run.cells and (self._console.is_terminal or self._console.is_jupyter):
            self._live = Live(
                console=self._console, refresh_per_second=4, get_renderable=self._view
            )
        self._told: set[str] = set()

    def __enter__(self) -> LiveRun:
        prose(self._console, header(self._run), style="dim")
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._live is not None:
            self._live.__exit__(*error)

    def update(self, run: Run) -> None:
        """Show the run as it is now."""
        self._run = run
        if self._live is None:
            self._tell()
            return
        repeated = sum(len(again) for again in run.repetitions.values())
        suspected = [o for o in run.finished.values() if o.suspected]
        self._progress.update(
            self._task,
            total=len(run.cells) + CONFIRMATIONS * len(suspected),
            completed=len(run.results) + repeated,
        )

    def _tell(self) -> None:
        """A line for each claim that was settled since the last."""
        for name, outcome in self._run.settled.items():
            if name not in self._told:
                self._told.add(name)
                summary = weakest(outcome.results).decision.summary
                line = Text.assemble(verdict_text(outcome.verdict), f" {name}: {summary}")
                prose(self._console, line)

    def _view(self) -> RenderableType:
        if self._progress.tasks[0].finished:
            return RunTable(self._run)
        return Group(RunTable(self._run, self._console.height - 4), self._progress)


@contextmanager
def watched(run: Run) -> Iterator[Callable[[Run], None]]:
    """A live table on standard error, where that is a terminal or a notebook; nothing elsewhere."""
    on = Console(stderr=True, highlight=False, markup=False)
    if not (on.file.isatty() or on.is_jupyter):
        yield lambda run: None
        return
    with LiveRun(run, on) as table:
        yield table.update


@dataclass(frozen=True)
class RunTable:
    """Claims and verdicts of a run, as far as it is, in at most `most` lines below its head.

    In less than 100 columns it is without points and seconds, so that what a SUPPORTED claim is
    worth is not cut; in less than 72 the evidence stands below its claim.
    """

    run: Run
    most: int | None = None

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The table at the width that there is."""
        if options.max_width < 72:
            yield from _stacked(self.run, self.most)
        else:
            yield _table(self.run, self.most, narrow=options.max_width < 100)


def _stacked(run: Run, most: int | None) -> Iterator[RenderableType]:
    shown = _shown(run, most).items()
    for paper, outcomes in groupby(shown, lambda item: item[0].partition(".")[0]):
        yield Text(paper, style="bold")
        for name, outcome in outcomes:
            verdict = verdict_text(outcome.verdict) if outcome.results else Text("…", style="dim")
            line = Text.assemble("  ", verdict, f" {name.partition('.')[2]}")
            if most is not None:  # a table that moves keeps a line a claim
                line.no_wrap, line.overflow = True, "ellipsis"
            yield line
            if most is None and outcome.results:
                yield Padding(Text(weakest(outcome.results).decision.summary), (0, 0, 0, 4))


def _table(run: Run, most: int | None, *, narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("claim", no_wrap=True, min_width=None if narrow else 26)
    table.add_column("verdict", no_wrap=True, min_width=None if narrow else 12)
    if not narrow:
        table.add_column("points", justify="right", no_wrap=True, min_width=7)
        table.add_column("seconds", justify="right", no_wrap=True, min_width=7)
    # A table that moves keeps a line a claim; the last one has all words.
    cut = most is not None
    table.add_column("evidence", no_wrap=cut, overflow="ellipsis" if cut else "fold", ratio=1)
    rows = []
    for name, outcome in _shown(run, most).items():
        count = f"{len(outcome.results)}/{outcome.planned}"
        if not outcome.results:
            rows.append((name, Text("…", style="dim"), *(() if narrow else (count,))))
            continue
        size = (count, f"{sum(r.seconds for r in outcome.results):.1f}")
        rows.append(
            (
                name,
                verdict_text(outcome.verdict),
                *(() if narrow else size),
                Text(weakest(outcome.results).decision.summary),
            )
        )
    return by_paper(table, rows)


def _shown(run: Run, most: int | None) -> Mapping[str, Outcome]:
    """The outcomes for which `most` lines have room, all of them where it is None: departures, then
    those about to be checked."""
    if most is None:
        return run.outcomes
    outcomes, finished = run.outcomes, run.finished
    papers = {name.partition(".")[0] for name in outcomes}
    at = next((i for i, name in enumerate(outcomes) if name not in finished), len(outcomes))

    def far(place: tuple[int, str]) -> tuple[bool, int]:
        i, name = place
        good = name not in finished or finished[name].verdict is Verdict.SUPPORTED
        return good, abs(i - at)

    near = sorted(enumerate(outcomes), key=far)[: max(1, most - len(papers))]
    return {name: outcomes[name] for _, name in sorted(near)}
