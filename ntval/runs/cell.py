"""A cell: one check, made of plain names, so that any process can run it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ntval.claims.catalogue import CLAIMS, OURS, Catalogue
from ntval.claims.claim import Claim
from ntval.claims.outcome import Result
from ntval.claims.sampling import kept
from ntval.errors import CompatibilityError, NetworkError, NtvalError, first_line
from ntval.faults import catalogue as faults
from ntval.regimes import Point
from ntval.runs.applicable import NotRun, applicable
from ntval.runs.settings import Settings


@dataclass(frozen=True)
class Cell:
    """One check: everything that determines its result.

    `alpha`: the level at which this check alone refutes its claim, a part of that of the settings.
    `fault`: the name of a planted fault.
    """

    claim: str
    point: Point
    alpha: float
    settings: Settings
    fault: str | None = None


def run_cell(cell: Cell, catalogue: Catalogue = OURS) -> Result | NotRun:
    """The `Result` of one cell, or why a package that it needs cannot be used here."""
    settings = cell.settings
    try:
        with blamed_on_network(cell, cell.claim):
            claim = claim_of(cell, catalogue)
            return claim.check(settings.seed, cell.point, alpha=cell.alpha, effort=settings.effort)
    except CompatibilityError as error:
        return NotRun(cell.claim, str(error).rstrip("."))


@contextmanager
def blamed_on_network(cell: Cell, name: str) -> Iterator[None]:
    """What goes wrong while `name` is measured as a `NetworkError`, if the network is a user's."""
    try:
        yield
    except NtvalError:
        raise
    except Exception as error:
        if cell.settings.network is None:
            raise
        network = cell.settings.network
        raise NetworkError(
            f"network {network!r} needs functions that JAX can trace and differentiate, but {name} "
            f"met {type(error).__name__} in {_place(error)}: {first_line(error)}."
        ) from error


def _place(error: BaseException) -> str:
    """Where an error comes from, `file:line`: the innermost frame that is not JAX's or NumPy's.

    It tells a fault of the user's functions from one of ntval's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    foreign = [f for f in frames if not set(Path(f.filename).parts) & {"jax", "jaxlib", "numpy"}]
    innermost = (foreign or frames)[-1]
    return f"{'/'.join(Path(innermost.filename).parts[-2:])}:{innermost.lineno}"


def diagnosis(cell: Cell, catalogue: Catalogue = OURS) -> str | None:
    """In words what the refuted claim of a cell looks like."""
    return claim_of(cell, catalogue).diagnosis(cell.settings.seed, cell.point)


def claim_of(cell: Cell, catalogue: Catalogue = OURS) -> Claim:
    """The claim that a cell is about: with a planted fault, or the user's network and data."""
    if cell.claim in catalogue.given:
        return catalogue.given[cell.claim]
    if cell.fault is not None:
        return _planted(cell.claim, cell.fault)
    settings = cell.settings
    if settings.network is None and settings.data is None:
        return CLAIMS[cell.claim]
    found = applicable(settings.network, settings.data, settings.profile)
    return next(
        item[0] for item in found if not isinstance(item, NotRun) and item[0].name == cell.claim
    )


@kept
def _planted(claim: str, fault: str) -> Claim:
    """A claim about a planted fault; one object, one set of compiled programs."""
    return faults.find(fault).plant(CLAIMS[claim])
