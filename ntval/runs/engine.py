"""The pool of worker processes: JAX and `fork` do not mix, so workers are spawned, each with one
BLAS and XLA thread."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any

from ntval.runs.process import THREADS, bound_memory, use_compilation_cache


@contextmanager
def engine(
    workers: int, task: Callable[[Any], Any]
) -> Iterator[Callable[[Sequence[Any]], Iterator[tuple[Any, Any]]]]:
    """Function of items that gives pairs (item, `task(item)`) as they come.

    In order in this process, or from `workers` spawned ones, which live as long as the context.
    """
    if workers <= 1:
        yield lambda cells: ((cell, task(cell)) for cell in cells)
        return
    others = set(active_children())
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
                futures = {pool.submit(_bounded, task, cell): cell for cell in cells}
                for future in as_completed(futures):
                    yield futures[future], future.result()

            try:
                yield results
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in set(active_children()) - others:  # a host may have its own
                    worker.terminate()
                raise
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _bounded(task: Callable[[Any], Any], cell: Any) -> Any:
    """`task(cell)`, in a worker that stays below `process.MOST_BYTES`, nearly."""
    done = task(cell)
    bound_memory()
    return done


def _start_worker(parent: int) -> None:
    """Settings of a worker, which ends when its parent is gone, even by kill -9.

    A terminal sends an interrupt to the whole group: what it means is the parent's to say.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    use_compilation_cache()
