"""What `ntval doctor` says of this machine."""

from __future__ import annotations

import os
import sys

import typer

from ntval.errors import CompatibilityError, DataError


def report() -> tuple[list[str], bool]:
    """Lines to print, and whether the main job can run."""
    from ntval.reports.documents import versions

    lines = ["versions"]
    lines += [f"  {name:<16}{version}" for name, version in versions().items()]
    healthy = True
    lines.append("kernels")
    try:
        import jax

        from ntval.arrays import float64
        from ntval.runs.process import use_cpu

        use_cpu()
        lines.append(f"  {'devices':<16}{', '.join(str(device) for device in jax.devices())}")
        with float64():
            wide = jax.numpy.ones(()).dtype
        lines.append(f"  {'float64':<16}{'works' if wide == 'float64' else f'gives {wide}'}")
        flag = jax.config.jax_enable_x64  # type: ignore[attr-defined]
        lines.append(
            f"  {'x64 flag':<16}{'on' if flag else 'off; checks turn it on for themselves'}"
        )
        from ntval.kernels import _neural_tangents  # noqa: F401

        lines.append(f"  {'analytic':<16}neural-tangents loads")
    except CompatibilityError as error:
        healthy = False
        lines.append(f"  {'analytic':<16}MISSING: {error}")
    tensorflow = "tensorflow" in sys.modules
    lines.append(
        f"  {'TensorFlow':<16}{'imported by something else' if tensorflow else 'not used'}"
    )
    lines.append("threads")
    lines.append(f"  {'cores':<16}{os.cpu_count()}")
    for name in ("OMP_NUM_THREADS", "XLA_FLAGS"):
        lines.append(f"  {name:<16}{os.environ.get(name, 'unset; ntval check uses one thread')}")
    from ntval.runs.process import cache_directory

    cache = cache_directory()
    state = "exists" if cache.is_dir() else "made by the first check"
    lines.append(f"  {'compiled code':<16}{state}")
    lines.append("optional")
    from importlib.util import find_spec

    from ntval.networks.adapters import LIBRARIES

    uses = {name: (package, f"networks of {name}") for name, package in LIBRARIES.items()}
    uses["matplotlib"] = ("matplotlib", "figures")
    uses["sklearn"] = ("scikit-learn", "--data digits and openml:NAME")
    for name, (package, use) in uses.items():
        state = "found" if find_spec(name) else f"missing; pip install {package}"
        lines.append(f"  {package:<16}{state} ({use})")
    lines.append("real data and weights")
    lines += [f"  {name:<20}{state}" for name, state in _real().items()]
    return lines, healthy


def _real() -> dict[str, str]:
    """Whether each source is there and whole, and how to get it."""
    from ntval.data import sources

    def state(name: str) -> str:
        source = sources.SOURCES[name]
        if not sources.present(name):
            return f"missing, {source.megabytes} MB; {source.command}"
        try:
            for file in source.files:
                sources.path_of(name, file)
        except DataError as error:
            return f"DAMAGED: {error}"
        return "found, whole"

    return {name: f"{state(name)} ({source.use})" for name, source in sources.SOURCES.items()}


def doctor() -> None:
    """Print versions, devices, precision, threads, and how to get what is missing."""
    from ntval.front.cli import doctor

    lines, healthy = doctor.report()
    print("\n".join(lines))
    if not healthy:
        raise typer.Exit(2)
