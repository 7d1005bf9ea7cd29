"""Threads, memory and the compilation cache of a process; imports nothing that starts threads."""

from __future__ import annotations

import ctypes
import gc
import os
import warnings
from pathlib import Path

from ntval.data.sources import cache_home

THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def cache_directory() -> Path:
    """Where compiled programs are kept between runs."""
    return cache_home() / "jax"


def use_cpu() -> None:
    """JAX on the processor, unless the environment says otherwise; call it before JAX loads."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")


def use_one_thread() -> None:
    """One BLAS and XLA thread, unless the environment says otherwise; call it before NumPy loads.

    Two cores with two BLAS threads each, and a neighbour, have cost a factor 25.
    """
    for name, value in THREADS.items():
        os.environ.setdefault(name, value)


def use_compilation_cache() -> None:
    """Keep compiled programs between runs; in ntval's processes, never in a host's.

    JAX does not write an entry in one step: one that another worker is writing, or was killed at,
    is compiled anew, without a word.
    """
    import jax

    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(cache_directory()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
        warnings.filterwarnings("ignore", "Error reading persistent compilation cache entry")


# A worker that holds more than this forgets its compiled programs, which are most of it; it does so
# again when it has grown by as much as `_GROWTH`.
MOST_BYTES = 1.25 * 2**30
_GROWTH = 0.25 * 2**30
_most = MOST_BYTES


def bound_memory() -> None:
    """Forget compiled programs once this process is large; for workers and tests, never a host."""
    global _most
    if resident_bytes() <= _most:
        return
    from ntval.claims.sampling import forget

    forget()
    gc.collect()
    if hasattr(ctypes.CDLL(None), "malloc_trim"):  # glibc keeps what is freed otherwise
        ctypes.CDLL(None).malloc_trim(0)
    _most = max(MOST_BYTES, resident_bytes() + _GROWTH)


def resident_bytes() -> int:
    """Memory that this process holds, in bytes; 0 where the system does not say."""
    statistics = Path("/proc/self/statm")
    if not statistics.exists():
        return 0
    return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


_COMPILED = "/jax/core/compile/backend_compile_duration"
_compiled = 0
_listening = False


def compilations() -> int:
    """Programs that JAX compiled, or read from its cache, in this process since the first call."""
    global _listening
    if not _listening:
        import jax.monitoring

        jax.monitoring.register_event_duration_secs_listener(_count)
        _listening = True
    return _compiled


def _count(event: str, *details: object, **more: object) -> None:
    global _compiled
    _compiled += event == _COMPILED
