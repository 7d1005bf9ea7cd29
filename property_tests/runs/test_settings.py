"""Seeds, levels and profiles: one rule each, and light to import."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntval.errors import InputError
from ntval.runs.settings import alpha_of, is_alpha, is_seed, seed_of


@given(seed=st.integers(0, 2**63 - 1))
def test_a_seed_is_read_as_the_number_it_is(seed):
    assert seed_of(str(seed)) == seed
    assert is_seed(seed)


NO_SEEDS = ["", "-1", "+1", "1.0", "1e3", " 1", "1\n", "1_0", "x", "Commit", "٣", "²", "0x1"]


@pytest.mark.parametrize("text", [*NO_SEEDS, str(2**63), "9" * 5000])
def test_what_is_no_seed_is_refused_by_name(text):
    with pytest.raises(InputError, match="--mine needs a whole number from 0 to"):
        seed_of(text, name="--mine")


@pytest.mark.parametrize("value", [-1, 2**63, True, 1.0, "1", None])
def test_what_is_no_whole_number_is_no_seed(value):
    assert not is_seed(value)


def test_a_seed_of_no_commit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match="--seed needs a git checkout here, got 'commit'"):
        seed_of("commit", directory=tmp_path)


@pytest.mark.parametrize("value", [1e-6, "1e-6", 0.5, np.float32(0.5), Fraction(1, 3)])
def test_probabilities_are_levels(value):
    assert alpha_of(value) == float(value)


@pytest.mark.parametrize(
    "value",
    [0, 1, 0.0, 1.0, -0.1, 2, "2", "nan", float("nan"), "x", "", None, True, [0.5], "1e-999"],
)
def test_what_is_no_probability_is_refused_by_name(value):
    with pytest.raises(InputError, match="alpha needs a probability between 0 and 1, got") as told:
        alpha_of(value, name="alpha")
    assert repr(value) in str(told.value)
    assert not is_alpha(value)


def test_settings_import_the_standard_library_alone():
    code = (
        "import sys; before = set(sys.modules); import ntval.runs.settings; "
        "loaded = {m.partition('.')[0] for m in set(sys.modules) - before}; "
        "print(sorted(loaded - sys.stdlib_module_names))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "['ntval']"
