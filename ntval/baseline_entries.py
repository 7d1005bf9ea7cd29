"""What is measured for a baseline: an entry for each claim in each regime, and for each network.

| word | meaning |
|---|---|
| `Statistic` | a number that chance has a part in: estimate, standard error, counts (`two_samples`) |
| unseen | what a claim would let pass, at each of some keys: its rounding, its remainder, ... |
| `Entry` | a claim in a regime, or a network: verdict, statistics, what goes unseen |
| `Order` | what to measure, and how much of it |

A sample is one of keys: each draws inputs and weights anew and gives the mean of `DRAWS` draws,
which share inputs. So a sample taken anew has the law of the old one, whatever JAX makes of a key.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntval import sweeps, two_samples
from ntval.arrays import float64
from ntval.claims import Claim
from ntval.claims.budget import CONFIRMATIONS
from ntval.claims.claim import Subject, draw_params, key_for, replicates
from ntval.decisions import MISS, Bracket, Comparison, Decision, Verdict
from ntval.e_values import Allowance
from ntval.errors import NetworkError, NtvalError
from ntval.regimes import Regime
from ntval.sweeps import Cell
from ntval.two_samples import Frame

# Keys in a sample, by profile. Of a mean over `DRAWS` draws a drift of 1.7 standard deviations is
# seen at 64 keys, of 0.8 at 256.
BLOCKS: dict[str, int] = {"quick": 64, "standard": 128, "thorough": 256}
DRAWS = 8
_PILOT = 16

# Keys at which is looked what goes unseen. Six values above six happen once in 924 by chance.
KEYS = 6

# The relative change of a network's kernel that its sample is made large enough to see, up to
# `_MOST` draws, each of so many inputs.
DRIFT = 0.03
_MOST: dict[str, int] = {"quick": 2**13, "standard": 2**15, "thorough": 2**17}
_INPUTS = 4
_CHUNK = 64

# Evidence from which on an entry is measured again: correct code has it once in 20 at most.
SUSPICION = math.log(20)

_CERTIFICATES = ("identity", "bound")


@dataclass(frozen=True)
class Statistic:
    """A statistic's sample: draws counted in `frame`, their estimate and its standard error.

    `remainder` and `resolution` are the claim's at one key, None where no claim fixes the mean.
    `smallest_gap` is the drift that a comparison sees with probability 1 - `decisions.MISS`.
    """

    label: str
    frame: Frame
    counts: tuple[int, ...]
    estimate: float
    standard_error: float
    remainder: float | None = None
    resolution: float | None = None
    smallest_gap: float = math.inf

    @property
    def n(self) -> int:
        """Number of draws."""
        return sum(self.counts)


@dataclass(frozen=True)
class Entry:
    """What was measured of a claim in a regime, or of a network, which `name` then names.

    `unseen` has, by name, the values at some keys.
    """

    name: str
    regime: Regime
    decision: Decision
    statistics: tuple[Statistic, ...] = ()
    unseen: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """A measurement to make: a cell, what the entry is called, and how much of it.

    `frames` are those of the sample to compare with; None finds them by a pilot, for a baseline.
    `blocks` is the size of the sample, None for a size that sees `DRIFT`; `keys` is the number of
    keys at which to look what goes unseen.
    """

    name: str
    cell: Cell
    blocks: int | None = None
    keys: int = 0
    frames: tuple[Frame, ...] | None = None

    @property
    def of_network(self) -> bool:
        """Whether a network is measured, without a claim about it."""
        return self.name != self.cell.claim

    @property
    def place(self) -> tuple[str, Regime]:
        """What the entry is about: the same in every run of the same settings."""
        return self.name, self.cell.regime


def orders(cells: Sequence[Cell], instead: Mapping[str, Claim] | None = None) -> list[Order]:
    """An order for each cell, and one for each network in them."""
    networks: dict[str, Order] = {}
    for cell in cells:
        with float64():
            network = _claim(cell, instead).subject(cell.regime).network
        networks.setdefault(network.name, Order(f"kernel of {network.name}", cell))
    return [*(Order(c.claim, c, BLOCKS[c.profile], KEYS) for c in cells), *networks.values()]


def _claim(cell: Cell, instead: Mapping[str, Claim] | None) -> Claim:
    return sweeps.claim_of(cell) if instead is None else instead[cell.claim]


def measured(order: Order, instead: Mapping[str, Claim] | None = None) -> Entry:
    """The entry that is ordered; `instead` are claims to take for those of their names.

    Raises: `NetworkError` when a network of the user's cannot be traced.
    """
    cell = order.cell
    try:
        with float64():
            claim = _claim(cell, instead)
            subject = claim.subject(cell.regime)
            return (
                _network_entry(order, subject)
                if order.of_network
                else _claim_entry(order, claim, subject)
            )
    except NtvalError:
        raise
    except Exception as error:
        if cell.network is None:
            raise
        lines = str(error).strip().splitlines() or [""]
        raise NetworkError(
            f"network {cell.network!r} needs functions that JAX can trace and differentiate, but "
            f"{order.name} met {type(error).__name__}: {lines[0][:200]}"
        ) from error


def _key(order: Order, purpose: str) -> Array:
    """A key for a purpose of its own, away from those of the claim's check."""
    return key_for(f"{purpose} of {order.name}", order.cell.regime, order.cell.seed)


def _claim_entry(order: Order, claim: Claim, subject: Subject) -> Entry:
    cell, statistics = order.cell, ()
    settings = {"alpha": cell.alpha, "effort": cell.effort}
    decision = claim.check(cell.seed, cell.regime, **settings).decision
    if decision.kind not in _CERTIFICATES:
        statistics = _statistics(order, claim, subject, decision.kind)
    unseen: dict[str, tuple[float, ...]] = {}
    for i in range(order.keys):
        key = jax.random.fold_in(_key(order, "unseen"), i)
        for name, value in _unseen(claim, key, subject, cell).items():
            unseen[name] = (*unseen.get(name, ()), value)
    return Entry(order.name, cell.regime, decision, statistics, unseen)


def _statistics(
    order: Order, claim: Claim, subject: Subject, kind: str
) -> tuple[Statistic, ...]:
    """The sample of each of a claim's statistics; none where there are others than before."""
    cell, frames, granted = order.cell, order.frames, None
    if frames is None:
        granted = claim.allowance(_key(order, "pilot"), cell.regime, subject)
        pilot = _means(claim, _key(order, "pilot"), cell.regime, subject, _PILOT)
        # The allowance of a limit is in another unit, and some claims have none.
        floors = granted.resolution if granted and kind != "limit" else _relative(pilot)
        frames = _frames(pilot, floors)
    x = _means(claim, _key(order, "draws"), cell.regime, subject, order.blocks or 0)
    if x.shape[1:] != (len(frames),):
        return ()
    name = getattr(claim.decide, "keywords", {}).get("labels", lambda i, k: f"statistic {i}")
    labels = [name(i, len(frames)) for i in range(len(frames))]
    return _counted(labels, frames, x, cell.alpha, granted)


def _means(
    claim: Claim, key: Array, regime: Regime, subject: Subject, count: int
) -> Float[np.ndarray, "count k"]:
    """Means of `DRAWS` draws, each from a key of its own: independent, though all draws of one key
    may have the same inputs."""

    def mean(i: int) -> Float[np.ndarray, "k"]:
        draw = claim.measure(jax.random.fold_in(key, i), regime, subject)
        with np.errstate(invalid="ignore"):
            return np.asarray(draw(0, DRAWS), dtype=float).reshape(DRAWS, -1).mean(axis=0)

    return np.array([mean(i) for i in range(count)])


def _relative(pilot: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "k"]:
    return DRIFT * np.abs(np.nan_to_num(pilot)).mean(axis=0)


def _frames(
    pilot: Float[np.ndarray, "n k"], floors: Float[np.ndarray, "k"] | float
) -> tuple[Frame, ...]:
    """Frames that are as wide as what has to be seen, at least."""
    each = zip(pilot.T, np.broadcast_to(floors, pilot.shape[1]), strict=True)
    return tuple(two_samples.frame_of(x, floor=float(floor)) for x, floor in each)


def _counted(
    labels: Sequence[str],
    frames: Sequence[Frame],
    x: Float[np.ndarray, "n k"],
    level: float,
    granted: Allowance | None = None,
) -> tuple[Statistic, ...]:
    """The k statistics of a sample, each with the smallest drift that is seen at `level`."""
    n, k = x.shape
    with np.errstate(invalid="ignore"):
        means, errors = x.mean(axis=0), x.std(axis=0, ddof=1) / math.sqrt(n)
    found = []
    for i, frame in enumerate(frames):
        counts = frame.counts(x[:, i])
        gap = _smallest_gap(counts, frame, n, k, level)
        statistic = Statistic(
            labels[i], frame, tuple(map(int, counts)), float(means[i]), float(errors[i])
        )
        found.append(replace(statistic, smallest_gap=gap))
    if granted is None:
        return tuple(found)
    remainder, resolution = (
        np.broadcast_to(part, k) for part in (granted.remainder, granted.resolution)
    )
    return tuple(
        replace(statistic, remainder=float(remainder[i]), resolution=float(resolution[i]))
        for i, statistic in enumerate(found)
    )


def _smallest_gap(counts: np.ndarray, frame: Frame, n: int, k: int, level: float) -> float:
    """The drift that is first suspected and then confirmed, by repetitions of the same size.

    The evidence of k statistics is the mean of their e-values: that of one alone has to be k times
    as large.
    """
    looks = (((n, n), SUSPICION), ((n, (1 + CONFIRMATIONS) * n), -math.log(level)))
    return max(
        two_samples.smallest_gap(counts, frame, sizes, log_e=log_e + math.log(k), miss=MISS / 2)
        for sizes, log_e in looks
    )


def _unseen(claim: Claim, key: Array, subject: Subject, cell: Cell) -> dict[str, float]:
    """What the claim lets pass at one key, by name: of a comparison its allowance, of a bracket its
    width and its bound's slack, of a mean remainder and resolution, of others what they say."""
    measurement = claim.measure(key, cell.regime, subject)
    if not callable(measurement):
        return dict(part for item in measurement for part in _unseen_by(item))
    granted = claim.allowance(key, cell.regime, subject)
    if granted is not None:
        whole = np.ravel(np.asarray(granted.remainder) + np.asarray(granted.resolution))
        return {f"allowance of statistic {i}": float(value) for i, value in enumerate(whole)}
    settings = {"predicted": claim.predict(cell.regime), "allowance": None}
    decision = claim.decide(measurement, **settings, alpha=cell.alpha, effort=cell.effort)
    return {"allowed": decision.allowed, "smallest gap": decision.smallest_gap}


def _unseen_by(item: Comparison | Bracket) -> Iterator[tuple[str, float]]:
    """In units of the quantity's own size."""
    if isinstance(item, Comparison):
        relative = np.asarray(item.allowance) / np.maximum(np.asarray(item.scale), 1e-300)
        yield f"allowance of {item.label}", float(np.max(relative, initial=0.0))
        return
    scale = max(item.scale, 1e-300)
    yield f"width of {item.label}", (item.upper - item.lower) / scale
    # Below 0 a bound grants what rounding may do; above, it is a theorem's, loose by its room.
    slack = -item.bound if item.bound <= 0 else item.upper - item.bound
    yield f"slack of {item.label}", slack / scale


@functools.lru_cache(maxsize=64)
def _kernel_size(subject: Subject):
    road = subject.road()

    def size(key):
        key_params, key_x = jax.random.split(key)
        x = subject.inputs(key_x, _INPUTS)
        gram = road(subject.network, draw_params(subject.network, key_params), x)
        smallest = jnp.linalg.eigvalsh((gram + gram.T) / 2)[0]
        return jnp.stack([jnp.diag(gram).mean(), smallest])

    return size


def _network_entry(order: Order, subject: Subject) -> Entry:
    """Mean of K_N(x, x) and smallest eigenvalue of K_N at fresh inputs and, if the network has an
    init_fn, fresh weights: what no claim fixes where it has no infinite-width twin."""
    cell, frames, n = order.cell, order.frames, order.blocks
    labels = ("mean of K_N(x, x)", "smallest eigenvalue of K_N")

    def draws(purpose: str, count: int) -> Float[np.ndarray, "count 2"]:
        return replicates(_kernel_size(subject), _key(order, purpose), chunk=_CHUNK)(0, count)

    if frames is None or n is None:
        pilot = draws("pilot", 2 * _CHUNK)
        floors = _relative(pilot)
        frames = _frames(pilot, floors)
        counts = frames[0].counts(pilot[:, 0])
        for n in _sizes(_MOST[cell.profile]):
            if _smallest_gap(counts, frames[0], n, len(frames), cell.alpha) <= floors[0]:
                break
    x = draws("draws", n or 0)
    statistics = _counted(labels, frames, x, cell.alpha)
    size = statistics[0]
    words = f"{size.label} {size.estimate:.5g} ± {size.standard_error:.2g}"
    decision = Decision(Verdict.SUPPORTED, "measurement", words, 0.0, 0.0, 0.0, draws=size.n)
    return Entry(order.name, cell.regime, decision, statistics)


def _sizes(most: int) -> Iterator[int]:
    """Sizes of a sample, whole chunks, each about a quarter above the last."""
    n = _CHUNK
    while n < most:
        yield n
        n += _CHUNK * max(1, n // (4 * _CHUNK))
    yield most
