"""Boxes, points and the way back to the caller's picture.

The one frame of reference: y first, 0..1000 on both axes, on the caller's *upright* image (EXIF or
HEIF orientation applied). Source of the convention: the guide's `box_2d`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GRID = 1000
"""Both axes of the caller's image run from 0 to GRID, whatever its size in pixels."""


def _grid(value: float) -> int:
    """Round half up and clamp to 0..GRID."""
    return min(GRID, max(0, math.floor(value + 0.5)))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in 0..1000, y first; edges may be fractional until they are written out."""

    ymin: float
    xmin: float
    ymax: float
    xmax: float

    def box_2d(self) -> tuple[int, int, int, int]:
        """The box as the API writes it: (ymin, xmin, ymax, xmax), plain integers 0..1000."""
        return (_grid(self.ymin), _grid(self.xmin), _grid(self.ymax), _grid(self.xmax))

    def area(self) -> float:
        """Area in square grid units, 0..1,000,000; 0 for a reversed box."""
        return max(0.0, self.ymax - self.ymin) * max(0.0, self.xmax - self.xmin)

    def centre(self) -> Point:
        """The middle of the box."""
        return Point(y=(self.ymin + self.ymax) / 2, x=(self.xmin + self.xmax) / 2)

    def common(self, other: Box) -> float:
        """Area that both boxes cover, in square grid units."""
        high = min(self.ymax, other.ymax) - max(self.ymin, other.ymin)
        wide = min(self.xmax, other.xmax) - max(self.xmin, other.xmin)
        return high * wide if high > 0 and wide > 0 else 0.0

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, 0..1."""
        common = self.common(other)
        return common / (self.area() + other.area() - common) if common else 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """A place in 0..1000, y first."""

    y: float
    x: float

    def point(self) -> tuple[int, int]:
        """The point as the API writes it: (y, x), plain integers 0..1000."""
        return (_grid(self.y), _grid(self.x))


@dataclass(frozen=True, slots=True)
class Placement:
    """How a prepared picture lies on the caller's upright image.

    Attributes:
        source_width: Width of the caller's upright image in pixels.
        source_height: Height of the caller's upright image in pixels.
        left: Column of the picture where the image's left edge lies, in picture pixels.
        top: Row of the picture where the image's top edge lies, in picture pixels.
        width: Width that the whole image takes in the picture, in picture pixels.
        height: Height that the whole image takes in the picture, in picture pixels.
    """

    source_width: int
    source_height: int
    left: float
    top: float
    width: float
    height: float

    def box(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        """A box given by its corners in picture pixels, brought back to the caller's image."""
        return Box(
            ymin=(y0 - self.top) / self.height * GRID,
            xmin=(x0 - self.left) / self.width * GRID,
            ymax=(y1 - self.top) / self.height * GRID,
            xmax=(x1 - self.left) / self.width * GRID,
        )

    def pixels(self, box: Box) -> tuple[float, float, float, float]:
        """A box on the caller's image as (x0, y0, x1, y1) in picture pixels: the inverse of `box`."""
        return (
            self.left + box.xmin / GRID * self.width,
            self.top + box.ymin / GRID * self.height,
            self.left + box.xmax / GRID * self.width,
            self.top + box.ymax / GRID * self.height,
        )
