"""What the byte parsers find out about a file, and how they say that it cannot be read."""

from __future__ import annotations

from dataclasses import dataclass


class Unreadable(Exception):
    """The header makes no sense; the text completes "The picture at ... cannot be read: "."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A header's content.

    Attributes:
        width, height: Stored size in pixels, before orientation.
        frames: Announced number of frames; 1 for a still picture.
        orientation: EXIF orientation 1..8, or its equivalent.
        scans: Passes over the whole picture that a JPEG asks for; 1 elsewhere.
    """

    width: int
    height: int
    frames: int = 1
    orientation: int = 1
    scans: int = 1


MAX_PARTS = 10_000
"""Chunks, segments, boxes or items looked at before a file is refused as no sane picture: bounds the time."""


def too_many(kind: str) -> Unreadable:
    """The refusal of a file that is cut into absurdly many pieces."""
    return Unreadable(f"it has more than {MAX_PARTS:,} {kind}")
