"""Boxes as a model answers them, and boxes on a picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vidi.cli.client import ClientError
from vidi.domain.geometry import Box
from vidi.domain.prompt import ImageSource, Picture
from vidi.images.draw import Labelled, draw_boxes
from vidi.images.load import ImageLimits, read_header
from vidi.images.pool import DecoderPool
from vidi.settings import Settings

DRAWN_PIXELS = 4_000_000
"""A larger picture is drawn smaller: enough for any screen."""

DECODER_MEMORY = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """One box of a detection answer."""

    label: str
    box_2d: tuple[int, int, int, int]


def parse_boxes(text: str) -> list[Found]:
    """Read the guide's detection answer.

    Raises:
        ClientError: The text is no JSON array of boxes.
    """
    try:
        answer: object = json.loads(text)
    except json.JSONDecodeError:
        raise ClientError(f"The model answered in words instead of boxes: {text[:200]}") from None
    return [_found(item) for item in (answer if isinstance(answer, list) else [answer])]


def _found(item: object) -> Found:
    match item:
        case {"box_2d": [int(ymin), int(xmin), int(ymax), int(xmax)], **rest}:
            return Found(str(rest.get("label", "")), (ymin, xmin, ymax, xmax))
    raise ClientError(f"The model answered something that is no box: {json.dumps(item)[:200]}")


async def prepare(settings: Settings, file: Path) -> Picture:
    """Decode a picture of the disk, upright.

    Raises:
        InvalidImage: It is unsupported, broken or over a limit.
    """
    source = read(file)
    limits = ImageLimits(max_pixels=settings.max_image_pixels)
    header = read_header(source.data, where=source.where, limits=limits)
    pool = DecoderPool(size=1, deadline=settings.decode_seconds, memory_limit=DECODER_MEMORY)
    try:
        return await pool.prepare(source, header, DRAWN_PIXELS)
    finally:
        await pool.close()


async def draw(settings: Settings, file: Path, found: list[Found], target: Path) -> None:
    """Write `file` with its boxes drawn as the PNG `target`.

    Raises:
        InvalidImage: As `prepare`.
        OSError: The target cannot be written.
    """
    picture = await prepare(settings, file)
    boxes = [Labelled(item.label, Box(*item.box_2d), None) for item in found]
    _write(target, draw_boxes(picture, boxes))


def read(file: Path) -> ImageSource:
    """A file of the disk as a picture's source, named by its path."""
    return ImageSource(file.read_bytes(), where=str(file))


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
