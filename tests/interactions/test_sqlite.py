"""Interactions in SQLite, as far as the seam's suite does not say: the file, and what a crash leaves."""

from __future__ import annotations

import errno
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.interactionstore_suite import LIMITS, NOW, OWNER, interaction
from vidi.interactions.sqlite import SqliteInteractions
from vidi.interactions.store import InteractionLimits
from vidi.storage.disk import SPARE_BYTES
from vidi.storage.sql import SqlDatabase


def test_interactions_survive_a_reopening(tmp_path: Path) -> None:
    path = tmp_path / "interactions.sqlite3"
    with closing(SqliteInteractions(path)) as store:
        store.add(interaction("a"), LIMITS)
    with closing(SqliteInteractions(path)) as store:
        assert store.find(OWNER, "a", NOW) == interaction("a")


def test_database_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "interactions.sqlite3"
    with closing(SqliteInteractions(path)):
        modes = {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == {0o600}


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "interactions.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(OSError, match="newer version"):
        SqliteInteractions(path)


def test_a_broken_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "interactions.sqlite3"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(OSError, match="the database failed"):
        SqliteInteractions(path)


def test_delete_and_expire_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written while the spare space takes up the last of the disk."""
    spare = tmp_path / "interactions.reserve"
    full = False
    whole = SqlDatabase.transaction

    @contextmanager
    def transaction(self: SqlDatabase) -> Iterator[sqlite3.Connection]:
        if full and spare.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        with whole(self) as connection:
            yield connection

    monkeypatch.setattr(SqlDatabase, "transaction", transaction)
    with closing(SqliteInteractions(tmp_path / "interactions.sqlite3")) as store:
        for name in ("a", "b"):
            store.add(interaction(name, hours=1), LIMITS)
        assert spare.stat().st_size == SPARE_BYTES
        full = True
        with pytest.raises(OSError, match="No space"):
            store.add(interaction("c"), LIMITS)
        assert store.delete(OWNER, "a")
        assert not spare.exists()
        assert store.expire(NOW + timedelta(hours=2), 9) == 1
        full = False
        store.add(interaction("d"), LIMITS)
        assert spare.exists()


def test_parallel_adds_all_arrive(tmp_path: Path) -> None:
    limits = InteractionLimits(count=1000)
    with closing(SqliteInteractions(tmp_path / "interactions.sqlite3")) as store:

        def work(name: str) -> None:
            for number in range(10):
                store.add(interaction(f"{name}{number}"), limits)
                assert store.find(OWNER, f"{name}{number}", NOW)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = [store.find(OWNER, f"{name}{number}", NOW) for name in "abcd" for number in range(10)]
        assert all(kept)
