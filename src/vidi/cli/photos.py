"""Photos as they are named on the command line: files, folders, https addresses, `-` for standard input.

The API takes five formats. What a person may have besides (GIF, BMP, TIFF, AVIF) is made a PNG here.
"""

from __future__ import annotations

import asyncio
import difflib
import io
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from urllib.parse import urlsplit

import click
import PIL.Image
import PIL.ImageOps

from vidi.cli.options import ClientError
from vidi.images.header import convertible_format

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".heic", ".heif", ".gif", ".bmp", ".tif", ".tiff", ".avif",
)  # fmt: skip
"""What is taken from a folder; a file that is named itself is taken whatever it is called."""

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo.

    Attributes:
        name: As it was given, or as it lies in the folder that was given; names it in output and errors.
    """

    name: str

    @property
    def path(self) -> Path | None:
        """Where it lies on this disk; None if it lies elsewhere."""
        return None if self.name == STDIN or _is_address(self.name) else Path(self.name)

    @property
    def stem(self) -> str:
        """What a file made from it may be called, without an ending."""
        if self.name == STDIN:
            return "stdin"
        return Path(urlsplit(self.name).path if self.path is None else self.name).stem or "photo"

    async def read(self) -> bytes:
        """The encoded picture, in a format that the API takes if it is one that can be converted.

        Raises:
            ClientError: It is not there or cannot be read.
        """
        if self.path is None and self.name != STDIN:
            # Loaded here, since a photo on the disk needs no HTTP.
            fetch: Callable[[str], Awaitable[bytes]] = resolve_name("vidi.cli.remote:fetch")
            return _converted(await fetch(self.name))
        return await asyncio.to_thread(self._from_disk)

    def _from_disk(self) -> bytes:
        if self.path is None:
            return _converted(sys.stdin.buffer.read())
        try:
            return _converted(self.path.read_bytes())
        except FileNotFoundError:
            raise ClientError(f"There is no such file.{_near(self.path)}") from None
        except OSError as error:
            raise ClientError(f"Cannot be read: {error.strerror}.") from None


photos_argument = click.argument("photos", nargs=-1, required=True, type=click.Path())


def expand_photos(words: Sequence[str]) -> list[Photo]:
    """The photos that are meant: a folder stands for the pictures in it, sorted by name.

    Raises:
        click.UsageError: The folders hold none; or standard input is named twice.
    """
    photos: list[Photo] = []
    for word in words:
        if word != STDIN and not _is_address(word) and (folder := Path(word)).is_dir():
            inside = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
            photos.extend(Photo(str(file)) for file in sorted(inside))
        else:
            photos.append(Photo(word))
    if not photos:
        raise click.UsageError(f"No pictures there. A folder is searched for {', '.join(SUFFIXES)}.")
    if sum(photo.name == STDIN for photo in photos) > 1:
        raise click.UsageError("Standard input (-) can be read once.")
    return photos


def _is_address(word: str) -> bool:
    return word.startswith(("https://", "http://"))


def _near(path: Path) -> str:
    """A hint at a file that is called nearly so."""
    try:
        names = [file.name for file in path.parent.iterdir()]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f" Did you mean {path.with_name(near[0])}?" if near else ""


def _converted(data: bytes) -> bytes:
    """The picture as it is, or as an upright PNG if the API does not take its format."""
    form = convertible_format(data)
    if form is None:
        return data
    try:
        with PIL.Image.open(io.BytesIO(data), formats=(form.name,)) as opened:
            upright = PIL.ImageOps.exif_transpose(opened)
            target = io.BytesIO()
            upright.convert("RGBA" if upright.has_transparency_data else "RGB").save(target, "PNG")
    except (PIL.UnidentifiedImageError, OSError, ValueError, PIL.Image.DecompressionBombError):
        # The server says what it is instead, better than Pillow does.
        return data
    return target.getvalue()
