"""Every InteractionStore runs the same suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.interactionstore_suite import InteractionStoreSuite
from vidi.interactions.sqlite import SqliteInteractions
from vidi.interactions.store import InteractionStore


class TestSqliteInteractions(InteractionStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[InteractionStore]:
        with closing(SqliteInteractions(tmp_path / "interactions.sqlite3")) as store:
            yield store
