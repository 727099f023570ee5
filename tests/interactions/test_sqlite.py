"""Interactions in SQLite, as far as the seam's suite does not say: the file, and what a crash leaves."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.interactionstore_suite import LIMITS, NOW, OWNER, interaction
from vidi.interactions.sqlite import SqliteInteractions
from vidi.interactions.store import Limits


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


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    limits = Limits(count=1000)
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
