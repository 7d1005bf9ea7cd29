"""The tests of a session: those that `--ntval-network` adds, and what a test says of itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ntval.errors import NtvalError

if TYPE_CHECKING:
    from ntval.front.checks import Check
    from ntval.runs.suite import Run


class NetworkChecks(pytest.Collector):
    """A network of `--ntval-network`, with a test for each claim that applies to it."""

    def __init__(
        self, *, checks: Sequence[Check], check_claim: Callable[[Check], Run], **options: Any
    ) -> None:
        super().__init__(**options)
        self.checks, self.check_claim = checks, check_claim

    def collect(self) -> Iterator[pytest.Item]:
        for check in self.checks:
            name = check.claim.rpartition(".")[2]
            yield NetworkCheck.from_parent(
                self, name=name, check=check, check_claim=self.check_claim
            )


class NetworkCheck(pytest.Item):
    """One claim about a network of `--ntval-network`."""

    def __init__(
        self, *, check: Check, check_claim: Callable[[Check], Run], **options: Any
    ) -> None:
        super().__init__(**options)
        self.check, self.check_claim = check, check_claim

    @property
    def network(self) -> str:
        """The network's path, MODULE:ATTR."""
        return self.nodeid.partition("::")[0]

    def runtest(self) -> None:
        self.check_claim(self.check)

    def repr_failure(self, excinfo: pytest.ExceptionInfo, style: Any = None) -> Any:
        if isinstance(excinfo.value, NtvalError):
            return "\n".join([str(excinfo.value), *getattr(excinfo.value, "__notes__", ())])
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.nodeid


def checks_of_networks(paths: Sequence[str], profile: str) -> dict[str, list[Check]]:
    """The checks of each network at MODULE:ATTR.

    Raises: `pytest.UsageError`, one line, when one cannot be read.
    """
    if not paths:
        return {}
    from ntval.front.checks import checks_for

    try:
        return {path: checks_for(path, profile=profile) for path in paths}
    except NtvalError as error:
        raise pytest.UsageError(f"--ntval-network: {error}") from None


def network_tests(
    session: pytest.Session,
    checks: Mapping[str, Sequence[Check]],
    check_claim: Callable[[Check], Run],
) -> Iterator[pytest.Item]:
    """A test for each check of each network."""
    for path, its in checks.items():
        node = NetworkChecks.from_parent(
            session, name=path, nodeid=path, checks=its, check_claim=check_claim
        )
        yield from session.genitems(node)


def id_of(item: pytest.Item) -> str:
    """The test's id, without what `--dist loadgroup` of pytest-xdist appends to it."""
    return f"{item.parent.nodeid}::{item.name}" if item.parent else item.nodeid


def uses_check_claim(item: pytest.Item) -> bool:
    """Whether a test takes a part of the session's alpha."""
    return isinstance(item, NetworkCheck) or "check_claim" in getattr(item, "fixturenames", ())


def check_of(item: pytest.Item) -> Check | None:
    """The `Check` that a test was made for."""
    if isinstance(item, NetworkCheck):
        return item.check
    checks = sys.modules.get("ntval.front.checks")
    parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
    return next((it for it in parameters if checks and isinstance(it, checks.Check)), None)


def marked(item: pytest.Item, name: str) -> Any:
    """What the nearest marker `ntval` that has it gives as `name`; None without."""
    return next((m.kwargs[name] for m in item.iter_markers("ntval") if name in m.kwargs), None)
