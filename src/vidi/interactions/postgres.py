"""Interactions in PostgreSQL, beside the index of the files, for several servers at once.

`open_shared` opens the whole of what such servers share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from vidi.domain.errors import Unavailable
from vidi.files.postgres import PostgresIndex
from vidi.files.s3 import PIECE_BYTES, BlobCache, S3Blobs, open_bucket
from vidi.files.store import FileStorage, SharedPlace
from vidi.interactions.store import InteractionLimits, Link, StoredInteraction
from vidi.storage.clock import Clock, from_micros, to_micros
from vidi.storage.postgres import PostgresDatabase

_SCHEMA: LiteralString = """
CREATE TABLE vidi.interactions (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE, owner text COLLATE "C" NOT NULL, previous text COLLATE "C" NOT NULL,
    created bigint NOT NULL, expires bigint NOT NULL, size bigint NOT NULL,
    input bytea NOT NULL, answer bytea NOT NULL
);
CREATE INDEX interactions_by_age ON vidi.interactions (owner, number DESC) INCLUDE (size);
CREATE INDEX interactions_by_expiry ON vidi.interactions (expires);
"""

SCRIPTS: Sequence[LiteralString] = (_SCHEMA,)
"""Each brings the tables to the next version."""

_ADD: LiteralString = """
INSERT INTO vidi.interactions (id, owner, previous, created, expires, size, input, answer)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""

_SURPLUS: LiteralString = """
DELETE FROM vidi.interactions WHERE number IN (
    SELECT number FROM (
        SELECT number, row_number() OVER newest AS place, sum(size) OVER newest AS total
        FROM vidi.interactions WHERE owner = %(owner)s WINDOW newest AS (ORDER BY number DESC)
    ) AS ranked WHERE place > 1 AND (place > %(count)s OR total > %(bytes)s)
)
"""

_HISTORY: LiteralString = """
WITH RECURSIVE history (place, id, previous, size) AS (
    SELECT 1, id, previous, size FROM vidi.interactions
    WHERE owner = %(owner)s AND id = %(id)s AND expires > %(now)s
    UNION ALL
    SELECT place + 1, it.id, it.previous, it.size FROM history JOIN vidi.interactions AS it
    ON it.owner = %(owner)s AND it.id = history.previous AND it.expires > %(now)s
    WHERE place < %(longest)s
)
SELECT id, previous, size FROM history ORDER BY place
"""

_FOUND: LiteralString = "FROM vidi.interactions WHERE owner = %s AND id = %s AND expires > %s"


class PostgresInteractions:
    """An `InteractionStore` in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Make the tables, or bring them up to date.

        Raises:
            OSError: A newer version made them, or the database failed.
        """
        self._database = database
        database.migrate("interactions", SCRIPTS)

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
        with self._database.transaction() as connection:
            # One owner's additions go one by one, or each would count without the other.
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (interaction.owner,))
            connection.execute(_ADD, row)
            connection.execute(
                _SURPLUS,
                {"owner": interaction.owner, "count": limits.count, "bytes": limits.total_bytes},
            )

    def find(self, owner: str, interaction_id: str, now: datetime) -> StoredInteraction | None:
        rows = self._database.read(
            f"SELECT id, owner, previous, created, expires, input, answer {_FOUND}",
            (owner, interaction_id, to_micros(now)),
        )
        if not rows:
            return None
        found, of, previous, created, expires, asked, answer = rows[0]
        return StoredInteraction(
            found, of, previous, from_micros(created), from_micros(expires), bytes(asked), bytes(answer)
        )

    def answer(self, owner: str, interaction_id: str, now: datetime) -> bytes | None:
        rows = self._database.read(f"SELECT answer {_FOUND}", (owner, interaction_id, to_micros(now)))
        return bytes(rows[0][0]) if rows else None

    def history(self, owner: str, interaction_id: str, now: datetime, longest: int) -> Sequence[Link]:
        rows = self._database.read(
            _HISTORY, {"owner": owner, "id": interaction_id, "now": to_micros(now), "longest": longest}
        )
        return [Link(*row) for row in rows]

    def delete(self, owner: str, interaction_id: str) -> bool:
        statement: LiteralString = (
            "DELETE FROM vidi.interactions WHERE owner = %s AND id = %s RETURNING number"
        )
        return bool(self._database.change(statement, (owner, interaction_id)))

    def expire(self, now: datetime, limit: int) -> int:
        """What another server removes at the moment is left to it."""
        removed = self._database.change(
            "DELETE FROM vidi.interactions WHERE number IN (SELECT number FROM vidi.interactions "
            "WHERE expires <= %s ORDER BY expires LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING number",
            (to_micros(now), limit),
        )
        return len(removed)


@dataclass(frozen=True, slots=True)
class SharedStorage:
    """What several servers share, and the clock that they all go by."""

    files: FileStorage
    interactions: PostgresInteractions
    clock: Clock


@contextmanager
def open_shared(place: SharedPlace) -> Iterator[SharedStorage]:
    """Open the database and the bucket, made ready if they are new.

    Raises:
        Unavailable: One of them cannot be used, or they belong to different servers; says why.
    """
    with closing(PostgresDatabase(place.database)) as database:
        try:
            place.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            index = PostgresIndex(database)
            interactions = PostgresInteractions(database)
            blobs = S3Blobs(open_bucket(place.blobs), BlobCache(place.cache, place.cache_bytes))
            found = blobs.bucket()
            if index.bucket(found) != found:
                raise Unavailable(
                    "VIDI_BLOB_URL is another place than the one where the files of VIDI_DATABASE_URL lie. "
                    "Set both to a pair that belongs together, or both to new ones."
                )
        except OSError as error:
            raise Unavailable(f"The shared storage cannot be used: {error.strerror or error}.") from error
        yield SharedStorage(FileStorage(blobs, index, index, PIECE_BYTES), interactions, database.now)
