"""What pytest calls in a session that uses ntval; the plugin registers it at the first use.

With pytest-xdist what checks found travels to the controller on the reports of their tests, and
what was collected at the end of a worker.
"""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, no_type_check

import pytest

from ntval.errors import InputError
from ntval.front.pytest import expected
from ntval.front.pytest.budget import Budget
from ntval.front.pytest.collection import NetworkCheck, checks_of_networks, network_tests
from ntval.front.pytest.options import options_of
from ntval.front.pytest.session import FOUND, Session, repetition
from ntval.runs.settings import Settings

if TYPE_CHECKING:
    from ntval.front.checks import Check

SESSION: pytest.StashKey[Session] = pytest.StashKey()


def session_of(config: pytest.Config) -> Session:
    """What this process knows. The first call makes it, and registers the hooks."""
    if SESSION not in config.stash:
        options = options_of(config)
        config.stash[SESSION] = Session(options, Budget(options.alpha))
        config.pluginmanager.register(Hooks(config), "ntval-session")
    return config.stash[SESSION]


class Hooks:
    """The hooks of one pytest process.

    announced: whether the header is printed.
    stale: messages on lines of `--ntval-expected`.
    written: what became of the report.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.session = config.stash[SESSION]
        self.options = self.session.options
        self.worker = hasattr(config, "workerinput")
        self.announced = False
        self.stale: list[str] = []
        self.written = ""

    # Collection.

    @functools.cached_property
    def checks(self) -> dict[str, list[Check]]:
        """The checks of each network of `--ntval-network`."""
        return checks_of_networks(self.options.networks, self.options.profile or "quick")

    def pytest_sessionstart(self) -> None:
        """Read the networks before any worker starts, so that a wrong name is one line."""
        if not self.worker:
            self.checks  # noqa: B018

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        items.extend(network_tests(session, self.checks, self.session.check_claim))
        if self.options.expected:
            expected.note(items, self.options, self.session.collected)

    def pytest_deselected(self) -> None:
        self.session.collected.deselected = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.session.budget.split(session.items)

    def pytest_report_header(self) -> str:
        self.announced = True
        return self._header()

    def pytest_report_collectionfinish(self) -> str | None:
        return self._header() if self.session.budget.used and not self.announced else None

    def _header(self) -> str:
        profile = f", profile {self.options.profile}" if self.options.profile else ""
        return (
            f"ntval {version('ntval')}, jax {version('jax')}: alpha {self.options.alpha:g}, "
            f"seed {self.options.seed}{profile}"
        )

    # A test.

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        self.session.item = item

    @no_type_check  # pluggy needs a generator function, which a decorator of jaxtyping hides
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        found = item.stash.get(FOUND, None)
        if not found:
            return (yield)
        del item.stash[FOUND]
        from ntval.front.pytest.report import properties

        item.user_properties += properties(found)
        report = yield
        report.ntval = found
        if report.failed and str(report.longrepr).startswith("[XPASS(strict)]"):
            reason = str(report.longrepr).removeprefix("[XPASS(strict)]").strip()
            report.longrepr = (
                f"outdated: {item.name} was expected to be refuted ({reason}), but is not; take it "
                "out of the expected refutations."
            )
        if isinstance(item, NetworkCheck) and report.skipped and not hasattr(report, "wasxfail"):
            report.longrepr = (item.network, None, report.longrepr[2])
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for record in getattr(report, "ntval", ()):
            known = record["verdict"] == "REFUTED" and hasattr(report, "wasxfail")
            self.session.records.append({**record, "expected": known})

    # Workers of pytest-xdist.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker the options; 'commit' is read once."""
        node.workerinput["ntval"] = asdict(self.options)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear what a worker collected."""
        told = getattr(node, "workeroutput", {}).get("ntval")
        if told:
            self.session.budget.tests, self.session.budget.marked = told["tests"], told["marked"]
            self.session.collected.hear(told)

    # The end.

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        budget, collected = self.session.budget, self.session.collected
        if self.worker:
            told = {"tests": budget.tests, "marked": budget.marked, **collected.told()}
            self.config.workeroutput["ntval"] = told  # type: ignore[attr-defined]
            return
        finished = (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        )
        if self.config.option.collectonly or exitstatus not in finished:
            return
        self.stale = list(expected.stale_lines(session, self.options, collected))
        if self.stale:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.options.report:
            self.written = self._written(Path(self.options.report))

    def _written(self, path: Path) -> str:
        """Write the report, and say so."""
        from ntval.front.pytest import report

        # Tests whose own parts sum to 1 have a budget that bounds nothing.
        alpha = min(self.session.budget.total or self.options.alpha, 1 - 2**-53)
        settings = Settings(self.options.profile or "quick", alpha, self.options.seed)
        try:
            report.write(self.session.records, path, stale=self.stale, settings=settings)
        except InputError as error:
            return f"FAILED to write: {error}"
        return f"wrote {path}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not (self.session.records or self.stale):
            return
        terminalreporter.write_sep("=", "ntval")
        for line in self._summary():
            terminalreporter.write_line(line)
        for line in self.stale:
            terminalreporter.write_line(f"FAILED {line}", red=True)
        if self.written:
            terminalreporter.write_line(self.written)

    def _summary(self) -> Iterator[str]:
        """Lines: what was found and spent, and how to repeat a test."""
        from ntval.front.pytest import report

        budget, records = self.session.budget, self.session.records
        if records:
            tests = budget.tests + len(budget.marked)
            yield from report.summary(records, alpha=budget.total, tests=tests)
        if records and budget.tests:
            yield f"replay a test: {repetition(None, self.options, budget)}"
