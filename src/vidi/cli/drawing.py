"""Boxes and masks as a model answers them, and on a picture."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from PIL import Image

from vidi.cli.options import ClientError
from vidi.cli.photos import Photo
from vidi.domain.geometry import Box, Fit, MaskImage
from vidi.domain.prompt import ImageHeader, ImageSource, Picture
from vidi.images.draw import Labelled, draw_boxes
from vidi.images.header import ImageLimits
from vidi.images.pool import DECODER_MEMORY, DecoderLimits, DecoderPool
from vidi.images.source import PictureSource
from vidi.settings import Settings, child_environment

DRAWN_PIXELS = 4_000_000
"""A larger picture is drawn smaller: enough for any screen."""


@dataclass(frozen=True, slots=True)
class FoundBox:
    """One box of a detection answer.

    Attributes:
        mask: Address of a PNG that covers the box, as the model sent it; "" for none.
    """

    label: str
    box_2d: tuple[int, int, int, int]
    mask: str = ""

    def as_json(self) -> dict[str, object]:
        """The object for programs; without a mask where there is none."""
        return {name: value for name, value in asdict(self).items() if name != "mask" or value}


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
            mask = rest.get("mask", "")
            return FoundBox(
                str(rest.get("label", "")), (ymin, xmin, ymax, xmax), mask if isinstance(mask, str) else ""
            )
    raise ClientError(f"The model answered something that is no box: {json.dumps(item)[:200]}")


def mask_image(address: str) -> MaskImage | None:
    """The mask in a `data:` address; None for "", which stands where a model made none.

    Raises:
        ClientError: It is no PNG, or a huge one.
    """
    if not address:
        return None
    try:
        encoded = base64.b64decode(address.removeprefix(_MASK_URL), validate=True)
        with Image.open(io.BytesIO(encoded), formats=["PNG"]) as image:
            if image.width * image.height > DRAWN_PIXELS:
                raise ClientError(f"The model sent a mask of {image.width} x {image.height} pixels.")
            grey = image.convert("L")
    except (ValueError, SyntaxError, OSError) as error:
        raise ClientError(f"The model sent a mask that is no PNG in base64: {address[:80]}") from error
    return MaskImage(grey.width, grey.height, grey.tobytes())


_MASK_URL = "data:image/png;base64,"


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
            limits=DecoderLimits(settings.decode_seconds, DECODER_MEMORY, child_environment()),
        )
        try:
            yield cls(pool, ImageLimits(max_pixels=settings.max_image_pixels))
        finally:
            await pool.close()

    async def prepare(self, photo: Photo) -> tuple[ImageHeader, Picture]:
        """What a photo's header says, and its picture, upright.

        Raises:
            InvalidImage: It is unsupported, broken or over a limit.
            ClientError: It is not there or cannot be read.
        """
        source = PictureSource.inline(ImageSource(await photo.read(), where=photo.name))
        header = await source.header(self.limits)
        return header, await self.pool.prepare(source, header, Fit(DRAWN_PIXELS))


async def draw(
    decoder: PictureDecoder, photo: Photo, found: list[FoundBox], target: Path, opacity: float
) -> None:
    """Write `photo` with its boxes and masks drawn as the PNG `target`.

    Args:
        decoder: Reads the photo.
        photo: What to draw on.
        found: What to draw.
        target: Where to.
        opacity: Of masks, 0..1.

    Raises:
        InvalidImage: The photo is no picture that can be read.
        ClientError: It is not there, or a mask is no PNG.
        OSError: The drawing cannot be written.
    """
    _, picture = await decoder.prepare(photo)
    boxes = [Labelled(item.label, Box(*item.box_2d), mask=mask_image(item.mask)) for item in found]
    _write(target, draw_boxes(picture, boxes, opacity))


def targets(photos: Sequence[Photo], target: Path) -> dict[Photo, Path]:
    """Where the drawing of each photo goes: the file `target` for one, else a file of its own in a folder.

    Raises:
        click.UsageError: It is no PNG, no folder, or one of the photos themselves.
    """
    if len(photos) == 1 and not target.is_dir():
        if target.suffix.lower() != ".png":
            raise click.UsageError(f"Drawings are PNG files: --draw {target.with_suffix('.png')}")
        planned = {photos[0]: target}
    elif target.suffix and not target.is_dir():
        raise click.UsageError(f"Several photos need a folder for --draw, and {target} looks like a file.")
    else:
        stems = Counter(photo.stem for photo in photos)
        # sign.png and sign.jpg are two photos.
        names = {photo: photo.stem if stems[photo.stem] == 1 else _whole_name(photo) for photo in photos}
        planned = {photo: target / f"{name}.boxes.png" for photo, name in names.items()}
    taken = {photo.path.resolve() for photo in photos if photo.path}
    for photo, file in planned.items():
        if file.resolve() in taken:
            raise click.UsageError(f"--draw would write over the photo {file}. Choose another name.")
        if list(planned.values()).count(file) > 1:
            raise click.UsageError(f"Several drawings would be called {file}, one of {photo.name}.")
    return planned


def _whole_name(photo: Photo) -> str:
    return photo.path.name if photo.path else photo.stem


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
