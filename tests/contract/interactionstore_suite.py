"""What every InteractionStore must do; a test class derives from the suite and brings the fixture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from vidi.interactions.store import InteractionLimits, InteractionStore, Link, StoredInteraction

NOW = datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC)
LIMITS = InteractionLimits(count=3, total_bytes=1000)
OWNER = "ada"


def interaction(
    name: str, previous: str = "", owner: str = OWNER, size: int = 20, hours: int = 48
) -> StoredInteraction:
    """An interaction of `size` bytes, asked at NOW."""
    expires = NOW + timedelta(hours=hours)
    return StoredInteraction(name, owner, previous, NOW, expires, b"[" + b" " * (size - 4) + b"]", b"{}")


class InteractionStoreSuite:
    def test_what_was_added_is_found_as_it_was(self, store: InteractionStore) -> None:
        added = interaction("a", previous="z")
        store.add(added, LIMITS)
        assert store.find(OWNER, "a", NOW) == added
        assert store.answer(OWNER, "a", NOW) == added.answer

    def test_nobody_else_finds_it(self, store: InteractionStore) -> None:
        store.add(interaction("a"), LIMITS)
        assert store.find("bob", "a", NOW) is None
        assert store.answer("bob", "a", NOW) is None
        assert store.line("bob", "a", NOW, 9) == []
        assert not store.delete("bob", "a")
        assert store.find(OWNER, "a", NOW)

    def test_an_owner_without_a_name_is_one_like_others(self, store: InteractionStore) -> None:
        store.add(interaction("a", owner=""), LIMITS)
        assert store.find("", "a", NOW)
        assert store.find(OWNER, "a", NOW) is None

    def test_it_is_gone_when_it_was_deleted(self, store: InteractionStore) -> None:
        store.add(interaction("a"), LIMITS)
        assert store.delete(OWNER, "a")
        assert not store.delete(OWNER, "a")
        assert store.find(OWNER, "a", NOW) is None

    def test_it_is_not_found_once_it_has_expired(self, store: InteractionStore) -> None:
        store.add(interaction("a", hours=1), LIMITS)
        last = NOW + timedelta(hours=1) - timedelta(microseconds=1)
        assert store.find(OWNER, "a", last)
        assert store.find(OWNER, "a", NOW + timedelta(hours=1)) is None
        assert store.answer(OWNER, "a", NOW + timedelta(hours=1)) is None
        assert store.line(OWNER, "a", NOW + timedelta(hours=1), 9) == []

    def test_expired_ones_are_removed_in_portions(self, store: InteractionStore) -> None:
        for name, hours in (("a", 1), ("b", 1), ("c", 3)):
            store.add(interaction(name, hours=hours), LIMITS)
        later = NOW + timedelta(hours=2)
        assert store.expire(NOW, 5) == 0
        assert [store.expire(later, 1) for _ in range(3)] == [1, 1, 0]
        assert not store.delete(OWNER, "a")
        assert store.find(OWNER, "c", later)

    def test_a_line_goes_back_to_the_first(self, store: InteractionStore) -> None:
        store.add(interaction("a", size=10), LIMITS)
        store.add(interaction("b", "a", size=20), LIMITS)
        store.add(interaction("c", "b", size=30), LIMITS)
        links = [Link("c", "b", 30), Link("b", "a", 20), Link("a", "", 10)]
        assert list(store.line(OWNER, "c", NOW, 9)) == links
        assert list(store.line(OWNER, "c", NOW, 2)) == links[:2]
        assert list(store.line(OWNER, "b", NOW, 9)) == links[1:]

    def test_a_line_ends_where_one_is_missing(self, store: InteractionStore) -> None:
        store.add(interaction("a", hours=1), LIMITS)
        store.add(interaction("b", "a"), LIMITS)
        store.add(interaction("c", "b"), LIMITS)
        later = NOW + timedelta(hours=2)
        assert [link.id for link in store.line(OWNER, "c", later, 9)] == ["c", "b"]
        store.delete(OWNER, "b")
        assert [link.id for link in store.line(OWNER, "c", NOW, 9)] == ["c"]

    def test_a_line_does_not_cross_to_another_owner(self, store: InteractionStore) -> None:
        store.add(interaction("a", owner="bob"), LIMITS)
        store.add(interaction("b", "a"), LIMITS)
        assert [link.id for link in store.line(OWNER, "b", NOW, 9)] == ["b"]

    def test_a_circle_ends(self, store: InteractionStore) -> None:
        store.add(interaction("a", "b"), LIMITS)
        store.add(interaction("b", "a"), LIMITS)
        assert len(store.line(OWNER, "a", NOW, 7)) == 7

    def test_the_oldest_go_when_there_are_too_many(self, store: InteractionStore) -> None:
        for name in "abcde":
            store.add(interaction(name), LIMITS)
        assert [name for name in "abcde" if store.find(OWNER, name, NOW)] == ["c", "d", "e"]

    def test_the_oldest_go_when_there_are_too_many_bytes(self, store: InteractionStore) -> None:
        store.add(interaction("a", size=400), LIMITS)
        store.add(interaction("b", size=400), LIMITS)
        store.add(interaction("c", size=300), LIMITS)
        assert [name for name in "abc" if store.find(OWNER, name, NOW)] == ["b", "c"]
        store.add(interaction("d", size=5000), LIMITS)
        assert [name for name in "abcd" if store.find(OWNER, name, NOW)] == ["d"]

    def test_one_owner_takes_no_room_from_another(self, store: InteractionStore) -> None:
        store.add(interaction("a", owner="bob", size=900), LIMITS)
        for name in "bcdef":
            store.add(interaction(name), LIMITS)
        assert store.find("bob", "a", NOW)
