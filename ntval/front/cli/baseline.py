"""The command line of baselines: freeze, compare, accept.

Exit status 0 no drift, 1 something drifted, lost power or is gone, 2 unusable arguments or input.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ntval.errors import InputError
from ntval.front.cli.options import (
    Alpha,
    Claims,
    DataName,
    NetworkPath,
    Profile,
    Seed,
    Workers,
    prepare,
    require_directories,
)
from ntval.runs.settings import Settings, alpha_of, seed_of

if TYPE_CHECKING:
    from ntval.baselines import Baseline, Compared


app = typer.Typer(
    no_args_is_help=True,
    help="Baselines: keep what was measured in a file, and be told what drifts.",
)

_File = Annotated[Path, typer.Argument(help="A JSON file of your repository.", metavar="FILE.json")]
_FreshSeed = Annotated[
    str | None, typer.Option(help="Another seed than the default, a hash of the baseline's.")
]


@app.command()
def freeze(
    file: _File,
    claims: Claims = None,
    profile: Profile = "quick",
    network: NetworkPath = None,
    data: DataName = None,
    alpha: Alpha = 1e-6,
    seed: Seed = "0",
    workers: Workers = 1,
) -> None:
    """Measure what is here now, and write it to a new file."""
    settings = Settings(profile, alpha_of(alpha), seed_of(seed), network, data)
    require_directories(file)
    if file.exists():
        raise InputError(
            f"baseline needs a new file to freeze into, got {str(file)!r}, which exists; "
            "ntval baseline accept replaces it and keeps its history."
        )
    prepare()
    from ntval import baselines
    from ntval.baselines import files
    from ntval.reports import terminal

    baseline = baselines.freeze(
        claims,
        settings,
        workers=workers,
        bar=terminal.bar,
    )
    files.write(baseline, file)
    _print_baseline(baseline)
    terminal.console().print(f"wrote {file}", soft_wrap=True)


@app.command()
def compare(file: _File, seed: _FreshSeed = None, workers: Workers = 1) -> None:
    """Measure anew what a file has, and say what drifted and what power was lost."""
    if _compared(file, seed, workers).findings:
        raise typer.Exit(1)


@app.command()
def accept(
    file: _File,
    why: Annotated[str, typer.Option(help="What changed, and why that is right.")],
    seed: _FreshSeed = None,
    workers: Workers = 1,
) -> None:
    """Compare, then put what is measured now in the file's place; WHY stays in its history."""
    prepare()
    from ntval import baselines
    from ntval.baselines import files
    from ntval.claims.budget import CONFIRMATIONS, fresh_seed
    from ntval.reports import terminal

    why = baselines.reason(why)
    compared = _compared(file, seed, workers)
    old = compared.baseline
    new = baselines.freeze(
        old.claims,
        replace(old.settings, seed=fresh_seed(compared.seed, CONFIRMATIONS + 1)),
        workers=workers,
        bar=terminal.bar,
    )
    files.write(baselines.accepted(new, compared, why), file)
    _print_baseline(new)
    terminal.console().print(f"wrote {file}: {why}", soft_wrap=True)


def _compared(file: Path, seed: str | None, workers: int) -> Compared:
    """The comparison with a file, printed."""
    number = None if seed is None else seed_of(seed)
    prepare()
    from ntval import baselines
    from ntval.baselines import files
    from ntval.reports import terminal

    baseline = files.read(file)
    found = baselines.compare(baseline, seed=number, workers=workers, bar=terminal.bar)
    _print_compared(found, file)
    return found


def _print_baseline(baseline: Baseline) -> None:
    """What a baseline holds, an entry a row: of several statistics the least certain one."""
    from ntval.reports import terminal

    table = terminal.plain_table("verdict", "entry")
    for entry in baseline.entries:
        what = entry.decision.summary
        if entry.statistics:
            worst = max(entry.statistics, key=lambda s: s.smallest_gap)
            more = len(entry.statistics) - 1
            what = (
                f"{worst.label}: {worst.estimate:.5g} ± {worst.standard_error:.2g} on {worst.n} "
                f"keys, would see a drift of {worst.smallest_gap:.2g}"
                + (f"; and {more} more" if more else "")
            )
        verdict = terminal.verdict_text(entry.decision.verdict)
        table.add_row(verdict, f"{entry.name} at {entry.point}\n{what}")
    terminal.console().print(table)


def _print_compared(found: Compared, file: Path) -> None:
    """What is worse, what else has changed, and what this comparison could see."""
    from ntval.reports import terminal

    on, baseline = terminal.console(), found.baseline
    findings = found.findings
    if findings:
        table = terminal.plain_table("finding", "entry")
        for f in findings:
            change = f"{f.what}: {f.before} -> {f.now}"
            table.add_row(f.kind, f"{f.name} at {f.point}\n{change}; {f.evidence}")
        on.print(table)
    terminal.prose(on, f"\nSince the baseline: {', '.join(found.changes) or 'the same versions'}.")
    if found.unconfirmed:
        names = ", ".join(dict.fromkeys(found.unconfirmed))
        terminal.prose(on, f"suspected, but not on fresh keys: {names}")
    if found.new:
        terminal.prose(on, f"not in the baseline: {', '.join(found.new)}; accept adds them")
    for statistic in (s for e in baseline.entries for s in e.statistics if s.remainder is None):
        if statistic.label.startswith("mean of K_N"):
            share = statistic.smallest_gap / abs(statistic.estimate)
            words = f"a drift of {100 * share:.2g} % would have been seen"
            terminal.prose(on, f"{statistic.label}: {words}")
    count = sum(len(pair.frozen.statistics) for pair in found.pairs)
    terminal.prose(
        on,
        f"{len(findings) or 'No'} finding{'s' * (len(findings) != 1)} in {len(baseline.entries)} "
        f"entries, {count} statistics. "
        f"False alarms: at most {baseline.settings.alpha:g}. Replay: "
        f"ntval baseline compare {file} --seed {found.seed}",
    )
