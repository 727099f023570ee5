from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from vidi.storage.sql import SqlDatabase

FIRST = "BEGIN; CREATE TABLE things (name TEXT NOT NULL UNIQUE); PRAGMA user_version = 1; COMMIT;"
SECOND = "BEGIN; ALTER TABLE things ADD COLUMN colour TEXT; PRAGMA user_version = 2; COMMIT;"


def test_scripts_upgrade_a_database_and_keep_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite3"
    with closing(SqlDatabase(path, [FIRST])) as database:
        database.change("INSERT INTO things VALUES (?)", ("ball",))
    for _ in range(2):
        with closing(SqlDatabase(path, [FIRST, SECOND])) as database:
            assert [tuple(row) for row in database.read("SELECT * FROM things")] == [("ball", None)]
    with pytest.raises(OSError, match="newer version"):
        SqlDatabase(path, [FIRST])


def test_scripts_make_a_new_database_of_the_newest_version(tmp_path: Path) -> None:
    with closing(SqlDatabase(tmp_path / "things.sqlite3", [FIRST, SECOND])) as database:
        assert database.read("PRAGMA user_version")[0][0] == 2


def test_transaction_is_rolled_back_by_any_error(tmp_path: Path) -> None:
    with closing(SqlDatabase(tmp_path / "things.sqlite3", [FIRST])) as database:
        with pytest.raises(KeyError), database.transaction() as connection:
            connection.execute("INSERT INTO things VALUES ('ball')")
            raise KeyError
        with pytest.raises(OSError, match="UNIQUE"), database.transaction() as connection:
            for _ in range(2):
                connection.execute("INSERT INTO things VALUES ('cup')")
        assert database.read("SELECT * FROM things") == []


def test_remove_that_fails_makes_room_and_tries_again(tmp_path: Path) -> None:
    made: list[str] = []

    def make_room() -> None:
        made.append("room")
        database.change("CREATE TABLE absent (name TEXT)")

    with closing(SqlDatabase(tmp_path / "things.sqlite3", [FIRST], make_room)) as database:
        assert database.remove("DELETE FROM absent") == []
    assert made == ["room"]


def test_log_bytes_bound_the_log_that_was_emptied(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite3"
    with closing(SqlDatabase(path, [FIRST], log_bytes=1 << 16)) as database:
        database.change("INSERT INTO things VALUES (?)", ("x" * 1_000_000,))
        assert path.with_suffix(".sqlite3-wal").stat().st_size > 1_000_000
        database.change("INSERT INTO things VALUES ('y')")
        assert path.with_suffix(".sqlite3-wal").stat().st_size <= 1 << 16
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("SELECT count(*) FROM things").fetchone() == (2,)
