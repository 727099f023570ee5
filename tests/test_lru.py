"""Values are kept by key, within the room there is; the least recently used goes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.lru import LruCache

SIZE = 100


def lru(room: int, largest_part: int = 4) -> LruCache[object, bytes]:
    return LruCache(room, lambda _, value: len(value), largest_part=largest_part)


def test_a_value_is_found_under_its_key_only() -> None:
    cache = lru(10 * SIZE)
    value = bytes(SIZE)
    cache.put(("a", 1), value)
    assert cache.get(("a", 1)) is value
    assert cache.get(("a", 2)) is None
    assert cache.get(("b", 1)) is None


def test_the_least_recently_used_is_put_out_first() -> None:
    cache = lru(4 * SIZE)
    for name in "abcd":
        cache.put(name, bytes(SIZE))
    cache.get("a")
    cache.put("e", bytes(SIZE))
    assert cache.get("b") is None
    assert [name for name in "abcde" if cache.get(name)] == ["a", "c", "d", "e"]


@pytest.mark.parametrize("largest_part", [1, 4])
def test_a_value_over_the_largest_part_is_not_kept(largest_part: int) -> None:
    cache = lru(4 * SIZE, largest_part)
    cache.put("a", bytes(SIZE // 2))
    cache.put("largest", bytes(4 * SIZE // largest_part))
    cache.put("too large", bytes(4 * SIZE // largest_part + 1))
    assert cache.get("too large") is None
    assert cache.get("largest") is not None


def test_a_key_that_is_kept_again_counts_once() -> None:
    cache = lru(4 * SIZE)
    cache.put("a", bytes(SIZE))
    cache.put("a", bytes(SIZE // 2))
    assert cache.used == SIZE // 2


def test_no_room_keeps_nothing() -> None:
    cache = lru(0)
    cache.put("a", bytes(SIZE))
    assert cache.get("a") is None
    assert cache.used == 0


def test_a_discarded_key_makes_room() -> None:
    cache = lru(4 * SIZE)
    cache.put("a", bytes(SIZE))
    cache.discard("a")
    cache.discard("unknown")
    assert cache.get("a") is None
    assert cache.used == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 120)), max_size=60))
def test_what_is_kept_fits_and_is_what_was_put(puts: list[tuple[int, int]]) -> None:
    room = 4 * SIZE
    cache = lru(room)
    latest: dict[int, bytes] = {}
    for key, size in puts:
        value = bytes(size)
        cache.put(key, value)
        if size * 4 <= room:
            latest[key] = value
    kept = {key: found for key in range(10) if (found := cache.get(key)) is not None}
    assert all(kept[key] is latest[key] for key in kept)
    assert cache.used == sum(map(len, kept.values())) <= room
