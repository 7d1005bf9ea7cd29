"""What is measured for a baseline: an entry for each claim in each point, and for each network.

| word | meaning |
|---|---|
| detection limit | what a claim would let pass at a key: its rounding, its remainder, ... |
| `Entry` | a claim in a point, or a network: verdict, statistics, what goes unseen |
| `Order` | what to measure, and how much of it |

A sample is one of keys: each draws inputs and weights anew and gives the mean of some draws, which
may share inputs. So a sample taken anew has the law of the old one, whatever JAX makes of a key.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval.arrays import float64
from ntval.baselines.statistics import (
    Statistic,
    counted,
    frames_of,
    relative,
    sized,
    smallest_gap,
)
from ntval.claims.catalogue import OURS, Catalogue
from ntval.claims.claim import Claim
from ntval.claims.procedures import Examination, Procedure
from ntval.claims.sampling import draw_params, kept, key_for, replicates
from ntval.evidence.exact import Bracket, Comparison
from ntval.evidence.sequential import Sample, Trials
from ntval.evidence.two_samples import Frame
from ntval.evidence.verdict import Decision, Verdict
from ntval.regimes import Point
from ntval.runs.cell import Cell, blamed_on_network, claim_of
from ntval.subjects.subject import NetworkSubject, Subject

# Keys in a sample, by profile, and the most draws that one gives. Of a mean over a key's draws a
# drift of 1.7 standard deviations is seen at 64 keys, of 0.8 at 256.
BLOCKS: dict[str, int] = {"quick": 64, "standard": 128, "thorough": 256}
_DRAWS = 16
_PILOT = 16

# Keys besides the check's own at which is looked what goes unseen. Six values that are above six
# others happen once in 924 by chance.
KEYS = 5

# The sample of a network is made large enough to see a change of its kernel by `DRIFT`, up to so
# many draws, each of so many inputs.
_MOST: dict[str, int] = {"quick": 2**13, "standard": 2**15, "thorough": 2**17}
_INPUTS = 4
# Needs of claims about any network.
_OF_ANY = {"kernel", "forward pass", "two methods"}
_CHUNK = 64


@dataclass(frozen=True)
class Entry:
    """What was measured of a claim in a point, or of a network, which `name` then names.

    `detection_limits` has, by name, the values at some keys.
    """

    name: str
    point: Point
    decision: Decision
    statistics: tuple[Statistic, ...] = ()
    detection_limits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """A measurement to make: a cell, what the entry is called, and how much of it.

    `frames` are those of the sample to compare with; None finds them by a pilot, for a baseline.
    `size` is that of the sample, of values that are means of `draws` draws each; None for as many
    as see what has to be seen. `keys` is the number of keys besides the check's at which to look
    what goes unseen.
    """

    name: str
    cell: Cell
    size: int | None = None
    draws: int | None = None
    keys: int = 0
    frames: tuple[Frame, ...] | None = None

    @property
    def of_network(self) -> bool:
        """Whether a network is measured, without a claim about it."""
        return self.name != self.cell.claim

    @property
    def point(self) -> Point:
        """The point that the entry is about."""
        whole = self.cell.point
        return replace(whole, n=_INPUTS, ridge=0.0, noise_std=0.0) if self.of_network else whole


def orders(cells: Sequence[Cell], catalogue: Catalogue = OURS) -> list[Order]:
    """An order for each cell, and one for each network that is not compared with theory: a user's,
    and ntval's where claims about any network examine it."""
    networks: dict[str, Order] = {}
    for cell in cells:
        claim = claim_of(cell, catalogue)
        with float64():
            subject = claim.subject(cell.point)
        of_any = cell.settings.network is not None or set(claim.needs) <= _OF_ANY
        if of_any and isinstance(subject, NetworkSubject):
            name = f"kernel of {subject.name}"
            networks.setdefault(name, Order(name, cell))
    claims = (Order(c.claim, c, size=BLOCKS[c.settings.profile], keys=KEYS) for c in cells)
    return [*claims, *networks.values()]


def measured(order: Order, catalogue: Catalogue = OURS) -> Entry:
    """The entry that is ordered.

    Raises: `NetworkError` when a network of the user's cannot be traced.
    """
    cell = order.cell
    with blamed_on_network(cell, order.name), float64():
        claim = claim_of(cell, catalogue)
        subject = claim.subject(cell.point)
        if order.of_network and isinstance(subject, NetworkSubject):
            return _network_entry(order, subject)
        return _claim_entry(order, claim, subject)


def _key(order: Order, purpose: str) -> Array:
    """A key for one purpose, independent of the keys of the claim's check."""
    return key_for(f"{purpose} of {order.name}", order.cell.point, order.cell.settings.seed)


def _claim_entry(order: Order, claim: Claim, subject: Subject) -> Entry:
    """The claim's check, as `Claim.check` does it, its sample, and what goes unseen."""
    cell, point, procedure = order.cell, order.cell.point, claim.procedure

    def decide(examination: Examination) -> Decision:
        return procedure.decide(examination, alpha=cell.alpha, effort=cell.settings.effort)

    examination = procedure.examine(key_for(claim.name, point, cell.settings.seed), point, subject)
    decision = decide(examination)
    statistics = _statistics(order, procedure, subject, examination)
    detection_limits = [dict(_limits(examination, lambda: decision))]
    for i in range(order.keys):
        key = jax.random.fold_in(_key(order, "detection_limits"), i)
        again = procedure.examine(key, point, subject)
        detection_limits.append(dict(_limits(again, lambda again=again: decide(again))))
    names = {
        name: tuple(at[name] for at in detection_limits if name in at)
        for name in detection_limits[0]
    }
    return Entry(order.name, point, decision, statistics, names)


def _statistics(
    order: Order, procedure: Procedure, subject: Subject, examination: Examination
) -> tuple[Statistic, ...]:
    """The sample of each of a claim's statistics; none where nothing is drawn, or there are others
    than before.

    A drift that the claim could see has to be seen; of the room of an inequality, by `DRIFT` of its
    size. A value is the mean of so many draws that this is likely, `_DRAWS` at most.
    """
    if not isinstance(examination, Sample | Trials):
        return ()
    cell, frames, draws, size = order.cell, order.frames, order.draws, order.size or 0
    means = functools.partial(_means, procedure, point=cell.point, subject=subject)
    sample = examination if isinstance(examination, Sample) else None
    if frames is None or draws is None:
        pilot = means(_key(order, "pilot"), count=_PILOT, draws=1)
        wanted = sample.margin + sample.resolution if sample else relative(pilot)
        gaps = [
            smallest_gap(frame.counts(x), frame, size, len(wanted), cell.alpha)
            for frame, x in zip(frames_of(pilot), pilot.T, strict=True)
        ]
        needed = max((np.array(gaps) / np.maximum(wanted, 1e-300)) ** 2)
        draws = int(np.clip(math.ceil(min(needed, _DRAWS)), 1, _DRAWS))
        # The center of single draws would be as uncertain as a mean of some is spread out.
        pilot = means(_key(order, "frame"), count=_PILOT, draws=draws) if draws > 1 else pilot
        frames = frames_of(pilot, wanted)
    x = means(_key(order, "draws"), count=size, draws=draws)
    labels = sample.labels if sample else ("room of the inequality",)
    if x.shape[1:] != (len(frames),) or len(labels) != len(frames):
        return ()
    found = counted(labels, frames, x, draws)
    if order.frames is None:
        found = sized(found, cell.alpha)
    if sample is None:
        return found
    return tuple(
        replace(s, remainder=float(margin), resolution=float(resolution))
        for s, margin, resolution in zip(found, sample.margin, sample.resolution, strict=True)
    )


def _means(
    procedure: Procedure,
    key: Array,
    point: Point,
    subject: Subject,
    *,
    count: int,
    draws: int,
) -> Float[np.ndarray, "count *k"]:
    """Means of so many draws, each from another key: independent, though the draws of a key
    may have the same inputs. Of shape (0,) where `count` is 0."""

    def mean(i: int) -> Float[np.ndarray, "k"]:
        draw = procedure.draw(jax.random.fold_in(key, i), point, subject)
        with np.errstate(invalid="ignore"):
            return np.asarray(draw(0, draws), dtype=float).reshape(draws, -1).mean(axis=0)

    return np.array([mean(i) for i in range(count)])


def _limits(
    examination: Examination, decide: Callable[[], Decision]
) -> Iterator[tuple[str, float]]:
    """What a check lets pass, by name: of a comparison its allowance, of a bracket its width and
    its bound's slack, of a mean remainder and resolution, of others what their decision says."""
    if isinstance(examination, Sample):
        whole = examination.margin + examination.resolution
        names = (f"allowance of {label}" for label in examination.labels)
        yield from zip(names, map(float, whole), strict=True)
    elif isinstance(examination, Trials):
        decision = decide()
        yield "allowed", decision.allowed
        yield "smallest gap", decision.smallest_gap
    else:
        for item in examination:
            yield from _limits_of(item)


def _limits_of(item: Comparison | Bracket) -> Iterator[tuple[str, float]]:
    """In units of the quantity's own size."""
    if isinstance(item, Comparison):
        allowed = np.asarray(item.allowance) / np.maximum(np.asarray(item.scale), 1e-300)
        yield f"allowance of {item.label}", float(np.max(allowed, initial=0.0))
        return
    scale = max(item.scale, 1e-300)
    yield f"width of {item.label}", float(item.upper - item.lower) / scale
    # Below 0 a bound grants what rounding may do; above, it is a theorem's, loose by its room.
    slack = -item.bound if item.bound <= 0 else item.upper - item.bound
    yield f"slack of {item.label}", float(slack) / scale


@kept
def _kernel_size(subject: NetworkSubject) -> Callable:
    method = subject.cheapest_method()

    def size(key):
        key_params, key_x = jax.random.split(key)
        x = subject.inputs(key_x, _INPUTS)
        gram = method(subject.network, draw_params(subject.network, key_params), x)
        smallest = jnp.linalg.eigvalsh((gram + gram.T) / 2)[0]
        return jnp.stack([jnp.diag(gram).mean(), smallest])

    return size


def _network_entry(order: Order, subject: NetworkSubject) -> Entry:
    """Mean of K_N(x, x) and smallest eigenvalue of K_N at fresh inputs and, if the network has an
    init_fn, fresh weights: what no claim fixes where it has no infinite-width twin."""
    cell, frames, n = order.cell, order.frames, order.size
    labels = ("mean of K_N(x, x)", "smallest eigenvalue of K_N")

    def draws(purpose: str, count: int) -> Float[np.ndarray, "count 2"]:
        return replicates(_kernel_size(subject), _key(order, purpose), chunk=_CHUNK)(0, count)

    if frames is None or n is None:
        pilot = draws("pilot", 2 * _CHUNK)
        wanted = relative(pilot)
        frames = frames_of(pilot, wanted)
        counts = frames[0].counts(pilot[:, 0])
        for n in _sizes(_MOST[cell.settings.profile]):
            if smallest_gap(counts, frames[0], n, len(frames), cell.alpha) <= wanted[0]:
                break
    statistics = counted(labels, frames, draws("draws", n or 0))
    if order.frames is None:
        statistics = sized(statistics, cell.alpha)
    size = statistics[0]
    words = f"{size.label} {size.estimate:.5g} ± {size.standard_error:.2g}"
    decision = Decision(Verdict.SUPPORTED, "measurement", words, 0.0, 0.0, 0.0, draws=size.n)
    return Entry(order.name, order.point, decision, statistics)


def _sizes(most: int) -> Iterator[int]:
    """Sizes of a sample, whole chunks, each about a quarter above the last."""
    n = _CHUNK
    while n < most:
        yield n
        n += _CHUNK * max(1, n // (4 * _CHUNK))
    yield most
