"""Where a box lies: the nine cells of the picture, and simple relations between two boxes."""

from __future__ import annotations

from vidi.domain.geometry import GRID, Box

ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "centre", "right")

CELLS: tuple[str, ...] = tuple(f"{row} {column}" for row in ROWS for column in COLUMNS)
"""The nine cells, row by row; languages name them."""


def cell(box: Box) -> str:
    """The cell that holds the middle of a box, as "top left"; "middle centre" for a box that spans all."""
    centre = box.centre()
    return f"{ROWS[_third(centre.y)]} {COLUMNS[_third(centre.x)]}"


def _third(value: float) -> int:
    return min(2, max(0, int(value * 3 / GRID)))


def shared(one: Box, other: Box) -> float:
    """The part of `one` that `other` covers, 0..1."""
    common = one.common(other)
    return common / one.area() if common else 0.0


def grown(box: Box, by: float) -> Box:
    """A box made larger on every side by a part of its own sides."""
    dy, dx = (box.ymax - box.ymin) * by, (box.xmax - box.xmin) * by
    return Box(box.ymin - dy, box.xmin - dx, box.ymax + dy, box.xmax + dx)


def touching(one: Box, other: Box) -> bool:
    """Whether two boxes meet, with a little slack."""
    return shared(grown(one, 0.05), grown(other, 0.05)) > 0


def resting_on(one: Box, other: Box) -> bool:
    """Whether `one` ends within `other` and stands over it: its foot is covered, its middle is higher."""
    foot = Box(one.ymax - (one.ymax - one.ymin) * 0.25, one.xmin, one.ymax, one.xmax)
    narrow = Box(foot.ymin, foot.centre().x - 30, foot.ymax, foot.centre().x + 30)
    carried = shared(foot, other) > 0.35 or shared(narrow, other) > 0.6
    return carried and one.centre().y < other.centre().y


def lying_on(one: Box, other: Box) -> bool:
    """Whether `one` lies within `other`, as a plate on a table seen from above."""
    return shared(one, other) > 0.6 and one.area() < other.area()


def at_feet(one: Box, other: Box) -> bool:
    """Whether `other` lies at the lower end of `one`."""
    line = one.ymin + (one.ymax - one.ymin) * 0.65
    return other.centre().y > line and shared(other, grown(one, 0.25)) > 0.3


def mounted(one: Box, other: Box) -> bool:
    """Whether `one` sits on `other`: above it, over it, and ending before it ends."""
    over = other.xmin - 20 < one.centre().x < other.xmax + 20
    return over and one.ymin < other.ymin + 20 and one.ymax < other.ymax + 10 and shared(one, other) > 0.25


def held(one: Box, other: Box) -> bool:
    """Whether `other` is within reach of `one`: overlapping it, and smaller."""
    return shared(other, grown(one, 0.1)) > 0.4 and other.area() < one.area()


def beside(one: Box, other: Box) -> bool:
    """Whether two boxes stand next to each other: level, and apart by less than the narrower is wide."""
    gap = max(one.xmin, other.xmin) - min(one.xmax, other.xmax)
    level = min(one.ymax, other.ymax) - max(one.ymin, other.ymin)
    height = min(one.ymax - one.ymin, other.ymax - other.ymin)
    return gap < min(one.xmax - one.xmin, other.xmax - other.xmin) and level > 0.3 * height
