"""The README and the guide as a stranger follows them, from the built wheel."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not on the path")
def test_what_the_pages_say_is_what_a_stranger_sees():
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "first_hour" / "first_hour.py"],
        env={
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
