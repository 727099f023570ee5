"""HEIC and HEIF headers."""

from __future__ import annotations

import struct

import pytest

from tests.images import drawn, hostile
from vidi.images import heif
from vidi.images.formats import HeaderFields, Unreadable


@pytest.mark.parametrize("name", ["plain", "grey", "ten-bits", "transparent", "second-of-two"])
def test_size_of_the_primary_picture(name: str) -> None:
    assert heif.parse(drawn.heic(name)) == HeaderFields(96, 64)


def test_size_of_a_grid_is_that_of_the_whole() -> None:
    assert heif.parse(drawn.heic("grid")) == HeaderFields(192, 128)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_orientation(orientation: int) -> None:
    assert heif.parse(drawn.heic(f"turned-{orientation}")) == HeaderFields(96, 64, 1, orientation)


def test_orientation_in_exif_does_not_count() -> None:
    data = drawn.heic("turned-6")
    assert heif.parse(data.replace(b"irot\x03", b"irot\x00")).orientation == 1


def test_turn_and_mirror_combine_in_their_order() -> None:
    turned_5 = drawn.heic("turned-5")
    assert turned_5.index(b"irot") < turned_5.index(b"imir")
    assert heif.parse(turned_5.replace(b"irot\x03", b"irot\x01")).orientation == 7


def test_a_clean_aperture_is_the_size() -> None:
    cut = drawn.box(b"clap", struct.pack(">8I", 50, 1, 80, 2, 0, 1, 0, 1))
    assert heif.parse(_with_property(drawn.heic("plain"), cut)) == HeaderFields(50, 40)


def test_a_clean_aperture_without_sense_is_refused() -> None:
    cut = drawn.box(b"clap", struct.pack(">8I", 50, 0, 80, 2, 0, 1, 0, 1))
    with pytest.raises(Unreadable, match="zero denominator"):
        heif.parse(_with_property(drawn.heic("plain"), cut))


def _with_property(data: bytes, content: bytes) -> bytes:
    """The file with a further property of its primary picture; only the header stays readable."""
    grown = data
    for kind in (b"meta", b"iprp", b"ipco"):
        grown = _grown(grown, kind, len(content) + (kind != b"ipco"))
    at = grown.index(b"ipco") - 4
    end = at + int.from_bytes(grown[at : at + 4], "big") - len(content)
    count = grown[grown.index(b"ipma") + 14]
    grown = grown[:end] + content + grown[end:]
    at = grown.index(b"ipma")
    grown = _grown(grown, b"ipma", 1)
    return (
        grown[: at + 14]
        + bytes([count + 1])
        + grown[at + 15 : at + 15 + count]
        + bytes([count + 1])
        + grown[at + 15 + count :]
    )


def _grown(data: bytes, kind: bytes, more: int) -> bytes:
    at = data.index(kind) - 4
    return data[:at] + struct.pack(">I", int.from_bytes(data[at : at + 4], "big") + more) + data[at + 4 :]


def test_wide_item_ids_and_property_indices() -> None:
    plain = drawn.heic("plain")
    at = plain.index(b"ipma") - 4
    size = int.from_bytes(plain[at : at + 4], "big")
    item, count = struct.unpack_from(">HB", plain, at + 16)
    indices = plain[at + 19 : at + 19 + count]
    wide = b"".join(struct.pack(">H", (index & 0x80) << 8 | index & 0x7F) for index in indices)
    ipma = drawn.box(b"ipma", b"\1\0\0\1", struct.pack(">IIB", 1, item, count), wide)
    data = plain[:at] + ipma + plain[at + size :]
    for kind in (b"meta", b"iprp"):
        data = _grown(data, kind, len(ipma) - size)
    assert heif.parse(data) == HeaderFields(96, 64)


def test_brands() -> None:
    assert heif.brands(drawn.heic("plain")) == (b"heic", b"mif1", b"heic", b"miaf")
    assert heif.brands(b"GIF89a") == ()


@pytest.mark.parametrize(("data", "avif"), [(hostile.avif(), True), (drawn.heic("grid"), False)])
def test_is_avif(data: bytes, avif: bool) -> None:
    assert heif.is_avif(data) is avif
