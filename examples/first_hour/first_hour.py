"""What the README, the guides and the example print, done by a stranger: in an environment of its
own, from the built wheel, first without neural-tangents and then with it.

    python examples/first_hour/first_hour.py            # needs uv and git; under three minutes
    python examples/first_hour/first_hour.py --whole    # with pip, and what takes long: an hour

Every command and snippet of these pages is run, or is listed in `commands.py` with the reason why
not. Prints a line a step, with its seconds, and ends with status 1 at the first that fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from commands import MEANT, NOT_RUN, SHORT, SHORT_NAMES, meant
from pages import PAGES, ROOT, block_with, commands, snippets, without_numbers
from stranger import HERE, Stranger

README, GUIDE = ROOT / "README.md", ROOT / "docs" / "check_your_network.md"
EXPERIMENTS = ROOT / "experiments" / "README.md"
EXAMPLE = ROOT / "examples" / "own_network"
MISSING = "pip install --no-deps neural-tangents=="
DRAWN = "pip install matplotlib"
MEGABYTES = 800  # of the environment


def main() -> None:
    """Take every step."""
    whole = sys.argv[1:] == ["--whole"]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        stranger = Stranger(Path(name), whole=whole)
        settle(stranger, whole=whole)
        another = Stranger(Path(name), whole=whole, printed="printed beside")
        another.environment |= stranger.environment
        with ThreadPoolExecutor(1) as lane:  # what does not wait for the rest, on a second core
            beside = [lane.submit(with_uv, another, whole=whole)]
            if whole:  # pip has no lock on the environment
                wait(beside)
            without_neural_tangents(stranger, whole=whole)
            if not whole:
                stranger.warms_up()
                another.warms_up()
            beside.append(lane.submit(what_is_written, another, whole=whole))
            guides = [page for page in PAGES if page not in (README, EXPERIMENTS)]
            beside.append(lane.submit(every_command, another, guides, whole=whole))
            with_neural_tangents(stranger, whole=whole)
            every_command(stranger, [README, EXPERIMENTS], whole=whole)
            for done in beside:
                done.result()
        a_drift(stranger)
        if whole:
            stranger.does("ntval check")
        stranger.leaves()
        another.leaves()
    print(f"{time.perf_counter() - start:6.1f} s  all of it as the pages say")


def settle(stranger: Stranger, *, whole: bool) -> None:
    """A folder with a project, the wheel, and an environment in which it is installed."""
    folder = stranger.folder
    shutil.copytree(HERE / "given", folder, dirs_exist_ok=True)
    shutil.copytree(EXAMPLE, folder / "own_network", ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    stranger.environment["PYTHONPATH"] = f"{folder}:{folder / 'own_network' / 'src'}"
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    identity = "-c user.name=reader -c user.email=reader@example.org"
    stranger.does(f"git {identity} commit --quiet --allow-empty -m start")
    stranger.does(f"uv build --quiet --wheel --out-dir wheels {ROOT}")
    venv = "python3 -m venv" if whole else f"uv venv --quiet --python {sys.executable}"
    stranger.does(f"{venv} env")
    install(stranger, "pip install wheels/ntval-0.1.0-py3-none-any.whl", whole=whole)
    size = int(stranger.does("du -sm env").split()[0])
    print(f"          the environment has {size} MB")
    if size > MEGABYTES:
        sys.exit(f"the environment has {size} MB, more than {MEGABYTES}")
    (wheel,) = (folder / "wheels").glob("*.whl")
    install(stranger, f"pip install {wheel} pytest flax equinox", whole=whole)
    (folder / "my_data.py").write_text(
        "import numpy as np\nx = np.random.default_rng(0).standard_normal((40, 6))\n"
        "np.savez('my.npz', x=x, y=x[:, 0] * x[:, 1])\n"
    )
    stranger.does("python my_data.py")


def install(stranger: Stranger, command: str, *, whole: bool) -> None:
    """Install by pip, or as pip would by uv, which takes seconds."""
    stranger.does(command if whole else f"VIRTUAL_ENV={stranger.bin.parent} uv {command} --quiet")


def without_neural_tangents(stranger: Stranger, *, whole: bool) -> None:
    """What works, and what is said of what does not; then the printed command is run."""
    stranger.does("ntval --version", says=("ntval 0.",))
    stranger.does("ntval doctor", status=2, says=(MISSING,))
    stranger.does(
        f"ntval check --network shallow:Gelu{'' if whole else ' jacobian_outer_product'}",
        says=(
            "SUPPORTED kernel_identities.jacobian_outer_product",
            "9 SUPPORTED" if whole else "1 SUPPORTED",
        ),
    )
    told = stranger.does("ntval check kernel_identities.analytic_oracle", says=(MISSING,))
    smoke = "ntval run montanari_zhong/phase_diagram --out figures"
    stranger.does(smoke, status=2, says=(DRAWN,))
    printed = re.search(rf"{MISSING}[\d.]+\d", told)
    assert printed is not None
    for command in (printed.group(), DRAWN):
        if command not in commands(README):
            sys.exit(f"the README has another command than {command}")
        install(stranger, command, whole=whole)


def with_neural_tangents(stranger: Stranger, *, whole: bool) -> None:
    """Kernels of infinite width, and what is said of a word that is wrong."""
    stranger.does("ntval doctor", says=("neural-tangents loads",))
    if whole:
        stranger.does("ntval check analytic_oracle mean_kernel", says=("2 SUPPORTED",))
    stranger.does("ntval check simetry", status=2, says=("did you mean",))
    stranger.does("ntval where parity", says=("ntval/theory/montanari_zhong/kernel.py",))


def every_command(stranger: Stranger, pages: list[Path], *, whole: bool) -> None:
    """Each command of these pages once, in their order. One that the README has as well is run with
    those of the README. `commands.py` has what is not run."""
    printed = {command for page in PAGES for command in commands(page)}
    if unknown := {*NOT_RUN, *MEANT, *SHORT} - {*printed, *MEANT.values()}:
        sys.exit(f"commands.py has what no page prints: {unknown}")
    elsewhere = () if README in pages else commands(README)
    done = {meant(command, whole=whole) for command in elsewhere}
    for page in pages:
        print(f"          {page.relative_to(ROOT)}")
        for command in commands(page):
            if command in NOT_RUN:
                print(f"          {command}: {NOT_RUN[command]}")
            elif (words := meant(command, whole=whole)) not in done:
                done.add(words)
                stranger.does(words)


def what_is_written(stranger: Stranger, *, whole: bool) -> None:
    """The snippets, and what the guide shows of a refutation and of pytest's closing lines."""
    every_snippet(stranger, whole=whole)
    what_is_shown(stranger, whole=whole)


def every_snippet(stranger: Stranger, *, whole: bool) -> None:
    """Each Python block of the pages, and that it shows what is printed below it."""
    tests = []
    for page in PAGES:
        for number, (code, printed) in enumerate(snippets(page)):
            imports = "" if "import ntval\n" in code else "import ntval\n"
            names = "from names import *\n" if whole or printed else SHORT_NAMES
            code = f"{names}{imports}{code}"
            if "def test_" in code:
                tests.append(f"test_{page.parent.name}_{page.stem}_{number}.py")
                (stranger.folder / tests[-1]).write_text(code)
                continue
            (stranger.folder / "snippet.py").write_text(code)
            shown = stranger.does("python snippet.py")
            if printed:
                compare(page, printed, shown)
    chosen = "" if whole else " -k 'symmetry and (mine or gelu)'"
    stranger.does(f"python -m pytest -q {' '.join(tests)}{chosen}", says=(" passed",))


def what_is_shown(stranger: Stranger, *, whole: bool) -> None:
    """A refutation and the closing lines of pytest look as the guide shows them."""
    printed = block_with(GUIDE, " is REFUTED for my network")
    compare(GUIDE, printed, stranger.does("python refuted.py"))
    if whole:
        shown = stranger.does("python -m pytest -q", where="own_network")
        shown = shown[shown.index("= ntval =") :].splitlines()[1:5]
        expected = block_with(GUIDE, "= ntval =").splitlines()[1:]
        compare(GUIDE, "\n".join(expected), "\n".join(shown))


def a_drift(stranger: Stranger) -> None:
    """A drift looks as the guide shows it."""
    module = stranger.folder / "mymodule.py"
    module.write_text(module.read_text().replace("SCALE = 1.0", "SCALE = 1.015"))
    shown = stranger.does("ntval baseline compare ntk.json", status=1)
    expected = block_with(GUIDE, "finding  entry")
    versions = re.compile(r"^Since the baseline: .*\n", flags=re.M)
    shown = shown[shown.index("finding") :]
    compare(GUIDE, versions.sub("", expected), versions.sub("", shown))


def compare(page: Path, printed: str, shown: str) -> None:
    """End where a page prints something else than what is shown, numbers aside."""
    if without_numbers(shown) != without_numbers(printed):
        sys.exit(f"{page.name} says\n{printed}\nand what is printed is\n{shown}")


def with_uv(stranger: Stranger, *, whole: bool) -> None:
    """A project with the lines of the README, with the extra and without, and the example."""
    install(stranger, "pip install . wheels/ntval-0.1.0-py3-none-any.whl", whole=whole)
    project = HERE / "given"
    lines = block_with(README, "override-dependencies")
    (recipe,) = (command for command in commands(GUIDE) if "GITHUB_PATH" in command)
    for name, extra in [("with_extra", "[analytic,figures]"), ("without", "")][: 2 if whole else 1]:
        folder = stranger.folder / name
        shutil.copytree(project, folder)
        (folder / "wheels").symlink_to(stranger.folder / "wheels")
        with (folder / "pyproject.toml").open("a") as file:
            file.write(lines.replace("[analytic,figures]", extra))
        stranger.environment["GITHUB_PATH"] = str(folder / "path")
        stranger.does(recipe if whole else recipe.replace("pip install uv && ", ""), where=name)
        stranger.does("uv lock --quiet && uv run --quiet pytest -q", where=name, says=("passed",))
        if list(folder.rglob("tensorflow")):
            sys.exit("TensorFlow was installed")
        status, words = (0, "neural-tangents loads") if extra else (2, MISSING)
        command = "PATH=$(cat path):$PATH ntval doctor"
        stranger.does(command, where=name, status=status, says=(words,))
    example = stranger.folder / "own_network" / "pyproject.toml"
    wheel = "../wheels/ntval-0.1.0-py3-none-any.whl"
    example.write_text(example.read_text().replace('"../.."', f'"{wheel}"'))
    stranger.does("uv lock --quiet", where="own_network")
    if whole:
        command = "uv run --group test pytest"
        stranger.does(command, where="own_network", says=("1 REFUTED as expected",))


if __name__ == "__main__":
    main()
