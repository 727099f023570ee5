"""WEBP headers."""

from __future__ import annotations

import pytest

from tests.images import drawn, hostile
from vidi.images import formats
from vidi.images.formats import HeaderFields


@pytest.mark.parametrize("lossless", [False, True])
def test_size(lossless: bool) -> None:
    assert formats.parse_webp(drawn.encoded(drawn.drawing(), "WEBP", lossless=lossless)) == HeaderFields(
        96, 64
    )


def test_size_with_alpha() -> None:
    data = drawn.encoded(drawn.drawing("RGBA").rotate(20), "WEBP")
    assert b"VP8X" in data
    assert formats.parse_webp(data) == HeaderFields(96, 64)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (16_384, 1), (1, 16_384), (16_384, 16_384)])
def test_extreme_sizes(width: int, height: int) -> None:
    assert formats.parse_webp(hostile.webp_of_size(width, height)) == HeaderFields(width, height)


def test_frames_of_an_animation() -> None:
    frames = [drawn.drawing(), drawn.drawing().rotate(90), drawn.drawing().rotate(180)]
    data = drawn.encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    assert formats.parse_webp(data) == HeaderFields(96, 64, 3)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_orientation(orientation: int) -> None:
    assert formats.parse_webp(drawn.turned("WEBP", orientation)).orientation == orientation


def test_orientation_without_the_prefix_of_jpeg() -> None:
    data = drawn.turned("WEBP", 6).replace(b"Exif\0\0", b"")
    at = data.index(b"EXIF") + 4
    length = int.from_bytes(data[at : at + 4], "little")
    data = data[:at] + (length - 6).to_bytes(4, "little") + data[at + 4 :]
    assert formats.parse_webp(data).orientation == 6
