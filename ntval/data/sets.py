"""Inputs: uniform points of the sphere, real data by name, and files that are never unpickled."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, replace
from numbers import Number, Real
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from ntval.arrays import as_float64, rounding_allowance
from ntval.data import openml, sources
from ntval.errors import DataError, InputError, first_line


@dataclass(frozen=True)
class Data:
    """Inputs x of shape (n, *input_shape) and, when there are any, targets y of shape (n,).

    `whole`: whether y came as whole numbers, as classes do.
    `integers`: the dtype that x came in where it is of whole numbers, such as tokens.
    `left_out`: how many rows were, since each repeats an earlier one.
    """

    name: str
    x: Float[np.ndarray, "n *shape"]
    y: Float[np.ndarray, "n"] | None = None
    whole: bool = False
    integers: np.dtype | None = None
    left_out: int = 0

    @property
    def note(self) -> str:
        """What was left out, in words."""
        if not self.left_out:
            return ""
        rows = (
            "row of x repeats an earlier one and is"
            if self.left_out == 1
            else "rows of x repeat earlier ones and are"
        )
        return f"{self.left_out:,} {rows} left out: kernels are singular there."

    @property
    def given(self) -> Shaped[np.ndarray, "n *shape"]:
        """x in the dtype that it came in."""
        return self.x if self.integers is None else self.x.astype(self.integers)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.x.shape[1:]


def load(source: str, *, repeated: bool = False) -> Data:
    """The data set called `source`, or the .npz or .npy file of that path.

    Names: `digits`, scikit-learn's 1797 handwritten digits, pixels in [0, 1], shape (8, 8, 1);
    `mnist`, 10,000 digits of MNIST, pixels in [0, 1], shape (28, 28, 1), in an order without
    classes, which `ntval fetch mnist` gets; `openml:NAME`, `openml:NAME:VERSION` and
    `openml:NUMBER`, data sets of OpenML, shape (d,), which a network gets: see
    `ntval.data.openml`.
    An .npz file needs an array `x` of numbers, rows first, and may have `y`; an .npy file is `x`
    alone. Nothing is unpickled. Rows that repeat earlier ones are left out unless they may be
    `repeated`.

    Raises: `DataError` for what cannot be read, `InputError` for entries that cannot be used.
    """
    if source == "digits":
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        images = np.asarray(pixels).reshape(-1, 8, 8, 1) / 16.0
        return Data("digits", images, np.asarray(labels).astype(float), whole=True)
    if source == "mnist":
        return _mnist()
    if source.startswith(openml.PREFIX):
        found = openml.table(source)
        data = data_of(source, found.x, found.y, repeated=repeated)
        return replace(data, whole=found.classes)
    path = Path(source)
    if path.suffix not in (".npz", ".npy"):
        between = {".csv": ", delimiter=','", ".tsv": ", delimiter='\\t'", ".txt": ""}
        text = path.suffix in between and path.is_file()
        array = f"numpy.loadtxt({source!r}{between.get(path.suffix)})"
        raise DataError(
            "data needs 'digits', 'mnist', 'openml:NAME' or the path of an .npz or .npy file, got "
            f"{source!r}" + (f"; make one: numpy.save('x.npy', {array})." if text else ".")
        )
    names, arrays = _read(path)
    if "x" not in arrays:
        raise DataError(
            f"data needs an array 'x', got {sorted(names)} in {source!r}; name it so: "
            "numpy.savez(path, x=x, y=y)."
        )
    return data_of(path.name, arrays["x"], arrays.get("y"), repeated=repeated)


def _mnist() -> Data:
    """The digits of the npm package, whose files have one class each; pixels are multiples of
    1/255 that the package has rounded to three places."""
    images, labels = [], []
    for digit in range(10):
        path = sources.path_of("mnist", f"digits/{digit}.json")
        images.append(np.array(json.loads(path.read_bytes())["data"]).reshape(-1, 28, 28, 1))
        labels.append(np.full(len(images[-1]), float(digit)))
    order = np.random.default_rng(0).permutation(sum(map(len, labels)))
    x = np.round(255 * np.concatenate(images)[order]) / 255
    return Data("mnist", x, np.concatenate(labels)[order], whole=True)


def data_of(name: str, x: Any, y: Any = None, *, repeated: bool = False) -> Data:
    """Arrays as a data set; whole numbers and booleans become floats, which hold them exactly. Rows
    that repeat earlier ones are left out, with their y, unless they may be `repeated`.

    Raises: `InputError` for x without rows, x or y that is not finite numbers, and y that is not
    one value a row.
    """
    x, integers = inputs_of("x", x)
    whole = False
    if y is not None:
        y = array_of("y", y)
        whole = y.dtype.kind in "iub"
        y = as_float64("y", y.astype(float) if whole else y)
        if y.shape != (len(x),):
            way_out = "take a column, e.g. y[:, 0]" if y.ndim > 1 else "leave out no row"
            raise InputError(
                f"y needs shape ({len(x)},), one value a row of x, got {y.shape}; {way_out}."
            )
    again = () if repeated else repetitions(x)
    if len(again):
        x = np.delete(x, again, axis=0)
        y = None if y is None else np.delete(y, again)
    return Data(name, x, y, whole, integers, left_out=len(again))


def inputs_of(name: str, value: Any) -> tuple[Float[np.ndarray, "n *shape"], np.dtype | None]:
    """Inputs in float64 and, of whole numbers such as tokens, the dtype in which JAX reads them.

    Raises: `InputError` for what has no rows, is not finite numbers, or does not fit in 32 bits.
    """
    array, integers = array_of(name, value), None
    if array.dtype.kind in "iub":
        integers = np.dtype(_IN_32_BITS.get(array.dtype.name, array.dtype))
        if not np.array_equal(array, array.astype(integers)):
            raise InputError(
                f"{name} needs whole numbers of 32 bits, which is what JAX reads, got "
                f"{np.abs(array).max()}; convert it, e.g. {name}.astype(float)."
            )
        array = array.astype(np.float64)
    rows = as_float64(name, array)
    if rows.ndim < 2 or rows.size == 0:
        raise InputError(
            f"{name} needs shape (n, ...) with n >= 1, got {rows.shape}; "
            f"one input of d numbers is {name}[None], n scalars are {name}[:, None]."
        )
    return rows, integers


_IN_32_BITS = {"int64": np.int32, "uint64": np.uint32}


def is_array(value: Any) -> bool:
    """Whether `value` is an array, of NumPy, JAX, torch or the like, sparse or dense, or nested
    lists of numbers."""
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(isinstance(v, Number) or is_array(v) for v in value)
    dense = hasattr(value, "__array__") and hasattr(value, "shape")
    return (dense or hasattr(value, "toarray")) and not callable(value)


def array_of(name: str, value: Any) -> np.ndarray:
    """`value` as NumPy reads it; of numbers that are kept as objects, as a table's columns of
    several kinds are, an array of numbers.

    Raises: `InputError` when NumPy cannot, such as a ragged list or a sparse matrix, or would drop
    a mask.
    """
    if hasattr(value, "toarray"):
        raise InputError(
            f"{name} needs a dense array, got {type(value).__name__}; pass {name}.toarray()."
        )
    if np.ma.is_masked(value):
        raise InputError(f"{name} needs entries without a mask; drop or fill the masked ones.")
    try:
        array = np.asarray(value)
        if array.dtype == object and array.size and all(isinstance(v, Real) for v in array.flat):
            array = np.array(array.tolist())
        return array
    except Exception as error:  # whatever NumPy, or another library's array, says of it
        raise InputError(
            f"{name} needs one array of numbers, got {type(value).__name__} "
            f"({type(error).__name__}: {first_line(error)}); make a NumPy array of it."
        ) from None


def _read(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Names of all arrays of an .npz file, and those called x and y; of an .npy file its own as x.

    Raises: `DataError`, with the reason, for what is missing, no such file, damaged or pickled.
    """
    try:
        if not path.exists():
            raise DataError(f"data needs an existing file, got {str(path)!r}; check the path.")
        if reason := _no_arrays(path):
            raise ValueError(reason)
        if path.suffix == ".npy":
            return ["x"], {"x": np.load(path, allow_pickle=False)}
        with np.load(path, allow_pickle=False) as archive:
            members = archive.zip.namelist()
            names = [m.removesuffix(".npy") for m in members if m.endswith(".npy")]
            if members and not names:
                raise ValueError("it is a zip archive without arrays")
            arrays = {name: archive[name] for name in names if name in ("x", "y")}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):  # NumPy gives the bytes of what is no array
                raise ValueError(f"its member {name}.npy is no array")
        return names, arrays
    except DataError:
        raise
    except Exception as error:  # whatever zipfile, zlib and NumPy find wrong with a foreign file
        reason = getattr(error, "strerror", None) or first_line(error) or type(error).__name__
        if "Object arrays" in reason:
            reason = "it holds pickled objects, which are never loaded"
        raise DataError(
            f"data needs a file of plain arrays, got {str(path)!r} ({reason}); "
            "write it with numpy.savez(path, x=x, y=y)."
        ) from None


def _no_arrays(path: Path) -> str | None:
    """Why `path` is not what its suffix says, by its first bytes; None when it is."""
    if not path.is_file():
        return "it is a directory" if path.is_dir() else "it is no regular file"
    with path.open("rb") as file:
        start = file.read(6)
    if not start:
        return "it is empty"
    kinds = {".npy": start == b"\x93NUMPY", ".npz": start.startswith(b"PK")}
    if not kinds[path.suffix]:
        other = next((kind for kind, holds in kinds.items() if holds), None)
        return f"it is an {other} file" if other else f"it is no {path.suffix} file"
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        return "its end is missing: the file was cut off"
    return None


def repetitions(x: Float[np.ndarray, "n *shape"]) -> list[int]:
    """The rows that coincide with earlier ones, which make every kernel singular.

    Opposite rows do so for some kernels only, odd ones or even ones, and are no repetition. Rows
    count as equal when they differ by no more than a few roundings of their largest entry.
    """
    rows = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    largest = np.abs(rows).max(axis=1)
    # Rows that are equal have equal projections, so only neighbors along one are compared.
    direction = np.random.default_rng(0).uniform(1.0, 2.0, rows.shape[1])
    direction /= direction.sum()
    along = rows @ direction
    near = rounding_allowance(2 * rows.shape[1] + 4) * largest
    order = np.argsort(along, kind="stable")
    found: set[int] = set()
    for position, i in enumerate(order):
        if i in found:
            continue
        for j in order[position + 1 :]:
            if along[j] - along[i] > near[i] + near[j]:
                break
            if np.abs(rows[i] - rows[j]).max() <= rounding_allowance(4) * largest[j]:
                found.add(max(int(i), int(j)))
    return sorted(found)
