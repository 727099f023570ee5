"""The rows of files and uploads in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from vidi.files.rows import file_of, file_row, session_of, session_row
from vidi.files.store import OwnerTotals, Position, Session, StoredFile
from vidi.storage.clock import END_OF_TIME, to_micros
from vidi.storage.sql import SqlDatabase, free_nothing

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

INDEX_OWNERS = """
BEGIN IMMEDIATE;
CREATE INDEX IF NOT EXISTS files_by_size ON files (owner, size);
CREATE INDEX IF NOT EXISTS open_sessions ON sessions (owner, length) WHERE phase = 'active';
PRAGMA user_version = 3;
COMMIT;
"""
"""What an owner has is counted from these alone."""

SCRIPTS = (SCHEMA, ADD_HEADER, INDEX_OWNERS)
"""Each brings the tables to the next version."""


class SqliteIndex:
    """A `FileIndex` in one SQLite file."""

    def __init__(self, path: Path, make_room: Callable[[], None] = free_nothing) -> None:
        """Open the database, or make it; `make_room` as in `SqlDatabase`.

        Raises:
            OSError: It cannot be opened, or a newer version made it.
        """
        self._database = SqlDatabase(path, SCRIPTS, make_room)

    def close(self) -> None:
        self._database.close()

    def start(self, session: Session) -> None:
        self._database.change(f"INSERT INTO sessions VALUES ({_marks(9)})", session_row(session))

    def session(self, upload_id: str) -> Session | None:
        rows = self._database.read("SELECT * FROM sessions WHERE id = ?", (upload_id,))
        return session_of(tuple(rows[0])) if rows else None

    def touch(self, upload_id: str, now: datetime) -> None:
        self._database.change("UPDATE sessions SET touched = ? WHERE id = ?", (to_micros(now), upload_id))

    def cancel(self, upload_id: str, now: datetime) -> None:
        self._database.remove(
            "UPDATE sessions SET phase = 'cancelled', touched = ? WHERE id = ? AND phase = 'active' "
            "RETURNING id",
            (to_micros(now), upload_id),
        )

    def finish(self, upload_id: str, file: StoredFile) -> bool:
        with self._database.transaction() as connection:
            added = connection.execute(
                f"INSERT INTO files SELECT {_marks(14)} FROM sessions WHERE id = ? AND phase = 'active' "
                "ON CONFLICT (owner, id) DO NOTHING",
                (*file_row(file), upload_id),
            )
            if added.rowcount == 1:
                connection.execute(
                    "UPDATE sessions SET phase = 'final', file_id = ?, length = ?, touched = ? WHERE id = ?",
                    (file.id, file.size_bytes, to_micros(file.created), upload_id),
                )
            return added.rowcount == 1

    def idle(self, before: datetime) -> Sequence[Session]:
        rows = self._database.read("SELECT * FROM sessions WHERE touched < ?", (to_micros(before),))
        return [session_of(tuple(row)) for row in rows]

    def forget(self, upload_id: str) -> None:
        self._database.remove("DELETE FROM sessions WHERE id = ? RETURNING id", (upload_id,))

    def file(self, owner: str, file_id: str) -> StoredFile | None:
        rows = self._database.read("SELECT * FROM files WHERE owner = ? AND id = ?", (owner, file_id))
        return file_of(tuple(rows[0])) if rows else None

    def holder(self, blob: str) -> StoredFile | None:
        rows = self._database.read("SELECT * FROM files WHERE blob = ?", (blob,))
        return file_of(tuple(rows[0])) if rows else None

    def page(self, owner: str, after: Position | None, limit: int, now: datetime) -> Sequence[StoredFile]:
        start = after or Position(END_OF_TIME, "")
        rows = self._database.read(
            "SELECT * FROM files WHERE owner = ? AND (created, id) < (?, ?) AND expires > ? "
            "ORDER BY created DESC, id DESC LIMIT ?",
            (owner, to_micros(start.created), start.id, to_micros(now), limit),
        )
        return [file_of(tuple(row)) for row in rows]

    def delete(self, owner: str, file_id: str) -> StoredFile | None:
        statement = "DELETE FROM files WHERE owner = ? AND id = ? RETURNING *"
        rows = self._database.remove(statement, (owner, file_id))
        return file_of(tuple(rows[0])) if rows else None

    def expire(self, now: datetime, limit: int) -> Sequence[StoredFile]:
        """Nothing is written when nothing has expired."""
        chosen = "SELECT rowid FROM files WHERE expires <= ? ORDER BY expires LIMIT ?"
        if not self._database.read(chosen, (to_micros(now), 1)):
            return []
        statement = f"DELETE FROM files WHERE rowid IN ({chosen}) RETURNING *"
        rows = self._database.remove(statement, (to_micros(now), limit))
        return sorted((file_of(tuple(row)) for row in rows), key=lambda file: file.expires)

    def blobs(self) -> frozenset[str]:
        rows = self._database.read(
            "SELECT blob FROM files UNION ALL SELECT blob FROM sessions WHERE phase = 'active'"
        )
        return frozenset(str(row["blob"]) for row in rows)

    def reserved(self) -> int:
        """Kept by triggers, so it costs the same however many files there are."""
        return int(self._database.read("SELECT reserved FROM totals")[0]["reserved"])

    def totals(self, owner: str) -> OwnerTotals:
        (stored,) = self._database.read(
            "SELECT coalesce(sum(size), 0) AS bytes FROM files WHERE owner = ?", (owner,)
        )
        (coming,) = self._database.read(
            "SELECT coalesce(sum(length), 0) AS bytes, count(*) AS uploads FROM sessions "
            "WHERE owner = ? AND phase = 'active'",
            (owner,),
        )
        return OwnerTotals(stored["bytes"] + coming["bytes"], coming["uploads"])


def _marks(count: int) -> str:
    return ", ".join("?" * count)
