"""PNG and APNG headers."""

from __future__ import annotations

import pytest

from tests.images import drawn
from vidi.images import formats
from vidi.images.formats import MAX_PARTS, HeaderFields, Unreadable


def test_size() -> None:
    assert formats.parse_png(drawn.png(7, 5, 8, 0, bytes(40))) == HeaderFields(7, 5)


def test_frames_of_an_animation() -> None:
    frames = [drawn.drawing(), drawn.drawing().rotate(90), drawn.drawing().rotate(180)]
    data = drawn.encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert formats.parse_png(data).frames == 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int) -> None:
    assert formats.parse_png(drawn.turned("PNG", orientation)).orientation == orientation


def test_orientation_after_the_data() -> None:
    data = drawn.png(7, 5, 8, 0, bytes(40))
    late = drawn.chunk(b"eXIf", drawn.exif(8).removeprefix(b"Exif\0\0"))
    assert formats.parse_png(data[:-12] + late + data[-12:]).orientation == 8


def test_bytes_after_the_end_are_ignored() -> None:
    assert formats.parse_png(drawn.png(7, 5, 8, 0, bytes(40)) + b"\xff" * 99) == HeaderFields(7, 5)


def test_more_chunks_than_are_looked_at_are_left_to_the_decoder() -> None:
    data = drawn.png(7, 5, 8, 0, bytes(40), drawn.chunk(b"teSt") * (MAX_PARTS + 1))
    assert formats.parse_png(data) == HeaderFields(7, 5)


def test_a_second_header_is_refused() -> None:
    data = drawn.png(7, 5, 8, 0, bytes(40))
    with pytest.raises(Unreadable, match="two image headers"):
        formats.parse_png(data[:33] + data[8:33] + data[33:])
