"""What a person or a machine reads: the JSON document and the HTML page of a run."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from ntval.errors import NO_SPACE, InputError
from ntval.evidence.verdict import finite
from ntval.reports.words import replay
from ntval.runs.suite import Run

SCHEMA = "ntval.check/3"
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
        "complete": run.complete,
        "versions": versions(),
        "alpha": run.settings.alpha,
        "seed": run.settings.seed,
        "profile": run.settings.profile,
        "network": run.settings.network,
        "note": run.note,
        "data": run.settings.data,
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
        "risk": None if run.risk is None else run.risk.document(),
    }


def write_json(document: dict, path: Path) -> None:
    """Write a JSON document, whole or not at all."""
    write_whole(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def rendered(template: str, **values: Any) -> str:
    """A page from one of the templates, which get the versions too."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ntval.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values, versions=versions())


def write_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises: `InputError` when the path cannot be written.
    """
    path, temporary = Path(path), None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise not_written("output", path, error) from None


def not_written(argument: str, path: Path, error: OSError) -> InputError:
    """What is said of a file that cannot be written: a full disk is not a wrong directory."""
    full = error.errno in NO_SPACE
    return InputError(
        f"{argument} needs a writable path, got {str(path)!r} ({error.strerror}); "
        + (
            "free space, or choose a path elsewhere."
            if full
            else "create the directory or choose another."
        )
    )


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


_SECONDS_BETWEEN_WRITES = 10


def writer(path: Path | None) -> Callable[..., None]:
    """Function that writes a document to `path`, now and then, and the last one in any case."""
    from ntval.reports import documents

    written = time.monotonic()

    def keep(document: Callable[[], dict], *, last: bool = False) -> None:
        nonlocal written
        if path is not None and (last or time.monotonic() - written > _SECONDS_BETWEEN_WRITES):
            documents.write_json({**document(), "versions": documents.versions()}, path)
            written = time.monotonic()

    return keep
