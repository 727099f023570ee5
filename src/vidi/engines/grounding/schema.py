"""A caller's schema as it bears on places: where they stand, and the same schema in a family's own terms."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from vidi.domain.schema import JsonValue, Kind, Property, Schema, snake
from vidi.engines.grounding.coordinates import EDGES, MIDDLE, SIZES, PlaceWording, Unit, place_wording
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
        kind: Whether it is a box or a point.
        members: The caller's names of the numbers, y first; () for an array of numbers.
        sized: Whether the last two members are height and width.
        several: Whether it is a list of places.
        unit: What the numbers are measured in, where the schema says so.
        units: What they may be measured in by the schema's kinds and limits.
        x_first: Whether the schema says in so many words that x comes first in the array.
    """

    name: str
    kind: PlaceKind
    members: tuple[str, ...] = ()
    sized: bool = False
    several: bool = False
    unit: Unit | None = None
    units: frozenset[Unit] = field(default=frozenset(Unit), compare=False)
    x_first: bool = False

    def measured(self, said: Unit | None) -> Unit:
        """What the numbers are measured in where the conversation says `said`."""
        return self.unit or (said if said in self.units else None) or Unit.THOUSANDTHS

    @property
    def is_box(self) -> bool:
        """Whether it is one box, beside which a mask can stand."""
        return self.kind is PlaceKind.BOXES and not self.several

    @property
    def worded(self) -> bool:
        """Whether the schema's description wants it otherwise than the API has it."""
        return (
            self.x_first
            or self.unit is Unit.PIXELS
            or (self.unit is Unit.PARTS and self.units != {Unit.PARTS})
        )


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

_DESCRIBED: Mapping[PlaceKind, re.Pattern[str]] = {
    PlaceKind.BOXES: re.compile(
        r"\bbounding[ _-]?(?:box|rect)|\bbbox|\bbox_?2d|^\W*(?:(?:an?|the|its|tight)\s+)*box(?:es)?\b"
        r"|[\[(]\s*[xy]_?(?:min|[012])\s*,\s*[xy]_?(?:min|max|[012])\s*,",
        re.IGNORECASE,
    ),
    PlaceKind.POINTS: re.compile(
        r"^\W*(?:(?:an?|the|its|cent(?:er|re))\s+)*(?:key)?points?\b", re.IGNORECASE
    ),
}
"""Descriptions of a member that holds a place, whatever its name is."""

_VAGUE = re.compile(r"(?:\w+_)?(?:coordinates|coords|location|position|rect(?:angle)?|region|cent(?:er|re))")
_MEASURES = re.compile(
    r"(?!(?:.*_)?(?:bounds|corners|edges|limits)$)"
    r"(?:.*[^s]s|.*3d|.*(?:score|confiden|prob|colou?r|rgb|cmyk|size|vector|embedding|histogram).*|)"
)
"""Names of an array of numbers that is no box."""

_TOLD = 2_000
"""Characters of a description that are read."""

_THREE_TOLD = re.compile(r"\b3-?d\b", re.IGNORECASE)
_THREE = re.compile(r"(?:\w+_)?(?:\w*3d)(?:_\w+)?")
_NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER})


def place_kind_of(name: str) -> PlaceKind | None:
    """What a member holds by its name alone, one place or a list; None where the name leaves a doubt."""
    spelt = snake(name)
    if _THREE.fullmatch(spelt):
        return None
    names = ((kind, table[kind]) for kind in PlaceKind for table in (PLACE_FIELD_NAMES, PLACE_LIST_NAMES))
    return next((kind for kind, pattern in names if pattern.fullmatch(spelt)), None)


def place_field(member: Property) -> PlaceField | None:
    """What place a member is to hold, by its shape and its name or description; None if it is for none."""
    name, schema = snake(member.name), _chosen(member.schema)
    told = (schema.description or member.schema.description)[:_TOLD]
    if _THREE.fullmatch(name) or _THREE_TOLD.search(told):
        return None
    said = place_wording(told)
    for kind in PlaceKind:
        # "box" is a box with any array of numbers; "location" only with exactly four of them, or two.
        described = _DESCRIBED[kind].search(told) is not None
        clear = described or PLACE_FIELD_NAMES[kind].fullmatch(name) is not None
        if clear or _VAGUE.fullmatch(name):
            single = _single(member.name, schema, kind, exact=not clear)
            if single:
                return _as_said(single, said)
        listed = described or PLACE_LIST_NAMES[kind].fullmatch(name)
        if listed and Kind.ARRAY in schema.kinds and schema.items is not None:
            inner = _single(member.name, _chosen(schema.items), kind, exact=False)
            if inner and not (inner.members and kind is PlaceKind.POINTS):
                # A list of {x, y} is as often the data of a chart.
                return replace(_as_said(inner, said), several=True)
    # Four edges and nothing else are a box under any name.
    edges = _by_members(member.name, schema, PlaceKind.BOXES) if len(schema.properties) == 4 else None
    return _as_said(edges, said) if edges else None


def places_in(schema: Schema, *, asked: bool = False) -> Mapping[str, PlaceField]:
    """The places among an object's members, by name.

    Where no name and no description tells of one, but the caller's words ask for boxes, an array of numbers
    is one if there is no other and its name does not speak of several values, or of another measure.
    """
    found = {each.name: place for each in schema.properties if (place := place_field(each))}
    if found or not asked or _by_members("", schema, PlaceKind.BOXES):
        return found
    arrays = [
        place
        for each in schema.properties
        if not _MEASURES.fullmatch(snake(each.name))
        and (place := _single(each.name, _chosen(each.schema), PlaceKind.BOXES, exact=False))
        and not place.members
    ]
    return {arrays[0].name: arrays[0]} if len(arrays) == 1 else {}


def flat_place_field(schema: Schema) -> PlaceField | None:
    """The box whose edges are an object's own members, as `{"label": ..., "ymin": ..., "xmin": ...}`."""
    return _by_members("", schema, PlaceKind.BOXES)


def _as_said(place: PlaceField, said: PlaceWording) -> PlaceField:
    """A field with what its description says of it, as far as its numbers can be so."""
    unit = place.unit or (said.unit if said.unit in place.units else None)
    return replace(place, x_first=said.x_first, unit=unit)


def _is_number(schema: Schema) -> bool:
    """Whether a schema takes numbers and nothing else (but perhaps null)."""
    return bool(schema.kinds) and schema.kinds <= _NUMBERS | {Kind.NULL}


def _chosen(schema: Schema) -> Schema:
    """The first alternative that may hold numbers: an optional member is often `anyOf` with null."""
    options = (schema, *schema.any_of)
    return next((each for each in options if each.kinds & {Kind.ARRAY, Kind.OBJECT}), schema)


def _single(name: str, schema: Schema, kind: PlaceKind, *, exact: bool) -> PlaceField | None:
    if Kind.ARRAY in schema.kinds and _holds(schema, kind.size, exact=exact):
        return _measured(PlaceField(name, kind), schema.prefix_items or (schema.items or Schema(),))
    return _by_members(name, schema, kind)


def _holds(schema: Schema, count: int, *, exact: bool) -> bool:
    """Whether an array is one of `count` numbers; `exact` where its name leaves doubt."""
    if schema.prefix_items:
        return len(schema.prefix_items) == count and all(map(_is_number, schema.prefix_items))
    if schema.items is not None and not _is_number(schema.items):
        return False
    if exact:
        return schema.max_items == count and schema.min_items == count
    if schema.min_items is None and schema.max_items is None:
        return schema.items is not None
    return (schema.min_items or 0) <= count <= (schema.max_items or count)


def _by_members(name: str, schema: Schema, kind: PlaceKind) -> PlaceField | None:
    """The place whose numbers are an object's members, under any of the names that there are for them."""
    if Kind.OBJECT not in schema.kinds:
        return None
    numeric = {snake(each.name): each for each in schema.properties if _is_number(_scalar(each.schema))}
    spellings = [(names, False) for names in EDGES] + [(names, True) for names in SIZES]
    for names, sized in [(MIDDLE, False)] if kind is PlaceKind.POINTS else spellings:
        if all(each in numeric for each in names):
            found = [numeric[each] for each in names]
            place = PlaceField(name, kind, tuple(each.name for each in found), sized=sized)
            return _measured(place, [_scalar(each.schema) for each in found])
    return None


def _scalar(schema: Schema) -> Schema:
    return next((each for each in (schema, *schema.any_of) if each.kinds & _NUMBERS), schema)


def _measured(place: PlaceField, numbers: Sequence[Schema]) -> PlaceField:
    """The field with what its numbers can be: parts of one if they may be no larger, pixels if they may."""
    largest = [number.maximum for number in numbers]
    if all(limit is not None and limit <= 1 for limit in largest):
        return replace(place, unit=Unit.PARTS, units=frozenset({Unit.PARTS}))
    fractions = all(not number.kinds or Kind.NUMBER in number.kinds for number in numbers)
    free = all(limit is None for limit in largest)
    possible = {Unit.THOUSANDTHS: True, Unit.PARTS: fractions, Unit.PIXELS: free}
    return replace(place, units=frozenset(unit for unit, can in possible.items() if can))


_STRING = Schema(kinds=frozenset({Kind.STRING}))


@dataclass(frozen=True, slots=True)
class GroundingShape:
    """One node of a caller's schema with places in it or below it.

    An object with places among its own members is written as a whole or not at all.

    Attributes:
        schema: The caller's node.
        native: The node in the family's terms: what the model is held to.
        place_fields: Of an object with places, these by the name of the native member.
        members: Of an object, the nodes below that hold places, by name.
        items: Of an array, the node of its elements.
    """

    schema: Schema
    native: Schema
    place_fields: Mapping[str, PlaceField] = field(default_factory=dict)
    members: Mapping[str, GroundingShape] = field(default_factory=dict)
    items: GroundingShape | None = None

    @property
    def has_places(self) -> bool:
        """Whether places are among the object's own members."""
        return bool(self.place_fields)

    @property
    def below(self) -> tuple[GroundingShape, ...]:
        """The nodes right below."""
        return tuple(self.members.values()) if self.items is None else (self.items,)

    def first_with_places(self) -> GroundingShape | None:
        """The first object with places from here on, itself included."""
        if self.has_places:
            return self
        return next((found for each in self.below if (found := each.first_with_places())), None)

    @property
    def native_already(self) -> bool:
        """Whether the caller's places stand as the API's own form has them, under the native names."""
        own = all(
            name == each.name
            and each.measured(None) is Unit.THOUSANDTHS
            and not each.members
            and not each.x_first
            for name, each in self.place_fields.items()
        )
        return own and all(each.native_already for each in self.below)

    @property
    def worded(self) -> bool:
        """Whether a description wants a place otherwise than the API has it."""
        own = any(each.worded for each in self.place_fields.values())
        return own or any(each.worded for each in self.below)

    @property
    def kind(self) -> PlaceKind:
        """What the first place is told as."""
        first = self.first_with_places()
        return next(iter(first.place_fields.values())).kind if first else PlaceKind.BOXES


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the objects with places, as `{"objects": [` and `]}`.

    Attributes:
        outer: The way to the innermost array around them, itself included: a member's name, or None for an
            array; () where there is no array.
        inner: The way on from there.
    """

    outer: tuple[str | None, ...]
    inner: tuple[str | None, ...]

    @property
    def many(self) -> bool:
        """Whether there may be more than one object."""
        return bool(self.outer)

    @property
    def before(self) -> str:
        """What stands before the first object."""
        return _opening(self.outer + self.inner)

    @property
    def between(self) -> str:
        """What stands between two of many objects."""
        return f"{_closing(self.inner)}, {_opening(self.inner)}"

    @property
    def after(self) -> str:
        """What stands behind the last object."""
        return _closing(self.outer + self.inner)

    @property
    def empty(self) -> str:
        """The whole answer when there is no object."""
        return json.dumps(self.value([]))

    def value(self, objects: Sequence[JsonValue]) -> JsonValue:
        """The whole answer with these objects in it."""
        if self.many and objects:
            return _nested(self.outer[:-1], [_nested(self.inner, each) for each in objects])
        if self.many:
            return _nested(self.outer[: self.outer.index(None)], [])
        return _nested(self.inner, objects[0]) if objects else _nested(self.inner[:-1], {})


def surroundings(shape: GroundingShape | None) -> Surroundings:
    """What stands around the first objects with places; of no shape, the API's own array."""
    path: list[str | None] = [None] if shape is None else []
    while shape is not None and not shape.has_places:
        step, shape = (None, shape.items) if shape.items else next(iter(shape.members.items()))
        path.append(step)
    outer = max((index + 1 for index, step in enumerate(path) if step is None), default=0)
    return Surroundings(tuple(path[:outer]), tuple(path[outer:]))


def _opening(path: Sequence[str | None]) -> str:
    return "".join("[" if step is None else f"{{{json.dumps(step)}: " for step in path)


def _closing(path: Sequence[str | None]) -> str:
    return "".join("]" if step is None else "}" for step in reversed(path))


def _nested(path: Sequence[str | None], value: JsonValue) -> JsonValue:
    for step in reversed(path):
        value = [value] if step is None else {step: value}
    return value


def shape_of(schema: Schema, dialect: Dialect, *, asked: bool = False) -> GroundingShape | None:
    """A schema's shape, with the names and numbers of a dialect in `native`; None if it holds no place.

    Args:
        schema: The caller's.
        dialect: How the family writes places.
        asked: As for `places_in`.
    """
    if schema.any_of:
        return _of_alternatives(schema, dialect, asked=asked)
    if schema.items is not None and Kind.ARRAY in schema.kinds:
        below = shape_of(schema.items, dialect, asked=asked)
        return GroundingShape(schema, replace(schema, items=below.native), items=below) if below else None
    if schema.properties:
        return _of_object(schema, dialect, asked=asked)
    return None


def native_listing(dialect: Dialect, kind: PlaceKind) -> Schema:
    """What a family writes when nobody asks for more: an array of a place and its label."""
    place = Property(place_key(dialect, kind), place_schema(dialect, kind), required=True)
    label = Property(dialect.label_key, _STRING, required=True)
    members = (label, place) if dialect.label_first else (place, label)
    return Schema(
        kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.OBJECT}), properties=members)
    )


def native_kind(dialect: Dialect, kind: PlaceKind) -> PlaceKind:
    """What the family is asked for: boxes where it knows no points; a point is then a box's middle."""
    return kind if kind is PlaceKind.BOXES or dialect.points_prompt else PlaceKind.BOXES


def place_key(dialect: Dialect, kind: PlaceKind) -> str:
    """The member that holds a place where the family writes JSON."""
    return dialect.box_key if native_kind(dialect, kind) is PlaceKind.BOXES else dialect.point_key


def place_schema(dialect: Dialect, kind: PlaceKind) -> Schema:
    """An array of the family's own numbers: whole ones, or parts of one where its scale is 1."""
    size = native_kind(dialect, kind).size
    numeric = Kind.NUMBER if dialect.scale == 1 or dialect.fractions else Kind.INTEGER
    number = Schema(kinds=frozenset({numeric}), minimum=0, maximum=dialect.scale or None)
    return Schema(kinds=frozenset({Kind.ARRAY}), items=number, min_items=size, max_items=size)


def _of_alternatives(schema: Schema, dialect: Dialect, *, asked: bool) -> GroundingShape | None:
    # The model may choose any of them, so all are translated; its answer is read by the first with places.
    shapes = [shape_of(option, dialect, asked=asked) for option in schema.any_of]
    first = next((shape for shape in shapes if shape), None)
    if first is None:
        return None
    options = tuple(
        shape.native if shape else option for shape, option in zip(shapes, schema.any_of, strict=True)
    )
    return replace(first, native=replace(schema, any_of=options))


def _of_object(schema: Schema, dialect: Dialect, *, asked: bool) -> GroundingShape | None:
    # The order of the members stays the caller's: what a model has written steers what it writes next.
    flat = flat_place_field(schema)
    if flat:
        return _of_flat(schema, flat, dialect)
    place_fields: dict[str, PlaceField] = {}
    members: dict[str, GroundingShape] = {}
    native: list[Property] = []
    names = {each.name for each in schema.properties}
    places = places_in(schema, asked=asked)
    for each in schema.properties:
        place = places.get(each.name)
        below = None if place else shape_of(each.schema, dialect, asked=asked)
        if place:
            name = place_key(dialect, place.kind)
            # The family's own name goes to one member only, and to none where the caller uses it for another.
            if place.several or name in place_fields or (name in names and name != each.name):
                name = each.name
            place_fields[name] = place
            native.append(Property(name, _native_place(each.schema, place, dialect), each.required))
        elif below:
            members[each.name] = below
            native.append(Property(each.name, below.native, each.required))
        else:
            native.append(each)
    if not place_fields and not members:
        return None
    properties = _natively_labelled(tuple(native), dialect) if place_fields else tuple(native)
    return GroundingShape(schema, replace(schema, properties=properties), place_fields, members)


def _natively_labelled(members: tuple[Property, ...], dialect: Dialect) -> tuple[Property, ...]:
    """An object's members with the label under the name that the family was trained on."""
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
    properties = _natively_labelled(tuple(native), dialect)
    return GroundingShape(schema, replace(schema, properties=properties), {key: flat})


def _native_place(caller: Schema, place: PlaceField, dialect: Dialect) -> Schema:
    """A place in the family's numbers, as many of them and as nullable as the caller's."""
    native = place_schema(dialect, place.kind)
    if place.several:
        array = Schema(kinds=frozenset({Kind.ARRAY}), items=native)
        native = replace(array, min_items=caller.min_items, max_items=caller.max_items)
    return replace(native, kinds=native.kinds | {Kind.NULL}) if caller.nullable else native
