"""HEIC and HEIF headers: the primary picture's size and turn.

A HEIF is a tree of boxes; this reads the one path that matters (meta > pitm, iinf, iprp > ipco, ipma)
without recursion. Source: ISO/IEC 23008-12 (HEIF), sections 6 and 9, and ISO/IEC 14496-12, section 8.11.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vidi.images.formats import MAX_PARTS, HeaderFields, Unreadable, too_many

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
HEIF_BRANDS = frozenset({b"mif1", b"mif2", b"mif3", b"msf1", b"miaf", b"MiHB", b"MiHE", b"heif"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})

_BOX = struct.Struct(">I4s")
_FULL = 4
"""Bytes of version and flags at the start of a full box."""


@dataclass(frozen=True, slots=True)
class _HeifBox:
    """A box's kind and where its content lies in the file."""

    kind: bytes
    start: int
    end: int


def brands(data: bytes) -> tuple[bytes, ...]:
    """The file type box's brands, the major one first; empty when there is no such box."""
    if data[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(data[:4], "big"), len(data), 512)
    return (data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4)))


def parse(data: bytes) -> HeaderFields:
    """Size and orientation of the primary picture. Raises Unreadable, struct.error or IndexError."""
    meta = _first_child(data, _HeifBox(b"", 0, len(data)), b"meta")
    meta = _HeifBox(meta.kind, meta.start + _FULL, meta.end)
    item = _primary_item(data, _first_child(data, meta, b"pitm"))
    properties = _first_child(data, meta, b"iprp")
    known = list(_children(data, _first_child(data, properties, b"ipco")))
    return _describe(
        data, [known[index] for index in _property_indices(data, properties, item) if index < len(known)]
    )


def is_avif(data: bytes) -> bool:
    """Whether the items are coded as AV1 under a brand that HEVC may use too.

    Raises Unreadable, struct.error or IndexError.
    """
    meta = _first_child(data, _HeifBox(b"", 0, len(data)), b"meta")
    infos = _first_child(data, _HeifBox(meta.kind, meta.start + _FULL, meta.end), b"iinf")
    wide = data[infos.start] != 0
    entries = _HeifBox(infos.kind, infos.start + _FULL + (4 if wide else 2), infos.end)
    codecs = {_item_type(data, entry) for entry in _children(data, entries) if entry.kind == b"infe"}
    return b"av01" in codecs and b"hvc1" not in codecs


def _item_type(data: bytes, entry: _HeifBox) -> bytes:
    """Item type of an entry; versions 0 and 1 have none, version 3 has a longer id."""
    version = data[entry.start]
    at = entry.start + _FULL + (6 if version >= 3 else 4)
    return data[at : at + 4] if version >= 2 else b""


def _children(data: bytes, parent: _HeifBox) -> Iterator[_HeifBox]:
    """Children of a box, in order, each inside its parent."""
    at = parent.start
    for _ in range(MAX_PARTS):
        if at + _BOX.size > parent.end:
            return
        size, kind = _BOX.unpack_from(data, at)
        head = _BOX.size
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + head)
            head += 8
        elif size == 0:
            size = parent.end - at
        if size < head:
            raise Unreadable("a box of its header has an impossible length")
        yield _HeifBox(kind, at + head, min(at + size, parent.end))
        at += size
    raise too_many("boxes")


def _first_child(data: bytes, parent: _HeifBox, kind: bytes) -> _HeifBox:
    """The first child of a kind."""
    for box in _children(data, parent):
        if box.kind == kind:
            return box
    raise Unreadable(f"its header has no '{kind.decode()}' box")


def _primary_item(data: bytes, box: _HeifBox) -> int:
    form = ">H" if data[box.start] == 0 else ">I"
    return int(struct.unpack_from(form, data, box.start + _FULL)[0])


def _property_indices(data: bytes, properties: _HeifBox, item: int) -> list[int]:
    """Indices into `ipco`, from 0, of the item's properties, in the order in which they apply."""
    indices: list[int] = []
    for box in _children(data, properties):
        if box.kind == b"ipma":
            indices += _indices_in(data, box, item)
    return indices


def _indices_in(data: bytes, box: _HeifBox, item: int) -> list[int]:
    version, wide = data[box.start], data[box.start + 3] & 1
    (count,) = struct.unpack_from(">I", data, box.start + _FULL)
    if count > MAX_PARTS:
        raise too_many("items")
    id_size, index_size = (4 if version else 2), (2 if wide else 1)
    mask = (1 << (8 * index_size - 1)) - 1  # The top bit says that the property is essential.
    at = box.start + _FULL + 4
    indices: list[int] = []
    for _ in range(count):
        if at + id_size >= box.end:
            raise Unreadable("its list of properties is cut short")
        found = int.from_bytes(data[at : at + id_size], "big")
        at += id_size + 1
        end = at + data[at - 1] * index_size
        if found == item:
            raw = (int.from_bytes(data[i : i + index_size], "big") & mask for i in range(at, end, index_size))
            indices += [index - 1 for index in raw if index]
        at = end
    return indices


def _describe(data: bytes, properties: list[_HeifBox]) -> HeaderFields:
    width = height = 0
    orientation = 1
    for box in properties:
        if box.kind == b"ispe":
            width, height = struct.unpack_from(">II", data, box.start + _FULL)
        elif box.kind == b"clap":
            width, height = _cropped(data, box, width, height)
        elif box.kind == b"irot":
            orientation = _TURNED[orientation][data[box.start] & 3]
        elif box.kind == b"imir":
            orientation = _MIRRORED[orientation][data[box.start] & 1]
    if not width or not height:
        raise Unreadable("its header does not say how large the primary picture is")
    return HeaderFields(width, height, 1, orientation)


def _cropped(data: bytes, box: _HeifBox, width: int, height: int) -> tuple[int, int]:
    """Size after a clean aperture, whose width and height are fractions."""
    across, across_by, down, down_by = struct.unpack_from(">IIII", data, box.start)
    if not across_by or not down_by:
        raise Unreadable("its crop has a zero denominator")
    return min(width, across // across_by) or width, min(height, down // down_by) or height


# Orientation after a further turn: [before][quarter turns anticlockwise] and [before][0: top to bottom,
# 1: left to right]. Derived from EXIF's table: 6 is a quarter clockwise, 8 anticlockwise, 3 a half,
# 2 mirrors left to right, 4 top to bottom, 5 and 7 mirror over the diagonals.
_TURNED = {
    1: (1, 8, 3, 6),
    2: (2, 5, 4, 7),
    3: (3, 6, 1, 8),
    4: (4, 7, 2, 5),
    5: (5, 4, 7, 2),
    6: (6, 1, 8, 3),
    7: (7, 2, 5, 4),
    8: (8, 3, 6, 1),
}
_MIRRORED = {1: (4, 2), 2: (3, 1), 3: (2, 4), 4: (1, 3), 5: (8, 6), 6: (7, 5), 7: (6, 8), 8: (5, 7)}
