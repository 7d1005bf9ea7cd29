"""Store: results of finished cells in one SQLite file, so that a sweep resumes where it stopped.

A cell is named by the hash of what determines it; what it gave is JSON, never pickled. Each
result is committed by itself: a process that is killed loses only the cells it was measuring.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ntval.errors import InputError
from ntval.runs.identity import Identity, _json, canonical, name_of

DEFAULT = Path(".ntval") / "experiments.sqlite"

# What marks a file as a store, in SQLite's header ("ntvl"), and the version of its schema.
APPLICATION_ID = 0x6E74766C
SCHEMA = 1

# SQLite calls it an I/O error when a disk has no room for its shared memory.
_LEAST_SPACE = 2**17
# Bytes of a file with the table and no row.
_EMPTY = 3 * 4096

_TABLE = """CREATE TABLE cells (
    name TEXT PRIMARY KEY, identity TEXT NOT NULL, value TEXT NOT NULL,
    seconds REAL NOT NULL, written TEXT NOT NULL
)"""


class Store:
    """Results by identity, in the SQLite file at `path`; a context manager.

    The file and its directory are made when there are none. Several processes may use one file.
    Raises: `InputError` when the file is no store, is damaged, or cannot be written.
    """

    def __init__(self, path: Path | str = DEFAULT) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise self._error("got a directory", "name a file in it")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error(
                f"its directory cannot be made ({error.strerror})", "choose another"
            ) from None
        self._new = not self.path.exists()
        with self._reported():
            # Without transactions of Python's own, each statement commits when it is done.
            self._rows = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            with self._reported():
                self._open()
        except BaseException:
            self._rows.close()
            self._drop_if_empty()
            raise

    def _open(self) -> None:
        """Make the table in an empty file, in one transaction; refuse what is no store."""
        if self._empty():
            self._rows.execute("BEGIN IMMEDIATE")
            if self._empty():  # another process may have been faster
                self._rows.execute(_TABLE)
                self._rows.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._rows.execute(f"PRAGMA user_version = {SCHEMA}")
            self._rows.execute("COMMIT")
        if self._pragma("application_id") != APPLICATION_ID:
            raise self._error("it is an SQLite file of another program", "choose another file")
        if (version := self._pragma("user_version")) != SCHEMA:
            raise self._error(
                f"its schema is version {version}, this ntval reads {SCHEMA}",
                "choose another file, or the ntval that wrote it",
            )
        if (found := self._pragma("quick_check")) != "ok":
            raise self._error(f"it is damaged ({found})", "move it away and run again")
        # Readers then do not wait for writers; where another process holds the file, it is done.
        with contextlib.suppress(sqlite3.OperationalError):
            self._rows.execute("PRAGMA journal_mode = WAL")

    def _empty(self) -> bool:
        tables = self._rows.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return tables == self._pragma("application_id") == self._pragma("user_version") == 0

    def _pragma(self, name: str) -> int | str:
        return self._rows.execute(f"PRAGMA {name}").fetchone()[0]

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        self.close()
        if kind is not None and issubclass(kind, InputError):
            self._drop_if_empty()

    def _drop_if_empty(self) -> None:
        """Leave no file behind that was made here and has no room for a result."""
        log = Path(f"{self.path}-wal")
        rows = log.stat().st_size if log.exists() else 0
        if self._new and self.path.exists() and rows == 0 and self.path.stat().st_size <= _EMPTY:
            for end in ("", "-wal", "-shm", "-journal"):
                Path(f"{self.path}{end}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        self._rows.close()

    def put(self, identity: Identity, value: Mapping, *, seconds: float = 0.0) -> None:
        """Keep what the cell gave; one that is there already stays as it is.

        Raises: `InputError` when JSON has no word for `value`, e.g. a NaN, or on a full disk.
        """
        row = (
            name_of(identity),
            canonical(identity),
            _json("value", value),
            float(seconds),
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with self._reported():
            self._rows.execute("INSERT OR IGNORE INTO cells VALUES (?, ?, ?, ?, ?)", row)

    def get(self, identity: Identity) -> dict | None:
        """What the cell gave, or None when it is not there."""
        query = "SELECT identity, value FROM cells WHERE name = ?"
        with self._reported():
            found = self._rows.execute(query, (name_of(identity),)).fetchone()
        if found is None:
            return None
        if found[0] != canonical(identity):
            raise self._error("an identity in it is not what its hash says", "move it away")
        return self._parsed(found[1])

    def missing(self, identities: Iterable[Identity]) -> list[Identity]:
        """Those of `identities` that are not there, in their order."""
        with self._reported():
            present = {name for (name,) in self._rows.execute("SELECT name FROM cells")}
        return [identity for identity in identities if name_of(identity) not in present]

    def rows(self) -> list[dict]:
        """All that is there, as it was written: identity, value, seconds, time of writing."""
        query = "SELECT identity, value, seconds, written FROM cells ORDER BY rowid"
        with self._reported():
            found = self._rows.execute(query).fetchall()
        return [
            {
                "identity": self._parsed(identity),
                "value": self._parsed(value),
                "seconds": seconds,
                "written": written,
            }
            for identity, value, seconds, written in found
        ]

    def _parsed(self, text: str) -> dict:
        try:
            return json.loads(text)
        except ValueError:
            raise self._error("a row in it is not JSON", "move it away and run again") from None

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Errors of SQLite as one line that names the file."""
        try:
            yield
        except sqlite3.Error as error:
            space = shutil.disk_usage(self.path.parent).free if self.path.parent.exists() else 1
            full = "full" in str(error) or space < _LEAST_SPACE
            way_out = "free space" if full else "move it away"
            raise self._error(str(error), f"{way_out}, or choose another file") from None

    def _error(self, what: str, way_out: str) -> InputError:
        return InputError(
            f"store needs a file that ntval made or may make, got {str(self.path)!r}: "
            f"{what}; {way_out}."
        )
