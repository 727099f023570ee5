"""The rows of files and uploads in PostgreSQL, for several servers at once.

What one server alone holds in its memory is a row here: how many bytes each upload of unknown length has
claimed, which blobs may be removed since nobody can still be reading them, and whose turn it is to tidy up.

Locks are taken in one order, of files and sessions, then of owners, then of the total, so that no two
transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.rows import TupleRow

from vidi.files.rows import FileRow, SessionRow, file_of, file_row, session_of, session_row
from vidi.files.store import FileLimits, Full, OwnerTotals, Phase, Position, Session, StoredFile
from vidi.storage.clock import END_OF_TIME, to_micros
from vidi.storage.postgres import PostgresDatabase

_SCHEMA: LiteralString = """
CREATE TABLE vidi.files (
    owner text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, blob text COLLATE "C" NOT NULL UNIQUE,
    display_name bytea NOT NULL, mime_type text NOT NULL, size bigint NOT NULL, sha256 text NOT NULL,
    created bigint NOT NULL, updated bigint NOT NULL, expires bigint NOT NULL,
    state text NOT NULL, error text, source text NOT NULL, header text,
    PRIMARY KEY (owner, id)
);
CREATE INDEX files_by_age ON vidi.files (owner, created DESC, id DESC);
CREATE INDEX files_by_expiry ON vidi.files (expires);
CREATE TABLE vidi.sessions (
    id text COLLATE "C" NOT NULL PRIMARY KEY, owner text COLLATE "C" NOT NULL,
    blob text COLLATE "C" NOT NULL UNIQUE, file_id text NOT NULL, display_name bytea NOT NULL,
    mime_type text NOT NULL, length bigint, touched bigint NOT NULL, phase text NOT NULL,
    claimed bigint NOT NULL
);
CREATE INDEX sessions_by_touch ON vidi.sessions (touched);
CREATE TABLE vidi.totals (reserved bigint NOT NULL);
INSERT INTO vidi.totals VALUES (0);
CREATE TABLE vidi.owners (
    owner text COLLATE "C" NOT NULL PRIMARY KEY, reserved bigint NOT NULL, uploads bigint NOT NULL
);
CREATE TABLE vidi.discarded (blob text COLLATE "C" NOT NULL PRIMARY KEY, since bigint NOT NULL);
CREATE INDEX discarded_by_age ON vidi.discarded (since);
CREATE TABLE vidi.jobs (name text PRIMARY KEY, due timestamptz NOT NULL);
CREATE TABLE vidi.bucket (id text NOT NULL);
"""

SCRIPTS: Sequence[LiteralString] = (_SCHEMA,)
"""Each brings the tables to the next version."""

_FILE: LiteralString = (
    "owner, id, blob, display_name, mime_type, size, sha256, created, updated, expires, "
    "state, error, source, header"
)
_SESSION: LiteralString = "id, owner, blob, file_id, display_name, mime_type, length, touched, phase"

_NAMES: LiteralString = (
    "SELECT blob FROM vidi.files UNION ALL SELECT blob FROM vidi.sessions WHERE phase = 'active'"
)

_NO_LIMITS = FileLimits(total_bytes=2**62, open_uploads=2**62)


class PostgresIndex:
    """A `SharedIndex` in PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Make the tables, or bring them up to date.

        Raises:
            OSError: A newer version made them, or the database failed.
        """
        self._database = database
        database.migrate("files", SCRIPTS)

    def start(self, session: Session) -> None:
        self.claim_start(session, _NO_LIMITS)

    def claim_start(self, session: Session, limits: FileLimits) -> Full | None:
        claimed = session.length or 0
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO vidi.owners VALUES (%s, 0, 0) ON CONFLICT DO NOTHING", (session.owner,)
            )
            full = _claim(connection, session.owner, _Growth(claimed, uploads=1), limits)
            if full is None:
                row = (*_stored(session_row(session), 4), claimed)
                connection.execute(f"INSERT INTO vidi.sessions VALUES ({_marks(10)})", row)
        return full

    def claim_growth(self, session: Session, size: int, limits: FileLimits) -> Full | None:
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT claimed FROM vidi.sessions WHERE id = %s AND phase = 'active' FOR UPDATE",
                (session.id,),
            ).fetchone()
            # A session that has ended holds no bytes; whoever writes to it learns of its end later.
            if row is None or size <= row[0]:
                return None
            full = _claim(connection, session.owner, _Growth(size - row[0]), limits)
            if full is None:
                connection.execute("UPDATE vidi.sessions SET claimed = %s WHERE id = %s", (size, session.id))
        return full

    def session(self, upload_id: str) -> Session | None:
        rows = self._database.read(f"SELECT {_SESSION} FROM vidi.sessions WHERE id = %s", (upload_id,))
        return session_of(_session_row(rows[0])) if rows else None

    def touch(self, upload_id: str, now: datetime) -> None:
        self._database.change(
            "UPDATE vidi.sessions SET touched = %s WHERE id = %s", (to_micros(now), upload_id)
        )

    def cancel(self, upload_id: str, now: datetime) -> None:
        with self._database.transaction() as connection:
            ended = connection.execute(
                "UPDATE vidi.sessions SET phase = 'cancelled', touched = %s "
                "WHERE id = %s AND phase = 'active' RETURNING owner, blob, claimed",
                (to_micros(now), upload_id),
            ).fetchall()
            _give_back(connection, [(*row, 1) for row in ended], now)

    def finish(self, upload_id: str, file: StoredFile) -> bool:
        with self._database.transaction() as connection:
            added = connection.execute(
                f"INSERT INTO vidi.files SELECT {_marks(14)} FROM vidi.sessions "
                "WHERE id = %s AND phase = 'active' FOR UPDATE ON CONFLICT (owner, id) DO NOTHING",
                (*_stored(file_row(file), 3), upload_id),
            )
            if added.rowcount == 1:
                ended = connection.execute(
                    "UPDATE vidi.sessions SET phase = 'final', file_id = %s, length = %s, touched = %s "
                    "WHERE id = %s RETURNING claimed",
                    (file.id, file.size_bytes, to_micros(file.created), upload_id),
                ).fetchall()
                _grow(connection, file.owner, _Growth(file.size_bytes - ended[0][0], uploads=-1))
            return added.rowcount == 1

    def idle(self, before: datetime) -> Sequence[Session]:
        rows = self._database.read(
            f"SELECT {_SESSION} FROM vidi.sessions WHERE touched < %s", (to_micros(before),)
        )
        return [session_of(_session_row(row)) for row in rows]

    def forget(self, upload_id: str) -> None:
        with self._database.transaction() as connection:
            gone = connection.execute(
                "DELETE FROM vidi.sessions WHERE id = %s RETURNING owner, blob, claimed, phase",
                (upload_id,),
            ).fetchall()
            active = [(*row[:3], 1) for row in gone if row[3] == Phase.ACTIVE.value]
            _give_back(connection, active, self._database.now())

    def file(self, owner: str, file_id: str) -> StoredFile | None:
        rows = self._database.read(
            f"SELECT {_FILE} FROM vidi.files WHERE owner = %s AND id = %s", (owner, file_id)
        )
        return file_of(_file_row(rows[0])) if rows else None

    def holder(self, blob: str) -> StoredFile | None:
        rows = self._database.read(f"SELECT {_FILE} FROM vidi.files WHERE blob = %s", (blob,))
        return file_of(_file_row(rows[0])) if rows else None

    def page(self, owner: str, after: Position | None, limit: int, now: datetime) -> Sequence[StoredFile]:
        start = after or Position(END_OF_TIME, "")
        rows = self._database.read(
            f"SELECT {_FILE} FROM vidi.files WHERE owner = %s AND (created, id) < (%s, %s) AND expires > %s "
            "ORDER BY created DESC, id DESC LIMIT %s",
            (owner, to_micros(start.created), start.id, to_micros(now), limit),
        )
        return [file_of(_file_row(row)) for row in rows]

    def delete(self, owner: str, file_id: str) -> StoredFile | None:
        with self._database.transaction() as connection:
            rows = connection.execute(
                f"DELETE FROM vidi.files WHERE owner = %s AND id = %s RETURNING {_FILE}", (owner, file_id)
            ).fetchall()
            return next(iter(self._removed(connection, rows)), None)

    def expire(self, now: datetime, limit: int) -> Sequence[StoredFile]:
        """What another server removes at the moment is left to it."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "DELETE FROM vidi.files WHERE blob IN (SELECT blob FROM vidi.files WHERE expires <= %s "
                f"ORDER BY expires LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING {_FILE}",
                (to_micros(now), limit),
            ).fetchall()
            return sorted(self._removed(connection, rows), key=lambda file: file.expires)

    def blobs(self) -> frozenset[str]:
        return frozenset(str(row[0]) for row in self._database.read(_NAMES))

    def reserved(self) -> int:
        return int(self._database.read("SELECT reserved FROM vidi.totals")[0][0])

    def totals(self, owner: str) -> OwnerTotals:
        rows = self._database.read("SELECT reserved, uploads FROM vidi.owners WHERE owner = %s", (owner,))
        return OwnerTotals(*rows[0]) if rows else OwnerTotals()

    def open_uploads(self) -> int:
        return int(self._database.read("SELECT coalesce(sum(uploads), 0)::bigint FROM vidi.owners")[0][0])

    def discarded(self, before: datetime, limit: int) -> Sequence[str]:
        rows = self._database.read(
            "SELECT blob FROM vidi.discarded WHERE since < %s ORDER BY since LIMIT %s",
            (to_micros(before), limit),
        )
        return [row[0] for row in rows]

    def removed(self, blobs: Sequence[str]) -> None:
        self._database.change("DELETE FROM vidi.discarded WHERE blob = ANY(%s)", (list(blobs),))

    def is_due(self, job: str, every: timedelta) -> bool:
        """By the database's clock; two servers that ask at once are told one after the other."""
        rows = self._database.change(
            "INSERT INTO vidi.jobs VALUES (%(job)s, now() + %(every)s * interval '1 microsecond') "
            "ON CONFLICT (name) DO UPDATE SET due = excluded.due WHERE vidi.jobs.due <= now() RETURNING name",
            {"job": job, "every": every // timedelta(microseconds=1)},
        )
        return bool(rows)

    def bucket(self, found: str) -> str:
        with self._database.transaction() as connection:
            connection.execute("LOCK TABLE vidi.bucket")
            known = connection.execute("SELECT id FROM vidi.bucket").fetchone()
            if known is None:
                connection.execute("INSERT INTO vidi.bucket VALUES (%s)", (found,))
            return found if known is None else str(known[0])

    def _removed(self, connection: psycopg.Connection[TupleRow], rows: list[TupleRow]) -> list[StoredFile]:
        files = [file_of(_file_row(row)) for row in rows]
        ended = [(file.owner, file.blob, file.size_bytes, 0) for file in files]
        _give_back(connection, ended, self._database.now())
        return files


@dataclass(frozen=True, slots=True)
class _Growth:
    """How many bytes and open uploads more an owner has."""

    bytes: int
    uploads: int = 0


def _claim(
    connection: psycopg.Connection[TupleRow], owner: str, more: _Growth, limits: FileLimits
) -> Full | None:
    """Count what an owner asks for, or say of what there is no more room; holds both rows to the commit."""
    ((reserved, uploads),) = connection.execute(
        "SELECT reserved, uploads FROM vidi.owners WHERE owner = %s FOR UPDATE", (owner,)
    ).fetchall()
    own = limits.owner_bytes(owner)
    if more.uploads and uploads >= limits.open_uploads:
        return Full.UPLOADS
    ((total,),) = connection.execute("SELECT reserved FROM vidi.totals FOR UPDATE").fetchall()
    if total + more.bytes > limits.total_bytes:
        return Full.TOTAL
    if own is not None and reserved + more.bytes > own:
        return Full.OWNER
    _grow(connection, owner, more)
    return None


def _grow(connection: psycopg.Connection[TupleRow], owner: str, more: _Growth) -> None:
    connection.execute(
        "UPDATE vidi.owners SET reserved = reserved + %s, uploads = uploads + %s WHERE owner = %s",
        (more.bytes, more.uploads, owner),
    )
    connection.execute("UPDATE vidi.totals SET reserved = reserved + %s", (more.bytes,))


def _give_back(
    connection: psycopg.Connection[TupleRow], ended: Sequence[tuple[str, str, int, int]], now: datetime
) -> None:
    """Count these no more, and note that their blobs may be removed: owner, blob, bytes, open uploads."""
    if not ended:
        return
    connection.execute(
        "INSERT INTO vidi.discarded SELECT unnest(%s::text[]), %s ON CONFLICT DO NOTHING",
        ([row[1] for row in ended], to_micros(now)),
    )
    # All owners before the total, in one order.
    for owner in sorted({row[0] for row in ended}):
        own = [row for row in ended if row[0] == owner]
        connection.execute(
            "UPDATE vidi.owners SET reserved = reserved - %s, uploads = uploads - %s WHERE owner = %s",
            (sum(row[2] for row in own), sum(row[3] for row in own), owner),
        )
    connection.execute("UPDATE vidi.totals SET reserved = reserved - %s", (sum(row[2] for row in ended),))


def _stored(row: FileRow | SessionRow, name: int) -> list[str | int | bytes | None]:
    """A display name may hold a NUL, which PostgreSQL's text may not, so it is kept as bytes."""
    return [str(value).encode() if place == name else value for place, value in enumerate(row)]


def _file_row(row: TupleRow) -> FileRow:
    return (*row[:3], row[3].decode(), *row[4:])


def _session_row(row: TupleRow) -> SessionRow:
    return (*row[:4], row[4].decode(), *row[5:])


def _marks(count: int) -> LiteralString:
    return ", ".join(("%s",) * count)
