"""The command line: check, list, where, doctor.

Exit status 0 nothing refuted, 1 something refuted, 2 unusable arguments or input,
3 something inconclusive under --strict.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ntval.errors import NtvalError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Validate neural tangent kernels: verdicts with stated error rates.",
)

_STYLES = {"SUPPORTED": "green", "REFUTED": "bold red", "INCONCLUSIVE": "yellow"}


def main() -> None:
    """Run the command line; a known error is one line and exit status 2."""
    try:
        app()
    except NtvalError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


@app.command()
def check(
    claims: Annotated[
        list[str] | None, typer.Argument(help="Names, last words or papers; all without any.")
    ] = None,
    profile: Annotated[str, typer.Option(help="quick, standard or thorough.")] = "quick",
    network: Annotated[
        str | None, typer.Option(help="Your network, MODULE:ATTR.", metavar="MODULE:ATTR")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="'digits' or an .npz file with x.", metavar="NAME|FILE.npz")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Probability of refuting correct code.")] = 1e-6,
    seed: Annotated[int, typer.Option(help="Seed of all randomness of the run.")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on INCONCLUSIVE.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write results as JSON.", metavar="FILE")
    ] = None,
    report_path: Annotated[
        Path | None, typer.Option("--report", help="Write an HTML page.", metavar="FILE.html")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes to run checks in.", min=1)] = 1,
) -> None:
    """Check claims, about ntval's own networks or about your network and data."""
    from ntval import sweeps

    _require_settings(profile, alpha)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    sweeps.use_one_thread()
    sweeps.use_compilation_cache()

    from dataclasses import replace

    from ntval import report
    from ntval.decisions import Verdict

    cells, not_run = _plan(claims, profile, network, data, alpha, seed)
    run = report.Run(alpha, seed, profile, network, data, not_run=tuple(not_run))
    for path in (json_path, report_path):
        if path is not None and not path.parent.is_dir():
            _fail(f"output needs an existing directory, got {str(path)!r}; create it first.")
    with _LiveTable(cells) as table:
        for _, result in sweeps.run(cells, workers=workers):
            run = replace(run, results=(*run.results, result))
            if json_path is not None:
                report.write_json(run, json_path)
            table.update(run.results)
    if json_path is not None:
        report.write_json(run, json_path)
    if report_path is not None:
        report.write_html(run, report_path)
    verdicts = {result.decision.verdict for result in run.results}
    _print_summary(run, json_path, report_path)
    if Verdict.REFUTED in verdicts:
        raise typer.Exit(1)
    if strict and Verdict.INCONCLUSIVE in verdicts:
        raise typer.Exit(3)


def _require_settings(profile: str, alpha: float) -> None:
    from ntval.errors import unknown_name

    profiles = ("quick", "standard", "thorough")
    if profile not in profiles:
        raise unknown_name("profile", profile, profiles)
    if not 0 < alpha < 1:
        _fail(f"--alpha needs a probability between 0 and 1, got {alpha}; the default is 1e-6.")


def _fail(message: str) -> None:
    from ntval.errors import InputError

    raise InputError(message)


def _plan(names, profile, network, data, alpha, seed):
    """The cells to run, and the claims that do not apply."""
    from ntval import sweeps
    from ntval.claims import CLAIMS
    from ntval.claims.claim import PROFILES, find

    chosen = {claim.name for name in names for claim in find(name, CLAIMS)} if names else CLAIMS
    found = sweeps.applicable(network, data, profile)
    applicable = [item for item in found if isinstance(item, tuple) and item[0].name in chosen]
    not_run = [item for item in found if not isinstance(item, tuple) and item.claim in chosen]
    # The probability of a false refutation is split evenly over the cells where chance decides.
    random = sum(claim.random for claim, _ in applicable)
    cells = [
        sweeps.Cell(
            claim.name,
            regime,
            seed,
            alpha / random if claim.random else 0.0,
            PROFILES[profile],
            profile,
            network,
            data,
        )
        for claim, regime in applicable
    ]
    return cells, not_run


def _console():
    """The console to print on: as wide as the terminal, 140 columns where there is none."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=140)
    return console


class _LiveTable:
    """A live table, a row a claim, over a progress bar with the time left."""

    def __init__(self, cells):
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._planned = {}
        for cell in cells:
            self._planned[cell.claim] = self._planned.get(cell.claim, 0) + 1
        self._console = _console()
        self._progress = Progress(
            TextColumn("checking"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task("check", total=len(cells))
        self._results = ()
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._view)

    def __enter__(self):
        self._live.__enter__()
        return self

    def __exit__(self, *error):
        return self._live.__exit__(*error)

    def update(self, results):
        self._results = results
        self._progress.update(self._task, completed=len(results))

    def _view(self):
        from rich.console import Group

        done = sum(self._planned.values()) == len(self._results)
        table = self._table()
        return table if done else Group(table, self._progress)

    def _table(self):
        from rich.table import Table
        from rich.text import Text

        from ntval import report

        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("claim", no_wrap=True, min_width=26)
        table.add_column("verdict", no_wrap=True, min_width=12)
        table.add_column("regimes", justify="right", no_wrap=True, min_width=7)
        table.add_column("seconds", justify="right", no_wrap=True, min_width=7)
        table.add_column("evidence", no_wrap=True, overflow="ellipsis")
        groups = report.by_claim(self._results)
        paper = ""
        for name, planned in self._planned.items():
            module, _, word = name.partition(".")
            if module != paper:
                table.add_row(Text(module, style="bold"))
                paper = module
            results = groups.get(name, [])
            if not results:
                table.add_row(f"  {word}", Text("…", style="dim"), f"0/{planned}")
                continue
            verdict = report.verdict_of(results).value
            table.add_row(
                f"  {word}",
                Text(verdict, style=_STYLES[verdict]),
                f"{len(results)}/{planned}",
                f"{sum(r.seconds for r in results):.1f}",
                Text(report.weakest(results).decision.summary),
            )
        return table


def _print_summary(run, json_path, report_path) -> None:
    from rich.text import Text

    from ntval import report

    console = _console()
    groups = report.by_claim(run.results)
    counts = {}
    for results in groups.values():
        verdict = report.verdict_of(results).value
        counts[verdict] = counts.get(verdict, 0) + 1
    told = (
        ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "nothing to check"
    )
    console.print(
        f"\n{told}. False alarms: at most {run.alpha:g} a run. Seed {run.seed}, "
        f"profile {run.profile}.",
    )
    reasons: dict[str, list[str]] = {}
    for item in run.not_run:
        reasons.setdefault(item.reason, []).append(item.claim)
    for reason, names in reasons.items():
        text = Text(f"not run: {', '.join(names)}, because {reason}", style="dim")
        console.print(text, soft_wrap=True)
    for name, results in groups.items():
        if report.verdict_of(results).value == "REFUTED":
            result = report.weakest(results)
            console.print(
                Text("REFUTED", style="bold red"),
                Text(
                    f"{name} at {result.regime}\n  {result.decision.summary}\n"
                    f"  replay: {report.replay(run, name)}"
                ),
                soft_wrap=True,
            )
    for path in (json_path, report_path):
        if path is not None:
            console.print(f"wrote {path}", soft_wrap=True)


@app.command("list")
def list_claims(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print THEOREMS.md: where everything is.")
    ] = False,
) -> None:
    """List every claim: what it says, where from, and the faults that it catches."""
    from ntval import places

    if markdown:
        print(places.theorems_markdown(), end="")
        return
    from rich.table import Table

    from ntval.claims import CLAIMS

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("claim", "statement", "source", "planted faults"):
        table.add_column(column, overflow="fold")
    for claim in CLAIMS.values():
        table.add_row(claim.name, claim.statement, claim.source, ", ".join(claim.faults))
    _console().print(table)


@app.command()
def where(
    word: Annotated[str, typer.Argument(help="A claim's word, e.g. min_eigenvalue.")],
) -> None:
    """Print where a theorem's formula, claim, test, planted faults and experiment are."""
    from ntval import places
    from ntval.claims import CLAIMS
    from ntval.claims.claim import find

    for claim in find(word, CLAIMS):
        print(claim.name)
        for part, path in places.of(claim).items():
            print(f"  {part:<11}{path}")


@app.command()
def doctor() -> None:
    """Print versions, devices, precision, threads, and how to get what is missing."""
    from ntval import diagnosis

    lines, healthy = diagnosis.report()
    print("\n".join(lines))
    if not healthy:
        raise typer.Exit(2)
