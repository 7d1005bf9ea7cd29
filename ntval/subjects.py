"""Claims about networks and data of your own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import jax
import numpy as np

from ntval import adapters, data
from ntval.claims import CLAIMS, Claim
from ntval.claims.claim import Subject
from ntval.data import Data
from ntval.errors import InputError
from ntval.networks import Network
from ntval.regimes import Regime


@dataclass(frozen=True)
class NotRun:
    """A claim that does not apply, with the reason."""

    claim: str
    reason: str


def inputs_from(source: Data, shape: tuple[int, ...]):
    """Function of (key, n): n random distinct rows of the data, each of `shape`.

    All of them come in their own order.
    """
    rows = np.asarray(source.x, dtype=np.float64).reshape(len(source.x), *shape)

    def inputs(key, n: int):
        if n > len(rows):
            raise InputError(
                f"data needs at least {n} rows here, got {len(rows)} in {source.name}."
            )
        if n == len(rows):
            return jax.numpy.asarray(rows)
        chosen = jax.random.choice(key, len(rows), (n,), replace=False)
        return jax.numpy.asarray(rows)[chosen]

    return inputs


def network_subject(
    network: Network, source: Data | None, rungs: Mapping[int, Network] = MappingProxyType({})
) -> Subject:
    """Your network at rows of your data, or at uniform inputs on the sphere; `rungs` are the same
    network at growing width.

    Raises: `NetworkError` when the data does not fit, `InputError` when no input shape is known.
    """
    if source is not None:
        network = adapters.fitted(network, source.input_shape)
        inputs = inputs_from(source, network.input_shape or ())
        return _subject(network, inputs, rungs, len(source.x))
    if network.input_shape is None and not adapters.misfit(network, adapters.DEFAULT_SHAPE):
        network = replace(network, input_shape=adapters.DEFAULT_SHAPE)
    if network.input_shape is None:
        raise InputError(
            f"network {network.name!r} needs the shape of one input; pass --data, or wrap it as "
            "Network(..., input_shape=...)."
        )
    shape, d = network.input_shape, math.prod(network.input_shape)
    return _subject(
        network, lambda key, n: data.sphere(key, n, d).reshape(n, *shape), rungs, _MOST_INPUTS
    )


# As many inputs as a claim about all of them is examined at: an eigenvalue problem of a second.
_MOST_INPUTS = 512


def _subject(network: Network, inputs, rungs: Mapping[int, Network], n: int) -> Subject:
    return Subject(
        network,
        inputs,
        rungs=tuple(
            Subject(replace(rung, input_shape=network.input_shape), inputs, own=True, width=width)
            for width, rung in rungs.items()
        ),
        own=True,
        inputs_there=min(n, _MOST_INPUTS),
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
