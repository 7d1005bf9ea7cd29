"""Measured power: which claim catches which planted fault, how small a one, and how soon."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from ntval.arrays import float64
from ntval.claims.budget import point_alpha, share_of, shares
from ntval.claims.catalogue import CLAIMS
from ntval.claims.claim import Claim
from ntval.claims.outcome import Outcome
from ntval.claims.sampling import draw_params, key_for, replicates
from ntval.evidence.verdict import Verdict
from ntval.faults import catalogue, sizes
from ntval.kernels import analytic
from ntval.regimes import Regime
from ntval.runs import engine
from ntval.runs.cell import Cell, run_cell
from ntval.runs.settings import DEFAULTS, Settings
from ntval.subjects.subject import NetworkSubject

SCHEMA = "ntval.power/1"

# What neural-tangents' own Monte Carlo tests allow, on the kernels that they compare.
RTOL, ATOL, COMPARED_WIDTH, COMPARED_DRAWS = 0.041, 0.1, 1024, 100

_IN_KERNELS = ("empirical kernel", "analytic kernel", "forward pass", "weights", "inputs")

_SMALLEST, _LARGEST, _RATIO = 1e-14, 1.0, 1.25  # sizes of a fault that are told apart


@dataclass(frozen=True)
class Detection:
    """What a claim said of a planted fault: its outcome, and the seconds until it was refuted."""

    claim: str
    fault: str
    outcome: Outcome
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether the claim was refuted."""
        return self.outcome.verdict is Verdict.REFUTED

    def record(self) -> dict:
        """The detection as JSON-ready values."""
        draws = sum(r.decision.draws for r in self.outcome.results if r.decision.alpha)
        return {
            "claim": self.claim,
            "fault": self.fault,
            "verdict": self.outcome.verdict.value,
            "certain": self.outcome.certain,
            "log_e": None if self.outcome.certain else self.outcome.log_e,
            "draws": draws,
            "seconds": round(self.seconds, 3),
        }


def cells(
    claims: Sequence[Claim],
    fault_names: Sequence[str] | None = None,
    settings: Settings = DEFAULTS,
) -> list[Cell]:
    """A cell for each claim, each fault that it must refute, and each point.

    Alpha is split as in a full run of the suite: power is that of the check as it is run.
    """
    part = shares(list(CLAIMS.values()), settings.alpha)
    return [
        cell
        for claim in claims
        for fault in catalogue.shown_by_points(claim)
        if fault_names is None or fault in fault_names
        for cell in _cells(claim, part[claim.name], settings, fault)
    ]


def _cells(claim: Claim, share: float, settings: Settings, fault: str) -> list[Cell]:
    """A cell for each point, at the claim's share."""
    points = claim.points[settings.profile]
    alpha = point_alpha(share, len(points))
    return [Cell(claim.name, point, alpha, settings, fault) for point in points]


def detections(run: Sequence[Cell], *, workers: int = 1) -> Iterator[Detection]:
    """Detections as they come: a claim's points in order, until one refutes the fault."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in run:
        groups.setdefault((cell.claim, str(cell.fault)), []).append(cell)
    with engine.engine(workers, _detection) as results:
        yield from (detection for _, detection in results(list(groups.values())))


def _detection(group: Sequence[Cell]) -> Detection:
    """The claim against one fault; points after the first refuted one are left out."""
    results = []
    share = share_of(group[0].alpha, len(group))
    for cell in group:
        results.append(run_cell(cell))
        if results[-1].decision.verdict is Verdict.REFUTED:
            break
    outcome = Outcome(group[0].claim, tuple(results), len(group), share)
    seconds = sum(result.seconds for result in results)
    return Detection(group[0].claim, str(group[0].fault), outcome, seconds)


@dataclass(frozen=True)
class Smallest:
    """The smallest size of a family's fault that a claim refutes, up to a factor 1.25."""

    claim: str
    family: str
    size: float
    seconds: float


def families(claim: Claim) -> list[str]:
    """Families of faults of which the claim lists a size."""
    found = [catalogue.FAULTS[name].family for name in claim.faults]
    return [family for family in dict.fromkeys(found) if family]


def family_cells(claims: Sequence[Claim], settings: Settings = DEFAULTS) -> list[Cell]:
    """A cell for each claim and family, at the claim's share; its points are the profile's."""
    part = shares(list(CLAIMS.values()), settings.alpha)
    return [
        Cell(claim.name, claim.points[settings.profile][0], part[claim.name], settings, family)
        for claim in claims
        for family in families(claim)
    ]


def smallest_refuted(cell: Cell) -> Smallest:
    """The smallest refuted size of a family, by bisection of its logarithm, or infinity.

    It takes for granted that a larger fault is refuted where a smaller one is.
    """
    claim, family, seconds = CLAIMS[cell.claim], str(cell.fault), 0.0

    def refuted(size: float) -> bool:
        nonlocal seconds
        fault = sizes.sized(family, size).name
        detection = _detection(_cells(claim, cell.alpha, cell.settings, fault))
        seconds += detection.seconds
        return detection.caught

    low, high = _SMALLEST, _LARGEST
    if not refuted(high):
        return Smallest(claim.name, family, math.inf, seconds)
    while high / low > _RATIO:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return Smallest(claim.name, family, high, seconds)


def smallest_sizes(run: Sequence[Cell], *, workers: int = 1) -> Iterator[Smallest]:
    """`smallest_refuted` of each cell, as they come."""
    with engine.engine(workers, smallest_refuted) as results:
        yield from (found for _, found in results(run))


def passes_allclose(fault: str, *, seed: int = 0) -> bool | None:
    """Whether a fault passes `allclose` at rtol 0.041 and atol 0.1 on a Monte Carlo kernel.

    The mean of 100 empirical kernels of width 1024 against the analytic one, as kernels are
    compared without `ntval`: of one output, in the NTK parametrization, where kernels are of the
    size that atol is meant for. None where there is nothing to compare: the fault is in theory or
    in a regression, or its claims examine no analytic kernel.
    """
    plant = catalogue.find(fault).plant
    if plant.site not in _IN_KERNELS:
        return None
    claim = next(c for c in CLAIMS.values() if fault in c.faults)
    planted = plant(claim)
    for point in claim.points["quick"]:
        if not isinstance(point, Regime):
            return None
        if point.outputs > 1 or point.parametrization is not None:
            continue
        wide = replace(point, widths=tuple(COMPARED_WIDTH for _ in point.widths))
        with float64():
            subject = planted.subject(wide)
            if not isinstance(subject, NetworkSubject) or subject.network.kernel_fn is None:
                return None
            if not _close(subject, key_for(f"allclose {fault}", wide, seed), wide.n):
                return False
    return True


def _close(subject: NetworkSubject, key, n: int) -> bool:
    method = subject.cheapest_method()
    x = subject.inputs(key, n)

    def gram(key):
        return jnp.ravel(method(subject.network, draw_params(subject.network, key), x))

    mean = replicates(gram, key, chunk=20)(0, COMPARED_DRAWS).mean(axis=0)
    exact = np.asarray(analytic.ntk(subject.network, x))
    return bool(np.allclose(mean.reshape(n, n), exact, rtol=RTOL, atol=ATOL))


def allclose_column(names: Sequence[str], *, workers: int = 1) -> Iterator[tuple[str, bool | None]]:
    """Pairs (fault, `passes_allclose`) as they come."""
    with engine.engine(workers, passes_allclose) as results:
        yield from results(list(names))


def document(
    found: Sequence[Detection],
    sizes: Sequence[Smallest],
    allclose: dict[str, bool | None],
    settings: Settings,
) -> dict[str, Any]:
    """The measured power as JSON-ready values, schema `SCHEMA`."""
    return {
        "schema": SCHEMA,
        "profile": settings.profile,
        "alpha": settings.alpha,
        "seed": settings.seed,
        "detections": [detection.record() for detection in found],
        "smallest": [
            {
                "claim": s.claim,
                "family": s.family,
                "size": s.size if math.isfinite(s.size) else None,
                "seconds": round(s.seconds, 3),
            }
            for s in sizes
        ],
        "passes_allclose": allclose,
    }
