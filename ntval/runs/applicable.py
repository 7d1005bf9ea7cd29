"""Which claims apply to a subject, at which points, and why others do not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ntval.claims.catalogue import CLAIMS
from ntval.claims.claim import Claim
from ntval.claims.sampling import kept
from ntval.data import sets
from ntval.data.sets import Data
from ntval.networks import adapters
from ntval.networks.network import Network
from ntval.regimes import Regime
from ntval.subjects.inputs import inputs_from
from ntval.subjects.network import network_subject
from ntval.subjects.subject import Subject


@dataclass(frozen=True)
class NotRun:
    """A claim that does not apply, with the reason."""

    claim: str
    reason: str


@kept
def applicable(
    network: str | None, source: str | None, profile: str
) -> list[tuple[Claim, Regime] | NotRun]:
    """What `claims_for` says of the network at MODULE:ATTR and the data of a name."""
    return claims_for(
        None if network is None else adapters.load(network),
        None if source is None else sets.load(source),
        profile=profile,
    )


def claims_for(
    network: Network | None = None,
    source: Data | None = None,
    *,
    rungs: Mapping[int, Network] = MappingProxyType({}),
    claims: Mapping[str, Claim] = CLAIMS,
    profile: str = "quick",
) -> list[tuple[Claim, Regime] | NotRun]:
    """Every claim with its regimes, about your network, your data, both, or ntval's own.

    With data alone, ntval's networks are examined at rows of the data.
    """
    if network is not None:
        return claims_about(network_subject(network, source, rungs), claims=claims, profile=profile)
    found: list[tuple[Claim, Regime] | NotRun] = []
    for claim in claims.values():
        if source is None:
            found += [(claim, regime) for regime in claim.regimes[profile]]
            continue
        d = math.prod(source.input_shape)
        about = _at_inputs(claim, inputs_from(source, (d,)))
        cells = [(about, replace(regime, d=d)) for regime in claim.regimes[profile]]
        subject = about.subject(cells[0][1])
        if subject.grams is not None:
            found.append(NotRun(claim.name, "it is about Gram matrices, not about inputs"))
        else:
            found += _or_reason(claim, subject, cells)
    return found


def claims_about(
    subject: Subject, *, claims: Mapping[str, Claim] = CLAIMS, profile: str = "quick"
) -> list[tuple[Claim, Regime] | NotRun]:
    """Every claim with its regimes, about one subject of your own."""
    d = math.prod(subject.network.input_shape or ())
    found: list[tuple[Claim, Regime] | NotRun] = []
    for claim in claims.values():
        most = subject.inputs_there
        n = (
            most
            if claim.every_input or subject.grams is not None
            else min(most, claim.regimes[profile][0].n)
        )
        cells = [(_about(claim, subject), Regime(n=n, d=d, activation=None))]
        found += _or_reason(claim, subject, cells)
    return found


def _or_reason(claim: Claim, subject: Subject, cells: list) -> list:
    reason = claim.unmet_need(subject)
    return [NotRun(claim.name, reason)] if reason else cells


def _about(claim: Claim, subject: Subject) -> Claim:
    return replace(claim, subject=lambda regime: subject)


def _at_inputs(claim: Claim, inputs) -> Claim:
    def moved(subject: Subject) -> Subject:
        return replace(
            subject, inputs=inputs, own=True, rungs=tuple(moved(rung) for rung in subject.rungs)
        )

    return replace(claim, subject=lambda regime: moved(claim.subject(regime)))
