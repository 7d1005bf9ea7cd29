"""A pytest session that uses ntval: what it knows, and the fixture `check_claim`."""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ntval.errors import InputError, NtvalError, RefutedError
from ntval.front.pytest.budget import Budget, alpha_of_test, seed_of_test
from ntval.front.pytest.collection import NetworkCheck, id_of, uses_check_claim
from ntval.front.pytest.expected import Collected, expected_refutation
from ntval.front.pytest.options import Options

if TYPE_CHECKING:
    from ntval.front.checks import Check
    from ntval.runs.suite import Run

CALLS: pytest.StashKey[int] = pytest.StashKey()
FOUND: pytest.StashKey[list[dict[str, Any]]] = pytest.StashKey()


@dataclass(repr=False)
class Session:
    """What one pytest process knows.

    item: the test that runs now.
    records: what the checks of finished tests found, see `ntval.front.pytest.report`.
    """

    options: Options
    budget: Budget
    collected: Collected = field(default_factory=Collected)
    item: pytest.Item | None = None
    records: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        return "ntval"  # pytest shows it beside the fixture `check_claim` of a test that fails

    def check_claim(self, what: Any, *arguments: Any, **given: Any) -> Run:
        """See the fixture of this name."""
        __tracebackhide__ = True
        item = self.item
        if item is None or not uses_check_claim(item):
            name = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
            pytest.fail(
                "check_claim needs to be an argument of the test, or of a fixture that the test "
                f"names, since alpha is split over such tests; got it in {name!r} by another way; "
                "add the argument.",
                pytrace=False,
            )
        from ntval.front.pytest import report

        call = item.stash[CALLS] = item.stash.get(CALLS, 0) + 1
        alpha = alpha_of_test(item, self.budget) / (call * (call + 1))
        seed = seed_of_test(item, self.options)
        try:
            check = replace(check_from(what, arguments, given, self.options.profile), share=1.0)
            run = check.run(alpha=alpha, seed=seed)
        except NtvalError as error:
            raise error.with_traceback(None) from error.__cause__  # its message says all
        kind = Path(self.options.report or "").suffix
        found = report.record(run, check.claim, check.network, id_of(item), kind)
        item.stash.setdefault(FOUND, []).append(found)
        self._settle(item, check, run)
        return run

    def key(self, item: pytest.Item) -> Any:
        """See the fixture `ntval_key`."""
        import jax

        text = f"{id_of(item)} {seed_of_test(item, self.options)}"
        digest = hashlib.sha256(text.encode()).digest()
        words = [int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:8], "big")]
        data = jax.numpy.asarray(words, dtype=jax.numpy.uint32)
        return jax.random.wrap_key_data(data, impl="threefry2x32")

    def _settle(self, item: pytest.Item, check: Check, run: Run) -> None:
        """Raise what the test raises for this run."""
        __tracebackhide__ = True
        from ntval.reports.words import weakest

        expected = expected_refutation(item, check, self.options, self.collected)
        try:
            check.settle(run, repetition(item, self.options, self.budget))
        except RefutedError as error:
            if expected is not None:
                pytest.xfail(expected[1])
            if check.network is None:
                error.add_note(f"  point:    {check.found[0][1]}")  # type: ignore[index]
            error.add_note(f"  or in --ntval-expected, a line '{id_of(item)}: the reason'")
            raise
        outcome = run.outcomes[check.claim]
        if expected is not None and outcome.verdict == "SUPPORTED":
            pytest.fail(
                f"{check.claim} was expected to be refuted ({expected[1]}), but is SUPPORTED: "
                f"take line {expected[0]} out of {self.options.expected_path}, or name there "
                "the tests that it is about.",
                pytrace=False,
            )
        if self.options.strict and outcome.verdict == "INCONCLUSIVE":
            summary = weakest(outcome.results).decision.summary
            pytest.fail(
                f"{check.claim} is INCONCLUSIVE, and --ntval-strict is given: {summary}; "
                "take more draws with --ntval-profile standard.",
                pytrace=False,
            )


def check_from(what: Any, arguments: tuple, given: dict[str, Any], profile: str | None) -> Check:
    """The check that the arguments of `check_claim` mean, see the fixture.

    Raises: `InputError` when they mean none.
    """
    from ntval.claims.catalogue import CLAIMS
    from ntval.claims.claim import Claim
    from ntval.front.checks import Check, checks_for

    if isinstance(what, Check) and not arguments and not given:
        return replace(what, profile=profile) if profile else what
    if isinstance(what, Claim) and len(arguments) == 1 and not given:
        if what.name not in CLAIMS:
            raise InputError(
                f"check_claim needs a claim that is listed in ntval.CLAIMS, got {what.name!r}; "
                "list it, or decide it by claim.check(seed, point)."
            )
        return Check(what.name, None, ((what, arguments[0]),), profile=profile or "quick")
    if isinstance(what, str) and (arguments or "model" in given):
        checks = checks_for(*arguments, claims=[what], **{"profile": profile or "quick", **given})
        if len(checks) == 1:
            return checks[0]
        names = ", ".join(check.claim for check in checks) or "none that applies"
        raise InputError(
            f"check_claim needs the name of one claim, got {what!r} ({names}); "
            "parametrize_with_claims makes a test of each claim of a paper."
        )
    raise InputError(
        "check_claim needs a Check, the name of a claim and a model, or a Claim and a point; "
        f"got {', '.join(type(it).__name__ for it in (what, *arguments))}."
    )


def repetition(item: pytest.Item | None, options: Options, budget: Budget) -> str:
    """The command that repeats a test, any test without one, with the alpha it had among others."""
    words = ["pytest", id_of(item) if item else "TEST"]
    if isinstance(item, NetworkCheck):
        words = ["pytest", f"--ntval-network={item.network}", "-k", item.name]
    elif item is None and options.networks:
        words = ["pytest", "-k", "TEST"]
        words += [f"--ntval-network={path}" for path in options.networks]
    if options.profile:
        words.append(f"--ntval-profile={options.profile}")
    seed = seed_of_test(item, options) if item else options.seed
    alpha = alpha_of_test(item, budget) if item else budget.part
    return shlex.join([*words, f"--ntval-seed={seed}", f"--ntval-alpha={alpha:.3g}"])
