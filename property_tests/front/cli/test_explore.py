"""`ntval explore`, and `ntval check --at`: a search that is seen, kept, and repeated."""

import json
import re
import shlex

import pytest


def test_a_search_prints_its_worst_points_draws_a_map_and_can_be_repeated(here, tmp_path):
    words = ("hermite_energies", "--minutes", 0.2, "--store", tmp_path / "a.sqlite")
    files = ("--out", tmp_path, "--json", tmp_path / "a.json")
    first = here("explore", *words, *files, "--axes", "d,activation")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "a point that is refuted is a counterexample" in first.stdout
    assert "of 1264 distinct points" in first.stdout
    assert (tmp_path / "montanari_zhong.hermite_energies.png").stat().st_size > 5000
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["tried"] == found["states"]["supported"] == len(found["visits"]) > 0

    again = here("explore", *words[:1], "--minutes", 0.01, *words[3:], *files)
    resumed = json.loads((tmp_path / "a.json").read_text())
    assert again.returncode == 0, again.stdout + again.stderr
    assert resumed["visits"][: found["tried"]] == found["visits"]

    (command, *_) = re.findall(r"replay: ntval (.*)", first.stdout)
    repeated = here(*shlex.split(command))
    assert repeated.returncode == 0, repeated.stdout + repeated.stderr
    assert "1 SUPPORTED" in repeated.stdout


def test_the_level_of_a_search_is_that_of_all_its_points(here, tmp_path):
    words = ("dead_points", "--minutes", 0.02, "--alpha", 1e-4)
    result = here("explore", *words, "--store", tmp_path / "a.sqlite", "--out", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "refutes a true claim with probability at most 0.0001" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explore", "outlier"), "did you mean"),
        (("explore", "montanari_zhong"), "needs one claim, got 'montanari_zhong', which names"),
        (("explore", "outliers", "--axes", "d"), "--axes needs two names with a comma between"),
        (("explore", "outliers", "--minutes", "0"), "--minutes needs a positive number"),
        (("check", "outliers", "--at", "Regime(n=60)"), "point needs code such as Regime"),
        (
            ("check", "outliers", "--at", "Regime(n=60, d=50, widths=(4,))"),
            "where n / d is between 3 and 8, got Regime(n=60, d=50, widths=(4,))",
        ),
        (
            ("check", "outliers", "--at", "Regime(n=60, d=20)", "--data", "digits"),
            "--at needs ntval's own networks",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(here, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = here(*words)
    assert result.returncode == 2, result.stdout + result.stderr
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
