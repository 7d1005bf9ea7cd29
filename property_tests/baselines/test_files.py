"""Files of baselines: written whole, read as written, refused when changed."""

import json
import os
from dataclasses import replace

import pytest

from ntval.baselines import files
from ntval.errors import InputError
from ntval.runs.identity import name_of
from ntval.runs.settings import Settings


@pytest.fixture
def file(frozen, tmp_path):
    files.write(frozen, tmp_path / "a.json")
    return tmp_path / "a.json"


def test_a_file_is_lines_that_people_can_compare(file, frozen):
    text = file.read_text()
    document = json.loads(text)
    assert document["schema"] == "ntval.baseline/3"
    (statistic,) = document["entries"][0]["statistics"]
    assert {"estimate", "standard_error", "n", "smallest_gap", "remainder"} <= set(statistic)
    assert sum(map(int, statistic["counts"].split())) == statistic["n"]
    assert max(map(len, text.splitlines())) < 400


def changed(file, change):
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["entries"][0]["statistics"][0].update(estimate=1.0), "sha256"),
        (lambda d: d["settings"].update(alpha=0.5), "sha256"),
        (lambda d: d["history"].append({"why": "I say so"}), "sha256"),
        (lambda d: d.update(sha256="0" * 64), "sha256"),
        (lambda d: d.pop("sha256"), "sha256"),
        (lambda d: d.update(schema="ntval.baseline/9"), "'ntval.baseline/9', this ntval reads"),
        (lambda d: d.update(schema="ntval.check/3"), "'ntval.check/3'"),
        (lambda d: d.pop("schema"), "no schema"),
    ],
)
def test_a_file_that_was_changed_is_refused_by_name(file, change, words):
    files.read(file)
    changed(file, change)
    with pytest.raises(InputError, match=words) as refused:
        files.read(file)
    assert str(file) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["entries"][0].pop("verdict"), "KeyError"),
        (lambda d: d["entries"][0].update(verdict="FINE"), "ValueError"),
        (lambda d: d["entries"][0]["statistics"][0].update(counts="1 2 3"), "counts"),
        (lambda d: d.pop("settings"), "KeyError"),
    ],
)
def test_a_file_with_a_hash_of_its_own_but_other_content_is_refused(file, change, words):
    document = json.loads(file.read_text())
    change(document)
    content = {k: v for k, v in document.items() if k not in ("schema", "sha256")}
    document["sha256"] = name_of(content)
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match=words):
        files.read(file)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_that_was_cut_short_is_refused(file, share):
    text = file.read_text()
    file.write_text(text[: int(share * len(text))])
    with pytest.raises(InputError, match="not JSON"):
        files.read(file)


@pytest.mark.parametrize("content", ["[]", "3", "null", "<<<<<<< HEAD\n{}", "\x00"])
def test_a_file_of_something_else_is_refused(file, content):
    file.write_text(content)
    with pytest.raises(InputError, match=r"not JSON|no schema"):
        files.read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="baseline freeze"):
        files.read(tmp_path / "nowhere.json")
    with pytest.raises(InputError, match="cannot be read"):
        files.read(tmp_path)


def test_a_file_is_written_whole_or_not_at_all(file, frozen, monkeypatch):
    before = file.read_text()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        files.write(replace(frozen, settings=Settings(seed=8)), file)
    assert file.read_text() == before
    monkeypatch.undo()
    files.write(replace(frozen, settings=Settings(seed=8)), file)
    assert files.read(file).settings.seed == 8
