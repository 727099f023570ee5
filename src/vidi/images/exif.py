"""The one EXIF tag that matters here: orientation. Pure Python, bounded, never raises."""

from __future__ import annotations

import struct

PREFIX = b"Exif\0\0"
"""Comes before the TIFF structure in JPEG always, in WEBP sometimes, in PNG never."""

_ORIENTATION = 0x0112
_MAX_ENTRIES = 1_000
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_VALUE_FORMS = {3: "H", 4: "I"}  # TIFF field types SHORT and LONG; both occur in the wild.


def orientation(data: bytes, start: int, end: int) -> int:
    """Orientation 1..8 of the TIFF structure in `data[start:end]`; 1 if it has none or is broken.

    Source: EXIF 2.32, 4.6.4 (tag 0x0112) and TIFF 6.0, section 2.
    """
    if data[start : start + len(PREFIX)] == PREFIX:
        start += len(PREFIX)
    tiff = data[start : min(end, start + (1 << 20))]
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        return _first_directory(tiff, order)
    except struct.error:
        return 1


def _first_directory(tiff: bytes, order: str) -> int:
    (at,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, at)
    for entry in range(at + 2, at + 2 + 12 * min(count, _MAX_ENTRIES), 12):
        tag, form = struct.unpack_from(order + "HH", tiff, entry)
        if tag == _ORIENTATION and form in _VALUE_FORMS:
            (value,) = struct.unpack_from(order + _VALUE_FORMS[form], tiff, entry + 8)
            return int(value) if 1 <= value <= 8 else 1
    return 1
