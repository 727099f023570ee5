"""Headers of JPEG (MPO too), PNG (APNG too), WEBP, GIF, BMP and TIFF, and the orientation in EXIF.

One parser a format. Each follows lengths that a stranger wrote, so each is bounded by `MAX_PARTS`, whatever
the file says.

Sources: ITU-T T.81, annex B; PNG specification, third edition, sections 5 and 11; the WebP container
specification; the Exif standard; GIF 89a, section 18; TIFF 6.0, section 2; the headers of Windows bitmaps.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


class Unreadable(Exception):
    """The header makes no sense; the text completes "The picture at ... cannot be used: "."""


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """A header's content.

    Attributes:
        width, height: Stored size in pixels, before orientation.
        frames: Announced number of frames; 1 for a still picture.
        orientation: EXIF orientation 1..8, or its equivalent.
        scans: Passes over the whole picture that a JPEG asks for; 1 elsewhere.
        decoded: Pixels that are decoded before a crop, if there are more than in the picture; 0 else.
    """

    width: int
    height: int
    frames: int = 1
    orientation: int = 1
    scans: int = 1
    decoded: int = 0


MAX_PARTS = 10_000
"""Chunks, segments, boxes or items looked at before a file is refused as no sane picture: bounds the time."""


def too_many(kind: str) -> Unreadable:
    """The refusal of a file that is cut into absurdly many pieces."""
    return Unreadable(f"it has more than {MAX_PARTS:,} {kind}")


EXIF_PREFIX = b"Exif\0\0"
"""Comes before the TIFF structure in JPEG always, in WEBP sometimes, in PNG never."""

_ORIENTATION = 0x0112
_MAX_ENTRIES = 1_000
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_VALUE_FORMS = {3: "H", 4: "I"}  # TIFF field types SHORT and LONG; both occur in the wild.


def exif_orientation(data: bytes, start: int, end: int) -> int:
    """Orientation 1..8 of the TIFF structure in `data[start:end]`; 1 if it has none or is broken.

    Source: EXIF 2.32, 4.6.4 (tag 0x0112) and TIFF 6.0, section 2.
    """
    if data[start : start + len(EXIF_PREFIX)] == EXIF_PREFIX:
        start += len(EXIF_PREFIX)
    # Offsets in it count from its start, hence the copy; PNG and WEBP allow gigabytes, hence the bound.
    tiff = data[start : min(end, start + (1 << 20))]
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        return _sane_orientation(next(_tiff_values(tiff, order, {_ORIENTATION}), (0, 1))[1])
    except struct.error:
        return 1


def _sane_orientation(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def _tiff_values(tiff: bytes, order: str, wanted: AbstractSet[int]) -> Iterator[tuple[int, int]]:
    """Tag and value of the wanted entries of the first directory. Raises struct.error where it is cut off."""
    (at,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, at)
    for entry in range(at + 2, at + 2 + 12 * min(count, _MAX_ENTRIES), 12):
        tag, form = struct.unpack_from(order + "HH", tiff, entry)
        if tag in wanted and form in _VALUE_FORMS:
            yield tag, int(struct.unpack_from(order + _VALUE_FORMS[form], tiff, entry + 8)[0])


JPEG_SIGNATURE = b"\xff\xd8\xff"

_SEGMENT_HEAD = struct.Struct(">BBH")
_FRAME_FIELDS = struct.Struct(">HHB")
_MAX_SIDE = 65_500
"""libjpeg's own limit (JPEG_MAX_DIMENSION)."""
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
# Start-of-frame markers: C0..CF without DHT (C4), JPG (C8) and DAC (CC).
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
# What is neither stuffing (00), without a meaning (01), a restart (D0..D7) nor fill (FF) ends a run of data.
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_ADOBE, _ADOBE_LENGTH = 0xEE, 14
_FILL = 0xFF
_FEW_SEGMENTS = 64
_NOTES = frozenset({*range(0xE0, 0xF0), 0xFE})
"""Application segments and comments."""


@dataclass(frozen=True, slots=True)
class _FrameHeader:
    marker: int
    height: int
    width: int
    components: int


def parse_jpeg(data: bytes) -> HeaderFields:
    """Size, orientation and scans of the first picture in the file. Raises Unreadable or struct.error."""
    frame: _FrameHeader | None = None
    orientation = 0
    at = 2
    for marker, at, end in _segments(data):
        if marker in _FRAME_MARKERS:
            if frame is not None:
                # A decoder might go by the other one, whose size no limit has seen.
                raise Unreadable("it has two frame headers")
            frame = _read_frame(data, at, marker)
        elif marker == _APP1 and not orientation and data.startswith(EXIF_PREFIX, at + 4):
            orientation = exif_orientation(data, at + 4, end)
    if frame is None:
        raise Unreadable("it has no frame header before its picture data")
    if max(frame.width, frame.height) > _MAX_SIDE:
        raise Unreadable(f"a side of more than {_MAX_SIDE:,} pixels is beyond what JPEG decoders take")
    return HeaderFields(frame.width, frame.height, 1, orientation or 1, _count_scans(data, at, frame))


def has_short_header(data: bytes, most: int) -> bool:
    """Whether a file's header is read in no time: a JPEG in one scan, which begins within `most` bytes."""
    components, at = 0, 2
    for _ in range(_FEW_SEGMENTS):
        if at + 10 > min(len(data), most) or data[at] != _FILL:
            return False
        _, marker, length = _SEGMENT_HEAD.unpack_from(data, at)
        if marker == _SCAN:
            return components == data[at + 4] and data.startswith(JPEG_SIGNATURE)
        if marker in _FRAME_MARKERS:
            components = 0 if marker in _PROGRESSIVE else data[at + 9]
        at += 2 + max(length, 2)
    return False


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment from after the first marker to the first scan, it included.

    As libjpeg finds them: whatever stands between two segments and is no marker is passed over, and so is a
    marker that has no content.
    """
    at = 2
    for _ in range(MAX_PARTS):
        found = _MARKER.search(data, at)
        if found is None:
            raise Unreadable("the file is cut short")
        at = found.start()
        _, marker, length = _SEGMENT_HEAD.unpack_from(data, at)
        if marker == _END or (length < 2 and marker not in _NOTES):
            raise Unreadable("its header ends before its picture data")
        end = at + 2 + max(length, 2)
        yield marker, at, end
        if marker == _SCAN:
            return
        at = end
    raise too_many("segments")


def without_notes(data: bytes) -> bytes:
    """A JPEG without what its application segments and comments say, but for how its colours are coded.

    For a decoder that stumbles over odd ones; a colour profile is lost with them. Raises as `parse_jpeg`.
    """
    kept = [data[:2]]
    for marker, at, end in _segments(data):
        adobe = marker == _ADOBE and data.startswith(b"Adobe", at + 4) and end - at - 2 >= _ADOBE_LENGTH
        if marker == _SCAN:
            kept.append(data[at:])
        elif marker not in _NOTES or adobe:
            kept.append(data[at:end])
    return b"".join(kept)


def _read_frame(data: bytes, at: int, marker: int) -> _FrameHeader:
    height, width, components = _FRAME_FIELDS.unpack_from(data, at + 5)
    return _FrameHeader(marker, height, width, components)


def _count_scans(data: bytes, at: int, frame: _FrameHeader) -> int:
    """How often a decoder has to pass over the picture.

    A sequential picture whose first scan holds all components is done after it, whatever follows. Elsewhere
    each scan costs a pass, however few bytes it has: `ImageLimits.max_scans` bounds them.
    """
    if frame.marker not in _PROGRESSIVE and data[at + 4 : at + 5] == bytes([frame.components]):
        return 1
    scans = 0
    for _ in range(MAX_PARTS):
        scans += data[at + 1] == _SCAN
        if at + 4 > len(data):
            return scans
        (length,) = struct.unpack_from(">H", data, at + 2)
        found = _MARKER.search(data, at + 2 + max(length, 2))
        if found is None or data[found.start() + 1] == _END:
            return scans
        at = found.start()
    raise too_many("segments")


PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PNG_CHUNK = struct.Struct(">I4s")
_PNG_SIZE = struct.Struct(">II")


def parse_png(data: bytes) -> HeaderFields:
    """Size, announced frames and orientation. Raises Unreadable or struct.error."""
    length, name = _PNG_CHUNK.unpack_from(data, len(PNG_SIGNATURE))
    if name != b"IHDR" or length != 13:
        raise Unreadable("it does not begin with an image header chunk")
    width, height = _PNG_SIZE.unpack_from(data, 16)
    frames, orientation = 1, 1
    at = len(PNG_SIGNATURE) + 12 + length
    # A file of still more chunks is left to the decoder, which stops when it has its pixels.
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            raise Unreadable("the file is cut short")
        length, name = _PNG_CHUNK.unpack_from(data, at)
        if name == b"IEND":
            break
        if name == b"acTL" and length >= 4:
            frames = max(1, int.from_bytes(data[at + 8 : at + 12], "big"))
        elif name == b"eXIf":
            orientation = exif_orientation(data, at + 8, at + 8 + length)
        elif name == b"IHDR":  # As with two frame headers of a JPEG.
            raise Unreadable("it has two image headers")
        at += 12 + length
    return HeaderFields(width, height, frames, orientation)


_RIFF_CHUNK = struct.Struct("<4sI")
_LOSSY_HEAD = struct.Struct("<3s3sHH")
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F
_FIRST_CHUNK = 12
"""Offset of the first chunk, after RIFF, the file's length and WEBP."""


def is_webp(data: bytes) -> bool:
    """Whether the bytes begin like a WEBP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def parse_webp(data: bytes) -> HeaderFields:
    """Size of the canvas, announced frames and orientation. Raises Unreadable or struct.error."""
    name, _ = _RIFF_CHUNK.unpack_from(data, _FIRST_CHUNK)
    start = _FIRST_CHUNK + _RIFF_CHUNK.size
    if name == b"VP8 ":
        _, code, width, height = _LOSSY_HEAD.unpack_from(data, start)
        if code != _LOSSY_START:
            raise Unreadable("its lossy picture has no start code")
        return HeaderFields(width & 0x3FFF, height & 0x3FFF)
    if name == b"VP8L":
        mark, bits = struct.unpack_from("<BI", data, start)
        if mark != _LOSSLESS_START:
            raise Unreadable("its lossless picture has no signature")
        return HeaderFields((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if name == b"VP8X":
        return _parse_extended(data, start)
    raise Unreadable("its first chunk holds no picture")


def _parse_extended(data: bytes, start: int) -> HeaderFields:
    """The chunks are walked for all frames: the header says only that there is an animation."""
    canvas = data[start + 4 : start + 10]
    if len(canvas) < 6:
        raise Unreadable("the file is cut short")
    width = int.from_bytes(canvas[:3], "little") + 1
    height = int.from_bytes(canvas[3:], "little") + 1
    frames, orientation = 0, 1
    at = _FIRST_CHUNK
    for _ in range(MAX_PARTS):
        if at + _RIFF_CHUNK.size > len(data):
            return HeaderFields(width, height, max(1, frames), orientation)
        name, length = _RIFF_CHUNK.unpack_from(data, at)
        at += _RIFF_CHUNK.size
        if name == b"ANMF":
            frames += 1
        elif name == b"EXIF":
            orientation = exif_orientation(data, at, at + length)
        at += length + (length & 1)
    raise too_many("chunks")


def parse_gif(data: bytes) -> HeaderFields:
    """Size of the screen on which the frames lie; only the first is decoded. Raises struct.error."""
    return HeaderFields(*struct.unpack_from("<HH", data, 6))


_BMP_CORE = 12
"""Length of the header of OS/2, which has shorter numbers than all later ones."""


def parse_bmp(data: bytes) -> HeaderFields:
    """Size; a height below zero means rows from the top. Raises Unreadable or struct.error."""
    (length,) = struct.unpack_from("<I", data, 14)
    if length < _BMP_CORE:
        raise Unreadable("its header is too short")
    width, height = struct.unpack_from("<HH" if length == _BMP_CORE else "<ii", data, 18)
    if width < 0:
        raise Unreadable("its header gives it a side of less than zero pixels")
    return HeaderFields(width, abs(height))


_TIFF_WIDTH, _TIFF_HEIGHT = 0x0100, 0x0101


def parse_tiff(data: bytes) -> HeaderFields:
    """Upright size of the first page: its decoder turns it. Raises Unreadable or struct.error."""
    order = _BYTE_ORDERS.get(data[:4])
    if order is None:
        raise Unreadable("it is a TIFF for files of over 4 GB, which are not read")
    values = dict(_tiff_values(data, order, {_TIFF_WIDTH, _TIFF_HEIGHT, _ORIENTATION}))
    width, height = values.get(_TIFF_WIDTH, 0), values.get(_TIFF_HEIGHT, 0)
    turned = _sane_orientation(values.get(_ORIENTATION, 1)) > 4
    return HeaderFields(height, width) if turned else HeaderFields(width, height)
