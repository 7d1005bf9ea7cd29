"""`ntval fetch` as a person uses it."""

import hashlib

from ntval.data import sources


def small(monkeypatch, tmp_path):
    """Two sources of a small file each, an empty cache, and a folder that has both files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "package"
    folder.mkdir()
    found = {}
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_bytes(name.encode())
        files = {f"{name}.txt": hashlib.sha256(name.encode()).hexdigest()}
        found[name] = sources.Source(name, f"words {name}", "npm", name, "1.0", 0.1, files)
    monkeypatch.setattr(sources, "SOURCES", found)
    return folder


def test_files_that_a_person_has_are_kept(here, monkeypatch, tmp_path):
    folder = small(monkeypatch, tmp_path)
    result = here("fetch", "one", "--from", folder)
    assert result.returncode == 0, result.stderr
    assert "[1/1] one: words one, 0.1 MB" in result.stdout
    assert "whole, in" in result.stdout
    assert sources.present("one")
    assert not sources.present("two")


def test_all_are_fetched_without_a_name(here, monkeypatch, tmp_path):
    folder = small(monkeypatch, tmp_path)

    def download(source, into):
        (into / f"{source.name}.txt").write_bytes((folder / f"{source.name}.txt").read_bytes())

    monkeypatch.setattr(sources, "_download", download)
    result = here("fetch")
    assert result.returncode == 0, result.stderr
    assert "[1/2] one" in result.stdout
    assert "[2/2] two" in result.stdout
    assert sources.present("one")
    assert sources.present("two")


def test_unusable_arguments_are_refused_in_one_line(here, monkeypatch, tmp_path):
    folder = small(monkeypatch, tmp_path)
    for words, told in (
        (("fetch", "three"), "Unknown source 'three'"),
        (("fetch", "one", "two", "--from", folder), "--from needs one NAME that it has, got 2"),
        (("fetch", "one", "--from", tmp_path / "nowhere"), "--from needs an existing"),
    ):
        result = here(*words)
        assert result.returncode == 2
        assert told in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
