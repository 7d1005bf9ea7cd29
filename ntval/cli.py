"""The command line: check, baseline, power, calibrate, run, list, where, doctor.

| exit status | |
|---|---|
| 0 | nothing refuted |
| 1 | something refuted (`check`), missed (`power`), not calibrated, or drifted: never a crash |
| 2 | unusable arguments or input, told in one line |
| 3 | something inconclusive, under --strict |
| 70 | a crash, with its traceback: a fault of ntval's or of the network's (EX_SOFTWARE) |
| 130 | interrupted |
| 141 | the reader of the output closed it |
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from ntval import baseline_cli
from ntval.errors import NtvalError, first_line
from ntval.options import (
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
from ntval.settings import alpha_of, seed_of

_SECONDS_BETWEEN_WRITES = 10


class Commands(TyperGroup):
    """The commands; what would end them with a status of somebody else's is a crash."""

    def invoke(self, ctx):
        """What a command gives. Typer makes status 1 of an EOFError and of a closed pipe."""
        try:
            return super().invoke(ctx)
        except (SystemExit, EOFError, BrokenPipeError) as error:
            # Rich raises SystemExit(1) where it meets a closed pipe.
            if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
                raise typer.Exit(141) from None
            raise RuntimeError(f"{type(error).__name__}({error}) inside of a command") from error


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Validate neural tangent kernels: verdicts with stated error rates.",
)
app.add_typer(baseline_cli.app, name="baseline")


def main() -> None:
    """Run the command line and end with a status of the table above."""
    try:
        app()
    except SystemExit:
        raise
    except NtvalError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BaseException as error:  # Python's own status of a traceback is 1, that of a refutation
        traceback.print_exc()
        words = f"{type(error).__name__}: {first_line(error)}".rstrip(": ")
        print(
            f"crash: {words}; no verdict, but a fault of ntval's or of the network's: the "
            "traceback above says where.",
            file=sys.stderr,
        )
        raise SystemExit(70) from None


@app.command()
def check(
    claims: Claims = None,
    profile: Profile = "quick",
    network: NetworkPath = None,
    data: DataName = None,
    alpha: Alpha = 1e-6,
    seed: Seed = "0",
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
    alpha = alpha_of(alpha)
    prepare()

    from ntval import report, suite, tables
    from ntval.claims import CLAIMS
    from ntval.decisions import Verdict

    require_directories(json_path, junit_path, report_path)
    run = suite.planned(
        claims, profile=profile, network=network, data=data, alpha=alpha, seed=seed_of(seed)
    )
    with tables.LiveRun(run) as table:
        for run in suite.states(run, workers=workers):  # noqa: B020
            if json_path is not None:
                report.write_json(report.document(run), json_path)
            table.update(run)
    if json_path is not None:
        report.write_json(report.document(run), json_path)
    if junit_path is not None:
        report.write_junit(run, junit_path)
    if report_path is not None:
        report.write_html(run, report_path)
    written = tuple(path for path in (json_path, junit_path, report_path) if path is not None)
    tables.print_summary(run, written)
    if broken := run.broken_prerequisite:
        rule, way_out = CLAIMS[broken.claim].prerequisite or ("", "")
        summary = report.weakest(broken.results).decision.summary
        words = f"network {network!r} needs {rule}, got {summary}; {way_out}."
        tables.console().print(words, soft_wrap=True, markup=False, highlight=False)
    verdicts = {outcome.verdict for outcome in run.outcomes.values()}
    if Verdict.REFUTED in verdicts:
        raise typer.Exit(1)
    if strict and Verdict.INCONCLUSIVE in verdicts:
        raise typer.Exit(3)


def _kept(path: Path | None) -> Callable[..., None]:
    """Function that writes a document to `path`, now and then, and the last one in any case."""
    from ntval import report

    written = time.monotonic()

    def keep(document: Callable[[], dict], *, last: bool = False) -> None:
        nonlocal written
        if path is not None and (last or time.monotonic() - written > _SECONDS_BETWEEN_WRITES):
            report.write_json({**document(), "versions": report.versions()}, path)
            written = time.monotonic()

    return keep


@app.command()
def power(
    claims: Claims = None,
    profile: Profile = "quick",
    fault: Annotated[
        list[str] | None, typer.Option(help="A planted fault; all without any.")
    ] = None,
    sizes: Annotated[bool, typer.Option(help="Bisect the smallest refuted sizes.")] = True,
    alpha: Alpha = 1e-6,
    seed: Seed = "0",
    json_path: Json = None,
    workers: Workers = 1,
) -> None:
    """Plant every fault and print which claims catch it, how small a one, and how soon."""
    alpha = alpha_of(alpha)
    require_directories(json_path)
    prepare()
    from ntval import faults, suite, tables
    from ntval import power as measured

    chosen = list(suite.chosen_claims(claims).values())
    wanted = None if fault is None else [faults.find(name).name for name in fault]
    settings = {"profile": profile, "alpha": alpha, "seed": seed_of(seed)}
    cells = measured.cells(chosen, wanted, **settings)
    listed = {str(cell.fault): None for cell in cells}
    families = measured.family_cells(chosen, **settings) if sizes and fault is None else []
    pairs = {(cell.claim, cell.fault) for cell in cells}
    found, smallest, allclose = [], [], {}
    total = len(pairs) + len(families) + len(listed)
    keep, document = (
        _kept(json_path),
        lambda: measured.document(found, smallest, allclose, settings),
    )
    with tables.bar("planting faults", total) as advance:
        for detection in measured.detections(cells, workers=workers):
            found.append(detection)
            advance()
            keep(document)
        for name, passed in measured.allclose_column(list(listed), workers=workers):
            allclose[name] = passed
            advance()
            keep(document)
        for size in measured.smallest_sizes(families, workers=workers):
            smallest.append(size)
            advance()
            keep(document)
    keep(document, last=True)
    on = tables.console()
    for table in tables.power_tables(found, allclose, on.width):
        on.print(table)
    if smallest:
        on.print(tables.smallest_table(smallest))
    missed = [d for d in found if not d.caught]
    uncaught = set(listed) - {d.fault for d in found if d.caught}
    passed = sum(value is True for value in allclose.values())
    on.print(
        f"\n{len(found) - len(missed)} of {len(found)} pairs caught, {len(uncaught)} of "
        f"{len(listed)} faults caught by no claim. {passed} faults pass "
        f"allclose(rtol={measured.RTOL}, atol={measured.ATOL}) on a Monte Carlo kernel of width "
        f"{measured.COMPARED_WIDTH} and {measured.COMPARED_DRAWS} draws.",
        soft_wrap=True,
    )
    if json_path is not None:
        on.print(f"wrote {json_path}", soft_wrap=True)
    if missed:
        raise typer.Exit(1)


@app.command()
def calibrate(
    claims: Claims = None,
    runs: Annotated[int, typer.Option(help="Runs a claim, each on a fresh seed.", min=1)] = 400,
    alpha: Annotated[float, typer.Option(help="The loosened level that is tested.")] = 0.05,
    seed: Seed = "0",
    json_path: Json = None,
    workers: Workers = 1,
) -> None:
    """Test on correct code that the stated level is kept: refutations and mean e-values."""
    alpha = alpha_of(alpha)
    require_directories(json_path)
    prepare()
    from ntval import calibration, suite, tables

    settings = {"alpha": alpha, "seed": seed_of(seed)}
    chosen = list(suite.chosen_claims(claims).values())
    cells = calibration.cells(chosen, runs=runs, **settings)
    found, keep = {}, _kept(json_path)
    with tables.bar("calibrating", len(cells)) as advance:
        for found in calibration.calibrations(cells, workers=workers):
            advance()
            keep(lambda found=found: calibration.document(found, settings))
    keep(lambda: calibration.document(found, settings), last=True)
    on = tables.console()
    on.print(tables.calibration_table(found))
    if json_path is not None:
        on.print(f"wrote {json_path}", soft_wrap=True)
    if not all(calibrated.holds for calibrated in found.values()):
        raise typer.Exit(1)


@app.command()
def run(
    experiment: Annotated[
        str | None, typer.Argument(help="E.g. montanari_zhong/min_eigenvalue; a list without.")
    ] = None,
    grid: Annotated[str, typer.Option(help="smoke, in seconds, or full.")] = "smoke",
    store_path: Annotated[
        Path | None,
        typer.Option("--store", help="Keep results in this file, and resume.", metavar="FILE"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write figures into this directory.", metavar="DIR")
    ] = None,
    workers: Workers = 1,
    seed: Seed = "0",
) -> None:
    """Run an experiment: measure what its store lacks, print a summary, draw its figures."""
    prepare()
    from ntval import experiments, figures, store, tables

    on = tables.console()
    if experiment is None:
        on.print(tables.experiments_table([experiments.find(n) for n in experiments.names()]))
        return
    found = experiments.find(experiment)
    cells = experiments.cells(found, grid=grid, seed=seed_of(seed))
    with store.Store(store_path or store.DEFAULT) as kept:
        absent = kept.missing(cell.identity for cell in cells)
        todo = [cell for cell in cells if cell.identity in absent]
        on.print(f"{len(cells) - len(todo)} of {len(cells)} cells were there in {kept.path}")
        if todo:
            with tables.bar("measuring", len(todo)) as advance:
                for _ in experiments.run(todo, kept, workers=workers):
                    advance()
        rows = experiments.rows(cells, kept)
    on.print(tables.summary_table(found.summary(rows)))
    folder = out or Path(".ntval") / "figures" / found.name.replace(".", "/")
    for path in figures.write(found.draw(rows), folder):
        on.print(f"wrote {path}", soft_wrap=True)


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
    from ntval import tables
    from ntval.claims import CLAIMS

    tables.print_claims(CLAIMS.values())


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
