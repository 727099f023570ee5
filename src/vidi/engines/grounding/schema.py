"""A caller's schema as it bears on places: where they stand, and the same schema in a family's own terms."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from vidi.domain.geometry import GRID
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.coordinates import EDGES, MIDDLE, SIZES
from vidi.engines.profile import Dialect


class PlaceKind(Enum):
    """What a place is told as."""

    BOXES = "boxes"
    POINTS = "points"

    @property
    def size(self) -> int:
        """How many numbers one has."""
        return 4 if self is PlaceKind.BOXES else 2


@dataclass(frozen=True, slots=True)
class PlaceField:
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
    sought: PlaceKind
    members: tuple[str, ...] = ()
    sized: bool = False
    several: bool = False
    top: float = 1000
    x_first: bool = False


PLACE_FIELD_NAMES: Mapping[PlaceKind, re.Pattern[str]] = {
    PlaceKind.BOXES: re.compile(
        r"(?:\w+_)?(?:box_?2d|bbox(?:_?2d)?|bounding_?box(?:_?2d)?|bounding_rect(?:angle)?|box)"
        r"(?:_coordinates)?"
    ),
    PlaceKind.POINTS: re.compile(r"(?:\w+_)?(?:point(?:_?2d)?|keypoint)(?:_coordinates)?"),
}
"""Names of a member that holds one place, in lower case with `_` between words; lite reads them too."""

PLACE_LIST_NAMES: Mapping[PlaceKind, re.Pattern[str]] = {
    PlaceKind.BOXES: re.compile(r"(?:\w+_)?(?:boxes_?2d|bboxes(?:_?2d)?|bounding_?boxes(?:_?2d)?|boxes)"),
    PlaceKind.POINTS: re.compile(r"(?:\w+_)?(?:points(?:_?2d)?|keypoints)"),
}
"""Names of a member that holds a list of places."""

NATIVE_PLACE_NAMES = ("box_2d", "bbox_2d", "bbox", "bounding_box", "box", "point_2d", "point")
"""Names that models fall back to; the order of the numbers is the family's all the same."""

LABEL_FIELD_NAMES = ("label", "name", "object", "class", "class_name", "category", "title", "item")
"""Names of a member that says what stands in a place, best first."""

_VAGUE = re.compile(r"(?:\w+_)?(?:coordinates|coords|location|position|rect(?:angle)?|region|cent(?:er|re))")
_THREE = re.compile(r"(?:\w+_)?(?:\w*3d)(?:_\w+)?")
_X_FIRST = re.compile(r"[\[(]\s*x(?:_?(?:min|[01]))?\s*,\s*y", re.IGNORECASE)
_NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER})


def place_kind_of(name: str) -> PlaceKind | None:
    """What a member holds by its name alone, one place or a list; None where the name leaves a doubt."""
    spelt = _snake(name)
    if _THREE.fullmatch(spelt):
        return None
    names = ((kind, table[kind]) for kind in PlaceKind for table in (PLACE_FIELD_NAMES, PLACE_LIST_NAMES))
    return next((kind for kind, pattern in names if pattern.fullmatch(spelt)), None)


def place_field(member: Property) -> PlaceField | None:
    """What place a member is to hold, by its name and shape; None if it is not meant for one."""
    name, schema = _snake(member.name), _chosen(member.schema)
    if _THREE.fullmatch(name):
        return None
    x_first = says_x_first(schema.description)
    for kind in PlaceKind:
        clear = PLACE_FIELD_NAMES[kind].fullmatch(name) is not None
        if clear or _VAGUE.fullmatch(name):
            field = _single(member.name, schema, kind, exact=not clear)
            if field:
                return replace(field, x_first=x_first)
        if PLACE_LIST_NAMES[kind].fullmatch(name) and Kind.ARRAY in schema.kinds and schema.items is not None:
            inner = _single(member.name, _chosen(schema.items), kind, exact=False)
            if inner and not (inner.members and kind is PlaceKind.POINTS):
                # A list of {x, y} is as often the data of a chart.
                return replace(inner, x_first=x_first, several=True)
    return None


def flat_place_field(schema: Schema) -> PlaceField | None:
    """The box whose edges are an object's own members, as `{"label": ..., "ymin": ..., "xmin": ...}`."""
    return _by_members("", schema, PlaceKind.BOXES)


def says_x_first(text: str) -> bool:
    """Whether a text spells out an order with x before y, as `[xmin, ymin, xmax, ymax]`."""
    return _X_FIRST.search(text[:20_000]) is not None


def is_number(schema: Schema) -> bool:
    """Whether a schema takes numbers and nothing else (but perhaps null)."""
    return bool(schema.kinds) and schema.kinds <= _NUMBERS | {Kind.NULL}


def _chosen(schema: Schema) -> Schema:
    """The first alternative that may hold numbers: an optional member is often `anyOf` with null."""
    options = (schema, *schema.any_of)
    return next((each for each in options if each.kinds & {Kind.ARRAY, Kind.OBJECT}), schema)


def _single(name: str, schema: Schema, sought: PlaceKind, *, exact: bool) -> PlaceField | None:
    if Kind.ARRAY in schema.kinds and _holds(schema, sought.size, exact=exact):
        return PlaceField(name, sought, top=_top(schema.prefix_items or (schema.items or Schema(),)))
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


def _by_members(name: str, schema: Schema, sought: PlaceKind) -> PlaceField | None:
    if Kind.OBJECT not in schema.kinds:
        return None
    numeric = {_snake(each.name): each for each in schema.properties if is_number(_scalar(each.schema))}
    if sought is PlaceKind.POINTS:
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
    name: str, sought: PlaceKind, names: Sequence[str], numeric: Mapping[str, Property], *, sized: bool
) -> PlaceField | None:
    if not all(each in numeric for each in names):
        return None
    found = [numeric[each] for each in names]
    return PlaceField(
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


_STRING = Schema(kinds=frozenset({Kind.STRING}))


@dataclass(frozen=True, slots=True)
class GroundingShape:
    """One node of a caller's schema with places in it or below it.

    An object with places among its own members is a *unit*: it is written as a whole or not at all.

    Attributes:
        schema: The caller's node.
        native: The node in the family's terms: what the model is held to.
        slots: Of a unit, the places by the name of the native member.
        members: Of an object, the nodes below that hold places, by name.
        items: Of an array, the node of its elements.
    """

    schema: Schema
    native: Schema
    slots: Mapping[str, PlaceField] = field(default_factory=dict)
    members: Mapping[str, GroundingShape] = field(default_factory=dict)
    items: GroundingShape | None = None

    @property
    def unit(self) -> bool:
        """Whether places are among the object's own members."""
        return bool(self.slots)

    def first_unit(self) -> GroundingShape | None:
        """The first unit that is met from here on, itself included."""
        if self.unit:
            return self
        below = [*self.members.values()] if self.items is None else [self.items]
        for each in below:
            unit = each.first_unit()
            if unit:
                return unit
        return None

    @property
    def native_already(self) -> bool:
        """Whether the caller's places stand as the API's own form has them, under the native names."""
        own = all(
            name == slot.name and slot.top == GRID and not slot.members and not slot.x_first
            for name, slot in self.slots.items()
        )
        below = [*self.members.values()] if self.items is None else [self.items]
        return own and all(each.native_already for each in below)

    @property
    def sought(self) -> PlaceKind:
        """What the first place is told as."""
        unit = self.first_unit()
        return next(iter(unit.slots.values())).sought if unit else PlaceKind.BOXES


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the first units of a shape.

    Attributes:
        before, after: As `{"objects": [` and `]}`.
        empty: The whole answer when there is no unit.
        many: Whether there may be more than one unit.
    """

    before: str
    after: str
    empty: str
    many: bool


def surroundings(shape: GroundingShape | None) -> Surroundings:
    """What stands around the first units of a shape; of no shape, the API's own array."""
    if shape is None or shape.items is not None:
        inner = surroundings(shape.items) if shape and shape.items and not shape.items.unit else _BARE
        return Surroundings(f"[{inner.before}", f"{inner.after}]", "[]", many=True)
    if shape.unit:
        return _BARE
    name, below = next(iter(shape.members.items()))
    key, inner = json.dumps(name), surroundings(below)
    empty = "{}" if below.unit else f"{{{key}: {inner.empty}}}"
    return Surroundings(f"{{{key}: {inner.before}", f"{inner.after}}}", empty, inner.many)


_BARE = Surroundings("", "", "{}", many=False)


def shape_of(schema: Schema, dialect: Dialect) -> GroundingShape | None:
    """A schema's shape, with the names and numbers of a dialect in `native`; None if it holds no place."""
    if schema.any_of:
        return _of_alternatives(schema, dialect)
    if schema.items is not None and Kind.ARRAY in schema.kinds:
        below = shape_of(schema.items, dialect)
        return GroundingShape(schema, replace(schema, items=below.native), items=below) if below else None
    if schema.properties:
        return _of_object(schema, dialect)
    return None


def native_listing(dialect: Dialect, sought: PlaceKind) -> Schema:
    """What a family writes when nobody asks for more: an array of a place and its label."""
    place = Property(place_key(dialect, sought), place_schema(dialect, sought), required=True)
    label = Property(dialect.label_key, _STRING, required=True)
    members = (label, place) if dialect.label_first else (place, label)
    return Schema(
        kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.OBJECT}), properties=members)
    )


def spoken(dialect: Dialect, sought: PlaceKind) -> PlaceKind:
    """What the family is asked for: boxes where it knows no points; a point is then a box's middle."""
    return sought if sought is PlaceKind.BOXES or dialect.points_prompt else PlaceKind.BOXES


def place_key(dialect: Dialect, sought: PlaceKind) -> str:
    """The member that holds a place where the family writes JSON."""
    return dialect.box_key if spoken(dialect, sought) is PlaceKind.BOXES else dialect.point_key


def place_schema(dialect: Dialect, sought: PlaceKind) -> Schema:
    """An array of the family's own numbers: whole ones, or parts of one where its scale is 1."""
    size = spoken(dialect, sought).size
    kind = Kind.NUMBER if dialect.scale == 1 or dialect.fractions else Kind.INTEGER
    number = Schema(kinds=frozenset({kind}), minimum=0, maximum=dialect.scale or None)
    return Schema(kinds=frozenset({Kind.ARRAY}), items=number, min_items=size, max_items=size)


def _of_alternatives(schema: Schema, dialect: Dialect) -> GroundingShape | None:
    shapes = [shape_of(option, dialect) for option in schema.any_of]
    first = next((shape for shape in shapes if shape), None)
    if first is None:
        return None
    options = tuple(
        shape.native if shape else option for shape, option in zip(shapes, schema.any_of, strict=True)
    )
    return replace(first, native=replace(schema, any_of=options))


def _of_object(schema: Schema, dialect: Dialect) -> GroundingShape | None:
    flat = flat_place_field(schema)
    if flat:
        return _of_flat(schema, flat, dialect)
    slots: dict[str, PlaceField] = {}
    members: dict[str, GroundingShape] = {}
    native: list[Property] = []
    names = {each.name for each in schema.properties}
    for each in schema.properties:
        slot = place_field(each)
        below = None if slot else shape_of(each.schema, dialect)
        if slot:
            name = place_key(dialect, slot.sought)
            if slot.several or name in slots or (name in names and name != each.name):
                name = each.name
            slots[name] = slot
            native.append(Property(name, _slot_schema(each.schema, slot, dialect), each.required))
        elif below:
            members[each.name] = below
            native.append(Property(each.name, below.native, each.required))
        else:
            native.append(each)
    if not slots and not members:
        return None
    told = tuple(native)
    return GroundingShape(
        schema,
        replace(schema, properties=_natively_labelled(told, dialect) if slots else told),
        slots=slots,
        members=members,
    )


def _natively_labelled(members: tuple[Property, ...], dialect: Dialect) -> tuple[Property, ...]:
    """A unit's members with the label under the name that the family was trained on."""
    texts = {each.name for each in members if Kind.STRING in each.schema.kinds}
    if dialect.label_key in {each.name for each in members}:
        return members
    label = next((name for name in LABEL_FIELD_NAMES if name in texts), None)
    return tuple(replace(each, name=dialect.label_key) if each.name == label else each for each in members)


def _of_flat(schema: Schema, flat: PlaceField, dialect: Dialect) -> GroundingShape:
    """The four edges among an object's members give way to the family's one member, where the first stood."""
    key = place_key(dialect, PlaceKind.BOXES)
    place = Property(key, place_schema(dialect, PlaceKind.BOXES), required=True)
    native: list[Property] = []
    for each in schema.properties:
        if each.name not in flat.members:
            native.append(each)
        elif place not in native:
            native.append(place)
    told = _natively_labelled(tuple(native), dialect)
    return GroundingShape(schema, replace(schema, properties=told), slots={key: flat})


def _slot_schema(caller: Schema, slot: PlaceField, dialect: Dialect) -> Schema:
    place = place_schema(dialect, slot.sought)
    if slot.several:
        place = Schema(
            kinds=frozenset({Kind.ARRAY}), items=place, min_items=caller.min_items, max_items=caller.max_items
        )
    if caller.nullable:
        place = replace(place, kinds=place.kinds | {Kind.NULL})
    return place
