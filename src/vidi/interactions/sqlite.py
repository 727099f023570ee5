"""Interactions in one SQLite file, beside the index of the files.

Space that is set aside sees to it that interactions can be removed from a full disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from vidi.interactions.store import InteractionLimits, Link, StoredInteraction
from vidi.storage.clock import from_micros, to_micros
from vidi.storage.disk import PosixDisk, SpareSpace
from vidi.storage.sql import SqlDatabase

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

_HISTORY = """
WITH RECURSIVE history (place, id, previous, size) AS (
    SELECT 1, id, previous, size FROM interactions WHERE owner = :owner AND id = :id AND expires > :now
    UNION ALL
    SELECT place + 1, it.id, it.previous, it.size FROM history JOIN interactions AS it
    ON it.owner = :owner AND it.id = history.previous AND it.expires > :now WHERE place < :longest
)
SELECT id, previous, size FROM history ORDER BY place
"""


class SqliteInteractions:
    """An `InteractionStore` in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Open the database, or make it; only its owner may read it.

        Raises:
            OSError: It cannot be opened, or a newer version made it.
        """
        disk = PosixDisk()
        self._spare = SpareSpace(path.with_suffix(".reserve"), disk)
        disk.create(path)
        self._database = SqlDatabase(path, (SCHEMA,), self._spare.release, LOG_BYTES)
        disk.sync(path.parent)

    def close(self) -> None:
        self._database.close()

    def add(self, interaction: StoredInteraction, limits: InteractionLimits) -> None:
        row = (
            interaction.id,
            interaction.owner,
            interaction.previous,
            to_micros(interaction.created),
            to_micros(interaction.expires),
            interaction.size,
            interaction.input,
            interaction.answer,
        )
        most = {"owner": interaction.owner, "count": limits.count, "bytes": limits.total_bytes}
        self._spare.ensure()
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO interactions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute(_SURPLUS, most)

    def find(self, owner: str, interaction_id: str, now: datetime) -> StoredInteraction | None:
        rows = self._database.read(
            "SELECT * FROM interactions WHERE owner = :owner AND id = :id AND expires > :now",
            {"owner": owner, "id": interaction_id, "now": to_micros(now)},
        )
        return _interaction(rows[0]) if rows else None

    def answer(self, owner: str, interaction_id: str, now: datetime) -> bytes | None:
        rows = self._database.read(
            "SELECT answer FROM interactions WHERE owner = :owner AND id = :id AND expires > :now",
            {"owner": owner, "id": interaction_id, "now": to_micros(now)},
        )
        return bytes(rows[0]["answer"]) if rows else None

    def history(self, owner: str, interaction_id: str, now: datetime, longest: int) -> Sequence[Link]:
        rows = self._database.read(
            _HISTORY, {"owner": owner, "id": interaction_id, "now": to_micros(now), "longest": longest}
        )
        return [Link(row["id"], row["previous"], row["size"]) for row in rows]

    def delete(self, owner: str, interaction_id: str) -> bool:
        statement = "DELETE FROM interactions WHERE owner = ? AND id = ? RETURNING number"
        return bool(self._database.remove(statement, (owner, interaction_id)))

    def expire(self, now: datetime, limit: int) -> int:
        """Nothing is written when nothing has expired."""
        chosen = "SELECT number FROM interactions WHERE expires <= ? ORDER BY expires LIMIT ?"
        values = (to_micros(now), limit)
        if not self._database.read(chosen, values):
            return 0
        statement = f"DELETE FROM interactions WHERE number IN ({chosen}) RETURNING number"
        return len(self._database.remove(statement, values))


def _interaction(row: sqlite3.Row) -> StoredInteraction:
    return StoredInteraction(
        id=row["id"],
        owner=row["owner"],
        previous=row["previous"],
        created=from_micros(row["created"]),
        expires=from_micros(row["expires"]),
        input=row["input"],
        answer=row["answer"],
    )
