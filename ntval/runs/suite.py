"""A run of the suite: what is planned, in which order, and what came of it so far.

Prerequisites of a user's network come first: where one is refuted, the rest is not run. At the
end every refuted claim is repeated on fresh keys.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ntval.claims.budget import CONFIRMATIONS, fresh_seed, point_alpha, shares
from ntval.claims.catalogue import CLAIMS, OURS, Catalogue
from ntval.claims.claim import Claim
from ntval.claims.outcome import Outcome, Result
from ntval.errors import InputError
from ntval.evidence.verdict import Verdict
from ntval.regimes import Point, point_from_code
from ntval.runs import engine
from ntval.runs.applicable import NotRun, applicable, runnable
from ntval.runs.cell import Cell, diagnosis, run_cell
from ntval.runs.risk_estimates import RiskEstimates
from ntval.runs.settings import DEFAULTS, Settings


@dataclass(frozen=True, repr=False)
class Run:
    """One run of the suite: what is planned and what came of it so far.

    `settings`: what it is about.
    `cells`: the checks that are planned.
    `shares`: each claim's part of alpha.
    `not_run`: claims that do not apply, each with the reason.
    `results`, `repetitions`: of the checks, and of refuted claims on fresh keys.
    `expected`: claims whose refutation is known, each with the reason.
    `diagnoses`: what refuted claims look like, in words.
    `note`: what a user's network will take.
    `risk`: of kernel ridge regression on it, where labels were passed.
    """

    settings: Settings
    cells: tuple[Cell, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    not_run: tuple[NotRun, ...] = ()
    results: tuple[Result, ...] = ()
    repetitions: Mapping[str, tuple[tuple[Result, ...], ...]] = field(default_factory=dict)
    expected: Mapping[str, str] = field(default_factory=dict)
    diagnoses: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    risk: RiskEstimates | None = None

    @functools.cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """Each claim's outcome so far, in the order of `CLAIMS`."""
        planned = Counter(cell.claim for cell in self.cells)
        results: dict[str, list[Result]] = {name: [] for name in planned}
        for result in self.results:
            results[result.claim].append(result)
        return {
            name: Outcome(
                name,
                tuple(results[name]),
                planned[name],
                self.shares[name],
                self.repetitions.get(name, ()),
            )
            for name in CLAIMS
            if name in planned
        }

    @property
    def finished(self) -> dict[str, Outcome]:
        """Outcomes of claims whose every point was checked."""
        return {n: o for n, o in self.outcomes.items() if len(o.results) == o.planned}

    def __repr__(self) -> str:
        """A short table: a line a claim."""
        lines = [f"{outcome.verdict:<12} {name}" for name, outcome in self.settled.items()]
        left = len(self.outcomes) - len(lines)
        lines += [f"{left} not checked"] * (left > 0)
        lines += [f"{len(self.not_run)} not run: run.not_run says why"] * bool(self.not_run)
        return "\n".join(lines or ["nothing to check"])

    @property
    def settled(self) -> dict[str, Outcome]:
        """Outcomes to which nothing is added: of claims checked, and repeated where suspected."""
        return {
            name: outcome
            for name, outcome in self.finished.items()
            if not outcome.suspected or len(outcome.repetitions) == CONFIRMATIONS
        }

    @property
    def complete(self) -> bool:
        """Whether all that was planned is done."""
        return len(self.settled) == len(self.outcomes)

    @property
    def spent(self) -> float:
        """The part of alpha that the claims checked so far may have spent."""
        return sum(outcome.share for outcome in self.outcomes.values() if outcome.results)

    @property
    def refuted(self) -> dict[str, Outcome]:
        """Outcomes of refuted claims whose refutation was not expected."""
        return {
            name: outcome
            for name, outcome in self.finished.items()
            if outcome.verdict is Verdict.REFUTED and name not in self.expected
        }

    @property
    def stale(self) -> dict[str, Outcome]:
        """Outcomes of claims that were expected to be refuted and are supported."""
        return {
            name: outcome
            for name, outcome in self.finished.items()
            if outcome.verdict is Verdict.SUPPORTED and name in self.expected
        }

    @property
    def broken_prerequisite(self) -> Outcome | None:
        """The first refuted prerequisite of a network of the user's."""
        if self.settings.network is None:
            return None
        for name, outcome in self.outcomes.items():
            if CLAIMS[name].prerequisite and outcome.verdict is Verdict.REFUTED:
                return outcome
        return None


def planned(
    names: Sequence[str] | None = None,
    settings: Settings = DEFAULTS,
    *,
    catalogue: Catalogue = OURS,
) -> Run:
    """A run that has not started: its cells, the budget's shares, and what does not apply.

    Raises: `UnknownNameError` for a claim that does not exist.
    """
    chosen = catalogue.chosen(names)
    found = [
        item
        for item in applicable(settings.network, settings.data, settings.profile)
        if (item.claim if isinstance(item, NotRun) else item[0].name) in chosen
    ]
    return run_of(found, settings)


def at(names: Sequence[str] | None, code: str, settings: Settings) -> Run:
    """A run that has not started, of claims about ntval's own networks at one point of `code`.

    Raises: `InputError` for code that is no point, for one outside of a claim's domain, and for a
    network or data of the user's, which have points of their own.
    """
    if settings.network is not None or settings.data is not None:
        raise InputError("--at needs ntval's own networks, got --network or --data; leave one out.")
    point, chosen = point_from_code(code), OURS.chosen(names).values()
    for claim in chosen:
        outside = None if claim.domain is None else claim.domain.why_not(point)
        if outside is not None:
            raise InputError(
                f"--at needs a point of the domain of {claim.name}, where {outside}, got {point}; "
                "change it, or name other claims."
            )
    here, not_run = runnable(list(chosen))
    return run_of([*((claim, point) for claim in here), *not_run], settings)


def run_of(found: Sequence[tuple[Claim, Point] | NotRun], settings: Settings) -> Run:
    """A run that has not started, of claims that were found to apply or not."""
    points: dict[str, list[Point]] = {}
    for item in found:
        if not isinstance(item, NotRun):
            points.setdefault(item[0].name, []).append(item[1])
    part = shares([CLAIMS[name] for name in points], settings.alpha)
    cells = [
        Cell(name, point, point_alpha(part[name], len(group)), settings)
        for name, group in points.items()
        for point in group
    ]
    not_run = tuple(item for item in found if isinstance(item, NotRun))
    run = Run(settings, tuple(cells), part, not_run)
    if (settings.network is None and settings.data is None) or not cells:
        return run
    examined = next(item for item in found if not isinstance(item, NotRun))
    subject = examined[0].subject(examined[1])
    return replace(run, note=getattr(subject, "note", ""))


def states(run: Run, *, workers: int = 1, catalogue: Catalogue = OURS) -> Iterator[Run]:
    """The run after every check, from the first to the last repetition."""
    with engine.engine(workers, functools.partial(run_cell, catalogue=catalogue)) as results:
        for stage in _stages(run):
            if run.broken_prerequisite:
                reason = (
                    f"{run.broken_prerequisite.claim} is refuted, and every other claim rests on it"
                )
                run = _without(run, {cell.claim: reason for cell in stage})
                yield run
                continue
            for _, result in results(stage):
                if isinstance(result, NotRun):
                    run = _without(run, {result.claim: result.reason})
                elif result.claim in {cell.claim for cell in run.cells}:
                    run = replace(run, results=(*run.results, result))
                yield run
        for name, outcome in run.outcomes.items():
            if not outcome.suspected:
                continue
            suspects = {result.point for result in outcome.suspects()}
            cells = [c for c in run.cells if c.claim == name and c.point in suspects]
            for repetition in range(1, CONFIRMATIONS + 1):
                settings = replace(run.settings, seed=fresh_seed(run.settings.seed, repetition))
                fresh = [replace(cell, settings=settings) for cell in cells]
                again = tuple(result for _, result in results(fresh))
                done = run.repetitions.get(name, ())
                run = replace(run, repetitions={**run.repetitions, name: (*done, again)})
                yield run
            words = diagnosis(cells[0], catalogue)
            if words:
                run = replace(run, diagnoses={**run.diagnoses, name: words})
                yield run


def _stages(run: Run) -> list[list[Cell]]:
    """Cells in order: prerequisites first, then all others."""
    names = [c.claim for c in run.cells if run.settings.network and CLAIMS[c.claim].prerequisite]
    first = [[cell for cell in run.cells if cell.claim == name] for name in dict.fromkeys(names)]
    return [*first, [cell for cell in run.cells if cell.claim not in names]]


def _without(run: Run, reasons: Mapping[str, str]) -> Run:
    """The run without claims, each for its reason."""
    known = {item.claim for item in run.not_run}
    left_out = [NotRun(name, why) for name, why in reasons.items() if name not in known]
    return replace(
        run,
        cells=tuple(cell for cell in run.cells if cell.claim not in reasons),
        results=tuple(result for result in run.results if result.claim not in reasons),
        not_run=(*run.not_run, *left_out),
    )
