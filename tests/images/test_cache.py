"""Prepared pictures are kept by key, within the room there is; the least recently used goes first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.geometry import Placement
from vidi.domain.prompt import Picture
from vidi.images.cache import PictureCache

SIDE = 10
SIZE = SIDE * SIDE * 3


def _picture(name: str, rows: int = SIDE) -> Picture:
    return Picture(SIDE, rows, bytes(SIDE * rows * 3), Placement(SIDE, rows, 0, 0, SIDE, rows), name)


def test_a_picture_is_found_under_its_key_only() -> None:
    cache = PictureCache(10 * SIZE)
    picture = _picture("a")
    cache.put(("a", 1), picture)
    assert cache.get(("a", 1)) is picture
    assert cache.get(("a", 2)) is None
    assert cache.get(("b", 1)) is None


def test_the_least_recently_used_is_put_out_first() -> None:
    cache = PictureCache(4 * SIZE)
    for name in "abcd":
        cache.put(name, _picture(name))
    cache.get("a")
    cache.put("e", _picture("e"))
    assert cache.get("b") is None
    assert [name for name in "abcde" if cache.get(name)] == ["a", "c", "d", "e"]


def test_a_picture_that_would_put_out_everything_is_not_kept() -> None:
    cache = PictureCache(4 * SIZE)
    cache.put("a", _picture("a"))
    cache.put("huge", _picture("huge", rows=SIDE + 1))
    assert cache.get("huge") is None
    assert cache.get("a") is not None


def test_a_key_that_is_kept_again_counts_once() -> None:
    cache = PictureCache(4 * SIZE)
    cache.put("a", _picture("a"))
    cache.put("a", _picture("a"))
    assert cache.used == SIZE


def test_no_room_keeps_nothing() -> None:
    cache = PictureCache(0)
    cache.put("a", _picture("a"))
    assert cache.get("a") is None
    assert cache.used == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 12)), max_size=60))
def test_what_is_kept_fits_and_is_what_was_put(puts: list[tuple[int, int]]) -> None:
    room = 4 * SIZE
    cache = PictureCache(room)
    latest: dict[int, Picture] = {}
    for key, rows in puts:
        picture = _picture(str(key), rows)
        cache.put(key, picture)
        if len(picture.rgb) * 4 <= room:
            latest[key] = picture
    kept = {key: found for key in range(10) if (found := cache.get(key)) is not None}
    assert all(kept[key] is latest[key] for key in kept)
    assert cache.used == sum(len(picture.rgb) for picture in kept.values()) <= room
