"""Good pictures, encoded in every odd but valid way that Pillow can write or that bytes can be laid out."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

DATA = Path(__file__).parent / "data"
SIZE = (96, 64)
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)

TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes the stored picture of each EXIF orientation upright."""

UNTURNS = {**TURNS, 6: TURNS[8], 8: TURNS[6]}
"""What makes an upright picture the stored one."""


def drawing(mode: str = "RGB") -> Image.Image:
    """The drawing of tools/make_heic.py: each orientation of it looks different."""
    image = Image.new("RGB", SIZE, WHITE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 40, 24), fill=RED)
    draw.rectangle((60, 40, 95, 63), fill=BLUE)
    draw.ellipse((40, 20, 60, 40), fill=GREEN)
    return image if mode == "RGB" else image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(kind: str, orientation: int, **options: object) -> bytes:
    """The drawing, stored turned, with the EXIF orientation that undoes it."""
    turn = UNTURNS[orientation]
    image = drawing() if turn is None else drawing().transpose(turn)
    return encoded(image, kind, exif=exif(orientation), **options)


def exif(orientation: int) -> bytes:
    """EXIF data that hold an orientation, even an impossible one."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def heic(name: str) -> bytes:
    """One of the files that tools/make_heic.py makes."""
    return (DATA / f"{name}.heic").read_bytes()


def chunk(name: bytes, content: bytes = b"") -> bytes:
    """A PNG chunk."""
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG of raw rows (each with its filter byte); `extra` chunks go before the data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + chunk(b"IEND")


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of the ISO base media file format."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body
