"""`examples/own_network` as a newcomer runs it: in a directory of its own, with pytest alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KNOWN = '        "rounded-mean_kernel": "1.39 is not the square root of 2",\n'


@pytest.fixture
def example(tmp_path):
    """The example copied, and run with some words: (status, output)."""
    copy = shutil.copytree(
        ROOT / "examples" / "own_network",
        tmp_path / "own_network",
        ignore=shutil.ignore_patterns("__pycache__", ".*"),
    )
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def run(*words, without=""):
        tests = copy / "tests" / "test_kernels.py"
        text = tests.read_text()
        assert without in text
        tests.write_text(text.replace(without, ""))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_its_tests_are_green(example):
    status, output = example()
    assert status == 0, output
    assert "9 passed, 1 skipped, 1 xfailed" in output
    assert "1 REFUTED as expected, 8 SUPPORTED, 1 NOT RUN" in output


def test_a_bug_that_is_not_expected_is_told_in_words_by_a_worker_too(example):
    status, output = example("-n", "1", "-k", "rounded", without=KNOWN)
    assert status == 1, output
    for part in (
        "1 failed, 2 passed",
        "1 REFUTED, 2 SUPPORTED",
        "kernel_identities.mean_kernel is REFUTED for rounded",
        "claimed:",
        "measured: ",
        "confirmed 3/3 on fresh keys",
        "if it is known: expected_refutations={'mean_kernel': 'the reason'}",
        "pytest 'tests/test_kernels.py::test_ntk[rounded-mean_kernel]' --ntval-seed=0",
        "replay a test: pytest TEST --ntval-seed=0 --ntval-alpha=",
    ):
        assert part in output, output
