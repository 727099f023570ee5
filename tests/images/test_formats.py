"""JPEG headers."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.images import drawn, hostile
from vidi.images import formats
from vidi.images.formats import HeaderFields


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_size(mode: str) -> None:
    assert formats.parse_jpeg(drawn.encoded(drawn.drawing(mode), "JPEG")) == HeaderFields(96, 64)


def test_scans_of_a_progressive_picture() -> None:
    data = drawn.encoded(drawn.drawing(), "JPEG", progressive=True)
    assert formats.parse_jpeg(data).scans == data.count(b"\xff\xda") == 10


def test_scans_are_counted_through_tables_and_restarts() -> None:
    data = drawn.encoded(Image.effect_noise((300, 300), 90), "JPEG", progressive=True, restart_marker_rows=1)
    assert b"\xff\xd0" in data
    assert formats.parse_jpeg(data).scans == data.count(b"\xff\xda")


def test_added_scans_are_counted() -> None:
    assert (
        formats.parse_jpeg(hostile.jpeg_of_scans(64, 64, 321)).scans
        == 321 + formats.parse_jpeg(hostile.jpeg_of_scans(64, 64, 0)).scans
    )


def test_scans_of_a_sequential_picture_of_several_scans() -> None:
    """Such a file makes a decoder wait for all of its scans, as a progressive one does."""
    data = drawn.encoded(drawn.drawing(), "JPEG")
    at = data.index(b"\xff\xda")
    one_component = data[:at] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x00\x00" * 50 + b"\xff\xd9"
    assert formats.parse_jpeg(one_component).scans == 50


def test_a_sequential_picture_is_done_after_its_scan() -> None:
    data = drawn.encoded(drawn.drawing(), "JPEG")
    assert formats.parse_jpeg(data[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 50).scans == 1


def test_only_the_first_picture_of_several_is_read() -> None:
    first, second = drawn.drawing(), drawn.drawing().resize((300, 200))
    data = drawn.encoded(first, "MPO", save_all=True, append_images=[second])
    assert formats.parse_jpeg(data) == HeaderFields(96, 64)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int) -> None:
    assert formats.parse_jpeg(drawn.turned("JPEG", orientation)).orientation == orientation


def test_fill_bytes_before_a_marker() -> None:
    data = drawn.encoded(drawn.drawing(), "JPEG")
    at = data.index(b"\xff\xdb")
    assert formats.parse_jpeg(data[:at] + b"\xff" * 40 + data[at:]) == HeaderFields(96, 64)


@pytest.mark.parametrize("data", drawn.odd_jpegs().values(), ids=drawn.odd_jpegs())
def test_what_libjpeg_passes_over_between_segments(data: bytes) -> None:
    assert formats.parse_jpeg(data) == HeaderFields(96, 64)
    assert formats.parse_jpeg(formats.without_notes(data)) == HeaderFields(96, 64)


def test_notes_are_left_out_but_for_how_colours_are_coded() -> None:
    plain = drawn.encoded(drawn.drawing(), "JPEG", exif=drawn.exif(6), comment=b"words")
    colours = b"\xff\xee\x00\x0eAdobe" + bytes(6) + b"\x01"
    bare = formats.without_notes(plain[:2] + colours + plain[2:])
    assert colours in bare
    assert b"Exif" not in bare
    assert b"words" not in bare
    assert bare[bare.index(b"\xff\xda") :] == plain[plain.index(b"\xff\xda") :]


def _short(data: bytes, most: int = 16_384) -> bool:
    return formats.has_short_header(data, most)


def test_a_header_is_short_if_the_picture_is_in_one_scan_near_the_beginning() -> None:
    plain = drawn.encoded(drawn.drawing(), "JPEG")
    assert _short(plain)
    assert not _short(plain, most=100), "it begins later"
    assert not _short(drawn.encoded(drawn.drawing(), "JPEG", progressive=True))
    assert not _short(drawn.encoded(drawn.drawing(), "JPEG", icc_profile=b"x" * 20_000))
    assert not _short(drawn.encoded(drawn.drawing(), "PNG"))
    assert not _short(plain[:2] + b"\x00" + plain[2:]), "bytes between segments"
    assert not _short(hostile.jpeg_of_scans(64, 64, 9))


@pytest.mark.parametrize("length", [0, 1, 3, 20, 100, 200])
def test_a_file_that_is_cut_short_has_no_short_header(length: int) -> None:
    assert not _short(drawn.encoded(drawn.drawing(), "JPEG")[:length])


def test_many_segments_are_no_short_header() -> None:
    plain = drawn.encoded(drawn.drawing(), "JPEG")
    assert not _short(plain[:2] + b"\xff\xfe\x00\x04ab" * 100 + plain[2:])
