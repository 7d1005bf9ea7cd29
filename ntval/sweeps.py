"""Sweeps: independent cells (claim, regime, seed), run here or in worker processes.

A cell is made of names alone, so it travels to any process: JAX and `fork` do not mix, workers
are spawned, each with one BLAS and XLA thread.
"""

from __future__ import annotations

import functools
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from ntval.errors import NetworkError, NtvalError, first_line

if TYPE_CHECKING:  # importing NumPy starts its threads, before `use_one_thread` can say how many
    from ntval.claims.claim import Claim, Result
    from ntval.regimes import Regime

THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


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
    from ntval.claims import CLAIMS

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
    from ntval import faults
    from ntval.claims import CLAIMS

    return faults.find(fault).plant(CLAIMS[claim])


@functools.lru_cache(maxsize=4)
def applicable(network: str | None, source: str | None, profile: str):
    """What `subjects.claims_for` says of the network at MODULE:ATTR and the data of a name."""
    from ntval import adapters, data, subjects

    return subjects.claims_for(
        None if network is None else adapters.load(network),
        None if source is None else data.load(source),
        profile=profile,
    )


@contextmanager
def engine(
    workers: int = 1, *, task: Callable | None = None
) -> Iterator[Callable[[Sequence], Iterator]]:
    """Function of cells that gives pairs (cell, `task(cell)`) as they come; `run_cell` by default.

    In order in this process, or from `workers` spawned ones, which live as long as the context.
    """
    task = task or run_cell
    if workers <= 1:
        yield lambda cells: ((cell, task(cell)) for cell in cells)
        return
    saved = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(THREADS)
    try:
        with ProcessPoolExecutor(
            workers,
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(os.getpid(),),
        ) as pool:

            def results(cells: Sequence) -> Iterator:
                futures = {pool.submit(task, cell): cell for cell in cells}
                for future in as_completed(futures):
                    yield futures[future], future.result()

            try:
                yield results
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start_worker(parent: int) -> None:
    """Settings of a worker, which ends when its parent is gone, even by kill -9."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    use_compilation_cache()


def cache_directory() -> Path:
    """Where compiled programs are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "ntval" / "jax"


def use_one_thread() -> None:
    """One BLAS and XLA thread, unless the environment says otherwise; call it before NumPy loads.

    Two cores with two BLAS threads each, and a neighbour, have cost a factor 25.
    """
    for name, value in THREADS.items():
        os.environ.setdefault(name, value)


def use_compilation_cache() -> None:
    """Keep compiled programs between runs; for processes of ours, never for a host's."""
    import jax

    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(cache_directory()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
