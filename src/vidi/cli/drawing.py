"""Boxes as a model answers them, and boxes on a picture."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vidi.cli.options import ClientError
from vidi.domain.geometry import Box, Fit
from vidi.domain.prompt import ImageHeader, ImageSource, Picture
from vidi.images.draw import Labelled, draw_boxes
from vidi.images.header import ImageLimits
from vidi.images.pool import DECODER_MEMORY, DecoderPool
from vidi.images.source import PictureSource
from vidi.settings import Settings, child_environment

DRAWN_PIXELS = 4_000_000
"""A larger picture is drawn smaller: enough for any screen."""


@dataclass(frozen=True, slots=True)
class FoundBox:
    """One box of a detection answer."""

    label: str
    box_2d: tuple[int, int, int, int]


def parse_boxes(text: str) -> list[FoundBox]:
    """Read the guide's detection answer.

    Raises:
        ClientError: The text is no JSON array of boxes.
    """
    try:
        answer: object = json.loads(text)
    except json.JSONDecodeError:
        raise ClientError(f"The model answered in words instead of boxes: {text[:200]}") from None
    return [_found(item) for item in (answer if isinstance(answer, list) else [answer])]


def _found(item: object) -> FoundBox:
    match item:
        case {"box_2d": [int(ymin), int(xmin), int(ymax), int(xmax)], **rest}:
            return FoundBox(str(rest.get("label", "")), (ymin, xmin, ymax, xmax))
    raise ClientError(f"The model answered something that is no box: {json.dumps(item)[:200]}")


@dataclass(frozen=True, slots=True)
class PictureDecoder:
    """Decodes files of the disk."""

    pool: DecoderPool
    limits: ImageLimits

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[PictureDecoder]:
        """A decoder that ends with the block."""
        pool = DecoderPool(
            size=1,
            deadline=settings.decode_seconds,
            memory_limit=DECODER_MEMORY,
            environment=child_environment(),
        )
        try:
            yield cls(pool, ImageLimits(max_pixels=settings.max_image_pixels))
        finally:
            await pool.close()

    async def prepare(self, file: Path) -> tuple[ImageHeader, Picture]:
        """What a file's header says, and its picture, upright.

        Raises:
            InvalidImage: It is unsupported, broken or over a limit.
            OSError: It cannot be read.
        """
        source = PictureSource.inline(read(file))
        header = await source.header(self.limits)
        return header, await self.pool.prepare(source, header, Fit(DRAWN_PIXELS))


async def draw(decoder: PictureDecoder, file: Path, found: list[FoundBox], target: Path) -> None:
    """Write `file` with its boxes drawn as the PNG `target`.

    Raises:
        InvalidImage: The file is no picture that can be read.
        OSError: A file cannot be read or written.
    """
    _, picture = await decoder.prepare(file)
    boxes = [Labelled(item.label, Box(*item.box_2d), None) for item in found]
    _write(target, draw_boxes(picture, boxes))


def read(file: Path) -> ImageSource:
    """A file of the disk as a picture's source, named by its path."""
    return ImageSource(file.read_bytes(), where=str(file))


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
