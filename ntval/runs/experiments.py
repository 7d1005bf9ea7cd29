"""Experiments: grids of cells that are measured, kept in a store, drawn and summed up.

An experiment is a file `experiments/<paper>/<word>.py` beside the package, with one
`EXPERIMENT = Experiment(...)`; the word is that of the claim whose figure it draws.
"""

from __future__ import annotations

import importlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from ntval import arrays
from ntval.errors import InputError, NtvalError, unknown_name
from ntval.runs import engine, store
from ntval.runs.identity import name_of

GRIDS = ("smoke", "full")

# A cell's parameters: a small mapping that JSON can hold.
Parameters = Mapping[str, Any]
# Parameters and what was measured at them, in one mapping.
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """A figure: what is measured where, how it is drawn and summed up.

    `grids` maps `smoke`, which takes seconds, and `full` to cells. `measure(cell, key)` gives
    floats and lists of them under names other than the cell's, JAX in float64. `draw(rows)`
    gives matplotlib figures by name, `summary(rows)` rows of a table: predicted and measured
    numbers under the names of the columns. `version` counts changes of `measure` that make
    results kept in a store outdated. `claims` are the words of others whose figure it is too.
    """

    name: str
    title: str
    grids: Mapping[str, Sequence[Parameters]]
    measure: Callable[[Parameters, Array], Mapping[str, Any]]
    draw: Callable[[Sequence[Row]], Mapping[str, Any]]
    summary: Callable[[Sequence[Row]], list[dict[str, Any]]]
    version: int = 1
    claims: tuple[str, ...] = ()


class Cell(NamedTuple):
    """One cell of an experiment, found by its name in any process."""

    experiment: str
    version: int
    parameters: Parameters
    seed: int
    root: str

    @property
    def identity(self) -> dict[str, Any]:
        """What determines the cell's result, and so names it in a store."""
        return {
            "experiment": self.experiment,
            "version": self.version,
            "parameters": dict(self.parameters),
            "seed": self.seed,
        }


def directory() -> Path:
    """The folder of experiments: of the current directory, else of the repository.

    Raises: `InputError` when there is none, as beside an installed package.
    """
    near = (Path.cwd(), Path(__file__).resolve().parent.parent.parent)
    for root in near:
        if next(_files(root / "experiments"), None):
            return (root / "experiments").resolve()
    raise InputError(
        f"ntval run needs a folder experiments/<paper>/<name>.py, got none in {str(near[0])!r} "
        "nor beside the package; run it in a checkout of ntval's repository."
    )


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.glob("*/*.py")):
        if re.search(r"^EXPERIMENT = ", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield path


def names() -> list[str]:
    """Names of all experiments, `<paper>.<word>`."""
    return [f"{path.parent.name}.{path.stem}" for path in _files(directory())]


def find(name: str, root: Path | None = None) -> Experiment:
    """The experiment called `name`: `<paper>.<word>`, `<paper>/<word>` or `<word>`.

    Raises: `UnknownNameError`, naming the nearest, when there is none; `InputError` when there are
    several, or its file does not hold it.
    """
    root = directory() if root is None else root
    word = name.replace("/", ".")
    known = [f"{path.parent.name}.{path.stem}" for path in _files(root)]
    found = [full for full in known if word in (full, full.rpartition(".")[2])]
    if len(found) > 1:
        raise InputError(
            f"run needs one experiment, got {name!r}, which is {' and '.join(found)}; name the "
            "paper."
        )
    if not found:
        raise unknown_name("experiment", name, known)
    if str(root.parent) not in sys.path:
        sys.path.append(str(root.parent))
    module = importlib.import_module(f"{root.name}.{found[0]}")
    experiment = getattr(module, "EXPERIMENT", None)
    if Path(module.__file__ or "").resolve().parent.parent != root:
        raise InputError(
            f"experiment {name!r} needs a file under {str(root)!r}, got {module.__file__!r}: "
            f"another package is called {root.name!r}; leave it out of PYTHONPATH."
        )
    if not isinstance(experiment, Experiment) or experiment.name != found[0]:
        raise InputError(
            f"{module.__file__} needs EXPERIMENT = Experiment(name={found[0]!r}, ...), "
            f"got {getattr(experiment, 'name', experiment)!r}; name it as its file."
        )
    return experiment


def cells(experiment: Experiment, *, grid: str, seed: int) -> list[Cell]:
    """The cells of a grid.

    Raises: `UnknownNameError` on an unknown grid.
    """
    if grid not in experiment.grids:
        raise unknown_name("grid", grid, experiment.grids)
    root = str(directory())
    return [
        Cell(experiment.name, experiment.version, parameters, seed, root)
        for parameters in experiment.grids[grid]
    ]


def key_for(cell: Cell) -> Array:
    """PRNG key of a cell: a hash of what determines it."""
    digest = bytes.fromhex(name_of(cell.identity))
    words = np.frombuffer(digest[:8], dtype=np.uint32)
    return jax.random.wrap_key_data(jax.numpy.asarray(words), impl="threefry2x32")


def measure(cell: Cell) -> tuple[dict[str, Any], float]:
    """What a cell measures, and the seconds that it took; a task for `sweeps.engine`."""
    start = time.perf_counter()
    experiment = find(cell.experiment, Path(cell.root))
    with arrays.float64():
        value = dict(experiment.measure(cell.parameters, key_for(cell)))
    return value, time.perf_counter() - start


def run(todo: Sequence[Cell], kept: store.Store, *, workers: int = 1) -> Iterator[Cell]:
    """Measure cells and keep each as soon as it is done; gives those that are.

    Raises: `NtvalError` when a worker process dies.
    """
    try:
        with engine.engine(workers, measure) as results:
            for cell, (value, seconds) in results(todo):
                kept.put(cell.identity, value, seconds=seconds)
                yield cell
    except BrokenProcessPool:
        raise NtvalError(
            f"a worker process needs memory and time to end by itself, got one that died, with "
            f"{workers} at once; finished cells are kept: run again, with fewer --workers."
        ) from None


def rows(done: Sequence[Cell], kept: store.Store) -> list[Row]:
    """Parameters and measurements of cells that are in the store, in the cells' order."""
    found = ((cell, kept.get(cell.identity)) for cell in done)
    return [{**cell.parameters, **value} for cell, value in found if value is not None]


def mean_interval(
    values: Sequence[float] | Float[np.ndarray, "draws"], *, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of independent draws, and the ends of Student's interval for it."""
    from scipy.special import stdtrit

    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    if len(sample) < 2:
        return mean, mean, mean
    half = float(stdtrit(len(sample) - 1, (1 + level) / 2) * sample.std(ddof=1))
    half /= float(np.sqrt(len(sample)))
    return mean, mean - half, mean + half


def quartiles(
    values: Sequence[float] | Float[np.ndarray, "draws"],
) -> tuple[float, float, float]:
    """Median of independent draws, and the quartiles below and above."""
    low, middle, high = (float(q) for q in np.quantile(np.asarray(values), (0.25, 0.5, 0.75)))
    return middle, low, high
