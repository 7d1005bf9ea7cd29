"""JAX flags for tests, shapes enforced, memory bounded, and Hypothesis profiles; nothing else."""

import os
from pathlib import Path

from ntval.runs.process import bound_memory, use_cpu, use_one_thread

use_cpu()
use_one_thread()  # before NumPy loads

import hypothesis
import jax
import pytest
from jaxtyping import install_import_hook

# In tests every function is held to the shapes in its signature; users pay nothing.
install_import_hook("ntval", "strict.checker")

jax.config.update("jax_enable_x64", True)
_CACHE = Path(__file__).parent / ".cache" / "jax"
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)

# Compiling takes longer than any example, so no profile has a deadline.
hypothesis.settings.register_profile("dev", max_examples=10, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=8, deadline=None, derandomize=True)
hypothesis.settings.register_profile("nightly", max_examples=500, deadline=None)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)


SAID = "said"  # a property of a test whose value is a line of the closing summary


def pytest_terminal_summary(terminalreporter) -> None:
    """What tests of drawn regimes tried, how long it took, and what they compiled."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    lines = [
        value
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == SAID and report.when == "call"
    ]
    if lines:
        terminalreporter.section("points drawn of each claim's domain")
        terminalreporter.write_line("\n".join(sorted(lines)))


@pytest.hookimpl(trylast=True)  # once fixtures have put back what they patched
def pytest_runtest_teardown() -> None:
    """A worker keeps compiled programs from test to test, but not without end."""
    bound_memory()
