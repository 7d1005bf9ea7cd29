"""A cell: one check, made of plain names, so that any process can run it."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ntval.errors import NetworkError, NtvalError, first_line

if TYPE_CHECKING:  # importing NumPy starts its threads, before `use_one_thread` can say how many
    from ntval.claims.claim import Claim
    from ntval.claims.outcome import Result
    from ntval.regimes import Regime

from ntval.runs.applicable import applicable


@dataclass(frozen=True)
class Cell:
    """One check: everything that determines its result."""

    claim: str
    regime: Regime
    seed: int
    alpha: float
    effort: float
    profile: str
    network: str | None = None
    data: str | None = None
    fault: str | None = None


def run_cell(cell: Cell, claims: Mapping[str, Claim] | None = None) -> Result:
    """The `Result` of one cell; `claims` stand for those that its names mean."""
    with blamed_on_network(cell, cell.claim):
        return claim_of(cell, claims).check(
            cell.seed, cell.regime, alpha=cell.alpha, effort=cell.effort
        )


@contextmanager
def blamed_on_network(cell: Cell, name: str) -> Iterator[None]:
    """What goes wrong while `name` is measured as a `NetworkError`, if the network is a user's."""
    try:
        yield
    except NtvalError:
        raise
    except Exception as error:
        if cell.network is None:
            raise
        raise NetworkError(
            f"network {cell.network!r} needs functions that JAX can trace and differentiate, but "
            f"{name} met {type(error).__name__} in {_place(error)}: {first_line(error)}."
        ) from error


def _place(error: BaseException) -> str:
    """Where an error comes from, `file:line`: the innermost frame that is not JAX's or NumPy's.

    It tells a fault of the user's functions from one of ours.
    """
    frames = traceback.extract_tb(error.__traceback__)
    foreign = [f for f in frames if not set(Path(f.filename).parts) & {"jax", "jaxlib", "numpy"}]
    innermost = (foreign or frames)[-1]
    return f"{'/'.join(Path(innermost.filename).parts[-2:])}:{innermost.lineno}"


def diagnosis(cell: Cell, claims: Mapping[str, Claim] | None = None) -> str | None:
    """In words what the refuted claim of a cell looks like."""
    return claim_of(cell, claims).diagnosis(cell.seed, cell.regime)


def claim_of(cell: Cell, claims: Mapping[str, Claim] | None = None) -> Claim:
    """The claim that a cell is about: with a planted fault, or the user's network and data."""
    if claims is not None:
        return claims[cell.claim]
    from ntval.claims.catalogue import CLAIMS

    if cell.fault is not None:
        return _planted(cell.claim, cell.fault)
    if cell.network is None and cell.data is None:
        return CLAIMS[cell.claim]
    return {
        found[0].name: found[0]
        for found in applicable(cell.network, cell.data, cell.profile)
        if isinstance(found, tuple)
    }[cell.claim]


@functools.lru_cache(maxsize=4)
def _planted(claim: str, fault: str):
    """A claim about a broken implementation of ours; one object, one set of compiled programs."""
    from ntval.claims.catalogue import CLAIMS
    from ntval.faults import catalogue

    return catalogue.find(fault).plant(CLAIMS[claim])
