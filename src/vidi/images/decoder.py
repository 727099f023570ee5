"""The decoder process: takes encoded pictures, gives back prepared pixels, and may die of it.

Run as `python -m vidi.images.decoder FILE MEMORY DEADLINE`: the number of the inherited shared memory
file, the most address space in bytes and the most seconds for one picture. Standard input is a socket
that carries the messages of `protocol` both ways. When the server is gone, reading the next job ends
the process; when the server is gone in the middle of a job, the alarm does.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import struct
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import BinaryIO

import pi_heif
from PIL import AvifImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vidi.domain.geometry import place
from vidi.domain.prompt import ImageFormat
from vidi.images import heif
from vidi.images.formats import Unreadable, without_notes
from vidi.images.pipeline import Frame, prepare, upright, whole
from vidi.images.protocol import JOB_SIZE, DecodeResult, Job, Verdict, write_at
from vidi.sandbox import confine

_CHANNEL = 0
_GRACE = 2.0
"""Seconds that the alarm waits beyond the deadline: the server is to be first."""

DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    Unreadable,
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow, its plugins and pi-heif were seen to raise for broken files."""


_ROUNDED = 1
"""Pixels by which a side may be longer than the header reader makes it of a crop."""


class _NotAsAnnounced(Exception):
    """The decoder found another size than the header reader."""


def _open_png(file: BinaryIO) -> Image.Image:
    return PngImagePlugin.PngImageFile(file)


def _open_jpeg(file: BinaryIO) -> Image.Image:
    """Pillow reads notes that libjpeg, which decodes, does not look at, and gives up on odd ones."""
    try:
        return JpegImageFile(file)
    except DECODER_ERRORS:
        file.seek(0)
        return JpegImageFile(io.BytesIO(without_notes(file.read())))


def _open_webp(file: BinaryIO) -> Image.Image:
    return WebPImageFile(file)


def _open_heif(file: BinaryIO) -> Image.Image:
    """The primary picture, cropped and turned upright, by libheif where it does that.

    It decodes no more pixels than remain after the crop and 64 a side, and so refuses a good picture of which
    little remains. How large the whole one is, the header reader has checked.
    """
    try:
        picture: Image.Image = pi_heif.HeifFile(file).to_pillow()
    except RuntimeError:
        file.seek(0)
        whole_one = heif.uncropped(file.read())
        if whole_one is None:
            raise
        picture = pi_heif.HeifFile(io.BytesIO(whole_one.data)).to_pillow()
        for step in whole_one.steps:
            picture = upright(picture, step) if isinstance(step, int) else picture.crop(step)
    return picture


def _open_gif(file: BinaryIO) -> Image.Image:
    return GifImageFile(file)


def _open_bmp(file: BinaryIO) -> Image.Image:
    return BmpImageFile(file)


def _open_tiff(file: BinaryIO) -> Image.Image:
    """From memory: libtiff would open the descriptor anew, which a confined process may not."""
    return TiffImagePlugin.TiffImageFile(io.BytesIO(file.read()))


def _open_avif(file: BinaryIO) -> Image.Image:
    return AvifImagePlugin.AvifImageFile(file)


_OPENERS: Mapping[ImageFormat, Callable[[BinaryIO], Image.Image]] = MappingProxyType(
    {
        ImageFormat.PNG: _open_png,
        ImageFormat.JPEG: _open_jpeg,
        ImageFormat.WEBP: _open_webp,
        ImageFormat.HEIC: _open_heif,
        ImageFormat.HEIF: _open_heif,
        ImageFormat.GIF: _open_gif,
        ImageFormat.BMP: _open_bmp,
        ImageFormat.TIFF: _open_tiff,
        ImageFormat.AVIF: _open_avif,
    }
)
_TURNED_BY_DECODER = frozenset({ImageFormat.HEIC, ImageFormat.HEIF})


def decode(file: BinaryIO, job: Job) -> tuple[Image.Image, tuple[int, int]]:
    """Decode and prepare one picture.

    Returns:
        The prepared picture, and the size of the whole upright one.

    Raises:
        One of DECODER_ERRORS, MemoryError or _NotAsAnnounced.
    """
    image = _OPENERS[job.format](file)
    width, height = image.size
    if job.format in _TURNED_BY_DECODER:
        # libheif has cropped and turned it, so its sides may be the other way round, and it rounds a crop by
        # its own rules.
        orientation = 1
        sides = sorted((job.width, job.height))
        fits = all(side <= most + _ROUNDED for side, most in zip(sorted((width, height)), sides, strict=True))
    else:
        orientation = job.orientation
        fits = (width, height) == (job.width, job.height)
    if not fits:
        raise _NotAsAnnounced
    placed = place(width, height, job.fit)
    target = (int(placed.width), int(placed.height))
    area = whole(image)
    # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size: the memory and time of the whole are never spent.
    drafted = image.draft(None, target) if target != image.size else None
    if drafted is not None:
        area = drafted[1]
    image.load()
    profile = image.info.get("icc_profile")
    frame = Frame(
        image, area, target, orientation, profile if isinstance(profile, bytes) else b"", job.fit.square
    )
    return prepare(frame), ((height, width) if orientation >= 5 else (width, height))


def run_job(shared: int, job: Job) -> DecodeResult:
    """Do one job on the shared file; broken pictures become a verdict, never an exception."""
    try:
        with open(shared, "rb", closefd=False) as file:
            file.seek(0)
            image, source = decode(file, job)
            pixels = image.tobytes()
    except MemoryError:
        return DecodeResult(Verdict.TOO_MUCH_MEMORY)
    except _NotAsAnnounced:
        return DecodeResult(Verdict.NOT_AS_ANNOUNCED)
    except DECODER_ERRORS:
        return DecodeResult(Verdict.BROKEN)
    write_at(shared, pixels, 0)
    return DecodeResult(Verdict.DECODED, *image.size, *source)


def serve(shared: int, deadline: float) -> None:
    """Do jobs until the server closes the channel."""
    os.write(_CHANNEL, DecodeResult(Verdict.READY).pack())
    while len(message := os.read(_CHANNEL, JOB_SIZE)) == JOB_SIZE:
        signal.setitimer(signal.ITIMER_REAL, deadline + _GRACE)
        result = run_job(shared, Job.unpack(message))
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(_CHANNEL, result.pack())


def _harden(memory: int) -> None:
    """Bound what a picture can do, and leave interrupts to the server.

    Whoever takes this process over through a native decoder finds no key in its environment, and can open no
    file, reach nobody and run nothing: what is needed is open already.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A crash is expected here, and a core would put a caller's picture on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # Elsewhere the limit is refused or has no effect.
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # The header reader has held the limit already; this is for what it may have missed.
    Image.MAX_IMAGE_PIXELS = 1 << 28
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    # Pillow imports its reader of EXIF when it first meets some, and then no file can be opened any more.
    assert TiffImagePlugin
    # Pillow refuses a PNG whose text or colour profile is longer than 1 MB when unpacked; such files exist.
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
    # Each thread of a decoder takes address space; other pictures have the other processors.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    warnings.simplefilter("ignore")
    pi_heif.options.THUMBNAILS = False
    pi_heif.options.DEPTH_IMAGES = False
    pi_heif.options.AUX_IMAGES = False
    confine()


def main() -> None:
    """Entry point; see the module's text."""
    shared, memory, deadline = sys.argv[1:]
    _harden(int(memory))
    serve(int(shared), float(deadline))


if __name__ == "__main__":
    main()
