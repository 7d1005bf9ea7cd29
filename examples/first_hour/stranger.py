"""Somebody with a folder, an environment and no checkout."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Stranger:
    """Does things in a folder, tells how long each took, and ends where one fails."""

    def __init__(self, folder: Path, *, whole: bool, printed: str = "printed") -> None:
        self.folder = folder
        self._printed = folder / printed
        self.bin = folder / "env" / "bin"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "VIRTUAL_ENV", "PYTHON", "UV_PROJECT"))
        } | {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "JAX_PLATFORMS": "cpu",
            "COLUMNS": "160",
        }
        if not whole:  # what many steps compile is compiled once
            self.environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / ".jax"))
            self.environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        self._warm: subprocess.Popen[str] | None = None

    def warms_up(self) -> None:
        """From now on commands of ntval are forks of one process, without its imports."""
        self._warm = subprocess.Popen(
            [self.bin / "python", HERE / "warm.py", self._printed],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def leaves(self) -> None:
        """End the process of which commands are forks."""
        if self._warm is not None:
            self._warm.communicate()

    def does(
        self,
        command: str,
        *,
        status: int = 0,
        says: tuple[str, ...] = (),
        where: str = ".",
    ) -> str:
        """Run a command; what it printed, once it ended with the status and said the words."""
        start = time.perf_counter()
        done, output = self._run(command, where)
        print(f"{time.perf_counter() - start:6.1f} s  {command}", flush=True)
        if done != status or any(part not in output for part in says):
            self.leaves()
            sys.exit(f"status {done}, expected {status} and {says}:\n{output}")
        return output

    def _run(self, command: str, where: str) -> tuple[int, str]:
        words = shlex.split(command)
        script = words[0] == "python" and words[1].endswith(".py")
        if self._warm is not None and where == "." and (script or words[0] == "ntval"):
            return self._fork(words)
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder / where,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def _fork(self, words: list[str]) -> tuple[int, str]:
        assert self._warm is not None
        assert self._warm.stdin is not None
        assert self._warm.stdout is not None
        self._warm.stdin.write(f"{json.dumps(words)}\n")
        self._warm.stdin.flush()
        status = int(self._warm.stdout.readline())
        return status, self._printed.read_text()
