"""A PostgreSQL database that several servers share.

Each method is one transaction. None of them waits for ever: not for a connection, not for a lock, and not for
a database that accepts connections and is silent, which libpq itself would wait for without end.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from vidi.domain.errors import Unavailable
from vidi.storage.clock import EPOCH, from_micros

Value = str | int | bytes | None | list[str]

Values = Sequence[Value] | Mapping[str, Value]
"""What a statement's `%s` or `%(name)s` stand for."""

CONNECTIONS = 16
"""Most connections of one server: one for each of its storage threads."""

CONNECT_SECONDS = 3.0
"""How long a call waits for a connection; then the database counts as away."""

ANSWER_SECONDS = 20.0
"""How long a transaction may take; then its connection is cut, and the database rolls it back."""

START_SECONDS = 30.0
"""How long a server waits for its database when it starts."""

CLOCK_EVERY = 30.0
"""Seconds after which the database's clock is looked at again; a quartz is 3 ms off by then at most."""

_CONNECTION: Mapping[str, str | int] = {
    "application_name": "vidi",
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""What the URL may say otherwise."""

_SESSION: LiteralString = """
SET statement_timeout = '15s';
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '15s';
"""
"""The last one frees the locks of a server that was suspended in a transaction."""

_MIGRATIONS_LOCK = 0x76696469
"""Key of the advisory lock under which tables are made."""

_VERSIONS: LiteralString = """
CREATE SCHEMA IF NOT EXISTS vidi;
CREATE TABLE IF NOT EXISTS vidi.versions (part text PRIMARY KEY, version integer NOT NULL);
"""

_FULL = ("53100",)
"""SQLSTATEs that mean a full disk."""


class PostgresDatabase:
    """A pool of connections. Every method may be called from any thread; trouble is raised as OSError.

    ConnectionError means that the database could not be asked or did not answer: nothing that was committed
    is lost, and the same call may succeed when it is back. Whether the call itself was committed is unknown.
    """

    def __init__(self, url: str) -> None:
        """Connect.

        Args:
            url: `postgresql://user:password@host:port/database`, or libpq's `key=value` form.

        Raises:
            Unavailable: It cannot be reached; says why, without the password.
        """
        try:
            given = conninfo_to_dict(url)
            conninfo = make_conninfo(url, **{key: _CONNECTION[key] for key in _CONNECTION.keys() - given})
        except psycopg.ProgrammingError:
            # Its text would repeat the URL, password and all.
            raise Unavailable("VIDI_DATABASE_URL is not a PostgreSQL URL.") from None
        self._running = _Running()
        self._pool = ConnectionPool(
            conninfo,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=CONNECT_SECONDS,
            reconnect_timeout=CONNECT_SECONDS,
            configure=_configure,
            check=_check_is_quiet,
            kwargs={"autocommit": True},
            open=False,
        )
        try:
            psycopg.connect(conninfo).close()
            self._pool.open(wait=True, timeout=START_SECONDS)
        except (psycopg.Error, PoolTimeout) as error:
            self.close()
            raise Unavailable(f"The database of VIDI_DATABASE_URL cannot be used: {_said(error)}") from None
        self._clock_lock = threading.Lock()
        self._clock_read = -math.inf
        self._started = EPOCH
        self.now()

    def close(self) -> None:
        """Close all connections. Nothing is lost without it."""
        self._running.close()
        self._pool.close()

    def now(self) -> datetime:
        """The database's time: the one clock of servers whose own clocks differ.

        Read every half a minute and carried on by the machine's steady ticks between, so that it costs
        nothing, and goes on while the database is away.
        """
        ticks = time.monotonic()
        with self._clock_lock:
            due = ticks - self._clock_read >= CLOCK_EVERY
            if due:
                self._clock_read = ticks
        if due:
            with suppress(OSError):
                ((micros,),) = self.read("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
                middle = (ticks + time.monotonic()) / 2
                self._started = from_micros(micros) - timedelta(seconds=middle)
        return self._started + timedelta(seconds=time.monotonic())

    def migrate(self, part: str, scripts: Sequence[LiteralString]) -> None:
        """Make the tables of a part: the n-th script brings them from version n - 1 to n.

        Servers that start together wait for each other.

        Raises:
            OSError: A newer version made the tables, or they cannot be made.
        """
        with self.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATIONS_LOCK,))
            connection.execute(_VERSIONS)
            row = connection.execute("SELECT version FROM vidi.versions WHERE part = %s", (part,)).fetchone()
            version = row[0] if row else 0
            if version > len(scripts):
                raise OSError(errno.EINVAL, f"the tables of {part} were made by a newer version")
            for script in scripts[version:]:
                connection.execute(script)
            connection.execute(
                "INSERT INTO vidi.versions VALUES (%s, %s) "
                "ON CONFLICT (part) DO UPDATE SET version = excluded.version",
                (part, len(scripts)),
            )

    def read(self, statement: LiteralString, values: Values = ()) -> list[TupleRow]:
        """The rows of a query."""
        return self.change(statement, values)

    def change(self, statement: LiteralString, values: Values = ()) -> list[TupleRow]:
        """One statement as a transaction, and the rows it returns."""
        with self._connection() as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[TupleRow]]:
        """Committed at the end of the block, rolled back if the block raises."""
        with self._connection() as connection, connection.transaction():
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[TupleRow]]:
        with as_os_error(), self._pool.connection() as connection, self._running.limit(connection):
            yield connection


class _Running:
    """Cuts the connections of transactions that take longer than `ANSWER_SECONDS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[psycopg.Connection[TupleRow], float] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="postgres deadlines", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    @contextmanager
    def limit(self, connection: psycopg.Connection[TupleRow]) -> Iterator[None]:
        with self._lock:
            self._since[connection] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._since.pop(connection, None)

    def _watch(self) -> None:
        while not self._closed.wait(1.0):
            late = time.monotonic() - ANSWER_SECONDS
            with self._lock:
                # Under the lock no connection can be given back, and its descriptor be another's.
                for connection, since in self._since.items():
                    if since < late and not connection.closed:
                        _hang_up(connection)


def _hang_up(connection: psycopg.Connection[TupleRow]) -> None:
    """End both directions of a connection; whoever waits for it is told at once."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _configure(connection: psycopg.Connection[TupleRow]) -> None:
    connection.execute(_SESSION)


def _check_is_quiet(connection: psycopg.Connection[TupleRow]) -> None:
    """Refuse a pooled connection on which something waits to be read: the database has said goodbye.

    It costs no question, so a restarted database is noticed before the first statement, and a silent one
    holds nobody up.
    """
    if connection.closed or select.select([connection.fileno()], [], [], 0)[0]:
        # Open it would go back into the pool.
        connection.close()
        raise psycopg.OperationalError("the connection has ended")


def _said(error: Exception) -> str:
    """The first line of what libpq or the database says; neither repeats a password."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


@contextmanager
def as_os_error() -> Iterator[None]:
    """Turn what psycopg raises in the block into the OSError that the seams promise."""
    try:
        yield
    except PoolTimeout:
        raise ConnectionError(errno.ECONNREFUSED, "the database cannot be reached") from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if error.sqlstate in _FULL:
            raise OSError(errno.ENOSPC, "the database's disk is full") from error
        raise ConnectionError(errno.ECONNRESET, f"the database failed: {_said(error)}") from error
    except psycopg.Error as error:
        raise OSError(errno.EIO, f"the database failed: {_said(error)}") from error
