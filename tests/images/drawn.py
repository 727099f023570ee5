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


def odd_jpegs() -> dict[str, bytes]:
    """The drawing as JPEGs that every decoder reads, although something in their headers is odd."""
    plain = encoded(drawing(), "JPEG")
    tables = plain.index(b"\xff\xdb")

    def before_tables(odd: bytes) -> bytes:
        return plain[:tables] + odd + plain[tables:]

    def note(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content

    return {
        "fill bytes": before_tables(b"\xff" * 300),
        "junk": before_tables(b"\x00\x12junk"),
        "stuffing": before_tables(b"\xff\x00\xff\x00"),
        "a restart": before_tables(b"\xff\xd0"),
        "a marker without a meaning": before_tables(b"\xff\x01"),
        "an empty APP14": before_tables(note(0xEE, b"")),
        "an APP14 of length 0": before_tables(b"\xff\xee\x00\x00"),
        "an APP14 of length 1": before_tables(b"\xff\xee\x00\x01"),
        "a short APP14": before_tables(note(0xEE, b"Adobe")),
        "an APP14 without its end": before_tables(note(0xEE, b"Adobe\x00\x64\x00")),
        "an APP14 of something else": before_tables(note(0xEE, bytes(range(40)))),
        "a short JFIF": plain[:2] + note(0xE0, b"JFIF") + plain[2:],
        "a short colour profile": before_tables(note(0xE2, b"ICC_PROFILE\0")),
        "a short EXIF": before_tables(note(0xE1, b"Exif\0\0II*\0")),
        "a short Photoshop note": before_tables(note(0xED, b"Photoshop 3.0\0" + b"8BIM")),
        "fill bytes at the end": plain[:-2] + b"\xff\xff\xff" + plain[-2:],
        "bytes behind the end": plain + bytes(1000) + b"\xff\xe1\x00",
    }


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
