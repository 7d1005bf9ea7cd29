"""`ntval baseline` as a person uses it: freeze, compare, accept, and files that cannot be used."""

import json
import sys
from types import SimpleNamespace

import pytest

from ntval.claims.sampling import forget

SCALED = """
import jax
import jax.numpy as jnp
from ntval import Network

def init_fn(key, shape):
    first, second = jax.random.split(key)
    w = jax.random.normal(first, (shape[-1], 16))
    return None, (w, jax.random.normal(second, (16, 1)))

def apply_fn(params, x):
    return SCALE * jnp.tanh(x @ params[0] / 2) @ params[1] / 4

model = Network(init_fn, apply_fn, input_shape=(4,))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with a network, frozen; run as commands of this process: (status, out, err)."""
    return tmp_path_factory.mktemp("host")


@pytest.fixture
def at_scale(folder, monkeypatch, capsys):
    """The command line beside a network of that scale."""
    from ntval.front.cli import app

    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")

    def run(scale, *words):
        (folder / "scaled.py").write_text(SCALED.replace("SCALE", str(scale)))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        monkeypatch.delitem(sys.modules, "scaled", raising=False)
        forget()
        monkeypatch.setattr(sys, "argv", ["ntval", "baseline", *words])
        with pytest.raises(SystemExit) as stopped:
            app.main()
        output = capsys.readouterr()
        return SimpleNamespace(status=stopped.value.code or 0, out=output.out, err=output.err)

    return run


@pytest.fixture
def frozen(at_scale, folder):
    path = folder / "base.json"
    if not path.exists():
        done = at_scale(1.0, "freeze", "base.json", "symmetry", "--network", "scaled:model")
        assert done.status == 0, done.err
        assert "mean of K_N(x, x)" in done.out
    return path


def test_nothing_drifts_by_itself(frozen, at_scale):
    done = at_scale(1.0, "compare", "base.json")
    assert done.status == 0, done.out + done.err
    assert "Since the baseline: the same versions." in done.out
    assert "No findings in 2 entries" in done.out
    assert "Replay: ntval baseline compare base.json --seed " in done.out


def test_a_scale_that_changed_by_3_percent_is_found_and_can_be_accepted(frozen, at_scale):
    before = frozen.read_text()
    done = at_scale(1.03**0.5, "compare", "base.json")
    assert done.status == 1, done.out + done.err
    assert "drift" in done.out
    assert "confirmed 3/3 on fresh keys" in done.out
    assert "1 finding in 2 entries" in done.out
    assert at_scale(1.03**0.5, "accept", "base.json", "--why", " ").status == 2
    assert frozen.read_text() == before
    assert at_scale(1.03**0.5, "accept", "base.json", "--why", "rescaled").status == 0
    (last,) = json.loads(frozen.read_text())["history"]
    assert last["why"] == "rescaled"
    assert any("mean of K_N" in line for line in last["findings"])
    assert at_scale(1.03**0.5, "compare", "base.json").status == 0
    frozen.write_text(before)


def test_what_cannot_be_used_is_one_line_with_the_way_out(frozen, at_scale):
    changed = frozen.with_name("changed.json")
    changed.write_text(frozen.read_text().replace("SUPPORTED", "REFUTED"))
    for words, part in (
        (("freeze", "base.json"), "which exists; ntval baseline accept replaces it"),
        (("freeze", "no/base.json"), "needs an existing directory"),
        (("freeze", "new.json", "--alpha", "2"), "a probability between 0 and 1"),
        (("compare", "none.json"), "there is none; ntval baseline freeze none.json makes it"),
        (("compare", "changed.json"), "it was changed; restore it"),
        (("compare", "base.json", "--seed", "0"), "another than that of the baseline"),
    ):
        done = at_scale(1.0, *words)
        assert done.status == 2, words
        assert part in done.err
        assert len(done.err.strip().splitlines()) == 1
