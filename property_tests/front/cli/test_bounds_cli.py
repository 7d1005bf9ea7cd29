"""`ntval bounds`: a table a kernel, and one line for what cannot be."""

import json

import pytest


def test_bounds_are_printed_tightest_first_beside_the_eigenvalue(here, tmp_path):
    words = ("--mlp", "relu:40,30", "--rows", 20, "--json", tmp_path / "a.json")
    words += ("--report", tmp_path / "a.html")
    result = here("bounds", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "K at these weights: smallest eigenvalue" in result.stdout
    assert "K of infinite width: smallest eigenvalue" in result.stdout
    found = json.loads((tmp_path / "a.json").read_text())
    upper = [row for row in found["bounds"] if row["side"] == "upper" and "these" in row["of"]]
    assert [row["value"] for row in upper] == sorted(row["value"] for row in upper)
    assert all(row["ratio"] >= 1 for row in upper)
    page = (tmp_path / "a.html").read_text()
    assert page.count("<svg") == 2
    assert "relu:40,30, 20 rows of digits" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "one of --network MODULE:ATTR and --mlp NAME:N,N"),
        (("--mlp", "relu"), "--mlp needs an activation and widths, got 'relu'"),
        (("--mlp", "rely:4"), "did you mean 'relu'"),
        (("--mlp", "relu:4", "--failure", 2), "failure needs to be between 0 and 1"),
    ],
)
def test_what_cannot_be_bounded_is_told_in_one_line(here, words, said):
    result = here("bounds", *words)
    assert result.returncode == 2, result.stdout + result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
