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
    def test_interaction_roundtrip(self, store: InteractionStore) -> None:
        added = interaction("a", previous="z")
        store.add(added, LIMITS)
        assert store.find(OWNER, "a", NOW) == added
        assert store.answer(OWNER, "a", NOW) == added.answer

    def test_an_interaction_of_another_owner_is_not_found(self, store: InteractionStore) -> None:
        store.add(interaction("a"), LIMITS)
        assert store.find("bob", "a", NOW) is None
        assert store.answer("bob", "a", NOW) is None
        assert store.history("bob", "a", NOW, 9) == []
        assert not store.delete("bob", "a")
        assert store.find(OWNER, "a", NOW)

    def test_the_empty_owner_is_an_owner_like_others(self, store: InteractionStore) -> None:
        store.add(interaction("a", owner=""), LIMITS)
        assert store.find("", "a", NOW)
        assert store.find(OWNER, "a", NOW) is None

    def test_a_deleted_interaction_is_not_found(self, store: InteractionStore) -> None:
        store.add(interaction("a"), LIMITS)
        assert store.delete(OWNER, "a")
        assert not store.delete(OWNER, "a")
        assert store.find(OWNER, "a", NOW) is None

    def test_an_expired_interaction_is_not_found(self, store: InteractionStore) -> None:
        store.add(interaction("a", hours=1), LIMITS)
        last = NOW + timedelta(hours=1) - timedelta(microseconds=1)
        assert store.find(OWNER, "a", last)
        assert store.find(OWNER, "a", NOW + timedelta(hours=1)) is None
        assert store.answer(OWNER, "a", NOW + timedelta(hours=1)) is None
        assert store.history(OWNER, "a", NOW + timedelta(hours=1), 9) == []

    def test_expire_removes_up_to_the_limit(self, store: InteractionStore) -> None:
        for name, hours in (("a", 1), ("b", 1), ("c", 3)):
            store.add(interaction(name, hours=hours), LIMITS)
        later = NOW + timedelta(hours=2)
        assert store.expire(NOW, 5) == 0
        assert [store.expire(later, 1) for _ in range(3)] == [1, 1, 0]
        assert not store.delete(OWNER, "a")
        assert store.find(OWNER, "c", later)

    def test_history_goes_back_to_the_first_interaction(self, store: InteractionStore) -> None:
        store.add(interaction("a", size=10), LIMITS)
        store.add(interaction("b", "a", size=20), LIMITS)
        store.add(interaction("c", "b", size=30), LIMITS)
        links = [Link("c", "b", 30), Link("b", "a", 20), Link("a", "", 10)]
        assert list(store.history(OWNER, "c", NOW, 9)) == links
        assert list(store.history(OWNER, "c", NOW, 2)) == links[:2]
        assert list(store.history(OWNER, "b", NOW, 9)) == links[1:]

    def test_history_ends_where_an_interaction_is_missing(self, store: InteractionStore) -> None:
        store.add(interaction("a", hours=1), LIMITS)
        store.add(interaction("b", "a"), LIMITS)
        store.add(interaction("c", "b"), LIMITS)
        later = NOW + timedelta(hours=2)
        assert [link.id for link in store.history(OWNER, "c", later, 9)] == ["c", "b"]
        store.delete(OWNER, "b")
        assert [link.id for link in store.history(OWNER, "c", NOW, 9)] == ["c"]

    def test_history_does_not_cross_to_another_owner(self, store: InteractionStore) -> None:
        store.add(interaction("a", owner="bob"), LIMITS)
        store.add(interaction("b", "a"), LIMITS)
        assert [link.id for link in store.history(OWNER, "b", NOW, 9)] == ["b"]

    def test_history_of_a_circle_ends(self, store: InteractionStore) -> None:
        store.add(interaction("a", "b"), LIMITS)
        store.add(interaction("b", "a"), LIMITS)
        assert len(store.history(OWNER, "a", NOW, 7)) == 7

    def test_add_over_the_count_removes_the_oldest(self, store: InteractionStore) -> None:
        for name in "abcde":
            store.add(interaction(name), LIMITS)
        assert [name for name in "abcde" if store.find(OWNER, name, NOW)] == ["c", "d", "e"]

    def test_add_over_the_bytes_removes_the_oldest(self, store: InteractionStore) -> None:
        store.add(interaction("a", size=400), LIMITS)
        store.add(interaction("b", size=400), LIMITS)
        store.add(interaction("c", size=300), LIMITS)
        assert [name for name in "abc" if store.find(OWNER, name, NOW)] == ["b", "c"]
        store.add(interaction("d", size=5000), LIMITS)
        assert [name for name in "abcd" if store.find(OWNER, name, NOW)] == ["d"]

    def test_add_spares_the_interactions_of_other_owners(self, store: InteractionStore) -> None:
        store.add(interaction("a", owner="bob", size=900), LIMITS)
        for name in "bcdef":
            store.add(interaction(name), LIMITS)
        assert store.find("bob", "a", NOW)
