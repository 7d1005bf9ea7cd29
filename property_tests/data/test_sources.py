"""Real data and weights: fetched, held against checksums, refused in one line."""

import hashlib
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest

from ntval.data import sets, sources
from ntval.errors import DataError, InputError, UnknownNameError
from ntval.front.cli import doctor

CONTENT = {"model/a.bin": b"weights", "words.txt": b"good\t2.0\n"}


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A source of two small files, and an empty cache."""
    files = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    source = sources.Source("small", "a small one", "PyPI", "small", "1.0", 0.1, files, "smallest")
    monkeypatch.setitem(sources.SOURCES, "small", source)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return source


@pytest.fixture
def package(tmp_path):
    """What the package unpacks to."""
    for name, content in CONTENT.items():
        path = tmp_path / "package" / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "package"


def zipped(package):
    path = package.parent / "small-1.0.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in package.rglob("*"):
            archive.write(file, file.relative_to(package))
    return path


def tarred(package):
    path = package.parent / "small-1.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(package, "package")
    return path


@pytest.mark.parametrize("packed", [lambda package: package, zipped, tarred])
def test_files_come_from_a_folder_and_from_archives_of_both_kinds(small, package, packed):
    assert not sources.present("small")
    sources.fetch("small", packed(package))
    assert sources.present("small")
    for name, content in CONTENT.items():
        assert sources.path_of("small", name).read_bytes() == content


def test_a_client_that_downloads_an_archive_is_enough(small, package, monkeypatch):
    made = []

    def run(command, *, cwd, **options):
        made.append(command)
        zipped(package).rename(cwd / "small-1.0.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(sources.subprocess, "run", run)
    monkeypatch.setattr(sources.shutil, "which", lambda name: name)
    sources.fetch("small")
    assert "--no-deps" in made[0]
    assert "small==1.0" in made[0]
    assert sources.present("small")


def test_a_client_that_fails_or_is_not_there_is_told_in_one_line(small, monkeypatch):
    def run(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "a\nERROR: no such thing\n")

    monkeypatch.setattr(sources.subprocess, "run", run)
    monkeypatch.setattr(sources.shutil, "which", lambda name: name)
    with pytest.raises(DataError, match=r"status 1 .*no such thing.*ntval fetch small --from FILE"):
        sources.fetch("small")
    monkeypatch.setattr(sources, "_has_pip", lambda: False)
    monkeypatch.setattr(sources.shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="fetch needs pip or uv, got no such program"):
        sources.fetch("small")


def test_what_is_not_there_names_the_command_that_gets_it(small):
    with pytest.raises(DataError, match=r"got none; fetch it: ntval fetch small\.$"):
        sources.path_of("small", "words.txt")
    words = sources.absent_words("small")
    assert words == "a small one (small) is not here; get it, 0.1 MB: ntval fetch small"
    lines, healthy = doctor.report()
    assert healthy
    assert any("small" in line and "missing" in line for line in lines)


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c + b"x", lambda c: b""])
def test_a_damaged_file_is_refused_wherever_it_lies(small, package, damage):
    sources.fetch("small", package)
    path = sources.path_of("small", "model/a.bin")
    path.write_bytes(damage(CONTENT["model/a.bin"]))
    with pytest.raises(DataError, match=r"bytes with another SHA-256.*ntval fetch small") as said:
        sources.path_of("small", "model/a.bin")
    assert "\n" not in str(said.value)
    assert any("DAMAGED" in line for line in doctor.report()[0])
    (package / "small" / "model" / "a.bin").write_bytes(damage(CONTENT["model/a.bin"]))
    with pytest.raises(DataError, match="another SHA-256; get that version"):
        sources.fetch("small", package)


def test_an_origin_that_does_not_have_the_files_is_refused(small, tmp_path):
    with pytest.raises(InputError, match="--from needs an existing"):
        sources.fetch("small", tmp_path / "nowhere")
    with pytest.raises(DataError, match="got none in"):
        sources.fetch("small", tmp_path)
    foreign = tmp_path / "foreign.whl"
    foreign.write_bytes(b"no archive")
    with pytest.raises(DataError, match="--from needs a package"):
        sources.fetch("small", foreign)


def test_an_unknown_source_is_told_its_neighbour():
    with pytest.raises(UnknownNameError, match="did you mean 'mnist'"):
        sources.fetch("minst")


def test_mnist_without_its_files_is_refused_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"fetch it: ntval fetch mnist\.$"):
        sets.load("mnist")


@pytest.mark.skipif(not sources.present("mnist"), reason=str(sources.absent_words("mnist")))
def test_mnist_is_ten_thousand_distinct_images_of_ten_classes():
    mnist = sets.load("mnist")
    counts = np.bincount(mnist.y.astype(int))
    assert mnist.x.shape == (10_000, 28, 28, 1)
    assert mnist.x.min() == 0
    assert mnist.x.max() == 1
    assert len({image.tobytes() for image in mnist.x}) == 10_000
    # Multiples of 1/255, to the bit: they were made so.
    assert np.array_equal(mnist.x, np.round(255 * mnist.x) / 255)
    assert counts.tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
