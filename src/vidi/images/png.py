"""PNG and APNG headers. Source: PNG specification, third edition, sections 5 and 11."""

from __future__ import annotations

import struct

from vidi.images import exif
from vidi.images.facts import MAX_PARTS, Facts, Unreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CHUNK = struct.Struct(">I4s")
_SIZE = struct.Struct(">II")


def parse(data: bytes) -> Facts:
    """Size, announced frames and orientation. Raises Unreadable or struct.error."""
    length, name = _CHUNK.unpack_from(data, len(SIGNATURE))
    if name != b"IHDR" or length != 13:
        raise Unreadable("it does not begin with an image header chunk")
    width, height = _SIZE.unpack_from(data, 16)
    frames, orientation = 1, 1
    at = len(SIGNATURE) + 12 + length
    # A file of still more chunks is left to the decoder, which stops when it has its pixels.
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            raise Unreadable("the file is cut short")
        length, name = _CHUNK.unpack_from(data, at)
        if name == b"IEND":
            break
        if name == b"acTL" and length >= 4:
            frames = max(1, int.from_bytes(data[at + 8 : at + 12], "big"))
        elif name == b"eXIf":
            orientation = exif.orientation(data, at + 8, at + 8 + length)
        elif name == b"IHDR":
            raise Unreadable("it has two image headers")
        at += 12 + length
    return Facts(width, height, frames, orientation)
