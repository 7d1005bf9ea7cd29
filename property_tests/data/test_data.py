"""Data sets: what is read, and what is refused."""

import io
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ntval.data import sets
from ntval.errors import DataError, InputError


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def rows(n=6, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def test_digits_are_images_between_0_and_1():
    digits = sets.load("digits")
    assert digits.input_shape == (8, 8, 1)
    assert digits.x.min() == 0
    assert digits.x.max() == 1
    assert digits.y is not None
    assert digits.y.shape == (len(digits.x),)


def test_npz_file_is_read_with_its_shape(tmp_path):
    loaded = sets.load(save(tmp_path / "a.npz", x=rows().reshape(6, 3, 1), y=np.arange(6)))
    assert loaded.input_shape == (3, 1)
    assert loaded.y is not None
    assert loaded.y.dtype == np.float64


@pytest.mark.parametrize(
    ("dtype", "read"),
    [(np.uint8, np.uint8), (np.int64, np.int32), (np.uint64, np.uint32), (np.int16, np.int16)],
)
def test_whole_numbers_are_floats_that_know_what_they_came_in(tmp_path, dtype, read):
    tokens = np.arange(12, dtype=dtype).reshape(4, 3)
    loaded = sets.load(save(tmp_path / "a.npz", x=tokens))
    assert loaded.x.dtype == np.float64
    assert loaded.given.dtype == read
    assert (loaded.given == tokens).all()
    assert sets.data_of("x", rows()).given.dtype == np.float64


def test_numbers_that_are_kept_as_objects_are_numbers():
    np.testing.assert_array_equal(sets.data_of("x", rows().astype(object)).x, rows())
    tokens = np.arange(12).reshape(4, 3).astype(object)
    assert sets.data_of("x", tokens).given.dtype == np.int32
    for wrong in ("a", None, 1j, [1, 2]):
        mixed = rows().astype(object)
        mixed[0, 0] = wrong
        with pytest.raises(InputError, match="x needs a numeric array, got dtype object"):
            sets.data_of("x", mixed)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": rows()}, "needs an array 'x'"),
        ({"x": rows() + 1j}, "floating-point entries, got dtype complex128"),
        ({"x": np.full((3, 2), 2**40)}, "whole numbers of 32 bits"),
        ({"x": np.full((3, 2), np.nan)}, "finite entries, got nan"),
        ({"x": np.ones(4)}, r"needs shape \(n, ...\)"),
        ({"x": np.ones((0, 3))}, r"needs shape \(n, ...\)"),
        ({"x": rows(), "y": np.zeros(5)}, r"y needs shape \(6,\)"),
        ({"x": rows(), "y": np.array(["one"] * 6)}, "y needs floating-point entries"),
        ({"x": rows(), "y": np.zeros(6, complex)}, "y needs floating-point entries"),
    ],
)
def test_bad_arrays_are_refused_by_name(tmp_path, arrays, message):
    with pytest.raises((DataError, InputError), match=message):
        sets.load(save(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize("size", [1.0, 1e-200, 1e200])
def test_rows_that_repeat_earlier_ones_are_left_out_with_their_labels(size):
    x, y = size * rows(), np.arange(6)
    again = x[[4, 0, 4]] * (1 + 2e-16)
    data = sets.data_of("x", np.concatenate([x, again]), np.concatenate([y, [7, 8, 9]]))
    np.testing.assert_array_equal(data.x, x)
    assert data.y is not None
    assert (data.y == y).all()
    told = "3 rows of x repeat earlier ones and are left out: kernels are singular there."
    assert data.note == told
    assert sets.data_of("x", x).note == ""
    assert len(sets.data_of("x", np.concatenate([x, again]), repeated=True).x) == 9


def test_rows_that_differ_by_more_than_rounding_are_kept():
    x = np.concatenate([np.eye(4), -np.eye(4), np.eye(4) + 1e-14, np.zeros((1, 4))])
    assert sets.repetitions(x) == []
    assert sets.repetitions(np.concatenate([x, x[::-1]])) == list(range(13, 26))


def test_missing_file_is_refused():
    with pytest.raises(DataError, match="existing file"):
        sets.load("nowhere.npz")


def test_unknown_name_is_refused():
    with pytest.raises(DataError, match="needs 'digits', 'mnist', 'openml:NAME' or the path"):
        sets.load("digit")


def zipped(**members):
    """Bytes of a zip archive of files with these contents."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def saved(save, *values, **named):
    """Bytes that NumPy's `save` writes."""
    file = io.BytesIO()
    save(file, *values, **named)
    return file.getvalue()


PLAIN = saved(np.savez, x=rows())
DAMAGED = bytearray(PLAIN)
DAMAGED[150] ^= 255  # in the middle of x


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"x,y\n1,2\n", "it is no .npz file"),
        (pickle.dumps([1, 2]), "it is no .npz file"),
        (b"", "it is empty"),
        (saved(np.save, rows()), "it is an .npy file"),
        (saved(np.save, np.array([{}]), allow_pickle=True), "it is an .npy file"),
        (PLAIN[:-30], "its end is missing: the file was cut off"),
        (PLAIN[:8], "its end is missing: the file was cut off"),
        (b"junk" + PLAIN, "it is no .npz file"),
        (bytes(DAMAGED), "Bad CRC-32 for file 'x.npy'"),
        (zipped(**{"readme.txt": "hello"}), "it is a zip archive without arrays"),
        (zipped(x="hello"), "it is a zip archive without arrays"),
        (zipped(**{"x.npy": "hello"}), "its member x.npy is no array"),
        (zipped(**{"x.npy": saved(np.save, rows())[:40]}), "EOF"),
        (saved(np.savez, x=np.array([{}]), allow_pickle=True), "it holds pickled objects"),
        (saved(np.savez, x=rows(), y=np.array([{}] * 6)), "it holds pickled objects"),
    ],
)
def test_file_that_is_no_archive_of_arrays_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        sets.load(str(path))
    message = str(refused.value)
    assert reason in message
    assert "\n" not in message
    assert ("pickled" in message) == ("pickled" in reason)
    assert message.endswith("write it with numpy.savez(path, x=x, y=y).")


def test_archive_without_any_array_is_told_that_it_needs_x(tmp_path):
    with pytest.raises(DataError, match=r"needs an array 'x', got \[\]"):
        sets.load(save(tmp_path / "a.npz"))


def test_what_is_no_file_or_cannot_be_opened_is_refused(tmp_path, monkeypatch):
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "locked.npz").write_bytes(PLAIN)

    def closed(*_, **__):
        raise PermissionError(13, "Permission denied", "locked.npz")

    for name, reason in (
        ("folder.npz", "it is a directory"),
        ("pipe.npz", "it is no regular file"),
        ("a" * 300 + ".npz", "File name too long|existing file"),
    ):
        with pytest.raises(DataError, match=reason):
            sets.load(str(tmp_path / name))
    monkeypatch.setattr(Path, "open", closed)  # root may read any file
    with pytest.raises(DataError, match=r"locked\.npz' \(Permission denied\)"):
        sets.load(str(tmp_path / "locked.npz"))


class Trap:
    """Raises when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="pickled objects, which are never loaded"):
        sets.load(str(path))
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"it is no \.npz file"):
        sets.load(str(path))


def test_opposite_rows_are_no_error(tmp_path):
    x = np.linspace(-3.0, 3.0, 8)[:, None]
    assert len(sets.load(save(tmp_path / "x.npz", x=x)).x) == 8


def test_an_npy_file_is_x_alone(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, rows())
    loaded = sets.load(str(path))
    assert (loaded.x == rows()).all()
    assert loaded.y is None
    for content, reason in (
        (saved(np.save, np.array([{}]), allow_pickle=True), "it holds pickled objects"),
        (pickle.dumps([1, 2]), "it is no .npy file"),
        (PLAIN, "it is an .npz file"),
        (b"", "it is empty"),
        (saved(np.save, rows())[:140], "Failed to read"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=re.escape(reason)):
            sets.load(str(path))


@pytest.mark.parametrize(("suffix", "between"), [("csv", ","), ("tsv", "\t"), ("txt", " ")])
def test_the_line_that_makes_an_array_of_a_table_in_text_makes_it(tmp_path, suffix, between):
    path = tmp_path / f"a.{suffix}"
    np.savetxt(path, rows(), delimiter=between)
    with pytest.raises(DataError, match=r"make one: numpy.save") as refused:
        sets.load(str(path))
    line = str(refused.value).rpartition("make one: ")[2].rstrip(".")
    exec(line.replace("'x.npy'", repr(str(tmp_path / "x.npy"))), {"numpy": np})
    assert (sets.load(str(tmp_path / "x.npy")).x == rows()).all()
