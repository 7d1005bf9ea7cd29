"""What checks took on this machine the last time, for plans: a small file beside the compiled
programs, which may be deleted."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from ntval.runs.process import cache_directory
from ntval.runs.settings import Settings
from ntval.runs.suite import Run

MEMORY = "memory"


def _path() -> Path:
    return cache_directory().parent / "timings.json"


def _key(settings: Settings) -> str:
    return f"{settings.profile} {settings.network or '-'} {settings.data or '-'}"


def _read() -> dict[str, dict[str, float]]:
    try:
        found = json.loads(_path().read_text())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def last(settings: Settings) -> Mapping[str, float]:
    """Seconds by claim, and bytes at most under `MEMORY`; without what was never run here."""
    found = _read().get(_key(settings), {})
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def keep(run: Run) -> None:
    """Keep what a run took; a file that cannot be written is let be."""
    seconds = {
        name: sum(result.seconds for result in outcome.results)
        for name, outcome in run.settled.items()
    }
    unit = 1 if sys.platform == "darwin" else 1024
    both = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    memory = unit * sum(resource.getrusage(who).ru_maxrss for who in both)
    kept = _read()
    before = kept.get(_key(run.settings), {})
    kept[_key(run.settings)] = {**before, **seconds, MEMORY: memory}
    try:
        _path().parent.mkdir(parents=True, exist_ok=True)
        _path().write_text(json.dumps(kept))
    except OSError:
        return
