"""What a picture is, from its header alone: no pixel is decoded and no native decoder runs.

Everything here is linear in the header, bounded and pure Python, so that it is safe in the server's
own process and fast enough to count the tokens of thousands of pictures.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO

from vidi.domain.errors import InvalidImage
from vidi.domain.prompt import ImageFormat, ImageHeader
from vidi.images import formats, heif
from vidi.images.formats import HeaderFields, Unreadable

_FOREIGN_STARTS = (
    (b"GIF87a", "a GIF"),
    (b"GIF89a", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"II+\0", "a TIFF"),
    (b"MM\0+", "a TIFF"),
    (b"%PDF-", "a PDF"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"\0\0\2\0", "a cursor (CUR)"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"v/1\x01", "an OpenEXR"),
    (b"#?RADIANCE", "a Radiance HDR"),
    (b"qoif", "a QOI"),
    (b"icns", "an Apple icon"),
    (b"DDS ", "a DDS texture"),
    (b"%!PS", "a PostScript file"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
)
_STILL_TEXT = (
    (b"iVBORw0KGgo", "it is a PNG encoded as base64 twice; encode it once"),
    (b"/9j/", "it is a JPEG encoded as base64 twice; encode it once"),
    (b"UklGR", "it is a WEBP encoded as base64 twice; encode it once"),
    (b"data:", "it is a data URL; send only what comes after the comma"),
)
_MARKUP = ((b"<svg", "an SVG"), (b"<!doctype html", "an HTML page"), (b"<html", "an HTML page"))
_MARKUP_WINDOW = 4_096
_VIDEO_BRANDS = frozenset({b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V ", b"3gp4", b"3gp5"})


def image_format(data: bytes) -> ImageFormat | None:
    """Which of the five formats the bytes begin like; None for anything else."""
    if data.startswith(formats.JPEG_SIGNATURE):
        return ImageFormat.JPEG
    if data.startswith(formats.PNG_SIGNATURE):
        return ImageFormat.PNG
    if formats.is_webp(data):
        return ImageFormat.WEBP
    return _heif_format(heif.brands(data))


def _heif_format(brands: tuple[bytes, ...]) -> ImageFormat | None:
    """HEIC or HEIF by the major brand; AVIF shares the container and is told by its own brands."""
    if not brands or brands[0] in heif.AVIF_BRANDS:
        return None
    present = frozenset(brands)
    if brands[0] in heif.HEIC_BRANDS:
        return ImageFormat.HEIC
    if present & heif.HEIC_BRANDS:
        return ImageFormat.HEIF if brands[0] in heif.HEIF_BRANDS else ImageFormat.HEIC
    if present & heif.AVIF_BRANDS or not present & heif.HEIF_BRANDS:
        return None
    return ImageFormat.HEIF


_CONVERTIBLE = MappingProxyType(
    {
        "a GIF": ImageFormat.GIF,
        "a BMP": ImageFormat.BMP,
        "a TIFF": ImageFormat.TIFF,
        "an AVIF": ImageFormat.AVIF,
    }
)


def convertible_format(data: bytes) -> ImageFormat | None:
    """Which format that the API does not take, but that is made one that it takes; None for anything else."""
    return None if image_format(data) else _CONVERTIBLE.get(foreign_name(data))


def still_text(data: bytes) -> str:
    """What a caller did to a picture that is still text, and how to undo it; "" if it is no such text."""
    return next((advice for start, advice in _STILL_TEXT if data.startswith(start)), "")


def foreign_name(data: bytes) -> str:
    """What else the bytes look like, with its article, for an error message; "" when unknown."""
    for start, name in _FOREIGN_STARTS:
        if data.startswith(start):
            return name
    brands = frozenset(heif.brands(data))
    if brands & heif.AVIF_BRANDS:
        return "an AVIF"
    if brands & _VIDEO_BRANDS:
        return "an MP4 or QuickTime video"
    window = data[:_MARKUP_WINDOW].lower()
    if window.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return next((name for mark, name in _MARKUP if mark in window), "")
    return ""


_SUPPORTED = "Supported: PNG, JPEG, WEBP, HEIC, HEIF."


def broken_image(where: str, reason: str) -> InvalidImage:
    """The refusal of a broken picture: the API's own words, then which one, why and what to do."""
    return InvalidImage(
        f"Unable to process input image. {_subject(where)} cannot be used: {reason}.", where=where
    )


def unsupported_image(where: str, name: str) -> InvalidImage:
    """The refusal of a file in a format that is known but not taken."""
    return InvalidImage(f"{_subject(where)} is {name}. {_SUPPORTED} Convert it to one of them.", where=where)


def too_large_image(where: str, reason: str) -> InvalidImage:
    """The refusal of a picture whose header announces more than the server decodes."""
    return InvalidImage(f"{_subject(where)} {reason}", where=where)


def _subject(where: str) -> str:
    """The picture, as the beginning of a sentence."""
    return f"The picture at {where}" if where else "The picture"


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a header may announce; more is refused before anything is decoded.

    Attributes:
        max_pixels: Width times height. The default of 2^26 takes a 64-megapixel camera's pictures, and a
            decoder then needs at most a gigabyte (WEBP with alpha; 0.75 for HEIC, 0.65 for PNG). A JPEG
            in one scan may have more: see `most_pixels`.
        max_side: Longest side in pixels; the default is what JPEG can write.
        max_frames: Frames of an animation, though only the first is decoded.
        max_scans: Passes of a JPEG. Encoders write 10 to 20; a small file with thousands of empty scans
            keeps every decoder busy for minutes, and no limit on pixels sees it.
    """

    max_pixels: int = 1 << 26
    max_side: int = 65_535
    max_frames: int = 5_000
    max_scans: int = 100

    def most_pixels(self, form: ImageFormat) -> int:
        """Most pixels of a picture in one scan: a JPEG is scaled as it is read, and never all in memory."""
        return self.max_pixels * (JPEG_TIMES if form is ImageFormat.JPEG else 1)


JPEG_TIMES = 4
"""A panorama, or what a phone of 200 megapixels takes: time goes by the pixel, memory by the row."""


_PARSERS: Mapping[ImageFormat, Callable[[bytes], HeaderFields]] = MappingProxyType(
    {
        ImageFormat.PNG: formats.parse_png,
        ImageFormat.JPEG: formats.parse_jpeg,
        ImageFormat.WEBP: formats.parse_webp,
        ImageFormat.HEIC: heif.parse,
        ImageFormat.HEIF: heif.parse,
        ImageFormat.GIF: formats.parse_gif,
        ImageFormat.BMP: formats.parse_bmp,
        ImageFormat.TIFF: formats.parse_tiff,
        ImageFormat.AVIF: heif.parse,
    }
)


def read_header(data: bytes, *, where: str, limits: ImageLimits, convertible: bool = False) -> ImageHeader:
    """Read a picture's header and refuse what will not be decoded.

    Args:
        data: The encoded file.
        where: Path of the part in the request, for the refusal.
        limits: What the header may announce.
        convertible: Whether formats are read too that the API does not take.

    Returns:
        Format by the bytes, stored size, frames and orientation; no media resolution.

    Raises:
        InvalidImage: The file is empty, in another format, broken in its header or over a limit.
    """
    if not data:
        raise broken_image(where, "it holds no bytes; send the file's content")
    form = image_format(data) or (convertible_format(data) if convertible else None)
    if form is None:
        raise _unknown_format(data, where)
    fields = _parse(form, data, where)
    header = ImageHeader(
        form, fields.width, fields.height, frames=fields.frames, orientation=fields.orientation
    )
    check_limits(header, limits, where)
    if fields.decoded > limits.max_pixels:
        raise too_large_image(
            where,
            f"is cut out of one of {_mega(fields.decoded)} megapixels; the limit is "
            f"{_mega(limits.max_pixels)}. Save it anew.",
        )
    pixels = fields.width * fields.height
    if fields.scans > 1 and pixels > limits.max_pixels:
        # All of its coefficients are in memory until the last scan.
        raise too_large_image(
            where,
            f"is a JPEG of {fields.scans:,} scans and {_mega(pixels)} megapixels; the limit of such is "
            f"{_mega(limits.max_pixels)}. Save it as a baseline JPEG or scale it down.",
        )
    if fields.scans > limits.max_scans:
        raise too_large_image(
            where, f"is a JPEG of {fields.scans:,} scans; the limit is {limits.max_scans:,}. Save it anew."
        )
    return header


def _unknown_format(data: bytes, where: str) -> InvalidImage:
    name = foreign_name(data)
    if name:
        return unsupported_image(where, name)
    mistake = still_text(data)
    if mistake:
        return broken_image(where, mistake)
    return broken_image(where, f"its bytes begin like no picture. {_SUPPORTED[:-1]}")


def _parse(form: ImageFormat, data: bytes, where: str) -> HeaderFields:
    try:
        fields = _PARSERS[form](data)
        if form is ImageFormat.HEIF and heif.is_avif(data):
            raise unsupported_image(where, "an AVIF")
    except Unreadable as error:
        raise broken_image(where, f"{error}; send the whole, unaltered file") from None
    except (struct.error, IndexError):
        raise broken_image(where, "the file is cut short; send the whole, unaltered file") from None
    if not fields.width or not fields.height:
        raise broken_image(where, "its header gives it a side of zero pixels")
    return fields


def check_limits(header: ImageHeader, limits: ImageLimits, where: str) -> None:
    """Refuse a picture whose size or frames are over a limit, saying the figure and the limit.

    For a header that was read earlier: an uploaded file's is kept with it, and the owner of the server may
    have lowered the limits since. Scans are not in it: their limit is no setting, and the upload held it.

    Raises:
        InvalidImage: It is over a limit.
    """
    size = f"is {header.width:,} x {header.height:,} pixels"
    pixels = header.width * header.height
    most = limits.most_pixels(header.format)
    if pixels > most:
        raise too_large_image(
            where,
            f"{size}, {_mega(pixels)} megapixels; the limit is {_mega(most)}. Scale it down; "
            "the server's owner may set VIDI_MAX_IMAGE_PIXELS higher.",
        )
    if max(header.width, header.height) > limits.max_side:
        raise too_large_image(where, f"{size}; the longest side may have {limits.max_side:,}. Scale it down.")
    if header.frames > limits.max_frames:
        raise too_large_image(
            where,
            f"has {header.frames:,} frames; the limit is {limits.max_frames:,}. Send the first one only.",
        )


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:,.1f}"


_SNIFFED_BYTES = 4096
_ANY_TYPE = "application/octet-stream"
_NOWHERE = ""


def inspect_upload(
    reader: BinaryIO, declared: str, limits: ImageLimits, largest: int, alone: AbstractContextManager[object]
) -> tuple[str, ImageHeader | None]:
    """The MIME type of a file that was uploaded and, of a picture, the header, which is checked.

    Args:
        reader: The file's bytes, from the first on.
        declared: The uploader's MIME type; "" for none.
        limits: What a picture's header may announce.
        largest: Most bytes of a picture; a larger file is not read to its end.
        alone: Held while a whole picture is in memory, so that few are at a time.

    Returns:
        The type by the bytes and the header for a picture of the five formats, else the declared type.

    Raises:
        InvalidImage: It was declared as a picture, or begins like one, and cannot be used as one.
    """
    start = reader.read(_SNIFFED_BYTES)
    if not declared.startswith("image/") and image_format(start) is None:
        return declared or _ANY_TYPE, None
    if reader.seek(0, io.SEEK_END) > largest:
        raise too_large_image(_NOWHERE, f"has more than {largest:,} bytes")
    with alone:
        reader.seek(0)
        header = read_header(reader.read(), where=_NOWHERE, limits=limits)
    return header.format.value, header
