"""The file of a baseline: JSON to commit, whole or not at all, refused when it is not as written.

| field | |
|---|---|
| `schema` | `SCHEMA`; the number grows when a field changes its meaning |
| `sha256` | of all other fields as canonical JSON |
| `settings` | claims, profile, alpha, seed, network, data: what `freeze` was called with |
| `versions` | Python, platform, packages, hash of the data |
| `entries` | a list of objects, one a claim and point or a network |
| `entries[].statistics` | estimate, standard error, n values of so many draws; what is seen |
| `entries[].statistics[].counts` | draws on each of 33 levels, `span` to both sides of `center` |
| `entries[].detection_limits` | by name, the values at some keys |
| `not_run`, `history` | claims that do not apply, with reasons; what came before, with reasons |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ntval.baselines import Baseline
from ntval.baselines.entries import Entry
from ntval.baselines.statistics import Statistic
from ntval.errors import InputError
from ntval.evidence.two_samples import LEVELS, Frame
from ntval.evidence.verdict import Decision, Verdict, finite
from ntval.regimes import point_of
from ntval.reports import documents
from ntval.runs.identity import name_of
from ntval.runs.settings import Settings

SCHEMA = "ntval.baseline/3"

_DECISION = ("kind", "summary", "gap", "allowed", "smallest_gap", "log_e", "draws")
_NUMBERS = ("estimate", "standard_error", "remainder", "resolution", "smallest_gap")


def write(baseline: Baseline, path: Path) -> None:
    """Write the baseline, whole or not at all.

    Raises: `InputError` when the path cannot be written.
    """
    content = _document(baseline)
    documents.write_json({"schema": SCHEMA, "sha256": name_of(content), **content}, path)


def _document(baseline: Baseline) -> dict:
    claims = None if baseline.claims is None else list(baseline.claims)
    settings = {"claims": claims, **asdict(baseline.settings)}
    return {
        "settings": settings,
        "versions": dict(baseline.versions),
        "entries": [_entry_record(entry) for entry in baseline.entries],
        "not_run": dict(baseline.not_run),
        "history": [dict(item) for item in baseline.history],
    }


def _entry_record(entry: Entry) -> dict:
    decision = entry.decision
    return {
        "name": entry.name,
        "point": entry.point.as_dict(),
        "verdict": decision.verdict.value,
        "evidence": {name: finite(getattr(decision, name)) for name in _DECISION},
        "statistics": [_statistic_record(statistic) for statistic in entry.statistics],
        "detection_limits": {
            name: _line(values) for name, values in entry.detection_limits.items()
        },
    }


def _statistic_record(statistic: Statistic) -> dict:
    return {
        "label": statistic.label,
        "n": statistic.n,
        "draws": statistic.draws,
        **{name: finite(getattr(statistic, name)) for name in _NUMBERS},
        **asdict(statistic.frame),
        "counts": _line(statistic.counts),
    }


def _line(values) -> str:
    """Numbers on one line, as a difference of two files is read by lines."""
    return " ".join(f"{value:.6g}" for value in values)


def read(path: Path) -> Baseline:
    """The baseline in a file.

    Raises: `InputError` when there is none, or it is not as `write` left it: not JSON, of another
    schema, or changed since.
    """
    way_out = "restore it from version control, or freeze a new one"
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _refused(path, "there is none", f"ntval baseline freeze {path} makes it") from None
    except OSError as error:
        raise _refused(path, f"it cannot be read ({error.strerror})", "choose another") from None
    except ValueError as error:
        raise _refused(path, f"it is not JSON ({error})", way_out) from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema is None:
        raise _refused(path, "it has no schema", "name a file that ntval baseline freeze made")
    if schema != SCHEMA:
        raise _refused(
            path,
            f"its schema is {schema!r}, this ntval reads {SCHEMA!r}",
            "use the ntval that wrote it, or freeze a new one",
        )
    content = {name: part for name, part in document.items() if name not in ("schema", "sha256")}
    if document.get("sha256") != name_of(content):
        raise _refused(path, "its content is not what its sha256 says: it was changed", way_out)
    try:
        return _baseline(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        words = f"it lacks something or holds too much ({type(error).__name__}: {error})"
        raise _refused(path, words, way_out) from None


def _refused(path: Path, what: str, way_out: str) -> InputError:
    return InputError(
        f"baseline needs a file that ntval baseline freeze made, got {str(path)!r}: {what}; "
        f"{way_out}."
    )


def _baseline(content: Mapping) -> Baseline:
    settings = dict(content["settings"])
    claims = settings.pop("claims")
    return Baseline(
        None if claims is None else tuple(claims),
        Settings(**settings),
        versions=dict(content["versions"]),
        entries=tuple(_entry(record) for record in content["entries"]),
        not_run=dict(content["not_run"]),
        history=tuple(content["history"]),
    )


def _entry(record: Mapping) -> Entry:
    evidence: dict[str, Any] = {n: _number(record["evidence"][n]) for n in _DECISION}
    return Entry(
        record["name"],
        point_of(record["point"]),
        Decision(Verdict(record["verdict"]), **evidence),
        tuple(_statistic(part) for part in record["statistics"]),
        {
            name: tuple(map(float, line.split()))
            for name, line in record["detection_limits"].items()
        },
    )


def _statistic(record: Mapping) -> Statistic:
    counts = tuple(map(int, record["counts"].split()))
    if len(counts) != LEVELS or sum(counts) != record["n"] or min(counts) < 0:
        raise ValueError(f"counts of {record['label']!r} are not those of {record['n']} draws")
    numbers = {name: _number(record[name]) for name in _NUMBERS}
    frame = Frame(record["center"], record["span"])
    return Statistic(record["label"], frame, counts, draws=record["draws"], **numbers)


def _number(value: Any) -> Any:
    """A number that JSON has no word for is a text in the file."""
    return float(value) if value in ("inf", "-inf", "nan") else value
