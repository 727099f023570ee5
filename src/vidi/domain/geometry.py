"""Boxes, points, masks and the way back to the caller's picture.

The one frame of reference: y first, 0..1000 on both axes, on the caller's *upright* image (EXIF or
HEIF orientation applied). Source of the convention: the guide's `box_2d`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

GRID = 1000
"""Both axes of the caller's image run from 0 to GRID, whatever its size in pixels."""


def _grid(value: float) -> int:
    """Round half up and clamp to 0..GRID."""
    return min(GRID, max(0, math.floor(value + 0.5)))


@dataclass(frozen=True, slots=True)
class Fit:
    """What size a model wants a picture in.

    Attributes:
        max_pixels: Most pixels; a larger picture is scaled down.
        min_pixels: Fewest pixels, where `multiple` is over 1: a smaller picture is scaled up.
        multiple: Both sides are multiples of it; 1 leaves a picture that is small enough as it is.
        square: Over 0, the picture is scaled into a square of this side, centred, with grey around it,
            and nothing else counts.
    """

    max_pixels: int
    min_pixels: int = 1
    multiple: int = 1
    square: int = 0


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
class MaskImage:
    """How likely each place of a box belongs to the thing in it.

    Attributes:
        width: Columns, at least 1. The mask covers the box whatever its size: a reader scales it.
        height: Rows, at least 1.
        grey: width * height bytes, row by row from the top: 0 surely not, 255 surely; over 127 it does.
    """

    width: int
    height: int
    grey: bytes = field(repr=False)


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


def place(width: int, height: int, fit: Fit) -> Placement:
    """Where a whole upright picture lies in the one that a model gets.

    Args:
        width: Columns of the picture, at least 1.
        height: Rows of the picture, at least 1.
        fit: What the model wants.

    Returns:
        A placement in whole pixels; `canvas` tells the size of the picture around it.
    """
    if fit.square:
        wide, high = _inside(width, height, fit.square)
        left, top = (fit.square - wide) // 2, (fit.square - high) // 2
        return Placement(width, height, left, top, wide, high)
    wide, high = target_size(width, height, fit.max_pixels)
    if fit.multiple > 1:
        wide, high = _whole_patches(width, height, fit)
    return Placement(width, height, 0, 0, wide, high)


def canvas(placement: Placement, fit: Fit) -> tuple[int, int]:
    """Width and height of the picture that a model gets."""
    return (fit.square, fit.square) if fit.square else (int(placement.width), int(placement.height))


def target_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The largest size of the same ratio within `max_pixels`; never larger than the picture itself.

    Args:
        width: Columns of the picture, at least 1.
        height: Rows of the picture, at least 1.
        max_pixels: Most pixels that the result may have, at least 1.

    Returns:
        Width and height, each at least 1; their product is at most `max_pixels`. The ratio of a strip
        that would become thinner than a pixel is given up, not its length.
    """
    if width * height <= max_pixels:
        return width, height
    across = math.isqrt(max_pixels * width // height)
    down = math.isqrt(max_pixels * height // width)
    return max(1, min(across, width, max_pixels)), max(1, min(down, height, max_pixels))


def _inside(width: int, height: int, side: int) -> tuple[int, int]:
    """The size of the same ratio whose longer side is `side`."""
    longest = max(width, height)
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def _whole_patches(width: int, height: int, fit: Fit) -> tuple[int, int]:
    """The size in whole patches nearest to the picture's own, within the budget.

    Source: `smart_resize` of Qwen2-VL's image processor; applied to its own result it changes nothing, so
    an engine that does the same leaves these pixels alone. Here a strip keeps a side of one patch, where
    the original refuses ratios over 200.
    """
    patch = fit.multiple
    wide, high = (max(1, round(side / patch)) for side in (width, height))
    most = max(1, fit.max_pixels // patch**2)
    least = min(most, -(-fit.min_pixels // patch**2))
    if wide * high > most:
        shrink = math.sqrt(fit.max_pixels / (width * height))
        wide, high = (max(1, int(side * shrink / patch)) for side in (width, height))
    elif wide * high < least:
        grow = math.sqrt(fit.min_pixels / (width * height))
        wide, high = (max(1, math.ceil(side * grow / patch)) for side in (width, height))
    if wide * high > most:
        wide, high = (most // high, high) if wide > high else (wide, most // wide)
    return max(1, wide) * patch, max(1, high) * patch
