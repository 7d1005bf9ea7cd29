"""Which claims apply to a subject, at which points, and why others do not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ntval.claims.catalogue import CLAIMS
from ntval.claims.claim import Claim
from ntval.claims.sampling import kept
from ntval.data import sets
from ntval.data.sets import Data
from ntval.networks import loading
from ntval.networks.network import Network
from ntval.regimes import Point, Regime
from ntval.subjects.inputs import inputs_from
from ntval.subjects.network import MOST_INPUTS, network_subject
from ntval.subjects.subject import GramSubject, NetworkSubject, Subject


@dataclass(frozen=True)
class NotRun:
    """A claim that does not apply, with the reason."""

    claim: str
    reason: str


# A claim at one of its points, or the reason why it is not run.
Applied = tuple[Claim, Point] | NotRun


@kept
def applicable(network: str | None, source: str | None, profile: str) -> list[Applied]:
    """What `claims_for` says of the network at MODULE:ATTR and the data of a name."""
    return claims_for(
        None if network is None else loading.load(network),
        None if source is None else sets.load(source),
        profile=profile,
    )


def claims_for(
    network: Network | None = None,
    source: Data | None = None,
    *,
    claims: Mapping[str, Claim] = CLAIMS,
    profile: str = "quick",
) -> list[Applied]:
    """Every claim with its points, about a user's network, a user's data, both, or ntval's own.

    With data alone, ntval's networks are examined at rows of the data.
    """
    if network is not None:
        return claims_about(network_subject(network, source), claims=claims, profile=profile)
    if source is None:
        here, not_run = runnable(list(claims.values()))
        return [*((claim, r) for claim in here for r in claim.points[profile]), *not_run]
    return [
        item for claim in claims.values() for item in _at_rows(claim, source, claim.points[profile])
    ]


def runnable(claims: Sequence[Claim]) -> tuple[list[Claim], list[NotRun]]:
    """Claims whose real data and weights are here, and the others, each with the command that gets
    what it lacks."""
    reasons = {claim.name: claim.missing_files() for claim in claims}
    not_run = [NotRun(name, reason) for name, reason in reasons.items() if reason]
    return [claim for claim in claims if not reasons[claim.name]], not_run


def _at_rows(claim: Claim, source: Data, points: Sequence[Point]) -> list[Applied]:
    """The claim about ntval's networks at rows of the data."""
    if "labels" in claim.needs or not isinstance(claim.subject(points[0]), NetworkSubject):
        return [NotRun(claim.name, "it is not about a network at inputs")]
    d = math.prod(source.input_shape)
    inputs = inputs_from(source, (d,))
    moved = list(dict.fromkeys(replace(point, d=d) for point in points))  # equal ones count once

    def at_rows(subject: NetworkSubject) -> NetworkSubject:
        ladder = subject.ladder
        if ladder is not None:
            ladder = replace(ladder, rungs=tuple(at_rows(rung) for rung in ladder.rungs))
        return replace(
            subject,
            inputs=inputs,
            from_user=True,
            any_input=False,
            num_inputs=min(len(source.x), MOST_INPUTS),
            ladder=ladder,
            note=source.note,
        )

    def subject_at(point: Point) -> Subject:
        subject = claim.subject(point)
        return at_rows(subject) if isinstance(subject, NetworkSubject) else subject

    about = replace(claim, subject=subject_at)
    reason = claim.unmet_need(subject_at(moved[0]))
    return [NotRun(claim.name, reason)] if reason else [(about, point) for point in moved]


def claims_about(
    subject: NetworkSubject | GramSubject,
    *,
    claims: Mapping[str, Claim] = CLAIMS,
    profile: str = "quick",
) -> list[Applied]:
    """Every claim, about one subject of a user's."""
    found: list[Applied] = []
    for claim in claims.values():
        reason = claim.unmet_need(subject)
        if reason:
            found.append(NotRun(claim.name, reason))
        else:
            about = replace(claim, subject=lambda point: subject)
            found.append((about, _point(claim, subject, profile)))
    return found


def _point(claim: Claim, subject: NetworkSubject | GramSubject, profile: str) -> Point:
    """The size at which a user's subject is examined: all of it, or as much as the claim takes."""
    if isinstance(subject, GramSubject):
        return Regime(n=subject.num_inputs, d=1, activation=None)
    most = subject.num_inputs
    n = most if claim.every_input else min(most, claim.points[profile][0].n)
    return Regime(n=n, d=math.prod(subject.network.input_shape or ()), activation=None)
