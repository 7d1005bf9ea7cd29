"""`ntval run`: every experiment's smoke grid, held against the spec's numbers; one-line errors.

The spec gives means and standard deviations of one draw, over 10 seeds ("pilots"): two means
agree when they lie within four standard errors of their difference.
"""

import sys
from math import sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ntval.claims.catalogue import CLAIMS
from ntval.runs import experiments, store

ROOT = Path(__file__).parents[3]
PILOT_SEEDS = 10


def run(monkeypatch, capsys, *words):
    """The command line in this process: (status, out, err)."""
    from ntval.front.cli import app

    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr(sys, "argv", ["ntval", "run", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    output = capsys.readouterr()
    return SimpleNamespace(returncode=stopped.value.code or 0, stdout=output.out, stderr=output.err)


def near_pilots(table, column, pilots, draws):
    """Means of `column` within four standard errors of the spec's, {d: (mean, sd)}."""
    for row in table:
        mean, sd = pilots[row["d"]]
        allowed = 4 * sd * sqrt(1 / draws + 1 / PILOT_SEEDS)
        assert abs(row[column] - mean) <= allowed, (row, mean, allowed)


def min_eigenvalue(rows, table):
    pilots = {20: (0.1347, 0.0082), 40: (0.1612, 0.0020), 80: (0.1853, 0.0021)}
    near_pilots(table, "K measured", pilots, len(rows[0]["infinite"]))
    for row, formula in zip(table, (0.134, 0.161, 0.185), strict=True):
        assert abs(row["K predicted"] - formula) < 2e-3  # the spec's digits
        assert row["95 % from"] - row["remainder"] <= row["K predicted"]
        assert row["K predicted"] <= row["to"] + row["remainder"]
        # finite_width_min_eigenvalue: 1.6 / N + 2 %, N = 128.
        assert abs(row["K_N measured"] / row["K_N predicted"] - 1) < 1.6 / 128 + 0.02


def kernel_structure(rows, table):
    pilots = {20: (0.203, 0.012), 40: (0.1443, 0.0039), 80: (0.0980, 0.0019)}
    near_pilots(table, "measured", pilots, len(rows[0]["norms"]))
    for row, formula in zip(table, (0.215, 0.1450, 0.0984), strict=True):
        assert abs(row["predicted"] - formula) < 5e-4  # the spec's digits


def concentration(rows, table):
    for row in table:  # E09: ratios from 0.95 to 1.15
        assert row["to"] >= 0.95 * row["predicted"]
        assert row["95 % from"] <= 1.15 * row["predicted"]


def phase_diagram(rows, table):
    d = 20
    for row in rows:
        n, samples = row["n"], row["width"] * d
        if samples < n:  # E10, E11: ranks are exact, and lambda_min is rounding
            assert row["ranks"] == [samples] * len(row["ranks"])
            assert np.abs(row["smallest"]).max() < 1e-12
        # Given the rank, n / sigma^2 times the train error is chi-squared of n - rank degrees.
        free = n - np.array(row["ranks"])
        allowed = 5 * sqrt(2 * free.sum()) / n / len(free)
        assert abs(np.mean(row["train"]) - (free / n).mean()) <= allowed + 1e-12
    below, _, above = table
    assert below["region"] == "N d < n"
    assert above["lambda_min from"] > 1e-3
    assert above["measured"] < 0.05 < 0.3 < below["measured"]


def double_descent(rows, table):
    found = {row["N"]: row for row in table}
    assert max(found, key=lambda width: found[width]["median"]) == 5  # E14
    assert found[5]["median"] > 20
    assert found[320]["median"] < 1.35 * found["infinite"]["predicted"]
    for width, pilot in ((2, 0.350), (10, 0.386), (20, 0.166), (320, 0.072), ("infinite", 0.063)):
        row = found[width]
        # Of a normal sample the median's standard error is 1.253 sd / sqrt(draws).
        sd = (row["to"] - row["quartiles from"]) / 1.349
        allowed = 4 * 1.253 * sd * sqrt(2 / 12)
        assert abs(row["median"] - pilot) <= allowed, row


def self_induced_ridge(rows, table):
    found = {(row["error"], row["ridge"], row["estimator"]): row for row in table}
    for row in table:
        half = (row["to"] - row["95 % from"]) / 2
        assert abs(row["measured"] - row["predicted"]) <= 2 * half + 0.02 * row["predicted"], row
    at = {name: found["test", 0.1, name]["measured"] for name in ("NT", "KRR", "PRR")}
    without = found["test", 0.1, "PRR without"]["measured"]
    assert abs(at["NT"] - at["PRR"]) < 0.03  # E21
    assert at["NT"] - without > 0.08
    for name, pilot in (("NT", 0.327), ("KRR", 0.323), ("PRR", 0.318)):
        assert abs(at[name] - pilot) < 0.03
    assert abs(without - 0.190) < 0.03
    for name in ("NT", "KRR"):  # E19: train errors far below those of PRR, none without a ridge
        assert found["train", 0.1, name]["measured"] < 0.15 * found["train", 0.1, "PRR"]["measured"]


AGREES = {
    f"montanari_zhong.{check.__name__}": check
    for check in (
        min_eigenvalue,
        kernel_structure,
        concentration,
        phase_diagram,
        double_descent,
        self_induced_ridge,
    )
}


def deep_min_eigenvalue(rows, table):
    found = {(row["n"], row["d"]): row["measured"] for row in table}
    samples, dimensions = (sorted({pair[k] for pair in found}) for k in (0, 1))
    for n in samples:  # figure 1: it grows with d, and falls with n
        assert np.all(np.diff([found[n, d] for d in dimensions]) > 0)
    for d in dimensions:
        assert np.all(np.diff([found[n, d] for n in samples]) < 0)


def over_parameterization_exponent(rows, table):
    for row in table:  # C1: means of ten draws
        assert row["spec from"] <= row["measured"] <= row["spec to"]


def gradient_descent(rows, table):
    at = {row["gamma"]: row for row in table}
    for row in table:  # C6; at step 0 the ratio is 1, of one number computed twice
        assert row["largest ratio to bound"] < 1 + 1e-12
    distances = [at[gamma]["largest distance from linearized"] for gamma in (10.0, 100.0)]
    assert abs(np.log10(distances[1] / distances[0]) + 2) < 0.2


def optimization_threshold(rows, table):
    for row in table:  # C7: above as many inputs as parameters, and far below
        if row["N / parameters"] > 1:
            assert row["from"] > -2
        if row["N / d^2"] <= 0.5:
            assert row["log10 loss, mean"] < -4
    assert {row["N / parameters"] > 1 for row in table} == {False, True}


def finite_width_bound(rows, table):
    for row in table:  # no bound is passed; a lower bound of 0 is vacuous
        if row["side"] == "lower":
            assert row["most"] <= 1 + 1e-9
        else:
            assert row["least"] >= 1 - 1e-9
    chernoff = {row["N"]: row["least"] for row in table if "Chernoff" in row["bound"]}
    assert chernoff[60] == 0 < chernoff[3000]


AGREES |= {
    "bombari_amani_mondelli.min_eigenvalue": deep_min_eigenvalue,
    **{
        f"bombari_amani_mondelli.{check.__name__}": check
        for check in (
            finite_width_bound,
            over_parameterization_exponent,
            gradient_descent,
            optimization_threshold,
        )
    },
}


def digits_ntk(rows, table):
    for row in table:  # C15: means of eight splits with standard deviations of 0.08 and less
        if row["ridge / trace"] >= 1e-2:
            assert abs(row["GCV / test"] - 1) < 0.06, row
        if row["ridge / trace"] <= 1e-5:  # C16
            assert 0.6 < row["GCV / test"] < 0.9, row
            assert abs(row["LOO / test"] - 1) < 0.15, row


def pretrained_network(rows, table):
    best = {
        (row["network"], weights): min(
            other["measured"]
            for other in table
            if (other["network"], other["weights"]) == (row["network"], weights)
        )
        for row in table
        for weights in ("pretrained", "random")
    }
    for network in ("efficientnet_lite0", "minilm"):  # C20, C21
        assert best[network, "pretrained"] < 0.6 * best[network, "random"]


def pretrained_against_random(rows, table):
    _, many = table  # of digits alone, which are always here
    assert 0.3 < many["rate"] < 0.9  # 3.3: 0.561
    assert abs(many["predicted"] / many["measured"] - 1) < 0.35  # C16: GCV is too small
    assert 0.1 < many["top 10"] < many["top 100"] < 1
    assert 1 < many["R_0"] < many["R_10"] < many["largest r_k"]
    assert 0 < many["k*"] < many["n"] < many["largest r_k"]


AGREES |= {
    f"wei_hu_steinhardt.{check.__name__}": check
    for check in (digits_ntk, pretrained_network, pretrained_against_random)
}


def test_every_experiment_is_held_against_the_spec():
    assert set(AGREES) == set(experiments.names())


@pytest.mark.parametrize("name", AGREES)
def test_smoke_grid_agrees_with_the_spec(name, tmp_path, monkeypatch, capsys):
    if reason := CLAIMS[name].missing_files() if name in CLAIMS else None:
        pytest.skip(reason)
    monkeypatch.chdir(ROOT)
    path, out = tmp_path / "a.sqlite", tmp_path / "figures"
    words = (name.replace(".", "/"), "--store", path, "--out", out)
    first = run(monkeypatch, capsys, *words)
    assert first.returncode == 0, first.stdout + first.stderr
    found = experiments.find(name)
    cells = experiments.cells(found, grid="smoke", seed=0)
    assert f"0 of {len(cells)} cells were there" in first.stdout
    with store.Store(path) as kept:
        rows = experiments.rows(cells, kept)
    assert len(rows) == len(cells)
    table = found.summary(rows)
    AGREES[name](rows, table)
    for column in table[0]:
        assert column in first.stdout

    written = sorted(out.iterdir())
    assert {figure.suffix for figure in written} == {".svg", ".png"}
    for figure in written:
        assert figure.stat().st_size > 10_000
        assert f"wrote {figure}" in first.stdout


def test_second_run_measures_nothing_and_gives_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    words = ("kernel_structure", "--store", tmp_path / "a.sqlite", "--out", tmp_path)
    first = run(monkeypatch, capsys, *words)
    figure = (tmp_path / "kernel_structure.svg").read_bytes()
    again = run(monkeypatch, capsys, *words)
    assert "0 of 3 cells were there" in first.stdout
    assert "3 of 3 cells were there" in again.stdout
    assert "measuring" not in again.stdout
    assert again.stdout.splitlines()[1:] == first.stdout.splitlines()[-6:]
    assert (tmp_path / "kernel_structure.svg").read_bytes() == figure


def test_run_without_an_argument_lists_experiments(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    result = run(monkeypatch, capsys)
    assert result.returncode == 0
    for name in experiments.names():
        assert name in result.stdout
        assert experiments.find(name).title in result.stdout


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["phase_diagrm"], ["did you mean 'montanari_zhong.phase_diagram'"]),
        (["xyz"], ["'xyz'", "the nearest:", "montanari_zhong.phase_diagram"]),
        (["min_eigenvalue"], ["bombari_amani_mondelli.min_eigenvalue", "name the paper"]),
        (["phase_diagram", "--grid", "ful"], ["did you mean 'full'"]),
        (["phase_diagram", "--seed", "x"], ["--seed needs a whole number"]),
        (["phase_diagram", "--store", "README.md"], ["'README.md'", "not a database"]),
        (["phase_diagram", "--store", "ntval"], ["directory"]),
    ],
)
def test_unusable_arguments_end_in_one_line_and_status_2(words, parts, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    result = run(monkeypatch, capsys, *words)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    for part in parts:
        assert part in result.stderr


def test_installed_package_without_experiments_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "__file__", str(tmp_path / "ntval" / "experiments.py"))
    result = run(monkeypatch, capsys, "phase_diagram")
    assert result.returncode == 2
    assert "run it in a checkout of ntval's repository" in result.stderr
