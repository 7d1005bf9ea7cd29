"""`ntval gcv`: the reading, a row a ridge, a page; and one line for what cannot be."""

import json

import numpy as np
import pytest


def test_a_regression_on_digits_is_read_in_plain_words(here, tmp_path):
    words = ("--mlp", "relu:64", "--infinite", "--rows", 200, "--json", tmp_path / "a.json")
    result = here("gcv", *words, "--report", tmp_path / "a.html")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "200 samples, 10 classes, 5 folds" in result.stdout
    assert "GCV is smallest at ridge" in result.stdout
    found = json.loads((tmp_path / "a.json").read_text())
    assert len(found["rows"]) >= 15
    assert found["rows"][0]["held_out_95"][0] < found["rows"][0]["held_out"]
    page = (tmp_path / "a.html").read_text()
    assert page.count("<svg") == 1
    assert "relu:64, infinite width; 200 rows of digits" in page


def test_repeated_rows_of_a_file_are_told(here, tmp_path):
    x = np.random.default_rng(0).standard_normal((30, 4))
    x[1] = x[0]
    np.savez(tmp_path / "a.npz", x=x, y=x[:, 0])
    result = here("gcv", "--mlp", "tanh:20", "--data", tmp_path / "a.npz")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Leakage: K does not tell samples 0 and 1 apart" in " ".join(result.stdout.split())


def save(folder, **arrays):
    np.savez(folder / "a.npz", **arrays)
    return ("--mlp", "relu:8", "--data", folder / "a.npz")


X = np.random.default_rng(0).standard_normal((30, 4))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (lambda folder: (), "one of --network MODULE:ATTR and --mlp NAME:N,N"),
        (lambda folder: ("--mlp", "relu:8", "--ridge", -1), "ridges needs numbers >= 0"),
        (lambda folder: save(folder, x=X), "gcv needs labels"),
        (lambda folder: save(folder, x=X, y=np.sign(X[:, 0])), "say classes=True"),
    ],
)
def test_what_cannot_be_fitted_is_told_in_one_line(here, tmp_path, words, said):
    result = here("gcv", *words(tmp_path))
    assert result.returncode == 2, result.stdout + result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
