"""What a picture is, from its header alone: no pixel is decoded and no native decoder runs.

Everything here is linear in the header, bounded and pure Python, so that it is safe in the server's
own process and fast enough to count the tokens of thousands of pictures.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vidi.domain.errors import InvalidImage
from vidi.domain.prompt import ImageFormat, ImageHeader, MediaResolution
from vidi.images import heif, jpeg, png, refusal, sniff, webp
from vidi.images.facts import Facts, Unreadable


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a header may announce; more is refused before anything is decoded.

    Attributes:
        max_pixels: Width times height. The default of 2^26 takes a 64-megapixel camera's pictures, and a
            decoder then needs at most a gigabyte (WEBP with alpha; 0.75 for HEIC, 0.65 for PNG).
        max_side: Longest side in pixels; the default is what JPEG can write.
        max_frames: Frames of an animation, though only the first is decoded.
        max_scans: Passes of a JPEG. Encoders write 10 to 20; a small file with thousands of empty scans
            keeps every decoder busy for minutes, and no limit on pixels sees it.
    """

    max_pixels: int = 1 << 26
    max_side: int = 65_535
    max_frames: int = 5_000
    max_scans: int = 100


_PARSERS: Mapping[ImageFormat, Callable[[bytes], Facts]] = MappingProxyType(
    {
        ImageFormat.PNG: png.parse,
        ImageFormat.JPEG: jpeg.parse,
        ImageFormat.WEBP: webp.parse,
        ImageFormat.HEIC: heif.parse,
        ImageFormat.HEIF: heif.parse,
    }
)


def read_header(
    data: bytes,
    *,
    where: str,
    limits: ImageLimits,
    resolution: MediaResolution = MediaResolution.UNSPECIFIED,
) -> ImageHeader:
    """Read a picture's header and refuse what will not be decoded.

    Args:
        data: The encoded file.
        where: Path of the part in the request, for the refusal.
        limits: What the header may announce.
        resolution: Media resolution in force for the picture; passed on.

    Returns:
        Format by the bytes, stored size, frames and orientation.

    Raises:
        InvalidImage: The file is empty, in another format, broken in its header or over a limit.
    """
    if not data:
        raise refusal.broken(where, "it holds no bytes; send the file's content")
    form = sniff.image_format(data)
    if form is None:
        raise _foreign(data, where)
    facts = _parse(form, data, where)
    _hold(facts, limits, where)
    return ImageHeader(form, facts.width, facts.height, facts.frames, resolution, facts.orientation)


def _foreign(data: bytes, where: str) -> InvalidImage:
    name = sniff.foreign_name(data)
    if name:
        return refusal.unsupported(where, name)
    mistake = sniff.mistake(data)
    if mistake:
        return refusal.broken(where, mistake)
    return refusal.broken(where, f"its bytes begin like no picture. {refusal.SUPPORTED[:-1]}")


def _parse(form: ImageFormat, data: bytes, where: str) -> Facts:
    try:
        facts = _PARSERS[form](data)
        if form is ImageFormat.HEIF and heif.is_avif(data):
            raise refusal.unsupported(where, "an AVIF")
    except Unreadable as error:
        raise refusal.broken(where, f"{error}; send the whole, unaltered file") from None
    except (struct.error, IndexError):
        raise refusal.broken(where, "the file is cut short; send the whole, unaltered file") from None
    if not facts.width or not facts.height:
        raise refusal.broken(where, "its header gives it a side of zero pixels")
    return facts


def _hold(facts: Facts, limits: ImageLimits, where: str) -> None:
    """Refuse what is over a limit, saying the figure and the limit."""
    size = f"is {facts.width:,} x {facts.height:,} pixels"
    pixels = facts.width * facts.height
    if pixels > limits.max_pixels:
        raise refusal.too_large(
            where,
            f"{size}, {_mega(pixels)} megapixels; the limit is {_mega(limits.max_pixels)}. Scale it down.",
        )
    if max(facts.width, facts.height) > limits.max_side:
        raise refusal.too_large(
            where, f"{size}; the longest side may have {limits.max_side:,}. Scale it down."
        )
    if facts.frames > limits.max_frames:
        raise refusal.too_large(
            where,
            f"has {facts.frames:,} frames; the limit is {limits.max_frames:,}. Send the first one only.",
        )
    if facts.scans > limits.max_scans:
        raise refusal.too_large(
            where, f"is a JPEG of {facts.scans:,} scans; the limit is {limits.max_scans:,}. Save it anew."
        )


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:,.1f}"
