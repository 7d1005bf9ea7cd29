"""Expected refutations: which line of `--ntval-expected` speaks of a check, and which of none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from ntval.errors import did_you_mean
from ntval.front.pytest.collection import check_of, id_of, uses_check_claim
from ntval.front.pytest.options import Options

if TYPE_CHECKING:
    from ntval.front.checks import Check


@dataclass
class Collected:
    """What was collected that a line may speak of.

    names: by which a line may call a check.
    files: of all tests.
    matched: numbers of the lines that speak of a check.
    deselected: whether tests were left out.
    """

    names: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    matched: set[int] = field(default_factory=set)
    deselected: bool = False

    def told(self) -> dict[str, Any]:
        """The same as values that travel from a worker of pytest-xdist."""
        return {
            "names": sorted(self.names),
            "files": sorted(self.files),
            "matched": sorted(self.matched),
            "deselected": self.deselected,
        }

    def hear(self, told: Mapping[str, Any]) -> None:
        """Take in what a worker has told."""
        self.names.update(told["names"])
        self.files.update(told["files"])
        self.matched.update(told["matched"])
        self.deselected |= told["deselected"]


def expected_refutation(
    item: pytest.Item, check: Check | None, options: Options, collected: Collected
) -> tuple[int, str] | None:
    """(line number, reason) of the first line that speaks of this check, noted in `collected`."""
    names = {id_of(item), item.name}
    if check is not None:
        names |= {check.claim, check.claim.rpartition(".")[2]}
        if check.network:
            names.add(check.name)
    collected.names |= names
    for number, key, reason in options.expected:
        if key in names:
            collected.matched.add(number)
            return number, reason
    return None


def note(items: list[pytest.Item], options: Options, collected: Collected) -> None:
    """Note which lines speak of the checks of `items`."""
    collected.files = {item.nodeid.partition("::")[0] for item in items}
    for item in items:
        if uses_check_claim(item):
            expected_refutation(item, check_of(item), options, collected)


def stale_lines(session: pytest.Session, options: Options, collected: Collected) -> Iterator[str]:
    """A message for each line that no check answers to.

    A run of some tests only, by -k, -x or a file's name, is silent about all others.
    """
    whole = not collected.deselected and _everything(session)
    for number, key, reason in options.expected:
        path, colons, _ = key.partition("::")
        if number in collected.matched or not (whole or (colons and path in collected.files)):
            continue
        hint = did_you_mean(key, collected.names, most=1) or "take it out."
        yield (
            f"{options.expected_path}, line {number}: no check that was collected is "
            f"called {key!r} ({reason}); {hint}"
        )


def _everything(session: pytest.Session) -> bool:
    """Whether the session was asked for whole directories, and has come to its end."""
    here = session.config.invocation_params.dir
    return (
        all(os.path.isdir(here / arg.partition("::")[0]) for arg in session.config.args)
        and not any("::" in arg for arg in session.config.args)
        and not (session.shouldstop or session.shouldfail)
    )
