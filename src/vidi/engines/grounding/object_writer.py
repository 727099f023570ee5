"""One object as the family wrote it, turned into the caller's objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vidi.domain.geometry import GRID, Box, Point
from vidi.domain.schema import Kind, Schema
from vidi.engines.grounding.coordinates import EDGE_NAMES, Denormalizer, Group, groups_in, named
from vidi.engines.grounding.schema import (
    LABEL_FIELD_NAMES,
    NATIVE_PLACE_NAMES,
    GroundingShape,
    PlaceField,
    PlaceKind,
    place_key,
)
from vidi.engines.profile import Form
from vidi.engines.validation import JsonValue

_SURROGATE = re.compile("[\ud800-\udfff]")

_LABELS = (*LABEL_FIELD_NAMES, "description", "text")

_IMAGE_FROM_0 = ("image_index", "image_id")
_IMAGE_FROM_1 = "image"

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_DECODER = json.JSONDecoder(strict=False)

JsonObject = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ObjectWriter:
    """Writes the caller's objects.

    Attributes:
        ruler: Turns numbers into places.
        sought: What is told: boxes, or points.
        label: What a place is called that the model gave no name; "" if that is not known either.
        x_first: Whether the caller spells out an order with x before y.
    """

    ruler: Denormalizer
    sought: PlaceKind
    label: str = ""
    x_first: bool = False

    def has_place(self, value: JsonObject) -> bool:
        """Whether an object holds numbers that may be a place, among its own members."""
        return self._place(value) is not None or named(value, self.ruler.dialect.order) is not None

    def plain(self, value: JsonObject) -> Iterator[str]:
        """The API's own objects, one for each place in `value`, with the members that are left over."""
        key = self._place(value)
        dialect = self.ruler.dialect
        raw: JsonValue = value[key] if key else dict(value)
        name = "box_2d" if self.sought is PlaceKind.BOXES else "point"
        slot = PlaceField(name, self.sought, x_first=self.x_first)
        rest = self._rest(value, key)
        label = value.get(dialect.label_key, value.get("label", self.label or None))
        for group in groups_in(raw, dialect.order):
            numbers = self._written(group, slot, value)
            if numbers is not None:
                named_as = {} if label is None else {"label": label}
                text = dumps({name: numbers, **named_as, **rest})
                if text:
                    yield text

    def _rest(self, value: JsonObject, key: str | None) -> JsonObject:
        """What an object says beside place and label."""
        known = {key, self.ruler.dialect.label_key, "label", "box_2d", "point"}
        if key is None:
            known |= EDGE_NAMES
        if self.ruler.dialect.form is Form.POINTS and len(self.ruler.pictures) == 1:
            known.add(_IMAGE_FROM_1)
        return {name: member for name, member in value.items() if name not in known}

    def shaped(self, value: JsonObject, shape: GroundingShape) -> Iterator[str]:
        """The caller's objects of a unit's shape, one for each place in `value`."""
        for each in self._units(value, shape):
            text = dumps(each)
            if text:
                yield text

    def _units(self, value: JsonObject, shape: GroundingShape) -> Iterator[dict[str, JsonValue]]:
        native = next((name for name in shape.slots if value.get(name) is not None), next(iter(shape.slots)))
        slot = shape.slots[native]
        if native not in value:
            value = self._renamed(value, native)
        raw = value.get(native)
        if raw is None:
            if _may_lack(shape):
                yield self._unit(value, shape, "", None)
            return
        groups = list(groups_in(raw, self.ruler.dialect.order))
        if slot.several:
            all_written = [self._written(group, slot, value) for group in groups]
            places: list[JsonValue] = [[each for each in all_written if each is not None]] if groups else []
        else:
            places = [each for each in (self._written(group, slot, value) for group in groups) if each]
        for place in places:
            yield self._unit(value, shape, native, place)

    def _unit(
        self, value: JsonObject, shape: GroundingShape, first: str, place: JsonValue
    ) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for name, member in value.items():
            slot = shape.slots.get(name)
            if name == first:
                found.update(_placed(shape.slots[first], place))
            elif slot:
                found.update(self._other(slot, member, value))
            elif name in shape.members:
                found[name] = self.nested(member, shape.members[name])
            else:
                found[name] = member
        return _fitted(found, shape.schema, self.ruler.dialect.label_key, self.label)

    def _other(self, slot: PlaceField, member: JsonValue, value: JsonObject) -> dict[str, JsonValue]:
        """A further place of a unit; one that is not there is null or left out."""
        groups = groups_in(member, self.ruler.dialect.order)
        written = [each for each in (self._written(group, slot, value) for group in groups) if each]
        if slot.several:
            return _placed(slot, list(written))
        if written:
            return _placed(slot, written[0])
        return {slot.name: None} if member is None and slot.name else {}

    def nested(self, value: JsonValue, shape: GroundingShape) -> JsonValue:
        """A value with units somewhere below it; units without a place are left out of their lists."""
        if isinstance(value, list) and shape.items is not None:
            return [found for each in value for found in self._elements(each, shape.items)]
        if isinstance(value, dict) and shape.unit:
            return next(self._units(value, shape), None)
        if isinstance(value, dict):
            below = shape.members
            return {
                name: self.nested(member, below[name]) if name in below else member
                for name, member in value.items()
            }
        return value

    def _elements(self, value: JsonValue, shape: GroundingShape) -> Iterator[JsonValue]:
        if isinstance(value, dict) and shape.unit:
            yield from self._units(value, shape)
        else:
            yield self.nested(value, shape)

    def _place(self, value: JsonObject) -> str | None:
        """The member that holds the place."""
        own = place_key(self.ruler.dialect, self.sought)
        keys = (own, self.ruler.dialect.box_key, *NATIVE_PLACE_NAMES)
        return next((key for key in keys if value.get(key) is not None), None)

    def _renamed(self, value: JsonObject, native: str) -> JsonObject:
        """A unit whose place stands under another name than the one that was asked for."""
        key = self._place(value)
        if key:
            return {native if name == key else name: member for name, member in value.items()}
        group = named(value, self.ruler.dialect.order)
        return {native: list(group), **value} if group else value

    def _written(self, group: Group, slot: PlaceField, value: JsonObject) -> JsonValue:
        """A place as the caller wants it; None if it is none."""
        image, x_first = _image(value), slot.x_first or self.x_first
        if slot.sought is PlaceKind.POINTS:
            point = self.ruler.point(group, image)
            return _point(point, slot, x_first=x_first) if point else None
        box = self.ruler.box(group, image)
        return _box(box, slot, x_first=x_first) if box else None


def _box(box: Box, slot: PlaceField, *, x_first: bool) -> JsonValue:
    ymin, xmin = _scaled(box.ymin, slot.top), _scaled(box.xmin, slot.top)
    ymax, xmax = _scaled(box.ymax, slot.top), _scaled(box.xmax, slot.top)
    if slot.sized:
        ymax, xmax = _less(ymax, ymin), _less(xmax, xmin)
    edges: Sequence[JsonValue] = (ymin, xmin, ymax, xmax)
    if slot.members:
        return dict(zip(slot.members, edges, strict=True))
    return [xmin, ymin, xmax, ymax] if x_first else list(edges)


def _point(point: Point, slot: PlaceField, *, x_first: bool) -> JsonValue:
    y, x = (_scaled(edge, slot.top) for edge in point.point())
    if slot.members:
        return dict(zip(slot.members, (y, x), strict=True))
    return [x, y] if x_first else [y, x]


def _scaled(edge: float, top: float) -> int | float:
    return int(edge) if top == GRID else edge / GRID


def _less(far: float, near: float) -> int | float:
    size = round(far - near, 3)
    return int(size) if isinstance(far, int) else size


def _placed(slot: PlaceField, place: JsonValue) -> dict[str, JsonValue]:
    """A place as members of the caller's object: one of its own, or its edges where they stand alone."""
    if slot.name:
        return {slot.name: place}
    return dict(place) if isinstance(place, dict) else {}


def _fitted(found: dict[str, JsonValue], schema: Schema, label_key: str, label: str) -> dict[str, JsonValue]:
    """The caller's members in the caller's order; others only where the schema is open."""
    wanted = {each.name: each for each in schema.properties}
    name = next((each for each in _LABELS if each in wanted and _is_text(wanted[each].schema)), None)
    if name and name not in found:
        told = found.pop(label_key, found.pop("label", label or None))
        if told is not None or wanted[name].required:
            found[name] = told or ""
    for each in wanted.values():
        if each.required and each.name not in found and each.schema.nullable:
            found[each.name] = None
    ordered = {key: found[key] for key in wanted if key in found}
    if schema.additional is not None or not wanted:
        ordered.update((key, member) for key, member in found.items() if key not in ordered)
    return ordered


def _may_lack(shape: GroundingShape) -> bool:
    """Whether the caller's object may stand without any place, as one that says that nothing was found."""
    names = {slot.name for slot in shape.slots.values()}
    own = [each for each in shape.schema.properties if each.name in names]
    return "" not in names and all(each.schema.nullable or not each.required for each in own)


def _is_text(schema: Schema) -> bool:
    options = (schema, *schema.any_of)
    return any(Kind.STRING in each.kinds for each in options)


def _image(value: JsonObject) -> int | None:
    """Which picture an object says that it speaks of, from 0."""
    for name in _IMAGE_FROM_0:
        index = value.get(name)
        if isinstance(index, int) and not isinstance(index, bool):
            return index
    number = value.get(_IMAGE_FROM_1)
    return number - 1 if isinstance(number, int) and not isinstance(number, bool) else None


def dumps(value: JsonValue) -> str:
    """A value as JSON that any encoder can send; "" for one that JSON cannot say (an infinite number)."""
    try:
        text = _ENCODER.encode(value)
        return text if _SURROGATE.search(text) is None else json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return ""


def loads(text: str) -> JsonValue:
    """A value from JSON, with raw line breaks in strings allowed.

    Raises:
        ValueError: It is none, or is nested too deeply.
    """
    try:
        value: JsonValue = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value
