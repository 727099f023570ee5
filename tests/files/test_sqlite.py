from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.fileindex_suite import NOON, add, file, session
from vidi.domain.prompt import ImageFormat, ImageHeader
from vidi.files.sqlite import SCRIPTS, SqliteIndex
from vidi.storage.disk import SPARE_BYTES
from vidi.storage.sql import LOG_PAGES, connect


def test_rows_survive_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    killed = SqliteIndex(path)
    add(killed, file(1))
    killed.start(session(2, 90))
    with closing(SqliteIndex(path)) as index:
        assert index.file("me", "file0001") == file(1)
        assert index.session("upload2") == session(2, 90)
        assert index.reserved() == 100
    killed.close()


def test_commits_are_synced(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "index.sqlite3")) as database:
        assert database.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    SqliteIndex(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {len(SCRIPTS) + 1}")
    with pytest.raises(OSError, match="newer version"):
        SqliteIndex(path)


def test_a_database_of_version_1_keeps_its_files_and_takes_headers(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    with closing(SqliteIndex(path)) as index:
        add(index, file(1))
    with closing(sqlite3.connect(path)) as database:
        database.executescript("ALTER TABLE files DROP COLUMN header; PRAGMA user_version = 1;")
    for _ in range(2):
        with closing(SqliteIndex(path)) as index:
            assert index.file("me", "file0001") == file(1)
    with closing(SqliteIndex(path)) as index:
        photo = replace(file(2), header=ImageHeader(ImageFormat.JPEG, 640, 480, orientation=6))
        add(index, photo)
        assert index.file("me", "file0002") == photo
        assert index.reserved() == 20


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"x" * 5000])
def test_a_broken_database_is_an_os_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "index.sqlite3"
    path.write_bytes(content)
    with pytest.raises(OSError, match="the database failed"):
        SqliteIndex(path)


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    path.write_bytes(b"")
    with closing(SqliteIndex(path)) as index:
        assert index.reserved() == 0


def test_a_failed_change_is_rolled_back(tmp_path: Path) -> None:
    with closing(SqliteIndex(tmp_path / "index.sqlite3")) as index:
        index.start(session(1, 10))
        with pytest.raises(OSError, match="UNIQUE"):
            index.start(session(1, 10))
        index.start(session(2, 10))
        assert index.reserved() == 20


def test_a_full_disk_is_enospc(tmp_path: Path) -> None:
    with closing(SqliteIndex(tmp_path / "index.sqlite3")) as index:
        pages = index._database._writer.execute("PRAGMA page_count").fetchone()[0]
        index._database._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(OSError) as caught:
            for number in range(1000):
                add(index, file(number))
        assert caught.value.errno == 28
        stored = len(index.page("me", None, 1000, NOON))
        assert index.reserved() - 10 * stored in (0, 10)


@pytest.mark.parametrize(
    "remove",
    [
        lambda index: index.delete("me", "file0001"),
        lambda index: index.expire(NOON + timedelta(days=3), 10),
        lambda index: index.cancel("upload2", NOON),
        lambda index: index.forget("upload2"),
    ],
)
def test_a_removal_on_a_full_disk_makes_room(tmp_path: Path, remove: Callable[[SqliteIndex], object]) -> None:
    path = tmp_path / "index.sqlite3"
    log = tmp_path / "index.sqlite3-wal"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    made: list[str] = []

    def make_room() -> None:
        made.append("room")
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with closing(SqliteIndex(path, make_room)) as index:
        add(index, file(1))
        index.start(session(2))
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
        try:
            with pytest.raises(OSError):
                index.start(session(3))
            assert made == []
            remove(index)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert made == ["room"]
        assert index.reserved() == 10


def test_the_log_stays_small(tmp_path: Path) -> None:
    with closing(SqliteIndex(tmp_path / "index.sqlite3")) as index:
        for number in range(100):
            add(index, file(number))
        for number in range(100):
            index.delete("me", f"file{number:04}")
        assert LOG_PAGES * 4096 < SPARE_BYTES / 2
        assert (tmp_path / "index.sqlite3-wal").stat().st_size < SPARE_BYTES


def test_page_uses_its_index(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    SqliteIndex(path).close()
    with closing(connect(path)) as database:
        plan = database.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM files WHERE owner = '' AND (created, id) < (1, '') "
            "AND expires > 0 ORDER BY created DESC, id DESC LIMIT 10"
        ).fetchall()
        assert len(plan) == 1
        assert "files_by_age (owner=? AND (created,id)<(?,?))" in plan[0]["detail"]
