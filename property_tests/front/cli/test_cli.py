"""The command line as a person uses it: exit statuses, tables, files, one-line errors."""

import json
import os
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FAST = "kernel_identities.jacobian_outer_product"
THREE = (FAST, "kernel_identities.symmetry", "montanari_zhong.normalization")
DIGITS = (FAST, "batch_independence", "analytic_oracle", "mean_kernel")


def ntval(*words, cwd=HERE):
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
        "COLUMNS": "200",
    }
    return subprocess.run(
        [sys.executable, "-c", "from ntval.front.cli.app import main; main()", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def refused(result, *parts):
    """The command ended with status 2 and one line that holds every part."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for part in parts:
        assert part in lines[0], lines[0]
    return True


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Three claims in a process of their own, with all that can be written: (folder, result)."""
    folder = tmp_path_factory.mktemp("check")
    files = ("--json", "a.json", "--report", "a.html", "--junit", "a.xml")
    return folder, ntval("check", *THREE, *files, cwd=folder)


def test_check_prints_a_table_and_writes_json_and_a_page(checked):
    folder, result = checked
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SUPPORTED" in result.stdout
    suite = ElementTree.parse(folder / "a.xml").getroot()
    document = json.loads((folder / "a.json").read_text())
    assert (suite.get("tests"), suite.get("failures")) == ("3", "0")
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["verdict"] == "SUPPORTED"
    assert document["schema"] == "ntval.check/3"
    assert {"versions", "alpha", "seed", "results"} <= set(document)
    assert {record["claim"] for record in document["results"]} == set(THREE)
    for record in document["results"]:
        assert {"claim", "verdict", "point", "seed", "evidence", "seconds"} <= set(record)
        assert record["verdict"] == "SUPPORTED"
        assert record["replay"].startswith(f"ntval check {record['claim']}")
    page = (folder / "a.html").read_text()
    assert FAST in page
    assert "ntval check kernel_identities.symmetry" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_check_gives_the_same_results_in_worker_processes(checked, here, tmp_path):
    result = here("check", *THREE, "--workers", 2, "--json", tmp_path / "a.json")
    assert result.returncode == 0, result.stderr

    def results(folder):
        found = json.loads((folder / "a.json").read_text())["results"]
        return sorted(
            (r["claim"], r["verdict"], json.dumps(r["point"]), r["evidence"]["gap"]) for r in found
        )

    # To the bit: the same programs of the same numbers, on one thread in every process.
    assert results(checked[0]) == results(tmp_path)


@pytest.mark.parametrize("network", ["flax_mlp", "stax_cnn"])
def test_networks_of_users_are_supported(here, network, tmp_path):
    words = ["--network", f"user_networks:{network}", "--json", tmp_path / "a.json"]
    if network == "stax_cnn":  # the kernel of 512 images, which it would draw, takes half a minute
        np.savez(tmp_path / "images.npz", x=np.random.default_rng(0).normal(size=(12, 4, 4, 1)))
        words += ["--data", tmp_path / "images.npz"]
    result = here("check", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads((tmp_path / "a.json").read_text())
    assert {record["verdict"] for record in document["results"]} == {"SUPPORTED"}
    assert {item["claim"] for item in document["not_run"]} >= {"montanari_zhong.min_eigenvalue"}


def test_digits_are_supported(here, tmp_path):
    result = here("check", *DIGITS, "--data", "digits", "--json", tmp_path / "a.json")
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads((tmp_path / "a.json").read_text())
    assert {record["verdict"] for record in document["results"]} == {"SUPPORTED"}
    assert {record["point"]["d"] for record in document["results"]} == {64}


def test_network_is_checked_at_the_data_given(here):
    result = here(
        "check", FAST, "--network", "user_networks:flax_mlp", "--data", "digits", "--seed", "5"
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("network", "words"),
    [("stax_kernel_3_percent", "a wrong scale"), ("stax_no_bias", "by no single cause")],
)
def test_broken_network_is_refuted_by_name_and_confirmed(here, network, words, tmp_path):
    page = tmp_path / "a.html"
    result = here("check", "mean_kernel", "--network", f"user_networks:{network}", "--report", page)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "REFUTED kernel_identities.mean_kernel" in result.stdout
    for said in (result.stdout, page.read_text()):
        assert "confirmed 3/3 on fresh keys" in said
        assert words in said


@pytest.mark.parametrize(
    ("network", "claim", "words"),
    [
        ("stax_kernel_asymmetric", "symmetry", "K(x1, x2) = K(x2, x1)^T"),
        ("stax_kernel_indefinite", "positive_semidefinite", "positive semi-definite"),
        ("flax_batch_norm", "batch_independence", "inference mode"),
    ],
)
def test_broken_prerequisite_ends_in_status_1_with_the_rule_and_way_out(
    here, network, claim, words
):
    result = here("check", "--network", f"user_networks:{network}")
    assert result.returncode == 1, result.stderr
    assert f"REFUTED kernel_identities.{claim}" in result.stdout
    assert f"because kernel_identities.{claim} is refuted" in result.stdout
    last = result.stdout.strip().splitlines()[-1]
    assert last.startswith(f"network 'user_networks:{network}' needs")
    assert words in last
    assert last.endswith(".")


class Stopped(BaseException):
    """Neither an Exception nor an exit, as what pytest.skip raises."""


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (ValueError("made up"), 4, "crash: ValueError: made up; no verdict"),
        (BrokenProcessPool("a worker died"), 4, "crash: BrokenProcessPool: a worker died"),
        (AssertionError(), 4, "crash: AssertionError; no verdict"),
        (MemoryError(), 4, "crash: MemoryError"),
        (Stopped("made up"), 4, "crash: Stopped: made up"),
        (SystemExit(1), 4, "SystemExit(1) inside of a command"),
        (SystemExit(), 4, "inside of a command"),
        (EOFError("no input"), 4, "EOFError(no input) inside of a command"),
        (OSError("disk full"), 4, "crash: OSError: disk full"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, BaseException) else "",
)
def test_a_crash_never_ends_in_the_status_of_a_refutation(here, monkeypatch, raised, status, said):
    from ntval.runs import suite

    def run_cell(cell, catalogue):
        raise raised

    monkeypatch.setattr(suite, "run_cell", run_cell)
    result = here("check", FAST)
    assert result.returncode == status
    assert said in (result.stderr.strip().splitlines() or [""])[-1]
    assert "Traceback" not in result.stderr
    if status == 4:
        path = result.stderr.strip().split("its traceback is in ")[-1].rstrip(".")
        assert "Traceback" in Path(path).read_text()
        Path(path).unlink()


def test_a_worker_that_dies_is_a_crash(here, monkeypatch, tmp_path):
    (tmp_path / "deadly.py").write_text(
        "import multiprocessing, os\n"
        "if multiprocessing.parent_process():\n    os._exit(1)\n"
        "from user_networks import flax_mlp\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    result = here("check", FAST, "--network", "deadly:flax_mlp", "--workers", 2)
    assert result.returncode == 4, result.stderr
    assert "crash: BrokenProcessPool" in result.stderr.splitlines()[-1]


def test_header_and_summary_say_what_the_budget_is_and_what_was_spent(here):
    result = here("check", "montanari_zhong.normalization", "--alpha", "1e-4", "--seed", "7")
    assert "Budget of false alarms 0.0001 a run, split over 1 claim in" in result.stdout
    assert "refuted in such a run with probability 0.0001 at most. Seed 7" in result.stdout


def test_power_prints_what_is_caught(here, tmp_path):
    result = here(
        "power", "symmetry", "--fault", "analytic_asymmetric", "--json", tmp_path / "a.json"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 of 1 pairs caught, 0 of 1 faults caught by no claim" in result.stdout
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["schema"] == "ntval.power/1"
    assert document["detections"][0]["verdict"] == "REFUTED"
    assert document["passes_allclose"] == {"analytic_asymmetric": True}


def test_calibrate_prints_whether_the_level_holds(here, tmp_path):
    words = ("calibrate", "normalization", "--runs", 20, "--json", tmp_path / "a.json")
    result = here(*words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "holds" in result.stdout
    (claim,) = json.loads((tmp_path / "a.json").read_text())["claims"]
    assert claim["runs"] == 20
    assert claim["holds"]


def test_calibrate_names_its_own_default(here):
    assert refused(here("calibrate", "--alpha", "2"), "got 2.0; the default is 0.05.")


def test_seed_of_the_commit_is_that_of_head(here):
    result = here("check", FAST, "--seed", "commit")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=HERE
    ).stdout
    assert f"Seed {int(head[:8], 16)}" in result.stdout


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["no_such_claim"], ["'no_such_claim'", "All names: `ntval list`."]),
        (["min_eigenvalu"], ["did you mean 'montanari_zhong.min_eigenvalue'"]),
        (["--profile", "quik"], ["did you mean 'quick'"]),
        (["--seed", "-1"], ["--seed needs a whole number", "'-1'"]),
        (["--seed", "٣"], ["--seed needs a whole number", "'٣'"]),
        (["--alpha", "2"], ["--alpha needs a probability", "got 2.0"]),
        (["--data", "nowhere.npz"], ["existing file"]),
        (["--data", "digitz"], ["needs 'digits', 'mnist', 'openml:NAME' or the path"]),
        (["--network", "user_networks"], ["MODULE:ATTR"]),
        (["--network", "user_networks:flax_mlpp"], ["did you mean 'flax_mlp'"]),
        (["--network", "user_networks:no_network"], ["got int"]),
        (["--network", "nowhere:x"], ["ModuleNotFoundError"]),
        (["--network", "user_networks:equinox_mlp", "--data", "digits"], ["(8, 8, 1)"]),
        ([FAST, "--json", "nowhere/a.json"], ["existing directory"]),
    ],
)
def test_unusable_arguments_end_in_one_line_and_status_2(here, words, parts):
    assert refused(here("check", *words), *parts)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--sed", "3"], "No such option: --sed."),
        (["chek"], "No such command 'chek'."),
        (["check", "--profil", "quick"], "No such option: --profil"),
        (["check", "--workers", "x"], "Invalid value for '--workers': "),
        (["check", "--workers", "0"], "Invalid value for '--workers': "),
        (["check", "--alpha", "x"], "Invalid value for '--alpha': "),
        (["check", "--seed"], "Option '--seed' requires an argument."),
        (["where"], "Missing argument 'word'."),
        (["where", "symmetry", "extra"], "(extra)."),
        (["baseline", "accept", "a.json"], "Missing option '--why'."),
    ],
)
def test_words_that_are_no_command_line_end_in_one_line_and_status_2(here, words, part):
    result = here(*words)
    assert refused(result, "error: ", part, " --help`.")
    assert result.stdout == ""


@pytest.mark.parametrize(("words", "status"), [(["--help"], 0), (["check", "-h"], 0), ([], 2)])
def test_help_is_told_in_full(here, words, status):
    result = here(*words)
    assert result.returncode == status
    assert "Usage: ntval" in result.stdout
    assert result.stderr.strip() == ""


def test_unusable_data_ends_in_one_line_and_status_2(here, tmp_path):
    x = np.random.default_rng(0).standard_normal((20, 3))
    np.savez(tmp_path / "integers.npz", x=np.arange(40).reshape(20, 2) + 2**40)
    np.savez(tmp_path / "few.npz", x=x[:3])
    assert refused(here("check", "--data", tmp_path / "integers.npz"), "whole numbers of 32 bits")
    assert refused(here("check", FAST, "--data", tmp_path / "few.npz"), "at least 8 rows")


def test_rows_that_are_repeated_are_left_out_and_counted(here, tmp_path):
    x = np.random.default_rng(0).standard_normal((20, 3))
    np.savez(tmp_path / "twice.npz", x=np.concatenate([x, x[:1]]))
    for of in ((), ("--network", "user_networks:flax_mlp")):
        result = here("check", FAST, "--data", tmp_path / "twice.npz", *of)
        assert result.returncode == 0, result.stderr
        assert "1 row of x repeats an earlier one and is left out" in result.stdout


def test_inconclusive_fails_under_strict_alone(monkeypatch):
    from typer.testing import CliRunner

    from ntval.claims.outcome import Result
    from ntval.evidence.verdict import Decision, Verdict
    from ntval.front.cli import app
    from ntval.runs import suite

    def undecided(cell, catalogue):
        decision = Decision(Verdict.INCONCLUSIVE, "means", "undecided", 0.0, 0.0, 1.0)
        return Result(cell.claim, cell.point, cell.settings.seed, decision, 0.0)

    monkeypatch.setattr(suite, "run_cell", undecided)
    assert CliRunner().invoke(app.app, ["check", FAST]).exit_code == 0
    assert CliRunner().invoke(app.app, ["check", FAST, "--strict"]).exit_code == 3


def test_list_names_every_claim(here, tmp_path):
    from ntval.claims.catalogue import CLAIMS

    assert here("list", "--markdown", tmp_path).returncode == 0
    pages = "".join(page.read_text() for page in tmp_path.glob("*.md"))
    assert all(name.rpartition(".")[2] in pages for name in CLAIMS)
    words = here("list").stdout.split()
    assert set(CLAIMS) <= set(words)


def test_where_prints_paths_that_exist(here):
    result = here("where", "min_eigenvalue")
    assert result.returncode == 0
    paths = [line.split()[1].partition(":")[0] for line in result.stdout.splitlines()[2:]]
    assert sum((ROOT / path).is_file() for path in paths) >= 3
    assert refused(here("where", "min_eigenvalu"), "did you mean")


def test_doctor_finds_everything(here):
    result = here("doctor")
    assert result.returncode == 0, result.stdout
    for word in ("jax", "neural-tangents", "float64", "devices", "not used"):
        assert word in result.stdout
