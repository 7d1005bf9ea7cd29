"""Exploration: a search of a claim's domain for the points where it holds worst.

Hypothesis draws points and climbs (`hypothesis.target`) towards a larger ratio of gap to allowance,
and towards more evidence. The search is one experiment with one level, whichever points it picks
and whenever it stops: point number i is examined at alpha / (i (i + 1)), shares that add up to
alpha. A point's e-value has a mean of at most 1 given all points before it, as its keys are its
own; the largest of many has not, so `Visit.corrected` is what counts: e / (i (i + 1)).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

from ntval.claims.budget import CONFIRMATIONS, fresh_seed
from ntval.claims.claim import Claim
from ntval.claims.domain import Domain
from ntval.claims.outcome import Result
from ntval.errors import InputError, first_line
from ntval.evidence.verdict import Verdict, finite
from ntval.regimes import Point, point_of
from ntval.runs.domains import points_of
from ntval.runs.process import bound_memory, compilations
from ntval.runs.settings import Settings
from ntval.runs.store import Store

SCHEMA = "ntval.exploration/1"

SUPPORTED, UNDECIDED, REFUTED, VACUOUS, FAILED = (
    "supported",
    "undecided",
    "refuted",
    "vacuous",
    "failed",
)
STATES = (SUPPORTED, UNDECIDED, VACUOUS, REFUTED, FAILED)

SEEN = 0.05  # the departure by which power is measured
_MOST = 1e9  # in place of an infinite ratio: a target has to be finite


@dataclass(frozen=True)
class Visit:
    """What came of one point, number `number` of the search.

    `state`: one of `STATES`; `failed` where the claim raised instead of giving a verdict.
    `ratio`: the gap over the allowance, which for means is the remainder and three standard errors.
    `room`: the remainder over the gap; infinite where the gap is 0, 0 where nothing is granted.
    `would_see`: the relative departure that would have been seen; None where that is not said.
    `again`: verdicts of a refuted point on fresh keys.
    """

    number: int
    point: Point
    state: str
    ratio: float
    room: float
    would_see: float | None
    log_e: float
    summary: str
    seconds: float
    again: tuple[str, ...] = ()

    @property
    def corrected(self) -> float:
        """Log evidence against the claim, after the choice among points."""
        return self.log_e - math.log(self.number * (self.number + 1))

    def record(self) -> dict[str, Any]:
        """The visit as JSON-ready values."""
        values = {name: finite(value) for name, value in vars(self).items()}
        return {**values, "point": self.point.as_dict(), "again": list(self.again)}


def visit_of(record: dict[str, Any]) -> Visit:
    """The visit that `Visit.record` made a record of."""
    numbers = {name: float(record[name]) for name in ("ratio", "room", "log_e", "seconds")}
    point, again = point_of(record["point"]), tuple(record["again"])
    return Visit(**{**record, **numbers, "point": point, "again": again})


@dataclass(frozen=True)
class Exploration:
    """A search of a claim's domain, as far as it is.

    `statistical`: whether chance has a part in its verdicts.
    `compiled`: the number of programs that were compiled or read from the compilation cache.
    """

    claim: str
    domain: Domain
    settings: Settings
    statistical: bool = True
    visits: tuple[Visit, ...] = ()
    compiled: int = 0

    def worst(self, most: int = 10) -> tuple[Visit, ...]:
        """The points where the claim holds worst: refuted and failed ones first, then by ratio."""
        order = {FAILED: 0, REFUTED: 1}
        ranked = sorted(self.visits, key=lambda v: (order.get(v.state, 2), -v.ratio))
        return tuple(ranked[:most])

    def count(self, state: str) -> int:
        """The number of points in a state."""
        return sum(visit.state == state for visit in self.visits)

    @property
    def powerful(self) -> int:
        """The number of points at which a departure of `SEEN` would have been seen."""
        return sum(
            v.state == SUPPORTED and v.would_see is not None and v.would_see <= SEEN
            for v in self.visits
        )

    def document(self) -> dict[str, Any]:
        """The search as JSON-ready values, schema `SCHEMA`."""
        return {
            "schema": SCHEMA,
            "claim": self.claim,
            "alpha": self.settings.alpha,
            "seed": self.settings.seed,
            "profile": self.settings.profile,
            "distinct_points": finite(self.domain.num_points),
            "tried": len(self.visits),
            "states": {state: self.count(state) for state in STATES},
            "would_see_5_percent": self.powerful,
            "compiled": self.compiled,
            "visits": [visit.record() for visit in self.visits],
        }


def explored(
    claim: Claim,
    settings: Settings,
    *,
    minutes: float,
    kept: Store | None = None,
    most: int | None = None,
    shown: Callable[[Exploration], None] = lambda exploration: None,
) -> Exploration:
    """Search the domain of `claim` for `minutes`, or until `most` points are known.

    `kept`: a store of the points that are known, which the search goes on from; each is written as
    soon as it is known. `shown`: called after each.

    Accuracy: the whole search, with all that a store holds of it, refutes a true claim with
    probability at most `settings.alpha`.
    Raises: `InputError` for a claim without a domain, or a time that is not positive.
    """
    if claim.domain is None:
        raise InputError(f"explore needs a claim with a domain, got {claim.name!r}; write one.")
    if not minutes > 0:
        raise InputError(f"--minutes needs a positive number, got {minutes!r}; the default is 5.")
    known = {} if kept is None else _known(claim, settings, kept)
    visits: dict[Point, Visit] = {visit.point: visit for visit in known}
    found = Exploration(
        claim.name, claim.domain, settings, claim.statistical, tuple(visits.values())
    )
    start, compiled = time.monotonic(), compilations()
    done = False

    def examine(point: Point) -> Visit:
        nonlocal found
        visit = _visit(claim, point, settings, number=len(visits) + 1)
        visits[point] = visit
        if kept is not None:
            identity = _identity(claim, settings, point)
            kept.put(identity, visit.record(), seconds=visit.seconds)
        found = replace(found, visits=tuple(visits.values()), compiled=compilations() - compiled)
        shown(found)
        bound_memory()
        return visit

    @hypothesis.settings(
        max_examples=_ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.target],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @hypothesis.given(point=points_of(claim.domain))
    def example(point: Point) -> None:
        nonlocal done
        late = time.monotonic() - start > 60 * minutes
        done = done or late or (most is not None and len(visits) >= most)
        if done:
            return
        visit = visits.get(point) or examine(point)
        hypothesis.target(min(visit.ratio, _MOST), label="gap over allowance")
        hypothesis.target(min(visit.log_e, _MOST), label="evidence")

    shown(found)
    rounds = 0
    while not done:
        before = len(visits)
        hypothesis.seed(fresh_seed(settings.seed, len(visits) + rounds))(example)()
        rounds += 1
        if len(visits) == before and rounds > _IDLE:
            break  # nothing new is found: all of a small domain is known
    return found


_ROUND = 200  # examples of one search; a search begins anew until the time is up
_IDLE = 3


def _identity(claim: Claim, settings: Settings, point: Point) -> dict[str, Any]:
    return {
        "explored": claim.name,
        "point": point.as_dict(),
        "seed": settings.seed,
        "profile": settings.profile,
        "alpha": settings.alpha,
    }


def _known(claim: Claim, settings: Settings, kept: Store) -> Sequence[Visit]:
    """What a store holds of this search, in the order in which it was found."""
    rows = [row for row in kept.rows() if "explored" in row["identity"]]
    visits = [visit_of(row["value"]) for row in rows if _same(row["identity"], claim, settings)]
    return sorted(visits, key=lambda visit: visit.number)


def _same(identity: dict[str, Any], claim: Claim, settings: Settings) -> bool:
    there = _identity(claim, settings, point_of(identity["point"]))
    return all(identity[name] == there[name] for name in ("explored", "seed", "profile", "alpha"))


def _visit(claim: Claim, point: Point, settings: Settings, *, number: int) -> Visit:
    """The claim at one point, at its share of alpha; a refuted one is repeated on fresh keys."""
    alpha = settings.alpha / (number * (number + 1))
    start = time.perf_counter()
    try:
        result = claim.check(settings.seed, point, alpha=alpha, effort=settings.effort)
    except Exception as error:  # of a point that nobody chose: a finding, and the search goes on
        words = f"{type(error).__name__}: {first_line(error)}"
        seconds = time.perf_counter() - start
        return Visit(number, point, FAILED, _MOST, 0.0, None, 0.0, words, seconds)
    again: tuple[str, ...] = ()
    if result.decision.verdict is Verdict.REFUTED and claim.statistical:
        seeds = [fresh_seed(settings.seed, i) for i in range(1, CONFIRMATIONS + 1)]
        fresh = [claim.check(s, point, alpha=alpha, effort=settings.effort) for s in seeds]
        again = tuple(one.decision.verdict.value for one in fresh)
    return replace(_of_result(number, result), again=again)


def _of_result(number: int, result: Result) -> Visit:
    decision = result.decision
    state = {
        Verdict.SUPPORTED: SUPPORTED,
        Verdict.REFUTED: REFUTED,
        Verdict.INCONCLUSIVE: VACUOUS if "VACUOUS" in decision.summary else UNDECIDED,
    }[decision.verdict]
    allowed = decision.allowed + 3 * decision.details.get("standard_error", 0.0)
    return Visit(
        number,
        result.point,
        state,
        ratio=_over(decision.gap, allowed),
        room=_over(decision.allowed, decision.gap),
        would_see=decision.details.get("would_see"),
        log_e=min(decision.log_e, _MOST),
        summary=decision.summary,
        seconds=result.seconds,
    )


def _over(part: float, whole: float) -> float:
    """A ratio that is at most `_MOST`, and 0 where both are 0."""
    if not math.isfinite(part) or (part > 0 and whole == 0):
        return _MOST
    return min(part / whole, _MOST) if whole > 0 else 0.0
