"""JPEG headers, the first picture of an MPO included. Source: ITU-T T.81, annex B."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vidi.images import exif
from vidi.images.facts import MAX_PARTS, Facts, Unreadable, too_many

SIGNATURE = b"\xff\xd8\xff"

_SEGMENT = struct.Struct(">BBH")
_FRAME = struct.Struct(">HHB")
_MAX_SIDE = 65_500
"""libjpeg's own limit (JPEG_MAX_DIMENSION)."""
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
# Start-of-frame markers: C0..CF without DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
# What is neither stuffing (00), a restart (D0..D7) nor fill (FF) ends a run of coded data.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FILL = re.compile(rb"\xff+")


@dataclass(frozen=True, slots=True)
class _Frame:
    marker: int
    height: int
    width: int
    components: int


def parse(data: bytes) -> Facts:
    """Size, orientation and scans of the first picture in the file. Raises Unreadable or struct.error."""
    frame: _Frame | None = None
    orientation = 0
    at = 2
    for marker, at, end in _segments(data):
        if marker in _FRAMES:
            if frame is not None:
                raise Unreadable("it has two frame headers")
            frame = _read_frame(data, at, marker)
        elif marker == _APP1 and not orientation and data.startswith(exif.PREFIX, at + 4):
            orientation = exif.orientation(data, at + 4, end)
    if frame is None:
        raise Unreadable("it has no frame header before its picture data")
    if max(frame.width, frame.height) > _MAX_SIDE:
        raise Unreadable(f"a side of more than {_MAX_SIDE:,} pixels is beyond what JPEG decoders take")
    return Facts(frame.width, frame.height, 1, orientation or 1, _scans(data, at, frame))


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment from after the first marker to the first scan, it included."""
    at = 2
    for _ in range(MAX_PARTS):
        at = _skip_fill(data, at)
        _, marker, length = _SEGMENT.unpack_from(data, at)
        if length < 2 or marker == _END:
            raise Unreadable("its header ends before its picture data")
        yield marker, at, at + 2 + length
        if marker == _SCAN:
            return
        at += 2 + length
    raise too_many("segments")


def _skip_fill(data: bytes, at: int) -> int:
    """Where the next marker begins; any number of FF bytes may come before it."""
    fill = _FILL.match(data, at)
    if fill is None:
        raise Unreadable(
            "the file is cut short" if at >= len(data) else "its segments do not follow each other"
        )
    return fill.end() - 1


def _read_frame(data: bytes, at: int, marker: int) -> _Frame:
    height, width, components = _FRAME.unpack_from(data, at + 5)
    return _Frame(marker, height, width, components)


def _scans(data: bytes, at: int, frame: _Frame) -> int:
    """How often a decoder has to pass over the picture.

    A sequential picture whose first scan holds all components is done after it, whatever follows.
    """
    if frame.marker not in _PROGRESSIVE and data[at + 4 : at + 5] == bytes([frame.components]):
        return 1
    scans = 0
    for _ in range(MAX_PARTS):
        scans += data[at + 1] == _SCAN
        (length,) = struct.unpack_from(">H", data, at + 2)
        found = _MARKER.search(data, at + 2 + length)
        if found is None or data[found.start() + 1] == _END:
            return scans
        at = found.start()
    raise too_many("segments")
