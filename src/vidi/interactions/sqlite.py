"""Interactions in one SQLite file, beside the index of the files and written with the same care.

One connection writes, another reads beside it, so that a look-up does not wait for a commit's sync. A reserve
of space sees to it that interactions can be removed from a full disk.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vidi.files.local import PosixDisk, SpareSpace
from vidi.files.sqlite import as_os_error, connect
from vidi.interactions.store import InteractionLimits, Link, StoredInteraction

VERSION = 1
"""Of the tables; kept in the database's user_version."""

LOG_BYTES = 1 << 22
"""What the log is cut to when it has been emptied; large pictures blow it up."""

SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE interactions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, previous TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER NOT NULL, size INTEGER NOT NULL,
    input BLOB NOT NULL, answer BLOB NOT NULL
);
CREATE INDEX interactions_by_age ON interactions (owner, number DESC, size);
CREATE INDEX interactions_by_expiry ON interactions (expires);
CREATE INDEX interactions_by_id ON interactions (owner, id, previous, expires, size);
PRAGMA user_version = 1;
COMMIT;
"""

_SURPLUS = """
DELETE FROM interactions WHERE number IN (
    SELECT number FROM (
        SELECT number, row_number() OVER newest AS place, sum(size) OVER newest AS total
        FROM interactions WHERE owner = :owner WINDOW newest AS (ORDER BY number DESC)
    ) WHERE place > 1 AND (place > :count OR total > :bytes)
)
"""

_LINE = """
WITH RECURSIVE line (place, id, previous, size) AS (
    SELECT 1, id, previous, size FROM interactions WHERE owner = :owner AND id = :id AND expires > :now
    UNION ALL
    SELECT place + 1, it.id, it.previous, it.size FROM line JOIN interactions AS it
    ON it.owner = :owner AND it.id = line.previous AND it.expires > :now WHERE place < :longest
)
SELECT id, previous, size FROM line ORDER BY place
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Value = str | int | bytes


class SqliteInteractions:
    """An `InteractionStore` in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Open the database, or make it; only its owner may read it.

        Raises:
            OSError: It cannot be opened, or a newer version made it.
        """
        self._reserve = SpareSpace(path.with_suffix(".reserve"), PosixDisk())
        PosixDisk().create(path)
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        with as_os_error():
            self._writer = connect(path)
            self._writer.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            (version,) = self._writer.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                self._writer.close()
                raise OSError(errno.EINVAL, "it was made by a newer version")
            if version == 0:
                self._writer.executescript(SCHEMA)
            self._reader = connect(path)
        PosixDisk().sync(path.parent)

    def close(self) -> None:
        """Close the database. Nothing is lost without it."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def add(self, interaction: StoredInteraction, limits: InteractionLimits) -> None:
        """See `InteractionStore.add`."""
        row = (
            interaction.id,
            interaction.owner,
            interaction.previous,
            _micros(interaction.created),
            _micros(interaction.expires),
            interaction.size,
            interaction.input,
            interaction.answer,
        )
        most = {"owner": interaction.owner, "count": limits.count, "bytes": limits.total_bytes}
        self._reserve.ensure()
        with self._writing() as database:
            database.execute("INSERT INTO interactions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            database.execute(_SURPLUS, most)

    def find(self, owner: str, interaction_id: str, now: datetime) -> StoredInteraction | None:
        """See `InteractionStore.find`."""
        rows = self._read(
            "SELECT * FROM interactions WHERE owner = :owner AND id = :id AND expires > :now",
            {"owner": owner, "id": interaction_id, "now": _micros(now)},
        )
        return _interaction(rows[0]) if rows else None

    def answer(self, owner: str, interaction_id: str, now: datetime) -> bytes | None:
        """See `InteractionStore.answer`."""
        rows = self._read(
            "SELECT answer FROM interactions WHERE owner = :owner AND id = :id AND expires > :now",
            {"owner": owner, "id": interaction_id, "now": _micros(now)},
        )
        return bytes(rows[0]["answer"]) if rows else None

    def line(self, owner: str, interaction_id: str, now: datetime, longest: int) -> Sequence[Link]:
        """See `InteractionStore.line`."""
        wanted: dict[str, Value] = {"owner": owner, "id": interaction_id, "now": _micros(now)}
        rows = self._read(_LINE, {**wanted, "longest": longest})
        return [Link(row["id"], row["previous"], row["size"]) for row in rows]

    def delete(self, owner: str, interaction_id: str) -> bool:
        """See `InteractionStore.delete`."""
        wanted: dict[str, Value] = {"owner": owner, "id": interaction_id}
        return self._remove("DELETE FROM interactions WHERE owner = :owner AND id = :id", wanted) == 1

    def expire(self, now: datetime, limit: int) -> int:
        """See `InteractionStore.expire`. Nothing is written when nothing has expired."""
        chosen = "SELECT number FROM interactions WHERE expires <= :now ORDER BY expires LIMIT :limit"
        wanted: dict[str, Value] = {"now": _micros(now), "limit": limit}
        if not self._read(chosen, wanted):
            return 0
        return self._remove(f"DELETE FROM interactions WHERE number IN ({chosen})", wanted)

    def _remove(self, statement: str, values: dict[str, Value]) -> int:
        """Remove rows, and say how many; the reserve is given up for it if need be."""
        try:
            return self._change(statement, values)
        except OSError:
            self._reserve.release()
            return self._change(statement, values)

    def _change(self, statement: str, values: dict[str, Value]) -> int:
        with self._writing() as database:
            return database.execute(statement, values).rowcount

    def _read(self, statement: str, values: dict[str, Value]) -> list[sqlite3.Row]:
        with as_os_error(), self._read_lock:
            return self._reader.execute(statement, values).fetchall()

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


def _micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _interaction(row: sqlite3.Row) -> StoredInteraction:
    return StoredInteraction(
        id=row["id"],
        owner=row["owner"],
        previous=row["previous"],
        created=_EPOCH + timedelta(microseconds=row["created"]),
        expires=_EPOCH + timedelta(microseconds=row["expires"]),
        input=row["input"],
        answer=row["answer"],
    )
