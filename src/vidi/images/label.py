"""What an uploaded file is, told by its bytes where they are a picture's and by its uploader otherwise."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import BinaryIO

from vidi.images import refusal
from vidi.images.load import ImageLimits, read_header
from vidi.images.sniff import image_format

_SNIFFED = 4096
_ANY_TYPE = "application/octet-stream"
_NOWHERE = ""


def true_type(
    reader: BinaryIO, declared: str, limits: ImageLimits, largest: int, alone: AbstractContextManager[object]
) -> str:
    """The MIME type of a file that was uploaded; a picture's header is checked.

    Args:
        reader: The file's bytes, from the first on.
        declared: The uploader's MIME type; "" for none.
        limits: What a picture's header may announce.
        largest: Most bytes of a picture; a larger file is not read to its end.
        alone: Held while a whole picture is in memory, so that few are at a time.

    Returns:
        The type by the bytes for a picture of the five formats, else the declared one.

    Raises:
        InvalidImage: It was declared as a picture, or begins like one, and cannot be used as one.
    """
    start = reader.read(_SNIFFED)
    if not declared.startswith("image/") and image_format(start) is None:
        return declared or _ANY_TYPE
    if reader.seek(0, io.SEEK_END) > largest:
        raise refusal.too_large(_NOWHERE, f"has more than {largest:,} bytes")
    with alone:
        reader.seek(0)
        return read_header(reader.read(), where=_NOWHERE, limits=limits).format.value
