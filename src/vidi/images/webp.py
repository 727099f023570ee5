"""WEBP headers: lossy, lossless, extended and animated. Source: RFC 9649, sections 2.4 to 2.7."""

from __future__ import annotations

import struct

from vidi.images import exif
from vidi.images.facts import MAX_PARTS, Facts, Unreadable, too_many

_CHUNK = struct.Struct("<4sI")
_LOSSY = struct.Struct("<3s3sHH")
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F
_FIRST = 12
"""Offset of the first chunk, after RIFF, the file's length and WEBP."""


def matches(data: bytes) -> bool:
    """Whether the bytes begin like a WEBP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def parse(data: bytes) -> Facts:
    """Size of the canvas, announced frames and orientation. Raises Unreadable or struct.error."""
    name, _ = _CHUNK.unpack_from(data, _FIRST)
    start = _FIRST + _CHUNK.size
    if name == b"VP8 ":
        _, code, width, height = _LOSSY.unpack_from(data, start)
        if code != _LOSSY_START:
            raise Unreadable("its lossy picture has no start code")
        return Facts(width & 0x3FFF, height & 0x3FFF)
    if name == b"VP8L":
        mark, bits = struct.unpack_from("<BI", data, start)
        if mark != _LOSSLESS_START:
            raise Unreadable("its lossless picture has no signature")
        return Facts((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if name == b"VP8X":
        return _extended(data, start)
    raise Unreadable("its first chunk holds no picture")


def _extended(data: bytes, start: int) -> Facts:
    canvas = data[start + 4 : start + 10]
    if len(canvas) < 6:
        raise Unreadable("the file is cut short")
    width = int.from_bytes(canvas[:3], "little") + 1
    height = int.from_bytes(canvas[3:], "little") + 1
    frames, orientation = 0, 1
    at = _FIRST
    for _ in range(MAX_PARTS):
        if at + _CHUNK.size > len(data):
            return Facts(width, height, max(1, frames), orientation)
        name, length = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if name == b"ANMF":
            frames += 1
        elif name == b"EXIF":
            orientation = exif.orientation(data, at, at + length)
        at += length + (length & 1)
    raise too_many("chunks")
