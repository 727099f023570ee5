"""Headers are read and refused in pure Python."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images import drawn, hostile
from vidi.domain.errors import InvalidImage
from vidi.domain.prompt import ImageFormat, ImageHeader, MediaResolution
from vidi.images.header import JPEG_TIMES, ImageLimits, read_header

WHERE = "contents[0].parts[1].inline_data"
LIMITS = ImageLimits()
GOOD = {
    ImageFormat.PNG: drawn.encoded(drawn.drawing(), "PNG"),
    ImageFormat.JPEG: drawn.turned("JPEG", 6, progressive=True),
    ImageFormat.WEBP: drawn.turned("WEBP", 6),
    ImageFormat.HEIC: drawn.heic("turned-6"),
    ImageFormat.HEIF: drawn.heic("plain").replace(b"ftypheic", b"ftypmif1"),
    ImageFormat.GIF: drawn.encoded(drawn.drawing(), "GIF"),
    ImageFormat.BMP: drawn.encoded(drawn.drawing(), "BMP"),
    ImageFormat.TIFF: drawn.turned("TIFF", 6),
    ImageFormat.AVIF: drawn.turned("AVIF", 6),
}
TAKEN = tuple(form for form in ImageFormat if form.name in ("PNG", "JPEG", "WEBP", "HEIC", "HEIF"))
"""The formats of the API; the others are only converted."""


def _read(data: bytes, **limits: int) -> ImageHeader:
    return read_header(data, where=WHERE, limits=ImageLimits(**limits))


def _read_any(data: bytes) -> ImageHeader:
    return read_header(data, where=WHERE, limits=LIMITS, convertible=True)


def _refusal(data: bytes, **limits: int) -> str:
    with pytest.raises(InvalidImage) as caught:
        _read(data, **limits)
    assert caught.value.where == WHERE
    assert WHERE in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("form", ImageFormat)
def test_the_format_is_told_by_the_bytes(form: ImageFormat) -> None:
    assert _read_any(GOOD[form]).format is form
    if form not in TAKEN:
        assert f"{form.name}. Supported: PNG, JPEG, WEBP, HEIC, HEIF." in _refusal(GOOD[form])


@pytest.mark.parametrize(
    ("form", "size", "orientation"),
    [
        (ImageFormat.GIF, drawn.SIZE, 1),
        (ImageFormat.BMP, drawn.SIZE, 1),
        (ImageFormat.TIFF, drawn.SIZE, 1),  # Its decoder turns it.
        (ImageFormat.AVIF, drawn.SIZE[::-1], 6),
    ],
)
def test_sizes_of_what_is_converted(form: ImageFormat, size: tuple[int, int], orientation: int) -> None:
    header = _read_any(GOOD[form])
    assert (header.width, header.height, header.orientation) == (*size, orientation)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"BM" + bytes(12) + struct.pack("<IHH", 12, 96, 64), (96, 64)),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 96, -64), (96, 64)),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, -96, 64), "less than zero"),
        (b"BM" + bytes(12) + struct.pack("<Iii", 3, 96, 64), "too short"),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 30_000, 30_000), "megapixels"),
        (b"GIF89a" + struct.pack("<HH", 60_000, 60_000), "megapixels"),
        (b"GIF89a" + struct.pack("<HH", 0, 9), "zero pixels"),
        (b"II+\0" + bytes(40), "over 4 GB"),
        (b"II*\0" + struct.pack("<IH", 8, 0), "zero pixels"),
        (b"II*\0" + struct.pack("<I", 99), "cut short"),
    ],
)
def test_odd_headers_of_what_is_converted(data: bytes, says: tuple[int, int] | str) -> None:
    if isinstance(says, tuple):
        header = _read_any(data)
        assert (header.width, header.height) == says
    else:
        with pytest.raises(InvalidImage, match=says):
            _read_any(data)


def test_size_frames_and_orientation_are_reported() -> None:
    data = drawn.turned("JPEG", 6)
    assert read_header(data, where=WHERE, limits=LIMITS) == ImageHeader(
        ImageFormat.JPEG, 64, 96, 1, MediaResolution.UNSPECIFIED, 6
    )


@pytest.mark.parametrize(("name", "data"), hostile.foreign().items())
def test_other_formats_are_named(name: str, data: bytes) -> None:
    message = _refusal(data)
    assert name in message
    assert "PNG, JPEG, WEBP, HEIC, HEIF" in message


def test_av1_under_the_brand_of_heif_is_avif() -> None:
    assert "an AVIF" in _refusal(hostile.avif())


@pytest.mark.parametrize("data", hostile.broken_headers().values(), ids=hostile.broken_headers())
def test_broken_headers_are_refused_in_the_words_of_the_api(data: bytes) -> None:
    assert _refusal(data).startswith("Unable to process input image. ")


@pytest.mark.parametrize(("name", "data"), hostile.over_limits().items())
def test_what_is_over_a_limit_is_refused_with_both_figures(name: str, data: bytes) -> None:
    message = _refusal(data)
    assert (
        any(f"limit is {limit}" in message for limit in ("67.1", "268.4", "5,000", "100"))
        or "65,535" in message
    )
    assert any(figure in message for figure in ("megapixels", "frames", "scans", "longest side"))


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (drawn.png(1_000, 1_000, 1, 0, b""), {"max_pixels": 1_000_000}),
        (hostile.jpeg_of_size(1_000, 1_000), {"max_pixels": 1_000_000 // JPEG_TIMES}),
        (hostile.jpeg_of_scans(64, 64, 10), {"max_pixels": 64 * 64}),
        (drawn.png(65_535, 1, 1, 0, b""), {"max_side": 65_535}),
        (hostile.webp_of_frames(7), {"max_frames": 7}),
        (hostile.jpeg_of_scans(64, 64, 10), {"max_scans": 16}),
    ],
    ids=["pixels", "pixels of a JPEG", "pixels of one in scans", "side", "frames", "scans"],
)
def test_a_limit_is_still_allowed_and_one_more_is_not(data: bytes, limits: dict[str, int]) -> None:
    _read(data, **limits)
    _refusal(data, **{name: limit - 1 for name, limit in limits.items()})


@pytest.mark.parametrize("form", ImageFormat)
def test_every_prefix_is_read_or_refused(form: ImageFormat) -> None:
    whole = _read_any(GOOD[form])
    for length in range(len(GOOD[form])):
        try:
            assert _read_any(GOOD[form][:length]) in (whole, _upright(whole))
        except InvalidImage as error:
            assert error.where == WHERE


def _upright(header: ImageHeader) -> ImageHeader:
    """The same without its orientation, which WEBP writes at the file's end."""
    return ImageHeader(header.format, header.width, header.height)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        _read(data)


@given(st.sampled_from(list(ImageFormat)), st.data())
def test_mutated_headers_never_raise_anything_else(form: ImageFormat, data: st.DataObject) -> None:
    mutated = bytearray(GOOD[form])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, min(700, len(mutated)) - 1))
        mutated[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    try:
        header = _read_any(bytes(mutated))
    except InvalidImage as error:
        assert error.where == WHERE
    else:
        assert 0 < header.width * header.height <= LIMITS.max_pixels
        assert 1 <= header.orientation <= 8
