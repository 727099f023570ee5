"""The orientation tag."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images import drawn
from vidi.images import formats


def _tiff(order: str, form: int, value: bytes, count: int = 1) -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    other = struct.pack(order + "HHII", 0x010F, 2, 1, 0)
    return (
        mark
        + struct.pack(order + "IH", 8, 2)
        + other
        + struct.pack(order + "HHI", 0x0112, form, count)
        + value
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("form", "code"), [(3, "H"), (4, "I")])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_byte_orders_and_both_widths(order: str, form: int, code: str, orientation: int) -> None:
    data = _tiff(order, form, struct.pack(order + code, orientation).ljust(4, b"\0"))
    assert formats.exif_orientation(b"xx" + data, 2, 2 + len(data)) == orientation
    assert formats.exif_orientation(formats.EXIF_PREFIX + data, 0, 99) == orientation


@pytest.mark.parametrize("value", [0, 9, 255, 65_535])
def test_an_impossible_orientation_counts_as_none(value: int) -> None:
    data = _tiff("<", 3, struct.pack("<HH", value, 0))
    assert formats.exif_orientation(data, 0, len(data)) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage garbage",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        _tiff("<", 3, b"")[:-4],
        _tiff("<", 2, b"\6\0\0\0"),
    ],
)
def test_broken_data_count_as_none(data: bytes) -> None:
    assert formats.exif_orientation(data, 0, len(data)) == 1


@given(st.binary(max_size=60), st.integers(0, 70), st.integers(0, 70))
def test_never_raises(data: bytes, start: int, end: int) -> None:
    for prefix in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert 1 <= formats.exif_orientation(prefix + data, start if not prefix else 0, end) <= 8


def test_pillow_writes_what_is_read() -> None:
    data = drawn.exif(7)
    assert formats.exif_orientation(data, 0, len(data)) == 7
