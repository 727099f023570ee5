"""The members of a caller's schema that are to hold a place: which, and in which form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.groups import EDGES, MIDDLE, SIZES


class Sought(Enum):
    """What a place is told as."""

    BOXES = "boxes"
    POINTS = "points"

    @property
    def size(self) -> int:
        """How many numbers one has."""
        return 4 if self is Sought.BOXES else 2


@dataclass(frozen=True, slots=True)
class Slot:
    """A member that holds a place.

    Attributes:
        name: The caller's name for it; "" where the object's own members are the edges.
        sought: Whether it is a box or a point.
        members: The caller's names of the numbers, y first; () for an array of numbers.
        sized: Whether the last two members are height and width.
        several: Whether it is a list of places.
        top: What the far edge is written as: 1000, or 1 where the schema's maximum says so.
        x_first: Whether the caller says in so many words that x comes first in the array.
    """

    name: str
    sought: Sought
    members: tuple[str, ...] = ()
    sized: bool = False
    several: bool = False
    top: float = 1000
    x_first: bool = False


_BOX = re.compile(
    r"(?:\w+_)?(?:box_?2d|bbox(?:_?2d)?|bounding_?box(?:_?2d)?|bounding_rect(?:angle)?|box)(?:_coordinates)?"
)
_BOXES = re.compile(r"(?:\w+_)?(?:boxes_?2d|bboxes(?:_?2d)?|bounding_?boxes(?:_?2d)?|boxes)")
_POINT = re.compile(r"(?:\w+_)?(?:point(?:_?2d)?|keypoint)(?:_coordinates)?")
_POINTS = re.compile(r"(?:\w+_)?(?:points(?:_?2d)?|keypoints)")
_VAGUE = re.compile(r"(?:\w+_)?(?:coordinates|coords|location|position|rect(?:angle)?|region|cent(?:er|re))")
_THREE = re.compile(r"(?:\w+_)?(?:\w*3d)(?:_\w+)?")
_X_FIRST = re.compile(r"[\[(]\s*x(?:_?(?:min|[01]))?\s*,\s*y", re.IGNORECASE)
_NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER})


def slot_of(member: Property) -> Slot | None:
    """What place a member is to hold, by its name and shape; None if it is not meant for one."""
    name, schema = _snake(member.name), _chosen(member.schema)
    if _THREE.fullmatch(name):
        return None
    x_first = says_x_first(schema.description)
    for sought, one, many in ((Sought.BOXES, _BOX, _BOXES), (Sought.POINTS, _POINT, _POINTS)):
        if one.fullmatch(name) or _VAGUE.fullmatch(name):
            slot = _single(member.name, schema, sought, exact=not one.fullmatch(name))
            if slot:
                return _with_order(slot, x_first)
        if many.fullmatch(name) and Kind.ARRAY in schema.kinds and schema.items is not None:
            inner = _single(member.name, _chosen(schema.items), sought, exact=False)
            if inner and not (inner.members and sought is Sought.POINTS):
                # A list of {x, y} is as often the data of a chart.
                return _with_order(inner, x_first, several=True)
    return None


def flat_slot(schema: Schema) -> Slot | None:
    """The box whose edges are an object's own members, as `{"label": ..., "ymin": ..., "xmin": ...}`."""
    return _by_members("", schema, Sought.BOXES)


def says_x_first(text: str) -> bool:
    """Whether a text spells out an order with x before y, as `[xmin, ymin, xmax, ymax]`."""
    return _X_FIRST.search(text[:20_000]) is not None


def is_number(schema: Schema) -> bool:
    """Whether a schema takes numbers and nothing else (but perhaps null)."""
    return bool(schema.kinds) and schema.kinds <= _NUMBERS | {Kind.NULL}


def _with_order(slot: Slot, x_first: bool, *, several: bool = False) -> Slot:
    return Slot(slot.name, slot.sought, slot.members, slot.sized, several, slot.top, x_first)


def _chosen(schema: Schema) -> Schema:
    """The first alternative that may hold numbers: an optional member is often `anyOf` with null."""
    options = (schema, *schema.any_of)
    return next((each for each in options if each.kinds & {Kind.ARRAY, Kind.OBJECT}), schema)


def _single(name: str, schema: Schema, sought: Sought, *, exact: bool) -> Slot | None:
    if Kind.ARRAY in schema.kinds and _holds(schema, sought.size, exact=exact):
        return Slot(name, sought, top=_top(schema.prefix_items or (schema.items or Schema(),)))
    return _by_members(name, schema, sought)


def _holds(schema: Schema, count: int, *, exact: bool) -> bool:
    """Whether an array is one of `count` numbers; `exact` where its name leaves doubt."""
    if schema.prefix_items:
        return len(schema.prefix_items) == count and all(map(is_number, schema.prefix_items))
    if schema.items is not None and not is_number(schema.items):
        return False
    if exact:
        return schema.max_items == count and schema.min_items == count
    if schema.min_items is None and schema.max_items is None:
        return schema.items is not None
    return (schema.min_items or 0) <= count <= (schema.max_items or count)


def _by_members(name: str, schema: Schema, sought: Sought) -> Slot | None:
    if Kind.OBJECT not in schema.kinds:
        return None
    numeric = {_snake(each.name): each for each in schema.properties if is_number(_scalar(each.schema))}
    if sought is Sought.POINTS:
        return _named(name, sought, MIDDLE, numeric, sized=False)
    for names in EDGES:
        slot = _named(name, sought, names, numeric, sized=False)
        if slot:
            return slot
    for names in SIZES:
        slot = _named(name, sought, names, numeric, sized=True)
        if slot:
            return slot
    return None


def _named(
    name: str, sought: Sought, names: Sequence[str], numeric: Mapping[str, Property], *, sized: bool
) -> Slot | None:
    if not all(each in numeric for each in names):
        return None
    found = [numeric[each] for each in names]
    return Slot(
        name,
        sought,
        members=tuple(each.name for each in found),
        sized=sized,
        top=_top([_scalar(each.schema) for each in found]),
    )


def _scalar(schema: Schema) -> Schema:
    return next((each for each in (schema, *schema.any_of) if each.kinds & _NUMBERS), schema)


def _top(numbers: Sequence[Schema]) -> float:
    """1 where the numbers may be no larger, else 1000."""
    largest = [number.maximum for number in numbers]
    return 1 if all(limit is not None and limit <= 1 for limit in largest) else 1000


def _snake(name: str) -> str:
    """`boundingBox2D` and `bounding-box 2d` as bounding_box_2d."""
    short = name[:100]
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?=[A-Z][a-z])", "_", short)
    return re.sub(r"[^0-9a-z]+", "_", split.lower()).strip("_")
