"""What the plugin's options say, or one line on why they cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ntval.errors import InputError
from ntval.runs.settings import PROFILES, alpha_of, seed_of


@dataclass(frozen=True)
class Options:
    """The options of a session, in values that travel to a worker of pytest-xdist.

    profile: None where it is not given: `quick`, or what a `Check` says.
    networks: paths MODULE:ATTR.
    report: the path of the report to write.
    expected: (line number, claim or test id, reason) of each line of `expected_path`.
    """

    alpha: float = 1e-6
    seed: int = 0
    profile: str | None = None
    strict: bool = False
    networks: tuple[str, ...] = ()
    report: str | None = None
    expected: tuple[tuple[int, str, str], ...] = ()
    expected_path: str | None = None


def options_of(config: pytest.Config) -> Options:
    """The options given; in a worker of pytest-xdist those that the controller has read.

    Raises: `pytest.UsageError`, one line, for what cannot be used.
    """
    inherited = getattr(config, "workerinput", {}).get("ntval")
    if inherited is not None:
        return Options(**inherited)
    here = config.invocation_params.dir
    given: dict[str, Any] = {
        name: config.getoption(f"ntval_{name}")
        for name in ("alpha", "seed", "profile", "strict", "network", "report", "expected")
    }
    alpha, seed, path = given["alpha"], given["seed"], given["expected"]
    try:
        return Options(
            networks=tuple(dict.fromkeys(map(_network, given["network"]))),
            alpha=1e-6 if alpha is None else alpha_of(alpha, name="--ntval-alpha"),
            seed=0 if seed is None else seed_of(seed, name="--ntval-seed", directory=here),
            profile=given["profile"] and _profile(given["profile"]),
            strict=given["strict"],
            report=given["report"] and _report_path(given["report"], here),
            expected=() if path is None else tuple(_lines(path, here)),
            expected_path=path,
        )
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def _refused(option: str, rule: str, value: object, way_out: str) -> pytest.UsageError:
    return pytest.UsageError(f"--ntval-{option} needs {rule}, got {value!r}; {way_out}.")


def _network(path: str) -> str:
    if not all(path.partition(":")):
        raise _refused("network", "the form MODULE:ATTR", path, "for example nets:model")
    return path


def _profile(text: str) -> str:
    if text not in PROFILES:
        *first, last = PROFILES
        raise _refused("profile", f"{', '.join(first)} or {last}", text, "the default is quick")
    return text


def _report_path(text: str, here: Path) -> str:
    path = here / text
    if path.suffix not in (".html", ".json"):
        raise _refused("report", "a file that ends in .html or .json", text, "name it so")
    if not path.parent.is_dir():
        raise _refused("report", "an existing directory", text, "create it first")
    return str(path)


def _lines(text: str, here: Path) -> Iterator[tuple[int, str, str]]:
    """(line number, claim or test id, reason) of each line of the file called `text`."""
    try:
        lines = (here / text).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "no UTF-8"
        rule = f"a readable text file ({words})"
        raise _refused("expected", rule, text, "check the path") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = re.fullmatch(r"(.+?):\s+(.+)", line.strip())
        if parts is None:
            rule = "lines 'claim-or-test-id: reason'"
            place = f"give the reason on line {number} of {text}, after a colon and a space"
            raise _refused("expected", rule, line.strip(), place)
        yield number, parts[1], parts[2]
