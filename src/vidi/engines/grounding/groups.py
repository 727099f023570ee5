"""The groups of numbers in a JSON value that is meant as a box, a point or several of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from vidi.engines.dialect import Order
from vidi.engines.grammar import JsonValue

Group = tuple[float, ...]
"""Four numbers of a box or two of a point, in the family's order."""

EDGES: tuple[tuple[str, str, str, str], ...] = (
    ("ymin", "xmin", "ymax", "xmax"),
    ("y_min", "x_min", "y_max", "x_max"),
    ("y1", "x1", "y2", "x2"),
    ("y0", "x0", "y1", "x1"),
    ("top", "left", "bottom", "right"),
)
"""Names under which the four edges of a box are written, y first."""

SIZES: tuple[tuple[str, str, str, str], ...] = (
    ("y", "x", "height", "width"),
    ("y", "x", "h", "w"),
    ("top", "left", "height", "width"),
)
"""Names of a corner and a size, y first."""

MIDDLE = ("y", "x")
"""Names of a point's two members."""

EDGE_NAMES = frozenset(name for names in (*EDGES, *SIZES) for name in names)
"""All of these names."""

_NUMBER = re.compile(r"[-+]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][-+]?\d{1,3})?")

_DEEPEST = 6
"""Lists within lists that are looked into."""


def groups_in(value: JsonValue, order: Order, depth: int = 0) -> Iterator[Group]:
    """Every box and point in a value: `[1, 2, 3, 4]`, lists of such, `{"x1": 1, ...}`, `"1 2 3 4"`.

    Members with names are put into the family's order; other numbers are taken to be in it.
    """
    if isinstance(value, str):
        yield from in_groups(numbers_in(value))
    elif isinstance(value, dict):
        group = named(value, order)
        if group:
            yield group
    elif isinstance(value, list):
        numbers = [_number(each) for each in value]
        if None not in numbers:
            yield from in_groups([number for number in numbers if number is not None])
        elif depth < _DEEPEST:
            for each in value:
                yield from groups_in(each, order, depth + 1)


def named(value: Mapping[str, JsonValue], order: Order) -> Group | None:
    """The box or point whose numbers have names, in the family's order; None if there is none."""
    for edges in EDGES:
        box = _members(value, edges)
        if box:
            return _ordered(box, order)
    for sizes in SIZES:
        box = _members(value, sizes)
        if box:
            top, left, height, width = box
            return _ordered((top, left, top + height, left + width), order)
    point = _members(value, MIDDLE)
    return _ordered(point, order) if point else None


def numbers_in(text: str) -> list[float]:
    """Every number in a text, in its order."""
    return [float(found) for found in _NUMBER.findall(text)]


def in_groups(numbers: Sequence[float]) -> Iterator[Group]:
    """Two numbers are a point; four, and any further four, a box; what is left over is nothing."""
    if len(numbers) == 2:
        yield tuple(numbers)
    for start in range(0, len(numbers) - 3, 4):
        yield tuple(numbers[start : start + 4])


def _members(value: Mapping[str, JsonValue], names: Sequence[str]) -> Group | None:
    numbers = [_number(value.get(name)) for name in names]
    present = tuple(number for number in numbers if number is not None)
    return present if len(present) == len(names) else None


def _ordered(numbers: Group, order: Order) -> Group:
    """From y first to the family's order."""
    if order is Order.YXYX:
        return numbers
    return tuple(numbers[index ^ 1] for index in range(len(numbers)))


def _number(value: JsonValue) -> float | None:
    if isinstance(value, int | float) and value is not True and value is not False:
        return float(value) if -1e300 < value < 1e300 else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None
