"""The order in which lines of text are read: rows from the top, columns of prose one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

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
