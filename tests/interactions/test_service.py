"""The archive: what callers are told of interactions that are, or are no longer, there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vidi.domain.errors import InvalidRequest, NotFound, ResourceExhausted, Unavailable
from vidi.interactions.service import History, InteractionService, new_id, open_interactions
from vidi.interactions.sqlite import SqliteInteractions
from vidi.interactions.store import InteractionLimits, StoredInteraction

LIMITS = InteractionLimits(count=10, total_bytes=10_000, lifetime=timedelta(hours=48), longest_line=4)


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 28, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteInteractions]:
    with closing(SqliteInteractions(tmp_path / "interactions.sqlite3")) as store:
        yield store


@pytest.fixture
def archive(store: SqliteInteractions, clock: Watch) -> InteractionService:
    return InteractionService(store, LIMITS, clock)


def talk(archive: InteractionService, *names: str) -> None:
    """Keep a conversation: each of the interactions continues the one before."""
    for previous, name in zip(("", *names), names, strict=False):
        archive.keep("ada", name, previous, b'"hi"', b"{}")


def test_a_conversation_is_loaded_from_its_first_interaction_on(archive: InteractionService) -> None:
    talk(archive, "a", "b", "c")
    line = archive.line("ada", "c", 100)
    assert line == History(("a", "b", "c"), 18)
    assert [each.id for each in archive.load("ada", line)] == ["a", "b", "c"]


def test_its_size_is_told_and_its_answer_read_alone(archive: InteractionService) -> None:
    talk(archive, "a")
    assert archive.size("ada", "a") == archive.get("ada", "a").size == 6
    assert archive.answer("ada", "a") == b"{}"


def test_no_interaction_is_no_line(archive: InteractionService) -> None:
    assert archive.line("ada", "", 100) == History()


@pytest.mark.parametrize("wrong", ["nope", "", "a" * 500, "a\x00b", "../a", "ä"])
def test_an_unknown_one_is_not_found(archive: InteractionService, wrong: str) -> None:
    with pytest.raises(NotFound, match="There is no interaction"):
        archive.get("ada", wrong)


def test_what_is_somebody_elses_is_not_found(archive: InteractionService) -> None:
    talk(archive, "a")
    with pytest.raises(NotFound, match="There is no interaction 'a'"):
        archive.get("bob", "a")
    with pytest.raises(NotFound):
        archive.delete("bob", "a")
    with pytest.raises(NotFound, match="previous_interaction_id: There is no interaction 'a'"):
        archive.line("bob", "a", 100)
    assert archive.get("ada", "a").id == "a"


def test_it_is_not_found_when_its_time_is_over(archive: InteractionService, clock: Watch) -> None:
    talk(archive, "a")
    clock.now += timedelta(hours=48)
    for gone in (archive.get, archive.answer, archive.size, archive.delete):
        with pytest.raises(NotFound):
            gone("ada", "a")
    assert (archive.expire(), archive.expire()) == (1, 0)


def test_a_deleted_beginning_is_named(archive: InteractionService) -> None:
    talk(archive, "a", "b", "c")
    archive.delete("ada", "a")
    with pytest.raises(NotFound, match=r"interaction a, which an earlier part .* deleted or has expired"):
        archive.line("ada", "c", 100)
    assert archive.get("ada", "c").previous == "b"


def test_a_line_that_goes_while_it_is_loaded_is_not_found(archive: InteractionService) -> None:
    talk(archive, "a", "b")
    line = archive.line("ada", "b", 100)
    archive.delete("ada", "a")
    with pytest.raises(NotFound):
        archive.load("ada", line)


def test_a_conversation_that_is_too_long_cannot_go_on(archive: InteractionService) -> None:
    talk(archive, "a", "b", "c", "d")
    assert archive.line("ada", "c", 100).ids == ("a", "b", "c")
    with pytest.raises(InvalidRequest, match="at most 3 and 100 can be continued"):
        archive.line("ada", "d", 100)


def test_a_conversation_that_is_too_large_cannot_go_on(archive: InteractionService) -> None:
    talk(archive, "a", "b")
    with pytest.raises(InvalidRequest, match=r"12 bytes.*11 can be continued") as refused:
        archive.line("ada", "b", 11)
    assert refused.value.where == "previous_interaction_id"


def test_a_full_disk_is_said_to_be_one(archive: InteractionService, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: SqliteInteractions, interaction: StoredInteraction, limits: InteractionLimits) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SqliteInteractions, "add", full)
    with pytest.raises(ResourceExhausted, match="disk is full"):
        talk(archive, "a")


def test_ids_are_never_the_same_and_cannot_be_guessed() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(each) == 32 and set(each) <= set("0123456789abcdef") for each in made)


def test_an_archive_is_swept_when_it_is_opened(tmp_path: Path) -> None:
    with open_interactions(tmp_path, InteractionLimits(lifetime=timedelta(0))) as archive:
        archive.keep("ada", "a", "", b'"hi"', b"{}")
    with open_interactions(tmp_path, LIMITS) as archive:
        assert archive.expire() == 0
        with pytest.raises(NotFound):
            archive.get("ada", "a")


def test_an_archive_that_cannot_be_read_says_which_file(tmp_path: Path) -> None:
    (tmp_path / "interactions.sqlite3").write_bytes(b"junk" * 5000)
    with pytest.raises(Unavailable, match=r"interactions\.sqlite3"), open_interactions(tmp_path, LIMITS):
        pass
