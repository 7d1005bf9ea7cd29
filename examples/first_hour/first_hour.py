"""What the README and the guide print, done by a stranger: in an environment of its own, from the
built wheel, first without neural-tangents and then with it.

    python examples/first_hour/first_hour.py        # needs uv; two minutes

Prints a line a step, with its seconds, and ends with status 1 at the first that fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "check_your_network.md"
# What differs from run to run or machine to machine: numbers, and how much room there is.
NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")


class Stranger:
    """Somebody with a folder, an environment and no checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "env" / "bin"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "VIRTUAL_ENV", "PYTHON"))
        } | {"OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu", "COLUMNS": "100"}

    def does(self, *words: object, status: int = 0, says: tuple[str, ...] = ()) -> str:
        """Run a command; what it printed, once it ended with the status and said the words."""
        start = time.perf_counter()
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        shown = " ".join(str(word).replace(f"{self.folder}/", "") for word in words)
        print(f"{time.perf_counter() - start:6.1f} s  {shown[:100]}", flush=True)
        output = done.stdout + done.stderr
        if done.returncode != status or any(part not in output for part in says):
            sys.exit(f"status {done.returncode}, expected {status} and {says}:\n{output}")
        return output

    def ntval(self, *words: object, status: int = 0, says: tuple[str, ...] = ()) -> str:
        """Run ntval."""
        return self.does(self.bin / "ntval", *words, status=status, says=says)


def snippets(page: Path) -> list[tuple[str, str]]:
    """Python blocks of a page that are followed by what they print, with that."""
    pairs = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", page.read_text(), flags=re.S)
    return [(code, printed) for code, printed in pairs if "import" in code]


def without_numbers(text: str) -> list[str]:
    """Lines of a text with one sign for every number."""
    return [NUMBER.sub("#", line).strip() for line in text.strip().splitlines()]


def main() -> None:
    """Take every step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stranger = Stranger(folder)
        stranger.does("uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
        (wheel,) = folder.glob("ntval-*.whl")
        stranger.does("uv", "venv", "--quiet", "--python", sys.executable, folder / "env")
        install = ("uv", "pip", "install", "--quiet", "--python", stranger.bin / "python")
        stranger.does(*install, wheel, "flax", "equinox")
        example = folder / "own_network"
        stranger.does("cp", "-r", ROOT / "examples" / "own_network", example)
        stranger.environment["PYTHONPATH"] = str(example / "src")

        stranger.ntval("--version", says=("ntval 0.",))
        missing = "pip install --no-deps neural-tangents=="
        stranger.ntval("doctor", status=2, says=(missing,))
        stranger.ntval(
            *("check", "--network", "shallow:Gelu"),
            says=("SUPPORTED kernel_identities.methods_agree", "9 SUPPORTED"),
        )
        told = stranger.ntval("check", "kernel_identities.analytic_oracle", says=(missing,))
        pytest = (stranger.bin / "python", "-m", "pytest", "-q", example, "-k", "gelu")
        stranger.does(*pytest, says=("SUPPORTED", " passed"))
        release = re.search(r"neural-tangents==[\d.]+\d", told)
        assert release is not None
        stranger.does(*install, "--no-deps", release.group())
        stranger.ntval("doctor", says=("neural-tangents loads",))
        stranger.ntval("check", "analytic_oracle", "mean_kernel", says=("2 SUPPORTED",))
        stranger.ntval("check", "simetry", status=2, says=("did you mean",))
        stranger.ntval("where", "parity", says=("ntval/theory/montanari_zhong/kernel.py",))
        for number, (code, printed) in enumerate(snippets(GUIDE)):
            (folder / f"snippet_{number}.py").write_text(code)
            shown = stranger.does(stranger.bin / "python", f"snippet_{number}.py")
            if without_numbers(shown) != without_numbers(printed):
                sys.exit(f"{GUIDE.name} says\n{printed}\nand what is printed is\n{shown}")
    print("all of it as the pages say")


if __name__ == "__main__":
    main()
