"""A picture's bytes, digest and header: each worked out once at most, and only when asked for."""

from __future__ import annotations

import asyncio
import hashlib
import io
from contextlib import nullcontext

import pytest

from tests.images import drawn
from vidi.domain.errors import InvalidImage
from vidi.domain.prompt import ImageFormat, ImageHeader, ImageSource, MediaResolution
from vidi.images.header import JPEG_TIMES, ImageLimits, inspect_upload
from vidi.images.source import PictureSource

WHERE = "contents[0].parts[1].file_data"
DATA = drawn.turned("JPEG", 6)
HEADER = ImageHeader(ImageFormat.JPEG, drawn.SIZE[1], drawn.SIZE[0], orientation=6)


class Reading:
    """Reads a file, and counts how often."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.times = 0

    async def __call__(self) -> bytes:
        self.times += 1
        return self.data


def test_an_inline_picture_says_what_its_bytes_say() -> None:
    source = PictureSource.inline(ImageSource(DATA, WHERE, MediaResolution.LOW))
    header = asyncio.run(source.header(ImageLimits(), MediaResolution.LOW))
    assert (header.format, header.orientation) == (ImageFormat.JPEG, 6)
    assert header.upright_size == drawn.SIZE
    assert (header.resolution, source.where) == (MediaResolution.LOW, WHERE)
    assert asyncio.run(source.digest()) == hashlib.sha256(DATA).hexdigest()
    assert source.resolution is MediaResolution.LOW


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_digest_is_worked_out_once_on_the_loop_or_beside_it(size: int) -> None:
    reading = Reading(bytes(size))
    source = PictureSource(reading, WHERE)
    assert [asyncio.run(source.digest()) for _ in range(2)] == [hashlib.sha256(bytes(size)).hexdigest()] * 2
    assert reading.times == 1


def test_a_header_is_parsed_once() -> None:
    reading = Reading()
    source = PictureSource(reading, WHERE)
    first = asyncio.run(source.header(ImageLimits()))
    reading.data = b"changed"
    assert asyncio.run(source.header(ImageLimits())) == first
    assert reading.times == 1


def test_what_is_known_needs_no_bytes() -> None:
    reading = Reading()
    source = PictureSource(reading, WHERE, digest="abc", header=HEADER)
    assert asyncio.run(source.digest()) == "abc"
    assert asyncio.run(source.header(ImageLimits())) == HEADER
    assert asyncio.run(source.header(ImageLimits(), MediaResolution.HIGH)).resolution is MediaResolution.HIGH
    assert reading.times == 0


def test_a_known_header_is_held_to_the_limits_of_today() -> None:
    source = PictureSource(Reading(), WHERE, header=HEADER)
    pixels = HEADER.width * HEADER.height // JPEG_TIMES
    asyncio.run(source.header(ImageLimits(max_pixels=pixels)))
    with pytest.raises(InvalidImage, match="the limit is") as refused:
        asyncio.run(source.header(ImageLimits(max_pixels=pixels - 1)))
    assert refused.value.where == WHERE


def test_the_inspection_of_an_upload_tells_type_and_header() -> None:
    def inspect(data: bytes, declared: str) -> tuple[str, ImageHeader | None]:
        return inspect_upload(io.BytesIO(data), declared, ImageLimits(), 1 << 20, nullcontext())

    mime_type, header = inspect(DATA, "text/plain")
    assert mime_type == "image/jpeg"
    assert header == asyncio.run(PictureSource.inline(ImageSource(DATA, WHERE)).header(ImageLimits()))
    assert inspect(b"words", "text/plain") == ("text/plain", None)
    assert inspect(b"words", "") == ("application/octet-stream", None)
    with pytest.raises(InvalidImage):
        inspect(b"words", "image/png")
