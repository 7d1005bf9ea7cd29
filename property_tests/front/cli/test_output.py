"""What a terminal shows: interruptions, encodings, pipes, plans, full disks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[3]
THREE = (
    "kernel_identities.jacobian_outer_product",
    "kernel_identities.symmetry",
    "montanari_zhong.normalization",
)


def interrupted(*words, after, cwd):
    """What a command leaves and says after Ctrl-C, which a terminal sends to all of its group."""
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax")}
    # Workers of pytest ignore the signal, and so would their children.
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{start}; from ntval.front.cli.app import main; main()", *words],
        cwd=cwd,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if line.startswith(after):
            os.killpg(process.pid, signal.SIGINT)
            break
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def test_an_interrupted_experiment_says_where_its_cells_are(tmp_path):
    words = ("run", "montanari_zhong/phase_diagram", "--grid", "full", "--store", "a.sqlite")
    status, output, errors = interrupted(*words, after="0 of ", cwd=tmp_path)
    assert status == 130, output + errors
    said = "cells are in a.sqlite; the same command goes on from there"
    assert said in errors.strip().splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_run_writes_what_is_done_and_says_how_to_go_on(tmp_path, workers):
    files = ("--json", "a.json", "--junit", "a.xml", "--report", "a.html")
    words = ("check", "montanari_zhong", "--workers", workers, *files)
    status, output, errors = interrupted(*words, after="SUPPORTED", cwd=tmp_path)
    assert status == 130, output + errors
    last = errors.strip().splitlines()[-1]
    assert last.startswith("interrupted: ")
    assert "claims are decided; what was written is marked as incomplete" in last
    assert "ntval check " in last
    assert "Traceback" not in errors
    assert " not checked. " in output
    assert json.loads((tmp_path / "a.json").read_text())["complete"] is False
    suite = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert suite.get("errors") == "1"
    assert "INCOMPLETE: interrupted after" in (tmp_path / "a.html").read_text()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_survives_any_encoding(tmp_path, encoding):
    (tmp_path / "mine.py").write_text(
        "from ntval import stax, Network\n"
        "i, a, k = stax.serial(stax.Dense(8), stax.Erf(), stax.Dense(1))\n"
        "model = Network(i, a, k, input_shape=(3,), name='Θ → λ“ü”')\n",
        encoding="utf-8",
    )
    result = subprocess.run(
        [
            *(sys.executable, "-c", "from ntval.front.cli.app import main; main()"),
            *("check", "symmetry", "--network", "mine:model"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert b"SUPPORTED kernel_identities.symmetry" in result.stdout
    result.stdout.decode(encoding)


@pytest.mark.parametrize("columns", [40, 80])
def test_options_of_a_command_are_uncut_at_every_width(columns):
    result = subprocess.run(
        [sys.executable, "-m", "ntval", "check", "--help"],
        env={**os.environ, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= columns
    for option in ("--profile", "--network", "--no-progress", "'Regime(n=..., ...)'", "FILE.xml"):
        assert option in result.stdout


def test_a_line_a_claim_is_uncut_in_a_pipe(here):
    result = here("check", *THREE)
    lines = [line for line in result.stdout.splitlines() if line.startswith("SUPPORTED")]
    assert [line.split()[1].rstrip(":") for line in lines] == list(THREE)
    assert all("…" not in line for line in lines)
    quiet = here("check", *THREE, "--quiet")
    assert quiet.stdout.strip().startswith("3 SUPPORTED. Correct code is refuted")
    assert len(quiet.stdout.strip().splitlines()) == 1


def test_a_plan_says_what_applies_and_what_it_took_the_last_time(here, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = here("check", *THREE, "--plan")
    assert before.returncode == 0
    assert before.stdout.count("not run here yet") == 3
    here("check", *THREE, "--quiet")
    after = here("check", *THREE, "--plan", "--no-progress")
    assert "not run here yet" not in after.stdout
    assert "3 of them took" in after.stdout
    assert " GB at most" in after.stdout
    assert "1 claim at 1 point" in here("check", "--plan", "montanari_zhong.normalization").stdout
    other = here("check", "--plan", "--network", "user_networks:flax_mlp")
    assert "not run: 32 claims of montanari_zhong" in other.stdout
    assert "4,801 parameters" in other.stdout


def test_version_and_claims_by_name(here):
    assert here("--version").stdout.startswith("ntval 0.")
    listed = here("list", "symmetry", "parity").stdout
    assert "kernel_identities.symmetry" in listed
    assert "montanari_zhong.parity" in listed
    assert "outliers" not in listed


def test_a_full_disk_keeps_the_verdicts_and_says_what_it_is(here, monkeypatch, tmp_path):
    import errno

    from ntval.reports import documents

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(documents.os, "replace", full)
    result = here("check", "symmetry", "--json", tmp_path / "a.json")
    assert result.returncode == 2
    assert "1 SUPPORTED" in result.stdout
    assert "No space left on device); free space, or choose a path elsewhere" in result.stderr
    assert not list(tmp_path.iterdir())
