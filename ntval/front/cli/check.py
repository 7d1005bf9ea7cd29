"""`ntval check`: verdicts."""

from __future__ import annotations

import signal
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated

import typer

from ntval.errors import InputError
from ntval.front.cli.options import (
    Alpha,
    Claims,
    DataName,
    Json,
    NetworkPath,
    Profile,
    Seed,
    Workers,
    prepare,
    require_directories,
)
from ntval.runs.settings import Settings, alpha_of, seed_of


def check(
    claims: Claims = None,
    profile: Profile = "quick",
    network: NetworkPath = None,
    data: DataName = None,
    alpha: Alpha = 1e-6,
    seed: Seed = "0",
    at: Annotated[
        str | None,
        typer.Option(help="One point in place of the profile's.", metavar="'Regime(n=..., ...)'"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on INCONCLUSIVE.")] = False,
    json_path: Json = None,
    junit_path: Annotated[
        Path | None, typer.Option("--junit", help="Write JUnit XML.", metavar="FILE.xml")
    ] = None,
    report_path: Annotated[
        Path | None, typer.Option("--report", help="Write an HTML page.", metavar="FILE.html")
    ] = None,
    workers: Workers = 1,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what applies and what it took here last time.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only the closing lines and refutations.")
    ] = False,
    no_progress: Annotated[
        bool, typer.Option("--no-progress", help="A line a claim, as in a pipe.")
    ] = False,
) -> None:
    """Check claims, about ntval's own networks or about your network and data."""
    settings = Settings(profile, alpha_of(alpha), seed_of(seed), network, data)
    prepare()

    from ntval.claims.catalogue import CLAIMS
    from ntval.evidence.verdict import Verdict
    from ntval.reports import documents, html, junit, live, terminal
    from ntval.reports.words import weakest
    from ntval.runs import suite, timings

    require_directories(json_path, junit_path, report_path)
    run = suite.planned(claims, settings) if at is None else suite.at(claims, at, settings)
    if plan:
        terminal.print_plan(run, timings.last(settings))
        return
    shown = nullcontext(None) if quiet else live.LiveRun(run, live=not no_progress)
    stopped = False
    try:
        with shown as table:
            for run in suite.states(run, workers=workers):  # noqa: B020
                if json_path is not None:
                    with suppress(InputError):  # told at the end, after the verdicts
                        documents.write_json(documents.document(run), json_path)
                if table is not None:
                    table.update(run)
    except KeyboardInterrupt:
        stopped = True
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is done is written whatever comes
    terminal.print_summary(run)
    if at is None:
        timings.keep(run)
    if broken := run.broken_prerequisite:
        rule, way_out = CLAIMS[broken.claim].prerequisite or ("", "")
        summary = weakest(broken.results).decision.summary
        words = f"network {network!r} needs {rule}, got {summary}; {way_out}."
        terminal.prose(terminal.console(), words)
    verdicts = {outcome.verdict for outcome in run.settled.values()}
    try:
        if json_path is not None:
            documents.write_json(documents.document(run), json_path)
        if junit_path is not None:
            junit.write_junit(run, junit_path)
        if report_path is not None:
            html.write_html(run, report_path)
    except InputError as error:
        if Verdict.REFUTED not in verdicts:
            raise
        print(f"error: {error}", file=sys.stderr)  # a refutation outweighs a file
    else:
        for path in (json_path, junit_path, report_path):
            if path is not None:
                terminal.console().print(f"wrote {path}", soft_wrap=True)
    if stopped:
        raise KeyboardInterrupt(terminal.how_to_go_on(run))
    if Verdict.REFUTED in verdicts:
        raise typer.Exit(1)
    if strict and Verdict.INCONCLUSIVE in verdicts:
        raise typer.Exit(3)
