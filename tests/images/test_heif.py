"""HEIC and HEIF headers."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.hostile_requests import associations, empty_boxes
from bench.hostile_requests import heif as heif_of
from tests.conftest import examples
from tests.images import drawn, hostile
from vidi.domain.budget import Budget
from vidi.domain.errors import InvalidImage
from vidi.domain.geometry import Fit
from vidi.domain.prompt import ImageFormat
from vidi.images import heif
from vidi.images.decoder import decode
from vidi.images.formats import MAX_PARTS, HeaderFields, Unreadable
from vidi.images.header import ImageLimits, read_header
from vidi.images.protocol import Job


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
    assert heif.parse(_with_property(drawn.heic("plain"), cut)) == HeaderFields(50, 40, decoded=96 * 64)


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


def _cropped(*aperture: int, name: str = "plain") -> bytes:
    """A good HEIC of 96 x 64 with a clean aperture: four fractions."""
    plain = drawn.heic(name)
    data = _with_property(plain, drawn.box(b"clap", struct.pack(">IIIIiIiI", *aperture)))
    at = data.index(b"iloc") + 16  # The one item's place in the file.
    moved = int.from_bytes(data[at : at + 4], "big") + len(data) - len(plain)
    return data[:at] + struct.pack(">I", moved) + data[at + 4 :]


@pytest.mark.parametrize(
    "aperture",
    [
        (50, 1, 40, 1, 0, 1, 0, 1),
        (4, 1, 4, 1, 0, 1, 0, 1),
        (127, 2, 191, 3, 1, 3, -1, 2),
        (1, 1, 1, 1, 9, 1, 0, 1),
    ],
)
def test_a_crop_is_decoded_however_little_remains(aperture: tuple[int, ...]) -> None:
    data = _cropped(*aperture)
    header = heif.parse(data)
    image, source = decode(io.BytesIO(data), _job(header.width, header.height))
    assert source == (header.width, header.height) == image.size


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_small_crop_of_a_turned_picture_is_the_right_one(orientation: int) -> None:
    # The crop comes after the turn here, so it is of the upright picture, on its right and low.
    upright, _ = decode(io.BytesIO(drawn.heic(f"turned-{orientation}")), _job(96, 64))
    middle, centre = upright.width // 2, upright.height // 2
    data = _cropped(4, 1, 4, 1, 20, 1, 20, 1, name=f"turned-{orientation}")
    assert heif.parse(data) == HeaderFields(4, 4, 1, orientation, decoded=96 * 64)
    image, source = decode(io.BytesIO(data), _job(4, 4))
    assert source == (4, 4)
    part = upright.crop((middle + 18, centre + 18, middle + 22, centre + 22))
    assert image.tobytes() == part.tobytes()


def _job(width: int, height: int) -> Job:
    return Job(ImageFormat.HEIC, 1, width, height, Fit(max_pixels=1 << 20))


@settings(max_examples=examples(50))
@given(*(st.integers(1, 100) for _ in range(2)), *(st.integers(-30, 30) for _ in range(2)), st.integers(1, 3))
def test_a_crop_is_as_large_as_libheif_makes_it_or_a_pixel_off(
    across: int, down: int, right: int, lower: int, by: int
) -> None:
    assume(min(across, down) > by)
    data = _cropped(across, by, down, by, right, by, lower, by)
    header = heif.parse(data)
    _, (width, height) = decode(io.BytesIO(data), _job(header.width, header.height))
    assert abs(width - header.width) <= 1
    assert abs(height - header.height) <= 1


def test_a_crop_out_of_too_large_a_picture_is_refused() -> None:
    data = _cropped(4, 1, 4, 1, 0, 1, 0, 1)
    with pytest.raises(InvalidImage, match="cut out of one"):
        read_header(data, where="here", limits=ImageLimits(max_pixels=96 * 64 - 1))
    assert read_header(data, where="here", limits=ImageLimits(max_pixels=96 * 64)).width == 4


def test_boxes_entries_and_properties_are_counted_together() -> None:
    for hostile_file in (
        heif_of(associations(3, 5_000)),
        heif_of(empty_boxes(6_000), more=empty_boxes(6_000)),
        heif_of(associations(1, MAX_PARTS + 1)),
    ):
        budget = Budget(MAX_PARTS)
        with pytest.raises(Unreadable, match="more than 10,000"):
            heif.parse(hostile_file, budget)
        assert budget.spent <= 3 * MAX_PARTS
    ordinary = Budget(MAX_PARTS)
    heif.parse(drawn.heic("grid"), ordinary)
    assert ordinary.spent < 100
