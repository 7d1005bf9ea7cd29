"""A run in words: the replay command, the result that decides, the evidence."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from ntval.claims.outcome import Outcome, Result
from ntval.evidence import e_values
from ntval.evidence.verdict import worst
from ntval.runs.suite import Run


def replay(run: Run, claim: str) -> str:
    """What repeats a claim's checks: a command, or a call for a network of this process alone."""
    settings = run.settings
    seed, alpha = settings.seed, f"{settings.alpha:g}"
    if settings.network and ":" not in settings.network:
        word = claim.rpartition(".")[2]
        return f"check_network(..., claims=[{word!r}], seed={seed}, alpha={alpha})"
    words = ["ntval", "check", claim, "--profile", settings.profile, "--seed", str(seed)]
    words += ["--alpha", alpha]
    if settings.network:
        words += ["--network", settings.network]
    if settings.data:
        words += ["--data", settings.data]
    return shlex.join(words)


def by_reason(not_run: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of claims that were not run, by the reason, in the order in which reasons come."""
    reasons: dict[str, list[str]] = {}
    for name, reason in not_run.items():
        reasons.setdefault(reason, []).append(name)
    return reasons


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
