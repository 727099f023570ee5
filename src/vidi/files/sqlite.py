"""The rows in SQLite.

WAL with synchronous=FULL: a commit is on the platter before the method returns. One connection writes,
another reads beside it, so a look-up does not wait for a commit's sync.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vidi.domain.prompt import ImageFormat, ImageHeader
from vidi.files.store import FileSource, FileState, Phase, Position, Session, StoredFile

VERSION = 2
"""Of the tables; kept in the database's user_version."""

SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE files (
    owner TEXT NOT NULL, id TEXT NOT NULL, blob TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL, mime_type TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, expires INTEGER NOT NULL,
    state TEXT NOT NULL, error TEXT, source TEXT NOT NULL,
    PRIMARY KEY (owner, id)
);
CREATE INDEX files_by_age ON files (owner, created DESC, id DESC);
CREATE INDEX files_by_expiry ON files (expires);
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, blob TEXT NOT NULL UNIQUE, file_id TEXT NOT NULL,
    display_name TEXT NOT NULL, mime_type TEXT NOT NULL, length INTEGER,
    touched INTEGER NOT NULL, phase TEXT NOT NULL
);
CREATE INDEX sessions_by_touch ON sessions (touched);
CREATE TABLE totals (reserved INTEGER NOT NULL);
INSERT INTO totals VALUES (0);
CREATE TRIGGER file_comes AFTER INSERT ON files BEGIN
    UPDATE totals SET reserved = reserved + new.size;
END;
CREATE TRIGGER file_goes AFTER DELETE ON files BEGIN
    UPDATE totals SET reserved = reserved - old.size;
END;
CREATE TRIGGER session_comes AFTER INSERT ON sessions WHEN new.phase = 'active' BEGIN
    UPDATE totals SET reserved = reserved + coalesce(new.length, 0);
END;
CREATE TRIGGER session_ends AFTER UPDATE OF phase ON sessions WHEN old.phase = 'active' BEGIN
    UPDATE totals SET reserved = reserved - coalesce(old.length, 0);
END;
CREATE TRIGGER session_goes AFTER DELETE ON sessions WHEN old.phase = 'active' BEGIN
    UPDATE totals SET reserved = reserved - coalesce(old.length, 0);
END;
PRAGMA user_version = 1;
COMMIT;
"""

ADD_HEADER = """
BEGIN IMMEDIATE;
ALTER TABLE files ADD COLUMN header TEXT;
PRAGMA user_version = 2;
COMMIT;
"""
"""Files of version 1 have no header here; theirs is read when they are used."""

LOG_PAGES = 100
"""Pages of 4 KiB after which the log is emptied; bounds the space that removals need on a full disk."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = 1 << 62
_FULL_OR_IO = {sqlite3.SQLITE_FULL: errno.ENOSPC}


def _nothing() -> None:
    """Frees no space."""


class SqliteIndex:
    """A `FileIndex` in one SQLite file."""

    def __init__(self, path: Path, make_room: Callable[[], None] = _nothing) -> None:
        """Open the database, or make it.

        Args:
            path: Of the database.
            make_room: Called when a removal fails; should free some space, after which it is tried again.

        Raises:
            OSError: It cannot be opened, or a newer version made it.
        """
        self._make_room = make_room
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        with as_os_error():
            self._writer = connect(path)
            (version,) = self._writer.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                self._writer.close()
                raise OSError(errno.EINVAL, "it was made by a newer version")
            if version < 1:
                self._writer.executescript(SCHEMA)
            if version < 2:
                self._writer.executescript(ADD_HEADER)
            self._reader = connect(path)

    def close(self) -> None:
        """Close the database. Nothing is lost without it."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def start(self, session: Session) -> None:
        """See `FileIndex.start`."""
        self._change(f"INSERT INTO sessions VALUES ({_marks(9)})", *_session_row(session))

    def session(self, upload_id: str) -> Session | None:
        """See `FileIndex.session`."""
        rows = self._read("SELECT * FROM sessions WHERE id = ?", upload_id)
        return _session(rows[0]) if rows else None

    def touch(self, upload_id: str, now: datetime) -> None:
        """See `FileIndex.touch`."""
        self._change("UPDATE sessions SET touched = ? WHERE id = ?", _micros(now), upload_id)

    def cancel(self, upload_id: str, now: datetime) -> None:
        """See `FileIndex.cancel`."""
        self._remove(
            "UPDATE sessions SET phase = 'cancelled', touched = ? WHERE id = ? AND phase = 'active' "
            "RETURNING id",
            _micros(now),
            upload_id,
        )

    def finish(self, upload_id: str, file: StoredFile) -> bool:
        """See `FileIndex.finish`."""
        with self._writing() as database:
            added = database.execute(
                f"INSERT INTO files VALUES ({_marks(14)}) ON CONFLICT (owner, id) DO NOTHING", _file_row(file)
            )
            if added.rowcount == 1:
                database.execute(
                    "UPDATE sessions SET phase = 'final', file_id = ?, length = ?, touched = ? WHERE id = ?",
                    (file.id, file.size_bytes, _micros(file.created), upload_id),
                )
            return added.rowcount == 1

    def idle(self, before: datetime) -> Sequence[Session]:
        """See `FileIndex.idle`."""
        rows = self._read("SELECT * FROM sessions WHERE touched < ?", _micros(before))
        return [_session(row) for row in rows]

    def forget(self, upload_id: str) -> None:
        """See `FileIndex.forget`."""
        self._remove("DELETE FROM sessions WHERE id = ? RETURNING id", upload_id)

    def file(self, owner: str, file_id: str) -> StoredFile | None:
        """See `FileIndex.file`."""
        rows = self._read("SELECT * FROM files WHERE owner = ? AND id = ?", owner, file_id)
        return _file(rows[0]) if rows else None

    def holder(self, blob: str) -> StoredFile | None:
        """See `FileIndex.holder`."""
        rows = self._read("SELECT * FROM files WHERE blob = ?", blob)
        return _file(rows[0]) if rows else None

    def page(self, owner: str, after: Position | None, limit: int, now: datetime) -> Sequence[StoredFile]:
        """See `FileIndex.page`."""
        created, file_id = (_micros(after.created), after.id) if after else (_END_OF_TIME, "")
        rows = self._read(
            "SELECT * FROM files WHERE owner = ? AND (created, id) < (?, ?) AND expires > ? "
            "ORDER BY created DESC, id DESC LIMIT ?",
            owner,
            created,
            file_id,
            _micros(now),
            limit,
        )
        return [_file(row) for row in rows]

    def delete(self, owner: str, file_id: str) -> StoredFile | None:
        """See `FileIndex.delete`."""
        rows = self._remove("DELETE FROM files WHERE owner = ? AND id = ? RETURNING *", owner, file_id)
        return _file(rows[0]) if rows else None

    def expire(self, now: datetime, limit: int) -> Sequence[StoredFile]:
        """See `FileIndex.expire`. Nothing is written when nothing has expired."""
        chosen = "SELECT rowid FROM files WHERE expires <= ? ORDER BY expires LIMIT ?"
        if not self._read(chosen, _micros(now), 1):
            return []
        rows = self._remove(f"DELETE FROM files WHERE rowid IN ({chosen}) RETURNING *", _micros(now), limit)
        return sorted((_file(row) for row in rows), key=lambda file: file.expires)

    def blobs(self) -> frozenset[str]:
        """See `FileIndex.blobs`."""
        rows = self._read("SELECT blob FROM files UNION ALL SELECT blob FROM sessions WHERE phase = 'active'")
        return frozenset(str(row["blob"]) for row in rows)

    def reserved(self) -> int:
        """See `FileIndex.reserved`. Kept by triggers, so it costs the same however many files there are."""
        return int(self._read("SELECT reserved FROM totals")[0]["reserved"])

    def _read(self, statement: str, *values: str | int) -> list[sqlite3.Row]:
        with as_os_error(), self._read_lock:
            return self._reader.execute(statement, values).fetchall()

    def _change(self, statement: str, *values: str | int | None) -> list[sqlite3.Row]:
        """One statement as a transaction, and the rows it returns."""
        with self._writing() as database:
            return database.execute(statement, values).fetchall()

    def _remove(self, statement: str, *values: str | int | None) -> list[sqlite3.Row]:
        """A change that makes room, for which room is made if need be."""
        try:
            return self._change(statement, *values)
        except OSError:
            self._make_room()
            return self._change(statement, *values)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end of the block, rolled back if the block raises."""
        with as_os_error(), self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on the platter when they return; for any thread, one at a time."""
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA temp_store = MEMORY")
    database.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    return database


@contextmanager
def as_os_error() -> Iterator[None]:
    """Turn what SQLite raises in the block into the OSError that the seams promise."""
    try:
        yield
    except sqlite3.Error as error:
        code = _FULL_OR_IO.get(getattr(error, "sqlite_errorcode", 0), errno.EIO)
        raise OSError(code, f"the database failed: {error}") from error


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _session_row(session: Session) -> tuple[str | int | None, ...]:
    return (
        session.id,
        session.owner,
        session.blob,
        session.file_id,
        session.display_name,
        session.mime_type,
        session.length,
        _micros(session.touched),
        session.phase.value,
    )


def _session(row: sqlite3.Row) -> Session:
    return Session(
        id=row["id"],
        owner=row["owner"],
        blob=row["blob"],
        file_id=row["file_id"],
        display_name=row["display_name"],
        mime_type=row["mime_type"],
        length=row["length"],
        touched=_moment(row["touched"]),
        phase=Phase(row["phase"]),
    )


def _file_row(file: StoredFile) -> tuple[str | int | None, ...]:
    return (
        file.owner,
        file.id,
        file.blob,
        file.display_name,
        file.mime_type,
        file.size_bytes,
        file.sha256,
        _micros(file.created),
        _micros(file.updated),
        _micros(file.expires),
        file.state.value,
        file.error,
        file.source.value,
        _header_text(file.header),
    )


def _file(row: sqlite3.Row) -> StoredFile:
    return StoredFile(
        id=row["id"],
        owner=row["owner"],
        blob=row["blob"],
        display_name=row["display_name"],
        mime_type=row["mime_type"],
        size_bytes=row["size"],
        sha256=row["sha256"],
        created=_moment(row["created"]),
        updated=_moment(row["updated"]),
        expires=_moment(row["expires"]),
        state=FileState(row["state"]),
        error=row["error"],
        source=FileSource(row["source"]),
        header=_header(row["header"]),
    )


def _header_text(header: ImageHeader | None) -> str | None:
    """As `image/jpeg 640 480 1 6`: format, width, height, frames, orientation."""
    if header is None:
        return None
    return f"{header.format.value} {header.width} {header.height} {header.frames} {header.orientation}"


def _header(text: str | None) -> ImageHeader | None:
    if text is None:
        return None
    form, *numbers = text.split()
    width, height, frames, orientation = map(int, numbers)
    return ImageHeader(ImageFormat(form), width, height, frames, orientation=orientation)
