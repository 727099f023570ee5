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
from vidi.files.local import RESERVED_BYTES
from vidi.interactions.sqlite import SqliteInteractions
from vidi.interactions.store import InteractionLimits


def test_what_was_added_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "interactions.sqlite3"
    with closing(SqliteInteractions(path)) as store:
        store.add(interaction("a"), LIMITS)
    with closing(SqliteInteractions(path)) as store:
        assert store.find(OWNER, "a", NOW) == interaction("a")


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "interactions.sqlite3"
    with closing(SqliteInteractions(path)):
        modes = {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == {0o600}


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "interactions.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(OSError, match="newer version"):
        SqliteInteractions(path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "interactions.sqlite3"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(OSError, match="the database failed"):
        SqliteInteractions(path)


class _FullDisk(SqliteInteractions):
    """Nothing can be written while the reserve takes up the last space."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._reserve_file = path.with_suffix(".reserve")
        self.full = False

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        if self.full and self._reserve_file.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        with super()._writing() as database:
            yield database


def test_interactions_can_be_removed_from_a_full_disk(tmp_path: Path) -> None:
    with closing(_FullDisk(tmp_path / "interactions.sqlite3")) as store:
        for name in ("a", "b"):
            store.add(interaction(name, hours=1), LIMITS)
        assert (tmp_path / "interactions.reserve").stat().st_size == RESERVED_BYTES
        store.full = True
        with pytest.raises(OSError, match="No space"):
            store.add(interaction("c"), LIMITS)
        assert store.delete(OWNER, "a")
        assert not (tmp_path / "interactions.reserve").exists()
        assert store.expire(NOW + timedelta(hours=2), 9) == 1
        store.full = False
        store.add(interaction("d"), LIMITS)
        assert (tmp_path / "interactions.reserve").exists()


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
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
