"""Every FileIndex runs the same suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.backing import Program, new_database
from tests.contract.fileindex_suite import FileIndexSuite
from tests.files.memory import MemoryIndex
from vidi.files.postgres import PostgresIndex
from vidi.files.sqlite import SqliteIndex
from vidi.files.store import FileIndex
from vidi.storage.postgres import PostgresDatabase


class TestSqliteIndex(FileIndexSuite):
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[FileIndex]:
        with closing(SqliteIndex(tmp_path / "index.sqlite3")) as index:
            yield index


class TestMemoryIndex(FileIndexSuite):
    @pytest.fixture
    def index(self) -> FileIndex:
        return MemoryIndex()


@pytest.mark.slow
class TestPostgresIndex(FileIndexSuite):
    @pytest.fixture
    def index(self, postgres: Program) -> Iterator[FileIndex]:
        with closing(PostgresDatabase(new_database(postgres))) as database:
            yield PostgresIndex(database)
