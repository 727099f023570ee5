"""What callers are told of interactions that are, or are no longer, there."""

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

LIMITS = InteractionLimits(count=10, total_bytes=10_000, lifetime=timedelta(hours=48), longest_history=4)


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 28, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteInteractions]:
    with closing(SqliteInteractions(tmp_path / "interactions.sqlite3")) as store:
        yield store


@pytest.fixture
def service(store: SqliteInteractions, clock: FakeClock) -> InteractionService:
    return InteractionService(store, LIMITS, clock)


def talk(service: InteractionService, *names: str) -> None:
    """Keep a conversation: each of the interactions continues the one before."""
    for previous, name in zip(("", *names), names, strict=False):
        service.keep("ada", name, previous, b'"hi"', b"{}")


def test_history_loads_a_conversation_from_its_first_interaction(service: InteractionService) -> None:
    talk(service, "a", "b", "c")
    history = service.history("ada", "c", 100)
    assert history == History(("a", "b", "c"), 18)
    assert [each.id for each in service.load("ada", history)] == ["a", "b", "c"]


def test_size_and_answer_of_an_interaction(service: InteractionService) -> None:
    talk(service, "a")
    assert service.size("ada", "a") == service.get("ada", "a").size == 6
    assert service.answer("ada", "a") == b"{}"


def test_history_of_no_interaction_is_empty(service: InteractionService) -> None:
    assert service.history("ada", "", 100) == History()


@pytest.mark.parametrize("wrong", ["nope", "", "a" * 500, "a\x00b", "../a", "ä"])
def test_an_unknown_interaction_is_not_found(service: InteractionService, wrong: str) -> None:
    with pytest.raises(NotFound, match="There is no interaction"):
        service.get("ada", wrong)


def test_an_interaction_of_another_owner_is_not_found(service: InteractionService) -> None:
    talk(service, "a")
    with pytest.raises(NotFound, match="There is no interaction 'a'"):
        service.get("bob", "a")
    with pytest.raises(NotFound):
        service.delete("bob", "a")
    with pytest.raises(NotFound, match="previous_interaction_id: There is no interaction 'a'"):
        service.history("bob", "a", 100)
    assert service.get("ada", "a").id == "a"


def test_an_expired_interaction_is_not_found(service: InteractionService, clock: FakeClock) -> None:
    talk(service, "a")
    clock.now += timedelta(hours=48)
    for gone in (service.get, service.answer, service.size, service.delete):
        with pytest.raises(NotFound):
            gone("ada", "a")
    assert (service.expire(), service.expire()) == (1, 0)


def test_history_with_a_deleted_beginning_names_the_interaction(service: InteractionService) -> None:
    talk(service, "a", "b", "c")
    service.delete("ada", "a")
    with pytest.raises(NotFound, match=r"interaction a, which an earlier part .* deleted or has expired"):
        service.history("ada", "c", 100)
    assert service.get("ada", "c").previous == "b"


def test_load_of_a_history_deleted_meanwhile_is_not_found(service: InteractionService) -> None:
    talk(service, "a", "b")
    history = service.history("ada", "b", 100)
    service.delete("ada", "a")
    with pytest.raises(NotFound):
        service.load("ada", history)


def test_history_with_too_many_interactions_is_refused(service: InteractionService) -> None:
    talk(service, "a", "b", "c", "d")
    assert service.history("ada", "c", 100).ids == ("a", "b", "c")
    with pytest.raises(InvalidRequest, match="at most 3 and 100 can be continued"):
        service.history("ada", "d", 100)


def test_history_with_too_many_bytes_is_refused(service: InteractionService) -> None:
    talk(service, "a", "b")
    with pytest.raises(InvalidRequest, match=r"12 bytes.*11 can be continued") as refused:
        service.history("ada", "b", 11)
    assert refused.value.where == "previous_interaction_id"


def test_keep_on_a_full_disk_is_resource_exhausted(
    service: InteractionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: SqliteInteractions, interaction: StoredInteraction, limits: InteractionLimits) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SqliteInteractions, "add", full)
    with pytest.raises(ResourceExhausted, match="disk is full"):
        talk(service, "a")


def test_new_ids_differ_and_are_unguessable() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(each) == 32 and set(each) <= set("0123456789abcdef") for each in made)


def test_open_interactions_expires(tmp_path: Path) -> None:
    with open_interactions(tmp_path, InteractionLimits(lifetime=timedelta(0))) as service:
        service.keep("ada", "a", "", b'"hi"', b"{}")
    with open_interactions(tmp_path, LIMITS) as service:
        assert service.expire() == 0
        with pytest.raises(NotFound):
            service.get("ada", "a")


def test_open_interactions_names_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "interactions.sqlite3").write_bytes(b"junk" * 5000)
    with pytest.raises(Unavailable, match=r"interactions\.sqlite3"), open_interactions(tmp_path, LIMITS):
        pass
