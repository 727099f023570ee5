"""From a map of where text is to a rectangle around each line of it.

Source: Liao et al., "Real-time Scene Text Detection with Differentiable Binarization" (2020): the network
marks the shrunken core of each line; a rectangle around a core is grown by area * ratio / perimeter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidi.engines.lite.vision.onnx import Floats

TEXT = 0.3
"""Probability from which a pixel belongs to a core."""

SURE = 0.5
"""Lowest mean probability of a core's rectangle."""

GROWTH = 1.6
"""The ratio by which a core is grown: the network was trained on cores shrunk by about as much."""

_SMALLEST = 3
_MOST = 1000
_STRAIGHT = 1.05
"""How much larger an upright rectangle may be than the smallest one to be taken instead."""

_ANGLES = np.radians(np.arange(-45, 45, dtype=np.float32))
_ANGLES = _ANGLES[np.argsort(np.abs(_ANGLES), kind="stable")]

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle, perhaps a tilted one, around a line of text; lengths in pixels of the map.

    Attributes:
        x: Column of its middle.
        y: Row of its middle.
        width: Its side along `angle`.
        height: Its other side.
        angle: Of its first side with the rows, clockwise in radians, -pi/4 to pi/4.
        growth: How far each side lies outside the rectangle around its core.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float
    growth: float

    def corners(self, inset: float = 0.0) -> Floats:
        """Left top, right top, right bottom, left bottom in its own frame: (4, 2) of x and y.

        Args:
            inset: By how much the sides are moved inwards.
        """
        half = np.array([self.width / 2 - inset, self.height / 2 - inset], np.float32)
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turned = (signs * half) @ np.array([[cos, sin], [-sin, cos]], np.float32)
        return np.asarray(turned + np.array([self.x, self.y], np.float32), np.float32)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Stretches of marked pixels in rows, in reading order: arrays of one length."""

    rows: Indices
    starts: Indices
    ends: Indices


def regions(probability: Floats) -> list[Region]:
    """Find the lines.

    Args:
        probability: How sure the network is that a pixel is in a line's core: (rows, columns), 0..1.

    Returns:
        A rectangle for each core, in no particular order; 1,000 at most, those of the largest cores.
    """
    runs = _runs(probability > TEXT)
    if runs.rows.size == 0:
        return []
    cores = _joined(runs, probability.shape[1])
    # Running sums give the weight of any run without a look at its pixels.
    sums = np.concatenate([[0.0], np.cumsum(probability, dtype=np.float64)])
    offsets = runs.rows * probability.shape[1]
    weights = sums[offsets + runs.ends] - sums[offsets + runs.starts]
    order = np.argsort(cores, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(cores[order])) + 1)
    groups.sort(key=lambda group: -weights[group].sum())
    found = (_region(runs, group, float(weights[group].sum())) for group in groups[:_MOST])
    return [region for region in found if region is not None]


def _runs(mask: npt.NDArray[np.bool_]) -> _Runs:
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    return _Runs(rows, starts, np.nonzero(steps == -1)[1])


def _joined(runs: _Runs, columns: int) -> Indices:
    """A number for each run, the same for all that touch, be it by a corner."""
    # Runs are sorted by row and column. Laid on one line, with rows a stride apart, those that touch a run
    # from below lie between two positions, which a binary search finds for all runs at once.
    stride = columns + 2
    below = (runs.rows + 1) * stride
    first = np.searchsorted(runs.rows * stride + runs.ends, below + runs.starts, "left")
    last = np.searchsorted(runs.rows * stride + runs.starts, below + runs.ends, "right")
    touching = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(runs.rows.size), touching)
    lower = np.arange(upper.size) - np.repeat(np.cumsum(touching) - touching, touching) + first[upper]
    # Every run takes the lowest number among its neighbours, then that number's own number: the second step
    # halves the way to a core's lowest, so long cores need few rounds.
    numbers = np.arange(runs.rows.size)
    while True:
        lowest = np.minimum(numbers[upper], numbers[lower])
        before = numbers.copy()
        np.minimum.at(numbers, upper, lowest)
        np.minimum.at(numbers, lower, lowest)
        numbers = numbers[numbers]
        if np.array_equal(numbers, before):
            return numbers


def _region(runs: _Runs, group: Indices, weight: float) -> Region | None:
    """The smallest rectangle around a core, grown to the line; None if it is too small or too unsure."""
    rows, starts, ends = runs.rows[group], runs.starts[group], runs.ends[group]
    x = np.concatenate([starts, starts, ends, ends]).astype(np.float32)
    y = np.concatenate([rows, rows + 1, rows, rows + 1]).astype(np.float32)
    cos, sin = np.cos(_ANGLES)[:, None], np.sin(_ANGLES)[:, None]
    along, across = x * cos + y * sin, y * cos - x * sin
    widths, heights = np.ptp(along, axis=1), np.ptp(across, axis=1)
    areas = widths * heights
    # The angles are sorted by size: the first that is small enough is the straightest.
    best = int(np.argmax(areas <= areas.min() * _STRAIGHT))
    width, height, area = float(widths[best]), float(heights[best]), float(areas[best])
    if min(width, height) < _SMALLEST or weight < SURE * area:
        return None
    middle_along = (along[best].min() + along[best].max()) / 2
    middle_across = (across[best].min() + across[best].max()) / 2
    cos_best, sin_best = float(cos[best, 0]), float(sin[best, 0])
    growth = GROWTH * area / (2 * (width + height))
    return Region(
        x=float(middle_along * cos_best - middle_across * sin_best),
        y=float(middle_along * sin_best + middle_across * cos_best),
        width=width + 2 * growth,
        height=height + 2 * growth,
        angle=float(_ANGLES[best]),
        growth=growth,
    )


_LINES = 3
_LENGTH = 6
"""A column of prose has at least so many lines, whose median is so many times as wide as high."""


def reading_order(boxes: Floats) -> list[int]:
    """Order lines.

    Args:
        boxes: x0, y0, x1, y1 of each line, upright: (lines, 4).

    Returns:
        The lines' indices, first to last.
    """
    # A headline may stand over columns, so each row is tried as the first below it. Columns are looked into
    # in turn: they may hold columns of their own.
    rows = _rows(boxes, range(len(boxes)))
    for first in range(len(rows) - _LINES + 1):
        rest = [index for row in rows[first:] for index in row]
        columns = _columns(boxes, rest)
        if columns:
            head = [index for row in rows[:first] for index in row]
            return head + [column[at] for column in columns for at in reading_order(boxes[column])]
    return [index for row in rows for index in row]


def _rows(boxes: Floats, indices: Sequence[int]) -> list[list[int]]:
    """Lines side by side, from the top; each row from the left."""
    rows: list[list[int]] = []
    for index in sorted(indices, key=lambda index: float(boxes[index, 1] + boxes[index, 3])):
        row = rows[-1] if rows else []
        if row and _beside(boxes[row[-1]], boxes[index]):
            row.append(index)
        else:
            rows.append([index])
    return [sorted(row, key=lambda index: float(boxes[index, 0])) for row in rows]


def _beside(one: Floats, other: Floats) -> bool:
    """Whether two lines share at least half of the lower one's height."""
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return bool(shared >= 0.5 * min(one[3] - one[1], other[3] - other[1]))


def _columns(boxes: Floats, indices: list[int]) -> list[list[int]]:
    """The lines left and right of the first gap that runs from top to bottom between columns of prose."""
    # From left to right, a line that starts beyond all that began before it begins a column.
    ordered = sorted(indices, key=lambda index: float(boxes[index, 0]))
    reach = np.maximum.accumulate(boxes[ordered, 2])
    gap = float(np.median(boxes[ordered, 3] - boxes[ordered, 1])) / 2
    for at in range(_LINES, len(ordered) - _LINES + 1):
        if boxes[ordered[at], 0] - reach[at - 1] > gap:
            sides = [ordered[:at], ordered[at:]]
            if all(_prose(boxes[side]) for side in sides):
                return sides
    return []


def _prose(boxes: Floats) -> bool:
    lengths = (boxes[:, 2] - boxes[:, 0]) / np.maximum(1, boxes[:, 3] - boxes[:, 1])
    return bool(np.median(lengths) >= _LENGTH)
