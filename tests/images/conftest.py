"""A warm decoder pool for the tests of pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.waiting import HANG_SECONDS
from vidi.domain.geometry import Fit
from vidi.domain.prompt import ImageSource, MediaResolution, Picture
from vidi.images.header import ImageLimits, read_header
from vidi.images.pool import DecoderLimits, DecoderPool
from vidi.images.source import PictureSource

Prepare = Callable[..., Picture]
WHERE = "contents[0].parts[1].inline_data"


@pytest.fixture(scope="module")
def prepare() -> Iterator[Prepare]:
    """Reads a file's header and prepares it in a real decoder process, which all tests of a module share."""
    with asyncio.Runner() as runner:
        pool = DecoderPool(size=1, limits=DecoderLimits(HANG_SECONDS, 1 << 30))

        def run(data: bytes, max_pixels: int = 1 << 20) -> Picture:
            source = PictureSource.inline(ImageSource(data, WHERE))
            read = read_header(data, where=WHERE, limits=ImageLimits(), convertible=True)
            header = replace(read, resolution=MediaResolution.LOW)
            return runner.run(pool.prepare(source, header, Fit(max_pixels)))

        yield run
        runner.run(pool.close())
