"""What a pytest session with ntval says at its end: a summary, properties of tests, a report.

A record is what one check found, as values that travel from a worker of pytest-xdist.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntval.runs.settings import Settings

if TYPE_CHECKING:  # the controller of pytest-xdist prints a summary without JAX
    from ntval.runs.suite import Run

SCHEMA = "ntval.pytest/1"

Record = dict[str, Any]

# From the worst on.
_VERDICTS = ("REFUTED", "INCONCLUSIVE", "SUPPORTED", "NOT RUN")


def record(run: Run, claim: str, network: str | None, test: str, kind: str) -> Record:
    """The record of a claim; `kind`, ".json" or ".html", is that of the report to write."""
    from ntval.evidence.verdict import finite
    from ntval.reports import documents, html
    from ntval.reports.words import evidence_words, weakest

    found: Record = {
        "test": test,
        "claim": claim,
        "network": network,
        "verdict": "NOT RUN",
        "log_e": 0.0,
        "alpha": run.settings.alpha,
        "seed": run.settings.seed,
        "spent": run.spent,
    }
    outcome = run.outcomes.get(claim)
    if outcome is not None:
        decision = weakest(outcome.results).decision
        found |= {
            "verdict": outcome.verdict.value,
            "log_e": finite(outcome.log_e),
            "share": outcome.share,
            "evidence": evidence_words(outcome),
            "gap": finite(decision.gap),
            "allowed": finite(decision.allowed),
            "summary": decision.summary,
        }
    if kind == ".json":
        found["run"] = {k: v for k, v in documents.document(run).items() if k != "versions"}
    if kind == ".html":
        found["row"] = {**html.row(run, claim), "name": f"{test}: {claim}"}
    return found


def properties(found: Iterable[Record]) -> list[tuple[str, object]]:
    """Properties of a test's report, JUnit XML's too: of each claim, the check nearest to red."""
    nearest: dict[tuple, Record] = {}
    for it in sorted(found, key=lambda r: (_VERDICTS.index(r["verdict"]), -float(r["log_e"]))):
        nearest.setdefault((it["claim"], it["network"]), it)
    return [
        (f"ntval.{name}", it[name])
        for it in nearest.values()
        for name in ("claim", "verdict", "log_e", "alpha", "seed")
    ]


def write(found: Sequence[Record], path: Path, *, stale: Sequence[str], settings: Settings) -> None:
    """Write the report, JSON or an HTML page by the path's ending, whole or not at all.

    Raises: `InputError` when the file cannot be written.
    """
    from ntval.reports import documents, html

    if path.suffix == ".html":
        html.write_page([it["row"] for it in found], path, settings)
        return
    document = {
        "schema": SCHEMA,
        "versions": documents.versions(),
        "alpha": settings.alpha,
        "seed": settings.seed,
        "profile": settings.profile,
        "spent": spent(found),
        "checks": [{**{k: v for k, v in it.items() if k != "run"}, **it["run"]} for it in found],
        "stale": list(stale),
    }
    documents.write_json(document, path)


def spent(found: Iterable[Record]) -> float:
    """The part of alpha that checks may have spent."""
    return sum(it["spent"] for it in found)


def summary(found: Sequence[Record], *, alpha: float, tests: int) -> Iterator[str]:
    """Lines: counts of verdicts, the check nearest to a refutation, what was spent."""
    ordered = sorted(found, key=lambda r: (_VERDICTS.index(r["verdict"]), r["expected"]))
    counts = Counter(it["verdict"] + " as expected" * it["expected"] for it in ordered)
    yield ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    standing = [it for it in found if it["verdict"] in ("SUPPORTED", "INCONCLUSIVE")]
    if random := [it for it in standing if it["share"]]:
        close = min(random, key=_margin)
        words = f"{close['evidence']}, where {1 / close['share']:.1e} refutes"
        yield f"closest to a refutation: {close['test']}, {words}"
    elif standing:
        close = max(standing, key=lambda it: it["gap"] / (it["allowed"] or 1.0))
        yield f"closest to a refutation: {close['test']}, {close['summary']}"
    of = f"{tests} test{'s' * (tests != 1)}"
    yield f"at most {spent(found):.2g} of alpha = {alpha:g} was spent ({of})"


def _margin(it: Record) -> float:
    """How far evidence is from a refutation, in nats."""
    return -math.log(it["share"]) - float(it["log_e"])
