"""Threads and the compilation cache of a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing NumPy starts its threads, before `use_one_thread` can say how many
    pass


THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


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
