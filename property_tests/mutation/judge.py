"""What `make mutation` asks of this repository: a mutant's judges, and a draw of the mutants.

`judge` runs the tests of the module that differs from HEAD. Where none does, no mutant is in place,
and it runs those of every module changed since the tag `since`: they must pass.
`draw SESSION MOST` leaves at most MOST of a session's mutants to be tried, drawn by the commit.
"""

import random
import subprocess
import sys
import tomllib
from pathlib import Path

CONFIG = Path(__file__).with_name("mutation.toml")
TESTS = Path(__file__).parent.parent


def git(*arguments: str) -> list[str]:
    return subprocess.check_output(["git", *arguments], text=True).split()


def judges(module: str) -> list[str]:
    """Test files and folders, from the repository's root, of a module of `ntval`."""
    path = Path(module).relative_to("ntval")
    listed = tomllib.loads(CONFIG.read_text())["judges"]
    own = [str(path.with_name(f"test_{path.name}"))]
    found = listed.get(str(path)) or listed.get(path.parts[0]) or own
    return [str(TESTS.relative_to(TESTS.parent) / name) for name in found]


def judge() -> int:
    mutated = git("diff", "--name-only", "HEAD", "--", "ntval")
    modules = mutated or changed()
    tests = dict.fromkeys(test for module in modules for test in judges(module))
    if not tests:
        return 0
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.call(command)


def changed() -> list[str]:
    """Modules with mutants that changed since the tag `since`."""
    config = tomllib.loads(CONFIG.read_text())["cosmic-ray"]
    paths = [*config["module-path"], *(f":!{path}" for path in config["excluded-modules"])]
    files = git("diff", "--name-only", "--diff-filter=d", "since", "HEAD", "--", *paths)
    return [file for file in files if file.endswith(".py") and not file.endswith("__init__.py")]


def draw(session: str, most: int) -> None:
    from cosmic_ray.work_db import WorkDB, use_db
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    with use_db(session, WorkDB.Mode.open) as work:
        pending = [item.job_id for item in work.pending_work_items]
        order = random.Random(git("rev-parse", "HEAD")[0]).sample(pending, len(pending))
        skipped = WorkResult(output="not drawn", worker_outcome=WorkerOutcome.SKIPPED)
        work.set_multiple_results(order[most:], skipped)
    since = git("rev-parse", "--short", "since")[0]
    print(f"{min(most, len(pending))} of {len(pending)} mutants of lines changed since {since}")


if __name__ == "__main__":
    if sys.argv[1] == "judge":
        sys.exit(judge())
    draw(sys.argv[2], int(sys.argv[3]))
