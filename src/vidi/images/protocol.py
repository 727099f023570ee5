"""What the server and a decoder process tell each other: fixed-size messages over a socket pair.

Pictures do not travel through the socket. The encoded file goes in and the pixels come out through one
shared memory file; only its owner of the moment touches it: the decoder between a job and its result,
the server otherwise.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from enum import IntEnum

from vidi.domain.geometry import Fit
from vidi.domain.prompt import ImageFormat

_JOB = struct.Struct("<BBIIQQII")
_RESULT = struct.Struct("<BIIII")
_FORMATS = tuple(ImageFormat)
JOB_SIZE = _JOB.size
RESULT_SIZE = _RESULT.size


class Verdict(IntEnum):
    """How a job ended."""

    READY = 0
    """Sent once, when the decoder has started."""
    DECODED = 1
    BROKEN = 2
    TOO_MUCH_MEMORY = 3
    NOT_AS_ANNOUNCED = 4


@dataclass(frozen=True, slots=True)
class Job:
    """Decode what lies in the shared file.

    Attributes:
        format: Which decoder to use; no other is tried.
        orientation: EXIF orientation 1..8 to apply.
        width, height: Stored size by the header; a picture that turns out larger is refused.
        fit: What size the result is to have.
    """

    format: ImageFormat
    orientation: int
    width: int
    height: int
    fit: Fit

    def pack(self) -> bytes:
        """The message."""
        fit = (self.fit.max_pixels, self.fit.min_pixels, self.fit.multiple, self.fit.square)
        return _JOB.pack(_FORMATS.index(self.format), self.orientation, self.width, self.height, *fit)

    @classmethod
    def unpack(cls, message: bytes) -> Job:
        """Read the message; struct.error if it is not one."""
        form, orientation, width, height, *fit = _JOB.unpack(message)
        return cls(_FORMATS[form], orientation, width, height, Fit(*fit))


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """What became of a job; the sizes are 0 unless it was decoded.

    Attributes:
        verdict: How it ended.
        width, height: Size of the pixels in the shared file, RGB, row by row.
        source_width, source_height: Size of the whole upright picture.
    """

    verdict: Verdict
    width: int = 0
    height: int = 0
    source_width: int = 0
    source_height: int = 0

    def pack(self) -> bytes:
        """The message."""
        return _RESULT.pack(self.verdict, self.width, self.height, self.source_width, self.source_height)

    @classmethod
    def unpack(cls, message: bytes) -> DecodeResult:
        """Read the message; ValueError or struct.error if it is not one."""
        verdict, *sizes = _RESULT.unpack(message)
        return cls(Verdict(verdict), *sizes)


def write_at(file: int, data: bytes | memoryview, at: int) -> None:
    """Write all of `data` at an offset of the shared file, without moving its position."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, at)
        rest, at = rest[written:], at + written
