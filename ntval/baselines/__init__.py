"""Baselines: what a run measured, kept in a file of your repository, and what has drifted since.

| here | meaning |
|---|---|
| `entries` | what is measured of claims and networks, and how much of it |
| `drifts` | an entry against the same measured anew: what is worse, and how sure that is |
| `Baseline`, `freeze` | entries, with the settings and versions under which they were measured |
| `Compared`, `compare` | a baseline against what is measured now, on fresh keys |
| `accepted` | a baseline in place of another, with its history |
| `files` | the JSON file |

No draw is stored: another version of JAX gives other draws for one key, from the same law. Both
samples are of fresh keys, so what is compared is the laws. What looks worse is measured again on
three fresh keys. The level is divided by the number of entries, and each part by the three things
that chance can feign: a drift, lost power, a refutation.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata

import numpy as np

from ntval.baselines.drifts import Finding, Pair
from ntval.baselines.entries import Entry, Order, measured, orders
from ntval.claims.budget import CONFIRMATIONS, fresh_seed
from ntval.claims.catalogue import OURS, Catalogue
from ntval.data import sets
from ntval.errors import InputError
from ntval.evidence import two_samples
from ntval.networks.adapters import LIBRARIES
from ntval.reports import documents
from ntval.runs import engine, suite
from ntval.runs.settings import DEFAULTS, Settings

Bar = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


@dataclass(frozen=True)
class Baseline:
    """Entries with the settings that repeat them; `claims` None stands for all.

    `versions` is all that a result may depend on. `history` tells of the baselines before: why
    each was replaced, what had drifted, what it had been measured with.
    """

    claims: tuple[str, ...] | None
    settings: Settings
    versions: Mapping[str, str] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    not_run: Mapping[str, str] = field(default_factory=dict)
    history: tuple[Mapping, ...] = ()


@dataclass(frozen=True)
class Compared:
    """A baseline against what is measured now, by a seed that replays it.

    `gone` are findings of what is no longer measured, `new` names what was not in it.
    """

    baseline: Baseline
    seed: int
    versions: Mapping[str, str]
    pairs: tuple[Pair, ...]
    gone: tuple[Finding, ...] = ()
    new: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is worse than in the baseline."""
        return (*self.gone, *(finding for pair in self.pairs for finding in pair.findings))

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Names of what was suspected, and was not found on fresh keys."""
        return tuple(p.frozen.name for p in self.pairs if len(p.looks) > 1 and not p.findings)

    @property
    def changes(self) -> tuple[str, ...]:
        """What else has changed: `jax 0.9.1 -> 0.10.2`."""
        before, now = self.baseline.versions, self.versions
        return tuple(
            f"{name} {before.get(name, 'none')} -> {now.get(name, 'none')}"
            for name in {**before, **now}
            if before.get(name) != now.get(name)
        )


@contextlib.contextmanager
def _silent(words: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


def freeze(
    claims: Sequence[str] | None = None,
    settings: Settings = DEFAULTS,
    *,
    workers: int = 1,
    catalogue: Catalogue = OURS,
    bar: Bar = _silent,
) -> Baseline:
    """A baseline of what is here now.

    Raises: `InputError`, `NetworkError`, `DataError` and `UnknownNameError`, for what cannot be
    used.
    """
    baseline = Baseline(tuple(claims) if claims else None, settings)
    todo, not_run = _planned(baseline, settings, catalogue)
    if not todo:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in not_run.items())
        raise InputError(
            f"baseline needs a claim that applies, got none ({reasons}); name others, or none for "
            "all that apply."
        )
    level = _level(settings.alpha, len(todo))
    todo = [replace(order, cell=replace(order.cell, alpha=level)) for order in todo]
    with engine.engine(workers, functools.partial(measured, catalogue=catalogue)) as results:
        found = _each(results, todo, "measuring", bar)
    return replace(
        baseline,
        versions=_versions(settings.data),
        entries=tuple(found[order] for order in todo),
        not_run=not_run,
    )


def _planned(
    baseline: Baseline, settings: Settings, catalogue: Catalogue
) -> tuple[list[Order], dict[str, str]]:
    """Orders for all that a baseline's claims mean here and now, and why the rest is not run."""
    run = suite.planned(baseline.claims, settings, catalogue=catalogue)
    return orders(run.cells, catalogue), {item.claim: item.reason for item in run.not_run}


def _level(alpha: float, entries: int) -> float:
    return alpha / (3 * entries)


def _versions(data: str | None) -> dict[str, str]:
    """Versions, of libraries of networks as well, and a hash of the data."""
    found = documents.versions()
    for module, package in LIBRARIES.items():
        if module in sys.modules:
            with contextlib.suppress(metadata.PackageNotFoundError):
                found[package] = metadata.version(package)
    if data is not None:
        x = np.ascontiguousarray(sets.load(data).x)
        found["data"] = hashlib.sha256(x.tobytes()).hexdigest()[:16]
    return found


def _each(results: Callable, todo: Sequence[Order], words: str, bar: Bar) -> dict[Order, Entry]:
    found = {}
    with bar(words, len(todo)) as advance:
        for order, entry in results(todo):
            found[order] = entry
            advance()
    return found


def compare(
    baseline: Baseline,
    *,
    seed: int | None = None,
    workers: int = 1,
    catalogue: Catalogue = OURS,
    bar: Bar = _silent,
) -> Compared:
    """A baseline against what is measured now, on keys of `seed` (by default a hash of the file).

    Raises: `InputError` on the baseline's own seed, whose draws it has already; what `freeze`
    raises, e.g. on a network that is gone.
    """
    settings = baseline.settings
    if seed == settings.seed:
        raise InputError(
            f"--seed needs another than that of the baseline, got {seed}: a draw does not count "
            "twice; leave it out for a fresh one."
        )
    seed = fresh_seed(settings.seed, 0) if seed is None else seed
    todo, not_run = _planned(baseline, replace(settings, seed=seed), catalogue)
    here = {(order.name, order.point): order for order in todo}
    there = {(entry.name, entry.point): entry for entry in baseline.entries}
    level = _level(settings.alpha, len(there))
    asked = {_like(e, here[place], level): e for place, e in there.items() if place in here}
    with engine.engine(workers, functools.partial(measured, catalogue=catalogue)) as results:
        first = _each(results, list(asked), "measuring anew", bar)
        pairs = {order: Pair(entry, (first[order],), level) for order, entry in asked.items()}
        again = {
            _repeated(order, pair, repetition): order
            for order, pair in pairs.items()
            if pair.suspected
            for repetition in range(1, CONFIRMATIONS + 1)
        }
        looks = _each(results, list(again), "on fresh keys", bar) if again else {}
    for repeated, order in again.items():
        pairs[order] = replace(pairs[order], looks=(*pairs[order].looks, looks[repeated]))
    gone = (
        (place, entry.decision.verdict.value, not_run.get(place[0], "no such claim or point"))
        for place, entry in there.items()
        if place not in here
    )
    return Compared(
        baseline,
        seed,
        _versions(settings.data),
        tuple(pairs.values()),
        tuple(Finding("gone", *place, "verdict", v, "not run", why) for place, v, why in gone),
        tuple(dict.fromkeys(name for name, point in here if (name, point) not in there)),
    )


def _like(entry: Entry, order: Order, level: float) -> Order:
    """The order for a measurement like `entry`: in its frames, of its sizes."""
    return replace(
        order,
        cell=replace(order.cell, alpha=level),
        frames=tuple(statistic.frame for statistic in entry.statistics),
        size=max((statistic.n for statistic in entry.statistics), default=0),
        draws=max((statistic.draws for statistic in entry.statistics), default=1),
        keys=max((len(values) for values in entry.detection_limits.values()), default=1) - 1,
    )


def _repeated(order: Order, pair: Pair, repetition: int) -> Order:
    """The order for a repetition on fresh keys: a sample if it moved, and where more goes unseen as
    many keys as raise the evidence for what has grown to the level."""
    settings = order.cell.settings
    settings = replace(settings, seed=fresh_seed(settings.seed, repetition))
    keys = 1
    if pair.grown:
        grown = sum(log_e > 0 for log_e in pair.growth.values())
        log_e = -math.log(pair.level) + math.log(len(pair.growth) / grown)
        needed = two_samples.values_needed(1 + order.keys, log_e)
        keys = math.ceil((needed - 1 - order.keys) / CONFIRMATIONS)
    return replace(
        order,
        cell=replace(order.cell, settings=settings),
        size=order.size if pair.moved else 0,
        keys=max(keys, 1) - 1,
    )


def reason(why: str) -> str:
    """Why a baseline is replaced.

    Raises: `InputError` when it is empty.
    """
    if not why.strip():
        raise InputError(
            f"--why needs words, got {why!r}; say what changed and why that is right, for those "
            "who read the file's history."
        )
    return why.strip()


def accepted(new: Baseline, compared: Compared, why: str) -> Baseline:
    """The new baseline with the history of the one that it was compared with.

    Raises: `InputError` when `why`, the reason, is empty.
    """
    last = {
        "why": reason(why),
        "accepted": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": compared.baseline.settings.seed,
        "versions": dict(compared.baseline.versions),
        "changes": list(compared.changes),
        "findings": [str(finding) for finding in compared.findings],
    }
    return replace(new, history=(*compared.baseline.history, last))
