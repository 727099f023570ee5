"""Formats are told by bytes."""

from __future__ import annotations

import pytest

from tests.images import drawn, hostile
from vidi.domain.prompt import ImageFormat
from vidi.images import header


@pytest.mark.parametrize(
    ("major", "others", "form"),
    [
        (b"heic", b"mif1heic", ImageFormat.HEIC),
        (b"hevx", b"msf1", ImageFormat.HEIC),
        (b"mif1", b"mif1heic", ImageFormat.HEIF),
        (b"mif1", b"miaf", ImageFormat.HEIF),
        (b"heif", b"", ImageFormat.HEIF),
        (b"abcd", b"heic", ImageFormat.HEIC),
        (b"abcd", b"mif1", ImageFormat.HEIF),
        (b"mif1", b"avifmiaf", None),
        (b"avif", b"mif1heic", None),
        (b"isom", b"mp42", None),
    ],
)
def test_brands_decide_between_heic_heif_and_others(
    major: bytes, others: bytes, form: ImageFormat | None
) -> None:
    data = drawn.box(b"ftyp", major, bytes(4), others) + bytes(40)
    assert header.image_format(data) is form


@pytest.mark.parametrize(("name", "data"), hostile.foreign().items())
def test_foreign_files_have_no_format_but_a_name(name: str, data: bytes) -> None:
    assert header.image_format(data) is None
    assert name in header.foreign_name(data)


@pytest.mark.parametrize("data", [b"", b"<", b"<foo>", bytes(40), b"plain text"])
def test_what_is_nothing_has_no_name(data: bytes) -> None:
    assert header.image_format(data) is None
    assert header.foreign_name(data) == ""


def test_a_picture_that_is_still_text_is_explained() -> None:
    assert "encode it once" in header.still_text(b"iVBORw0KGgoAAAANSUhEUg")
    assert header.still_text(b"\x89PNG") == ""
