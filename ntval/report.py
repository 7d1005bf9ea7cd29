"""What a person or a machine reads: the JSON document and the HTML page of a run."""

from __future__ import annotations

import json
import math
import os
import platform
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ntval import e_values
from ntval.claims import CLAIMS
from ntval.claims.budget import Outcome
from ntval.claims.claim import Result, finite
from ntval.decisions import Verdict, worst
from ntval.errors import InputError
from ntval.suite import Run

SCHEMA = "ntval.check/2"
PACKAGES = ("ntval", "jax", "jaxlib", "neural-tangents", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Versions that a result may depend on; a package that is missing is left out."""
    found = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def document(run: Run) -> dict:
    """The run as JSON-ready values, schema `SCHEMA`."""
    return {
        "schema": SCHEMA,
        "versions": versions(),
        "alpha": run.alpha,
        "seed": run.seed,
        "profile": run.profile,
        "network": run.network,
        "note": run.note,
        "data": run.data,
        "spent": run.spent,
        "claims": [
            {
                "claim": name,
                "verdict": outcome.verdict.value,
                "share": outcome.share,
                "log_e": finite(outcome.log_e),
                "repetitions": len(outcome.repetitions),
                "confirmed": outcome.confirmed,
                "diagnosis": run.diagnoses.get(name),
                "replay": replay(run, name),
            }
            for name, outcome in run.finished.items()
        ],
        "results": [
            {**result.record(), "replay": replay(run, result.claim)} for result in run.results
        ],
        "not_run": [{"claim": item.claim, "reason": item.reason} for item in run.not_run],
    }


def replay(run: Run, claim: str) -> str:
    """What repeats a claim's checks: a command, or a call for a network of this process alone."""
    if run.network and ":" not in run.network:
        word = claim.rpartition(".")[2]
        return f"check_network(..., claims=[{word!r}], seed={run.seed}, alpha={run.alpha:g})"
    words = ["ntval", "check", claim, "--profile", run.profile, "--seed", str(run.seed)]
    words += ["--alpha", f"{run.alpha:g}"]
    if run.network:
        words += ["--network", run.network]
    if run.data:
        words += ["--data", run.data]
    return shlex.join(words)


def weakest(results: Sequence[Result]) -> Result:
    """The result that decides: of the worst verdict, the one with the largest gap for its room."""
    verdict = worst([result.decision.verdict for result in results])
    candidates = [result for result in results if result.decision.verdict is verdict]
    return max(candidates, key=lambda r: r.decision.gap / max(r.decision.smallest_gap, 1e-300))


def evidence_words(outcome: Outcome) -> str:
    """What speaks against a claim: `e = 3.1e+09, confirmed 3/3`."""
    times = len(outcome.repetitions)
    confirmed = f"confirmed {outcome.confirmed}/{times} on fresh keys" if times else ""
    evidence = "by a certificate" if outcome.certain else e_values.text(outcome.log_e)
    return ", ".join(part for part in (evidence, confirmed) if part)


def write_json(document: dict, path: Path) -> None:
    """Write a JSON document, whole or not at all."""
    _write_whole(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def write_junit(run: Run, path: Path) -> None:
    """Write the run as JUnit XML: a test case a claim, its evidence in properties."""
    suite = ElementTree.Element("testsuite", name="ntval")
    for name, outcome in run.finished.items():
        module, _, word = name.partition(".")
        seconds = sum(result.seconds for result in outcome.results)
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"ntval.{module}", name=word, time=f"{seconds:.3f}"
        )
        properties = ElementTree.SubElement(case, "properties")
        for key, value in {
            "verdict": outcome.verdict.value,
            "log_e": finite(outcome.log_e),
            "alpha": outcome.share,
            "seed": run.seed,
            "replay": replay(run, name),
        }.items():
            ElementTree.SubElement(properties, "property", name=key, value=str(value))
        summary = weakest(outcome.results).decision.summary
        if outcome.verdict is Verdict.REFUTED:
            failure = ElementTree.SubElement(case, "failure", message=summary, type="REFUTED")
            failure.text = f"{evidence_words(outcome)}\nreplay: {replay(run, name)}"
        elif outcome.verdict is Verdict.INCONCLUSIVE:
            ElementTree.SubElement(case, "skipped", message=f"INCONCLUSIVE: {summary}")
    for item in run.not_run:
        module, _, word = item.claim.partition(".")
        case = ElementTree.SubElement(suite, "testcase", classname=f"ntval.{module}", name=word)
        ElementTree.SubElement(case, "skipped", message=f"not run, because {item.reason}")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("*/failure"))))
    suite.set("skipped", str(len(suite.findall("*/skipped"))))
    ElementTree.indent(suite)
    _write_whole(path, ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")


def write_html(run: Run, path: Path) -> None:
    """Write the run as one self-contained HTML page."""
    names = [*run.finished, *(item.claim for item in run.not_run)]
    write_page(
        [row(run, name) for name in names],
        path,
        alpha=run.alpha,
        seed=run.seed,
        profile=run.profile,
        network=run.network,
        data=run.data,
        note=run.note,
    )


def row(run: Run, name: str) -> dict[str, Any]:
    """What the page shows of one claim, as values that travel between processes."""
    outcome, claim = run.outcomes.get(name), CLAIMS[name]
    if outcome is None:
        reason = next(item.reason for item in run.not_run if item.claim == name)
        return {"name": name, "verdict": "NOT RUN", "reason": reason}
    return {
        "name": name,
        "statement": claim.statement,
        "source": claim.source,
        "verdict": outcome.verdict.value,
        "summary": weakest(outcome.results).decision.summary,
        "evidence": evidence_words(outcome),
        "diagnosis": run.diagnoses.get(name),
        "regimes": len(outcome.results),
        "repeated": len(outcome.repetitions),
        "share": outcome.share if claim.random else 0.0,
        "seconds": sum(result.seconds for result in outcome.results),
        "replay": replay(run, name),
        "results": [
            {
                "regime": str(result.regime),
                "verdict": result.decision.verdict.value,
                "summary": result.decision.summary,
                "draws": result.decision.draws,
                "figure": interval(result),
            }
            for result in (*outcome.results, *sum(outcome.repetitions, ()))
        ],
    }


def write_page(
    rows: Sequence[Mapping[str, Any]],
    path: Path,
    *,
    alpha: float,
    seed: int,
    profile: str,
    network: str | None = None,
    data: str | None = None,
    note: str = "",
) -> None:
    """Write rows as one self-contained HTML page; `alpha` is that of all of them together."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        resources.files("ntval").joinpath("templates/check.html").read_text(encoding="utf-8")
    )
    decided = [row for row in rows if row["verdict"] != "NOT RUN"]
    page = template.render(
        rows=decided,
        not_run=[row for row in rows if row["verdict"] == "NOT RUN"],
        counts={v.value: sum(row["verdict"] == v.value for row in decided) for v in Verdict},
        alpha=alpha,
        seed=seed,
        profile=profile,
        network=network,
        data=data,
        note=note,
        versions=versions(),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        seconds=sum(row["seconds"] for row in decided),
    )
    _write_whole(path, page)


def interval(result: Result) -> str:
    """A small SVG figure: what was measured, over what is allowed.

    For means, the estimate with its interval over the band that theory allows; for identities
    and bounds, the gap over its allowance on a logarithmic scale, the rule at 1.
    """
    width, height, pad = 220.0, 22.0, 6.0
    mid = height / 2
    decision = result.decision
    details = decision.details
    marks: list[str] = []
    if "interval" in details:
        low, high = details["interval"]
        target, margin = details["predicted"], details["remainder"]
        ends = (low, high, target - margin, target + margin)
        if not all(math.isfinite(end) for end in ends):
            return ""
        left, right = min(ends), max(ends)
        span = (right - left) or 1.0

        def at(value: float) -> float:
            return pad + (value - left) / span * (width - 2 * pad)

        band = max(at(target + margin) - at(target - margin), 1.5)
        marks = [
            f'<rect class="band" x="{at(target - margin):.1f}" y="3" width="{band:.1f}" '
            f'height="{height - 6:.0f}"/>',
            f'<line class="rule" x1="{at(target):.1f}" x2="{at(target):.1f}" y1="3" '
            f'y2="{height - 3:.0f}"/>',
            f'<line class="bar" x1="{at(low):.1f}" x2="{at(high):.1f}" y1="{mid}" y2="{mid}"/>',
            f'<circle class="dot" cx="{at(details["estimate"]):.1f}" cy="{mid}" r="3.2"/>',
        ]
        title = f"estimate {details['estimate']:.5g}, predicted {target:.5g} ± {margin:.2g}"
    elif decision.kind == "identity" and decision.allowed > 0:
        ratio = decision.gap / decision.allowed
        exponent = max(-6.0, min(6.0, math.log10(ratio) if ratio > 0 else -6.0))

        def at_exponent(value: float) -> float:
            return pad + (value + 6) / 12 * (width - 2 * pad)

        marks = [
            f'<rect class="band" x="{pad}" y="3" width="{at_exponent(0) - pad:.1f}" '
            f'height="{height - 6:.0f}"/>',
            f'<line class="rule" x1="{at_exponent(0):.1f}" x2="{at_exponent(0):.1f}" y1="3" '
            f'y2="{height - 3:.0f}"/>',
            f'<circle class="dot" cx="{at_exponent(exponent):.1f}" cy="{mid}" r="3.2"/>',
        ]
        title = f"gap / allowance = {ratio:.2g}, from 1e-6 to 1e6"
    else:
        return ""
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" role="img"><title>{title}</title>'
        f"{''.join(marks)}</svg>"
    )


def _write_whole(path: Path, text: str) -> None:
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"output needs a writable path, got {str(path)!r} ({error.strerror}); "
            "create the directory or choose another."
        ) from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
