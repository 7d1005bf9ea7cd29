"""Data sets: what is read, and what is refused."""

import pickle

import numpy as np
import pytest

from ntval import data
from ntval.errors import DataError, InputError


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def rows(n=6, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def test_digits_are_images_between_0_and_1():
    digits = data.load("digits")
    assert digits.input_shape == (8, 8, 1)
    assert digits.x.min() == 0
    assert digits.x.max() == 1
    assert digits.y is not None
    assert digits.y.shape == (len(digits.x),)


def test_npz_file_is_read_with_its_shape(tmp_path):
    loaded = data.load(save(tmp_path / "a.npz", x=rows().reshape(6, 3, 1), y=np.arange(6)))
    assert loaded.input_shape == (3, 1)
    assert loaded.y is not None
    assert loaded.y.dtype == np.float64


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": rows()}, "needs an array 'x'"),
        ({"x": rows().astype(int)}, "floating-point entries, got dtype int64"),
        ({"x": np.full((3, 2), np.nan)}, "finite entries, got nan"),
        ({"x": np.ones(4)}, r"needs shape \(n, ...\)"),
        ({"x": np.ones((0, 3))}, r"needs shape \(n, ...\)"),
        ({"x": rows(), "y": np.zeros(5)}, r"y needs shape \(6,\)"),
        ({"x": np.concatenate([rows(), rows()[:1]])}, "equal rows 0 and 6"),
        ({"x": np.concatenate([rows(), -rows()[2:3]])}, "opposite rows 2 and 6"),
    ],
)
def test_bad_arrays_are_refused_by_name(tmp_path, arrays, message):
    with pytest.raises((DataError, InputError), match=message):
        data.load(save(tmp_path / "a.npz", **arrays))


def test_missing_file_is_refused():
    with pytest.raises(DataError, match="existing file"):
        data.load("nowhere.npz")


def test_unknown_name_is_refused():
    with pytest.raises(DataError, match="needs 'digits' or the path"):
        data.load("digit")


def test_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(DataError, match="plain arrays"):
        data.load(str(path))


class Trap:
    """Raises when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="pickled objects, which are never loaded"):
        data.load(str(path))
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"pickled objects|plain arrays"):
        data.load(str(path))
