"""Every InteractionStore runs the same suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.backing import Program, new_database
from tests.contract.interactionstore_suite import InteractionStoreSuite
from vidi.interactions.postgres import PostgresInteractions
from vidi.interactions.sqlite import SqliteInteractions
from vidi.interactions.store import InteractionStore
from vidi.storage.postgres import PostgresDatabase


class TestSqliteInteractions(InteractionStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[InteractionStore]:
        with closing(SqliteInteractions(tmp_path / "interactions.sqlite3")) as store:
            yield store


@pytest.mark.slow
class TestPostgresInteractions(InteractionStoreSuite):
    @pytest.fixture
    def store(self, postgres: Program) -> Iterator[InteractionStore]:
        with closing(PostgresDatabase(new_database(postgres))) as database:
            yield PostgresInteractions(database)
