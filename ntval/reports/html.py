"""A run as one self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ntval.claims.catalogue import CLAIMS
from ntval.claims.outcome import Result
from ntval.evidence.verdict import Verdict
from ntval.reports.documents import rendered, write_whole
from ntval.reports.risk import page_values
from ntval.reports.words import by_reason, evidence_words, replay, weakest
from ntval.runs.settings import Settings
from ntval.runs.suite import Run


def write_html(run: Run, path: Path) -> None:
    """Write the run as one self-contained HTML page."""
    names = [*run.finished, *(item.claim for item in run.not_run)]
    note = run.note
    if not run.complete:
        done = f"{len(run.settled)} of {len(run.outcomes)} claims"
        note = f"INCOMPLETE: interrupted after {done}. {note}".strip()
    write_page(
        [row(run, name) for name in names],
        path,
        run.settings,
        note=note,
        risk=None if run.risk is None else page_values(run.risk),
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
        "points": len(outcome.results),
        "repeated": len(outcome.repetitions),
        "share": outcome.share if claim.statistical else 0.0,
        "seconds": sum(result.seconds for result in outcome.results),
        "replay": replay(run, name),
        "results": [
            {
                "point": str(result.point),
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
    settings: Settings,
    *,
    note: str = "",
    risk: Mapping[str, Any] | None = None,
) -> None:
    """Write rows as one self-contained HTML page; alpha is that of all of them together.

    `risk`: what the page shows of a regression on the kernel, as of `page_values`.
    """
    decided = [row for row in rows if row["verdict"] != "NOT RUN"]
    page = rendered(
        "check.html",
        rows=decided,
        not_run=by_reason({row["name"]: row["reason"] for row in rows if "reason" in row}),
        counts={v.value: sum(row["verdict"] == v.value for row in decided) for v in Verdict},
        settings=settings,
        note=note,
        risk=risk,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        seconds=sum(row["seconds"] for row in decided),
    )
    write_whole(path, page)


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
