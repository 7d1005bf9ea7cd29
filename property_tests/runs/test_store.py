"""The store: what is put is found, once, whatever happens to the process or to the file."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.errors import InputError
from ntval.runs import store
from ntval.runs.identity import canonical, name_of

ROOT = Path(__file__).parents[2]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(st.text(), values, max_size=4)


@given(st.lists(st.tuples(mappings, mappings), max_size=6))
def test_what_was_put_first_is_what_is_found(tmp_path_factory, pairs):
    first = {}
    with store.Store(tmp_path_factory.mktemp("store") / "a.sqlite") as kept:
        for identity, value in pairs:
            kept.put(identity, value, seconds=1.5)
            kept.put(identity, value)
            first.setdefault(name_of(identity), (identity, value))
        for identity, value in first.values():
            assert kept.get(identity) == value
        assert [(row["identity"], row["value"]) for row in kept.rows()] == list(first.values())
        assert kept.missing(identity for identity, _ in pairs) == []


@given(mappings)
def test_name_depends_on_content_not_on_order(identity):
    reordered = dict(reversed(list(identity.items())))
    assert name_of(identity) == name_of(reordered)


@given(mappings, mappings)
def test_different_identities_have_different_names(one, other):
    same = canonical(one) == canonical(other)
    assert (name_of(one) == name_of(other)) is same


def test_what_is_not_there_is_missing(tmp_path):
    cells = [{"n": n} for n in range(4)]
    with store.Store(tmp_path / "a.sqlite") as kept:
        kept.put(cells[2], {"value": 1.0})
        assert kept.get(cells[0]) is None
        assert kept.missing(cells) == [cells[0], cells[1], cells[3]]


def test_two_processes_worth_of_stores_share_a_file(tmp_path):
    path = tmp_path / "new" / "a.sqlite"
    with store.Store(path) as one, store.Store(path) as other:
        one.put({"cell": 1}, {"value": 1})
        other.put({"cell": 2}, {"value": 2})
        other.put({"cell": 1}, {"value": "too late"})
        assert one.get({"cell": 2}) == {"value": 2}
        assert one.get({"cell": 1}) == {"value": 1}
    with store.Store(path) as again:
        assert len(again.rows()) == 2


@pytest.mark.parametrize("value", [{"v": float("nan")}, {"v": float("inf")}, {"v": object()}])
def test_what_json_cannot_hold_is_refused_in_one_line(tmp_path, value):
    with store.Store(tmp_path / "a.sqlite") as kept:
        with pytest.raises(InputError, match="value needs numbers that are finite") as refused:
            kept.put({"cell": 1}, value)
        assert "\n" not in str(refused.value)
        with pytest.raises(InputError, match="identity needs"):
            kept.put(value, {})
        assert kept.rows() == []


def _text(path):
    path.write_text("not a database, but long enough to be taken for one" * 40)


def _other_program(path):
    with sqlite3.connect(path) as rows:
        rows.execute("CREATE TABLE cells (name TEXT)")
    rows.close()


def _newer(path):
    store.Store(path).close()
    rows = sqlite3.connect(path, isolation_level=None)
    rows.execute(f"PRAGMA user_version = {store.SCHEMA + 1}")
    rows.close()


def _damaged(path):
    with store.Store(path) as kept:
        for cell in range(200):
            kept.put({"cell": cell}, {"value": "x" * 100})
    content = bytearray(path.read_bytes())
    content[4096 : 2 * 4096] = b"\xff" * 4096
    path.write_bytes(bytes(content))


def _cut_short(path):
    with store.Store(path) as kept:
        for cell in range(200):
            kept.put({"cell": cell}, {"value": "x" * 100})
    path.write_bytes(path.read_bytes()[: 3 * 4096 + 100])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_text, "not a database"),
        (_other_program, "another program"),
        (_newer, "schema is version 2"),
        (_damaged, "malformed|damaged"),
        (_cut_short, "malformed|damaged"),
        (Path.mkdir, "directory"),
    ],
)
def test_what_is_no_store_is_refused_in_one_line_and_left_alone(tmp_path, spoil, words):
    path = tmp_path / "a.sqlite"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(InputError, match=words) as refused:
        store.Store(path)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        store.Store(tmp_path / "file" / "a.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_file_that_cannot_be_written_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    store.Store(path).close()
    path.chmod(0o400)
    with store.Store(path) as kept, pytest.raises(InputError, match="readonly"):
        kept.put({"cell": 1}, {})


def test_row_that_was_changed_by_hand_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    with store.Store(path) as kept:
        kept.put({"cell": 1}, {"value": 1})
        rows = sqlite3.connect(path, isolation_level=None)
        rows.execute("UPDATE cells SET value = '{'")
        with pytest.raises(InputError, match="not JSON"):
            kept.get({"cell": 1})
        rows.execute("UPDATE cells SET value = '{}', identity = '{}'")
        rows.close()
        with pytest.raises(InputError, match="not what its hash says"):
            kept.get({"cell": 1})


def test_empty_file_becomes_a_store(tmp_path):
    path = tmp_path / "a.sqlite"
    path.touch()
    with store.Store(path) as kept:
        kept.put({"cell": 1}, {})
        assert kept.get({"cell": 1}) == {}


SLOW = """
import os, time
from pathlib import Path
from ntval.runs.experiments import Experiment

HERE = Path(__file__).parent

def measure(cell, key):
    with open(HERE / "started.txt", "a") as log:
        print(cell["cell"], file=log)
    time.sleep(float(os.environ.get("SLOWNESS", "0")))
    return {"value": 2.0 * cell["cell"], "process": os.getpid()}

EXPERIMENT = Experiment(
    name="paper.slow", title="Cells that take their time",
    grids={"smoke": [{"cell": i} for i in range(10)], "full": []},
    measure=measure, draw=lambda rows: {},
    summary=lambda rows: [{"cell": r["cell"], "value": r["value"]} for r in rows],
)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_sweep_resumes_and_has_lost_the_cells_in_flight_alone(tmp_path, workers):
    folder = tmp_path / "experiments" / "paper"
    folder.mkdir(parents=True)
    (folder / "slow.py").write_text(SLOW)
    log = folder / "started.txt"
    command = [sys.executable, "-c", "from ntval.front.cli.app import main; main()", "run", "slow"]
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "SLOWNESS": "0.3",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }
    running = subprocess.Popen(
        [*command, "--workers", str(workers)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while len(log.read_text().split() if log.exists() else []) < 5:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    started = log.read_text().split()
    path = tmp_path / store.DEFAULT
    with store.Store(path) as kept:
        done = [row["identity"]["parameters"]["cell"] for row in kept.rows()]
    # The pool hands a worker its next cell before the result of the last has been kept.
    in_flight = 1 if workers == 1 else 2 * workers
    assert len(started) - in_flight <= len(done) <= len(started)
    assert len(done) < 10

    environment["SLOWNESS"] = "0"
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"{len(done)} of 10 cells were there" in again.stdout
    restarted = [int(cell) for cell in log.read_text().split()[len(started) :]]
    assert sorted(restarted) == sorted(set(range(10)) - set(done))
    with store.Store(path) as kept:
        found = {row["identity"]["parameters"]["cell"]: row["value"] for row in kept.rows()}
    assert {cell: value["value"] for cell, value in found.items()} == {
        cell: 2.0 * cell for cell in range(10)
    }
    # The workers that were killed, and the process that resumed.
    assert 2 <= len({value["process"] for value in found.values()}) <= workers + 1
