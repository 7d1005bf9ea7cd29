"""Data sets of OpenML by name, by scikit-learn's `fetch_openml`; nothing is ever unpickled.

| name | data set |
|---|---|
| `openml:mnist_784` | the active version of that name |
| `openml:mnist_784:1` | that version |
| `openml:554` | that number |

What was downloaded is held against OpenML's MD5 by scikit-learn, and kept in ntval's cache; the
arrays that were made of it, which takes a minute for 70,000 images, as well.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import quote

import numpy as np
from jaxtyping import Float

from ntval.data import sources
from ntval.errors import DataError, first_line

PREFIX = "openml:"


class Table(NamedTuple):
    """Columns of numbers, in a random order of rows that is always the same.

    `y`: the target, where there is one; of classes, their numbers. `classes`: whether it has them.
    """

    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, "n"] | None
    classes: bool


def table(source: str) -> Table:
    """The data set that `source`, `openml:` and a name, names; values are as published.

    Raises: `DataError` where the name cannot be read, the data set cannot be had, is not of numbers
    alone, or lacks some.
    """
    wanted = _wanted(source)
    words = "@".join(quote(str(word), safe="") for word in wanted.values())
    kept = sources.cache_home() / "openml" / f"{words}.npz"
    found = _read(kept)
    if found is None:
        found = _table(source, _fetched(source, wanted))
        _keep(kept, found)
    return found


def _wanted(source: str) -> dict[str, Any]:
    """What `source` says, as `fetch_openml` takes it: a number, a name, or a name and a version."""
    name, *version = source.removeprefix(PREFIX).lower().split(":")
    if _is_count(name) and not version:
        return {"data_id": int(name)}
    if not name or len(version) > 1 or not all(map(_is_count, version)):
        raise DataError(
            f"data needs openml:NAME, openml:NAME:VERSION or openml:NUMBER, got {source!r}; "
            "OpenML's names and numbers are listed on www.openml.org."
        )
    return {"name": name, **({"version": int(version[0])} if version else {})}


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _fetched(source: str, wanted: dict[str, Any]) -> Any:
    """What scikit-learn makes of the data set.

    Raises: `DataError`, in one line, whatever went wrong.
    """
    from sklearn.datasets import fetch_openml

    home = sources.cache_home()
    way_out = "hand in the data as an .npz file with x and y"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A network error")  # it is an error below
            return fetch_openml(
                **wanted, as_frame=False, parser="liac-arff", data_home=str(home), n_retries=1
            )
    except (URLError, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or first_line(error) or type(error).__name__
        raise DataError(
            f"data needs a network to get {source!r} from www.openml.org, got none ({reason}); "
            f"look at it, or {way_out}."
        ) from None
    except OSError as error:
        raise DataError(
            f"data needs a folder to keep {source!r} in, got {str(home)!r} ({first_line(error)}); "
            "set XDG_CACHE_HOME to another."
        ) from None
    except Exception as error:  # whatever scikit-learn finds wrong with a foreign data set
        raise DataError(
            f"data needs a data set that OpenML has, of numbers alone, got {source!r} "
            f"({first_line(error)}); choose another, or {way_out}."
        ) from None


def _table(source: str, found: Any) -> Table:
    """Arrays of what scikit-learn has made of a data set."""
    way_out = "encode or drop it, and hand in an .npz file with x and y."
    if not isinstance(found.data, np.ndarray):
        raise DataError(f"data needs dense columns, got sparse ones in {source!r}; {way_out}")
    words = [name for name in found.feature_names if name in (found.categories or {})]
    if words:
        raise DataError(
            f"data needs columns of numbers, got the categorical column {words[0]!r}, one of "
            f"{len(words)}, in {source!r}; {way_out}"
        )
    x = np.asarray(found.data, dtype=np.float64)
    missing = np.flatnonzero(~np.isfinite(x).all(axis=0))
    if len(missing):
        raise DataError(
            f"data needs a number in every row, got none in some rows of the column "
            f"{found.feature_names[missing[0]]!r}, one of {len(missing)}, in {source!r}; {way_out}"
        )
    y, classes = found.target, False
    if y is not None and y.ndim == 1:
        classes = y.dtype.kind not in "fiu"
        y = np.unique(y.astype(str), return_inverse=True)[1] if classes else y
        y = np.asarray(y, dtype=np.float64)
    else:
        y = None
    order = np.random.default_rng(0).permutation(len(x))
    return Table(x[order], None if y is None else y[order], classes)


def _read(path: Path) -> Table | None:
    """The table that the cache has; None where it has none, or one that was half written."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            y = archive["y"] if "y" in archive.files else None
            return Table(archive["x"], y, bool(archive["classes"]))
    except Exception:  # whatever zipfile, zlib and NumPy find wrong with it
        return None


def _keep(path: Path, found: Table) -> None:
    """Write a table into the cache in one step; one that cannot be kept is made anew each time."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    y = {} if found.y is None else {"y": found.y}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, x=found.x, classes=found.classes, **y)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
