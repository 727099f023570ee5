"""HEIC and HEIF headers: the primary picture's size and turn.

A HEIF is a tree of boxes; this reads the one path that matters (meta > pitm, iinf, iprp > ipco, ipma)
without recursion. Source: ISO/IEC 23008-12 (HEIF), sections 6 and 9, and ISO/IEC 14496-12, section 8.11.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from vidi.domain.budget import Budget, BudgetSpent
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


def parse(data: bytes, budget: Budget | None = None) -> HeaderFields:
    """Size and orientation of the primary picture.

    Args:
        data: The file.
        budget: Counts each box, entry and property; None for one of MAX_PARTS.

    Raises:
        Unreadable, struct.error or IndexError.
    """
    boxes = _Boxes(data, budget or Budget(MAX_PARTS))
    return _describe(data, [box for box, _ in boxes.primary_properties()])


Area = tuple[int, int, int, int]
"""Left, top, right and bottom in whole pixels, the last two excluded."""


@dataclass(frozen=True, slots=True)
class Uncropped:
    """A file whose primary picture is whole and unturned, and what is to be done to it.

    Attributes:
        data: The file.
        steps: Crops, and EXIF orientations 1..8 to be applied, in their order.
    """

    data: bytes
    steps: tuple[Area | int, ...]


def uncropped(data: bytes) -> Uncropped | None:
    """The file without its crop and turns, for a decoder that refuses to crop; None if it has no crop.

    Raises Unreadable, struct.error or IndexError.
    """
    properties = list(_Boxes(data, Budget(MAX_PARTS)).primary_properties())
    if not any(box.kind == b"clap" for box, _ in properties):
        return None
    whole = bytearray(data)
    steps: list[Area | int] = []
    width = height = 0
    for box, association in properties:
        if box.kind == b"ispe":
            width, height = struct.unpack_from(">II", data, box.start + _FULL)
            continue
        if box.kind == b"clap":
            across, down = _crop(data, box, width, height)
            steps.append((across.start, down.start, across.stop, down.stop))
            width, height = len(across), len(down)
        elif box.kind == b"irot":
            steps.append(_TURNED[1][data[box.start] & 3])
            width, height = (height, width) if data[box.start] & 1 else (width, height)
        elif box.kind == b"imir":
            steps.append(_MIRRORED[1][data[box.start] & 1])
        else:
            continue
        # An association with property 0 is one with none.
        whole[association.start : association.stop] = bytes(len(association))
    return Uncropped(bytes(whole), tuple(steps))


def is_avif(data: bytes) -> bool:
    """Whether the items are coded as AV1 under a brand that HEVC may use too.

    Raises Unreadable, struct.error or IndexError.
    """
    boxes = _Boxes(data, Budget(MAX_PARTS))
    meta = boxes.first_child(_HeifBox(b"", 0, len(data)), b"meta")
    infos = boxes.first_child(_HeifBox(meta.kind, meta.start + _FULL, meta.end), b"iinf")
    wide = data[infos.start] != 0
    entries = _HeifBox(infos.kind, infos.start + _FULL + (4 if wide else 2), infos.end)
    codecs = {_item_type(data, entry) for entry in boxes.children(entries) if entry.kind == b"infe"}
    return b"av01" in codecs and b"hvc1" not in codecs


def _item_type(data: bytes, entry: _HeifBox) -> bytes:
    """Item type of an entry; versions 0 and 1 have none, version 3 has a longer id."""
    version = data[entry.start]
    at = entry.start + _FULL + (6 if version >= 3 else 4)
    return data[at : at + 4] if version >= 2 else b""


def _primary_item(data: bytes, box: _HeifBox) -> int:
    form = ">H" if data[box.start] == 0 else ">I"
    return int(struct.unpack_from(form, data, box.start + _FULL)[0])


@dataclass(frozen=True, slots=True)
class _Boxes:
    """A file's boxes and lists of entries; all that is looked at is counted, whichever box it is in."""

    data: bytes
    budget: Budget

    def children(self, parent: _HeifBox) -> Iterator[_HeifBox]:
        """Children of a box, in order, each inside its parent."""
        at = parent.start
        while at + _BOX.size <= parent.end:
            self._count(1, "boxes")
            size, kind = _BOX.unpack_from(self.data, at)
            head = _BOX.size
            if size == 1:
                (size,) = struct.unpack_from(">Q", self.data, at + head)
                head += 8
            elif size == 0:
                size = parent.end - at
            if size < head:
                raise Unreadable("a box of its header has an impossible length")
            yield _HeifBox(kind, at + head, min(at + size, parent.end))
            at += size

    def first_child(self, parent: _HeifBox, kind: bytes) -> _HeifBox:
        """The first child of a kind."""
        for box in self.children(parent):
            if box.kind == kind:
                return box
        raise Unreadable(f"its header has no '{kind.decode()}' box")

    def primary_properties(self) -> Iterator[tuple[_HeifBox, range]]:
        """The primary picture's properties as they apply, each with where in the file that is said."""
        meta = self.first_child(_HeifBox(b"", 0, len(self.data)), b"meta")
        meta = _HeifBox(meta.kind, meta.start + _FULL, meta.end)
        item = _primary_item(self.data, self.first_child(meta, b"pitm"))
        properties = self.first_child(meta, b"iprp")
        known = list(self.children(self.first_child(properties, b"ipco")))
        for box in self.children(properties):
            if box.kind == b"ipma":
                for index, place in self._associations(box, item):
                    if 0 < index <= len(known):
                        yield known[index - 1], place

    def _associations(self, box: _HeifBox, item: int) -> Iterator[tuple[int, range]]:
        """Numbers of the item's properties, from 1, and where they stand."""
        data = self.data
        version, wide = data[box.start], data[box.start + 3] & 1
        (count,) = struct.unpack_from(">I", data, box.start + _FULL)
        self._count(count, "items")
        id_size, index_size = (4 if version else 2), (2 if wide else 1)
        mask = (1 << (8 * index_size - 1)) - 1  # The top bit says that the property is essential.
        at = box.start + _FULL + 4
        for _ in range(count):
            if at + id_size >= box.end:
                raise Unreadable("its list of properties is cut short")
            found = int.from_bytes(data[at : at + id_size], "big")
            at += id_size + 1
            end = at + data[at - 1] * index_size
            if found == item:
                self._count(data[at - 1], "properties")
                for each in range(at, end, index_size):
                    index = int.from_bytes(data[each : each + index_size], "big") & mask
                    yield index, range(each, each + index_size)
            at = end

    def _count(self, amount: int, kind: str) -> None:
        try:
            self.budget.spend(amount)
        except BudgetSpent:
            raise too_many(kind) from None


_LYING = 5
"""From this orientation on width and height change places."""


def _describe(data: bytes, properties: list[_HeifBox]) -> HeaderFields:
    width = height = decoded = 0
    orientation = 1
    for box in properties:
        if box.kind == b"ispe":
            width, height = struct.unpack_from(">II", data, box.start + _FULL)
        elif box.kind == b"clap":
            decoded = decoded or width * height
            if orientation < _LYING:
                width, height = map(len, _crop(data, box, width, height))
            else:
                height, width = map(len, _crop(data, box, height, width))
        elif box.kind == b"irot":
            orientation = _TURNED[orientation][data[box.start] & 3]
        elif box.kind == b"imir":
            orientation = _MIRRORED[orientation][data[box.start] & 1]
    if not width or not height:
        raise Unreadable("its header does not say how large the primary picture is")
    return HeaderFields(width, height, 1, orientation, decoded=decoded)


def _crop(data: bytes, box: _HeifBox, width: int, height: int) -> tuple[range, range]:
    """Columns and rows of a clean aperture: its size, then how far its middle lies from the picture's.

    Source: ISO/IEC 14496-12, 12.1.4.
    """
    values = struct.unpack_from(">IIIIiIiI", data, box.start)
    if not all(values[1::2]):
        raise Unreadable("its crop has a zero denominator")
    across, down, right, lower = (
        Fraction(over, under) for over, under in zip(values[::2], values[1::2], strict=True)
    )
    return _cropped_side(width, across, right), _cropped_side(height, down, lower)


def _cropped_side(side: int, length: Fraction, offset: Fraction) -> range:
    """What is left of a side, in whole pixels about as libheif counts them (Box_clap), inside the picture."""
    first = int(offset + Fraction(side - 1, 2) - (length - 1) / 2)  # Towards zero, as in C.
    last = math.floor(length - 1 + first + Fraction(1, 2))
    left = range(max(first, 0), min(last, side - 1) + 1)
    if not left:
        raise Unreadable("its crop leaves nothing of it")
    return left


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
