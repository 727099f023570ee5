"""Tells formats apart by their bytes; a label is never believed."""

from __future__ import annotations

from vidi.domain.prompt import ImageFormat
from vidi.images import heif, jpeg, png, webp

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
    if data.startswith(jpeg.SIGNATURE):
        return ImageFormat.JPEG
    if data.startswith(png.SIGNATURE):
        return ImageFormat.PNG
    if webp.matches(data):
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


def mistake(data: bytes) -> str:
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
