"""From the numbers that a family writes to places on the caller's image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vidi.domain.geometry import Box, Point
from vidi.domain.prompt import Picture
from vidi.engines.dialect import Dialect, Order

_FARTHEST = 1e6
"""Numbers beyond are cut to it: no picture is so large, and arithmetic stays finite."""


@dataclass(frozen=True, slots=True)
class Ruler:
    """Measures in one dialect on the pictures of one prompt.

    Attributes:
        dialect: Gives order, scale and bins.
        pictures: In the prompt's order; at least one. A place lies on the last unless it says otherwise.
    """

    dialect: Dialect
    pictures: Sequence[Picture]

    def box(self, numbers: Sequence[float], image: int | None = None) -> Box | None:
        """A box from four numbers in the family's order.

        Args:
            numbers: Two opposite corners; reversed ones are set right, and what lies outside is cut off.
            image: Index of the picture from 0; None, or one that is not there, is the last.

        Returns:
            The box on the caller's image, whole numbers 0..1000; None if nothing of it is left.
        """
        if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
            return None
        x0, y0 = self._pixels(numbers[:2], numbers, image)
        x1, y1 = self._pixels(numbers[2:], numbers, image)
        placement = self._picture(image).placement
        box = placement.box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        ymin, xmin, ymax, xmax = _steady(box).box_2d()
        return Box(ymin, xmin, ymax, xmax) if ymin < ymax and xmin < xmax else None

    def point(self, numbers: Sequence[float], image: int | None = None) -> Point | None:
        """A point from two numbers in the family's order, or the middle of a box from four."""
        if len(numbers) == 4:
            box = self.box(numbers, image)
            return box.centre() if box else None
        if len(numbers) != 2 or not all(map(math.isfinite, numbers)):
            return None
        x, y = self._pixels(numbers, numbers, image)
        place = _steady(self._picture(image).placement.box(x, y, x, y))
        return Point(*Point(place.ymin, place.xmin).point())

    def _picture(self, image: int | None) -> Picture:
        there = image is not None and 0 <= image < len(self.pictures)
        return self.pictures[image if there and image is not None else -1]

    def _pixels(
        self, pair: Sequence[float], whole: Sequence[float], image: int | None
    ) -> tuple[float, float]:
        """A corner as x and y in pixels of the picture as the model got it."""
        dialect = self.dialect
        first, second = _cut(pair[0]), _cut(pair[1])
        x, y = (first, second) if dialect.order is Order.XYXY else (second, first)
        if dialect.scale == 0:
            return x, y
        scale = 1.0 if dialect.fractions and all(0 <= number <= 1 for number in whole) else dialect.scale
        half = 0.5 if dialect.centred and scale == dialect.scale else 0.0
        picture = self._picture(image)
        return (x + half) / scale * picture.width, (y + half) / scale * picture.height


def _cut(number: float) -> float:
    return min(_FARTHEST, max(-_FARTHEST, number))


def _steady(box: Box) -> Box:
    """Without the last digits of floating point, so that what lies half-way is always rounded up."""
    return Box(round(box.ymin, 6), round(box.xmin, 6), round(box.ymax, 6), round(box.xmax, 6))
