"""`ntval check`: verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
) -> None:
    """Check claims, about ntval's own networks or about your network and data."""
    settings = Settings(profile, alpha_of(alpha), seed_of(seed), network, data)
    prepare()

    from ntval.claims.catalogue import CLAIMS
    from ntval.evidence.verdict import Verdict
    from ntval.reports import documents, html, junit, live, terminal
    from ntval.reports.words import weakest
    from ntval.runs import suite

    require_directories(json_path, junit_path, report_path)
    run = suite.planned(claims, settings) if at is None else suite.at(claims, at, settings)
    with live.LiveRun(run) as table:
        for run in suite.states(run, workers=workers):  # noqa: B020
            if json_path is not None:
                documents.write_json(documents.document(run), json_path)
            table.update(run)
    if json_path is not None:
        documents.write_json(documents.document(run), json_path)
    if junit_path is not None:
        junit.write_junit(run, junit_path)
    if report_path is not None:
        html.write_html(run, report_path)
    written = tuple(path for path in (json_path, junit_path, report_path) if path is not None)
    terminal.print_summary(run, written)
    if broken := run.broken_prerequisite:
        rule, way_out = CLAIMS[broken.claim].prerequisite or ("", "")
        summary = weakest(broken.results).decision.summary
        words = f"network {network!r} needs {rule}, got {summary}; {way_out}."
        terminal.console().print(words, soft_wrap=True, markup=False, highlight=False)
    verdicts = {outcome.verdict for outcome in run.outcomes.values()}
    if Verdict.REFUTED in verdicts:
        raise typer.Exit(1)
    if strict and Verdict.INCONCLUSIVE in verdicts:
        raise typer.Exit(3)
