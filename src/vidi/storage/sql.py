"""A SQLite database whose commits outlive a power cut.

WAL with synchronous=FULL: a commit is on the platter before the call returns. One connection writes, another
reads beside it, so that a look-up does not wait for a commit's sync.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidi.storage.disk import refuse_other_than_file

Value = str | int | bytes | None

Values = Sequence[Value] | Mapping[str, Value]
"""What a statement's `?` or `:name` stand for."""

LOG_PAGES = 100
"""Pages of 4 KiB after which the log is emptied; bounds the space that removals need on a full disk."""

UNLIMITED = -1

_ERRNO = {sqlite3.SQLITE_FULL: errno.ENOSPC}


def free_nothing() -> None:
    """Frees no space."""


class SqlDatabase:
    """One SQLite file. Every method may be called from any thread; trouble is raised as OSError."""

    def __init__(
        self,
        path: Path,
        scripts: Sequence[str],
        make_room: Callable[[], None] = free_nothing,
        log_bytes: int = UNLIMITED,
    ) -> None:
        """Open the database, or make it.

        Args:
            path: Of the file.
            scripts: Make the tables: the n-th brings a database from version n - 1 to n, its user_version.
            make_room: Called when a removal fails; should free some space, after which it is tried again.
            log_bytes: What the log's file is cut to when the log has been emptied.

        Raises:
            OSError: It cannot be opened, or a newer version made it.
        """
        self._make_room = make_room
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        with as_os_error(path):
            self._writer = connect(path)
            self._writer.execute(f"PRAGMA journal_size_limit = {log_bytes}")
            (version,) = self._writer.execute("PRAGMA user_version").fetchone()
            if version > len(scripts):
                self._writer.close()
                raise OSError(errno.EINVAL, "it was made by a newer version of Vidi", str(path))
            for script in scripts[version:]:
                self._writer.executescript(script)
            self._reader = connect(path)

    def close(self) -> None:
        """Close the database. Nothing is lost without it."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def read(self, statement: str, values: Values = ()) -> list[sqlite3.Row]:
        """The rows of a query."""
        with as_os_error(), self._read_lock:
            return self._reader.execute(statement, values).fetchall()

    def change(self, statement: str, values: Values = ()) -> list[sqlite3.Row]:
        """One statement as a transaction, and the rows it returns."""
        with self.transaction() as connection:
            return connection.execute(statement, values).fetchall()

    def remove(self, statement: str, values: Values = ()) -> list[sqlite3.Row]:
        """A change that frees space, for which space is made if need be: even a removal writes to the log."""
        try:
            return self.change(statement, values)
        except OSError:
            self._make_room()
            return self.change(statement, values)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Committed at the end of the block, rolled back if the block raises."""
        with as_os_error(), self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on the platter when they return; for any thread, one at a time.

    Raises:
        OSError: There is something else than a file.
        sqlite3.Error: It cannot be opened.
    """
    refuse_other_than_file(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    return connection


@contextmanager
def as_os_error(path: Path | None = None) -> Iterator[None]:
    """Turn what SQLite raises in the block into the OSError that the seams promise, about `path`."""
    try:
        yield
    except sqlite3.Error as error:
        code = _ERRNO.get(getattr(error, "sqlite_errorcode", 0), errno.EIO)
        about = str(path) if path else None
        raise OSError(code, f"the database failed: {error}", about) from error
