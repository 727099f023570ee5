"""One object as the family wrote it, turned into the caller's objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vidi.domain.geometry import GRID, Box, Point
from vidi.domain.schema import JsonValue, Kind, Schema
from vidi.engines.grounding.coordinates import (
    EDGE_NAMES,
    USUAL,
    Denormalizer,
    Group,
    PlaceWording,
    Unit,
    groups_in,
    named_group,
)
from vidi.engines.grounding.masks import OUTLINES, MaskWriter, is_mask_name, mask_field
from vidi.engines.grounding.schema import (
    LABEL_FIELD_NAMES,
    NATIVE_PLACE_NAMES,
    GroundingShape,
    PlaceField,
    PlaceKind,
    place_key,
    place_kind_of,
)
from vidi.engines.profile import Form

_LABELS = (*LABEL_FIELD_NAMES, "description", "text")
_IMAGE_FROM_0 = ("image_index", "image_id")
_IMAGE_FROM_1 = "image"

JsonObject = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class WrittenPlace:
    """A place as the caller wants it.

    Attributes:
        box: Where it is, with the index of its picture; None for a point.
    """

    value: JsonValue
    box: Box | None = None
    image: int | None = None


@dataclass(frozen=True, slots=True)
class ObjectWriter:
    """Writes the caller's objects.

    A model may give several places in one object, where the caller has an object for each: one object comes
    in, and none, one or more go out.

    Attributes:
        denormalizer: Turns the family's numbers into places.
        kind: What is told: boxes, or points.
        label: What a place is called that the model gave no name; "" if that is not known either.
        said: How the caller's words want places written.
        masks: Makes the masks of boxes; None where none are wanted.
        earlier: How many of the pictures were shown in earlier turns.
        named: Index, among the others, of the one that the conversation asks about by its number; None if it
            does not.
    """

    denormalizer: Denormalizer
    kind: PlaceKind
    label: str = ""
    said: PlaceWording = USUAL
    masks: MaskWriter | None = None
    earlier: int = 0
    named: int | None = None

    def has_place(self, value: JsonObject) -> bool:
        """Whether an object holds numbers that may be a place, among its own members."""
        return self._place_name(value) is not None or self._named_group(value) is not None

    def plain(self, value: JsonObject) -> Iterator[dict[str, JsonValue]]:
        """The API's own objects, one for each place in `value`, with the members that are left over."""
        usual = "box_2d" if self.kind is PlaceKind.BOXES else "point"
        name = next((each for each in self.said.names if place_kind_of(each) is self.kind), usual)
        texts = [each for each in self.said.names if each in _LABELS]
        place_field = PlaceField(name, self.kind)
        native = self._place_name(value)
        raw: JsonValue = value[native] if native else dict(value)
        label = value.get(self.denormalizer.dialect.label_key, value.get("label", self.label or None))
        label_member = {} if label is None else {next(iter(texts), "label"): label}
        rest = self._rest(value, native)
        mask = next(filter(is_mask_name, self.said.names), "mask")
        for place in self._places(raw, place_field, value):
            masked = self._masked(mask, place, value)
            yield {name: place.value, **masked, **label_member, **rest}

    def _masked(self, name: str, place: WrittenPlace, value: JsonObject) -> dict[str, JsonValue]:
        """The mask of a box as a member of that name, where one is wanted."""
        if self.masks is None or place.box is None or not name:
            return {}
        label = value.get(self.denormalizer.dialect.label_key, self.label)
        picture = self.denormalizer.picture(place.image)
        named = label if isinstance(label, str) else ""
        return {name: self.masks.text(picture, place.box, named, tuple(self._outlines(value, place.image)))}

    def _outlines(self, value: JsonObject, image: int | None) -> Iterator[Sequence[Point]]:
        """What the family drew around a thing, on the caller's image."""
        drawn = value.get(OUTLINES)
        for outline in drawn if isinstance(drawn, list) else ():
            numbers = (
                [each for each in outline if isinstance(each, float)] if isinstance(outline, list) else []
            )
            pairs = zip(numbers[0::2], numbers[1::2], strict=False)
            points = [point for pair in pairs if (point := self.denormalizer.point(pair, image))]
            if len(points) >= 3:
                yield points

    def _rest(self, value: JsonObject, native: str | None) -> JsonObject:
        """What an object says beside place and label."""
        dialect = self.denormalizer.dialect
        known = {native, dialect.label_key, "label", "box_2d", "point", OUTLINES}
        if native is None:
            known |= EDGE_NAMES
        if dialect.form is Form.POINTS and len(self.denormalizer.pictures) == 1:
            # This form numbers its pictures even where there is only one to speak of.
            known.add(_IMAGE_FROM_1)
        own = {name: member for name, member in value.items() if name not in known}
        return own if self.masks is None else {name: own[name] for name in own if not is_mask_name(name)}

    def shaped(
        self, value: JsonObject, shape: GroundingShape, image: int | None = None
    ) -> Iterator[dict[str, JsonValue]]:
        """The caller's objects of a shape that has places: one for each place in the first of its fields.

        Args:
            value: As the family wrote it.
            shape: What the caller wants.
            image: Index among the latest pictures, by the object's place in the answer; None leaves it open.
        """
        image = self.named if image is None else image
        image = None if image is None else image + self.earlier
        # The first field with a value counts the objects; further fields go along with each of them.
        fields = shape.place_fields
        first = next((name for name in fields if value.get(name) is not None), next(iter(fields)))
        if first not in value:
            # The schema is only held where the engine has a grammar: a model may use a name of its own.
            value = self._renamed(value, first)
        raw = value.get(first)
        if raw is None:
            if _may_lack_places(shape):
                yield self._object(value, shape, "", WrittenPlace(None))
            return
        found = list(self._places(raw, fields[first], value, image))
        if not fields[first].several:
            for place in found:
                yield self._object(value, shape, first, place)
        elif next(groups_in(raw, self.denormalizer.dialect.order), None):
            # A list of places stays a list, even if none of them has an area; without any numbers it is none.
            yield self._object(value, shape, first, WrittenPlace([place.value for place in found]))

    def _object(
        self, value: JsonObject, shape: GroundingShape, first: str, place: WrittenPlace
    ) -> dict[str, JsonValue]:
        """One of the caller's objects, with `place` for the first of its fields."""
        found: dict[str, JsonValue] = {}
        for name, member in value.items():
            place_field = shape.place_fields.get(name)
            if place_field and name == first:
                found.update(_as_members(place_field, place.value))
            elif place_field:
                found.update(self._further(place_field, member, value))
            elif name in shape.members:
                found[name] = self._nested(member, shape.members[name])
            elif name != OUTLINES:
                found[name] = member
        if self.masks and any(each.is_box for each in shape.place_fields.values()):
            found.update(self._masked(mask_field(shape.schema), place, value))
        return _fitted(found, shape.schema, self.denormalizer.dialect.label_key, self.label)

    def _further(self, place_field: PlaceField, member: JsonValue, value: JsonObject) -> JsonObject:
        """A further place of an object; one that is not there is null or left out."""
        places = [each.value for each in self._places(member, place_field, value)]
        if place_field.several:
            return _as_members(place_field, places)
        if places:
            return _as_members(place_field, places[0])
        return {place_field.name: None} if member is None and place_field.name else {}

    def _nested(self, value: JsonValue, shape: GroundingShape) -> JsonValue:
        """A value with places somewhere below it; objects without their place are left out of their lists."""
        if isinstance(value, list) and shape.items is not None:
            return [found for each in value for found in self._elements(each, shape.items)]
        if isinstance(value, dict) and shape.has_places:
            return next(self.shaped(value, shape), None)
        if isinstance(value, dict):
            below = shape.members
            return {
                name: self._nested(member, below[name]) if name in below else member
                for name, member in value.items()
            }
        return value

    def _elements(self, value: JsonValue, shape: GroundingShape) -> Iterator[JsonValue]:
        if isinstance(value, dict) and shape.has_places:
            yield from self.shaped(value, shape)
        else:
            yield self._nested(value, shape)

    def _place_name(self, value: JsonObject) -> str | None:
        """The member that holds the place: the one that was asked for, or one that models fall back to."""
        dialect = self.denormalizer.dialect
        names = (place_key(dialect, self.kind), dialect.box_key, *NATIVE_PLACE_NAMES)
        return next((name for name in names if value.get(name) is not None), None)

    def _named_group(self, value: JsonObject) -> Group | None:
        """The place whose numbers are the object's own members."""
        return named_group(value, self.denormalizer.dialect.order)

    def _renamed(self, value: JsonObject, native: str) -> JsonObject:
        """An object whose place stands under another name than the one that was asked for."""
        own = self._place_name(value)
        if own:
            return {native if name == own else name: member for name, member in value.items()}
        group = self._named_group(value)
        return {native: list(group), **value} if group else value

    def _places(
        self, raw: JsonValue, place_field: PlaceField, value: JsonObject, image: int | None = None
    ) -> Iterator[WrittenPlace]:
        """The places in a member of `value`, as the caller wants them; numbers that are none are left out."""
        own = _image(value)
        image, x_first = image if own is None else own, place_field.x_first or self.said.x_first
        unit = place_field.measured(self.said.unit)
        ends = {Unit.THOUSANDTHS: (GRID, GRID), Unit.PARTS: (1, 1)}.get(
            unit, self.denormalizer.source_size(image)
        )
        for group in groups_in(raw, self.denormalizer.dialect.order):
            if place_field.kind is PlaceKind.POINTS:
                point = self.denormalizer.point(group, image)
                if point:
                    yield WrittenPlace(_point(point, place_field, ends, x_first=x_first))
            else:
                box = self.denormalizer.box(group, image)
                if box:
                    yield WrittenPlace(_box(box, place_field, ends, x_first=x_first), box, image)


Ends = tuple[float, float]
"""What a picture's lower and right edge are written as."""


def _box(box: Box, place_field: PlaceField, ends: Ends, *, x_first: bool) -> JsonValue:
    ymin, ymax = (_scaled(edge, ends[0]) for edge in (box.ymin, box.ymax))
    xmin, xmax = (_scaled(edge, ends[1]) for edge in (box.xmin, box.xmax))
    if place_field.sized:
        ymax, xmax = _less(ymax, ymin), _less(xmax, xmin)
    edges: Sequence[JsonValue] = (ymin, xmin, ymax, xmax)
    if place_field.members:
        return dict(zip(place_field.members, edges, strict=True))
    return [xmin, ymin, xmax, ymax] if x_first else list(edges)


def _point(point: Point, place_field: PlaceField, ends: Ends, *, x_first: bool) -> JsonValue:
    y, x = (_scaled(edge, end) for edge, end in zip(point.point(), ends, strict=True))
    if place_field.members:
        return dict(zip(place_field.members, (y, x), strict=True))
    return [x, y] if x_first else [y, x]


def _scaled(edge: float, end: float) -> int | float:
    return edge / GRID if end == 1 else round(edge * end / GRID)


def _less(far: float, near: float) -> int | float:
    size = round(far - near, 3)
    return int(size) if isinstance(far, int) else size


def _as_members(place_field: PlaceField, place: JsonValue) -> dict[str, JsonValue]:
    """A place as members of the caller's object: one of its own, or its edges where they stand alone."""
    if place_field.name:
        return {place_field.name: place}
    return dict(place) if isinstance(place, dict) else {}


def _fitted(found: dict[str, JsonValue], schema: Schema, label_key: str, label: str) -> dict[str, JsonValue]:
    """The caller's members in the caller's order; others only where the schema is open."""
    wanted = {each.name: each for each in schema.properties}
    name = next((each for each in _LABELS if each in wanted and _is_text(wanted[each].schema)), None)
    if name and name not in found:
        # The model was asked for the label under the family's own name: it goes to the caller's best one.
        given = found.pop(label_key, found.pop("label", label or None))
        if given is not None or wanted[name].required:
            found[name] = given or ""
    for each in wanted.values():
        if each.required and each.name not in found and each.schema.nullable:
            found[each.name] = None
    ordered = {key: found[key] for key in wanted if key in found}
    if schema.additional is not None or not wanted:
        ordered.update((key, member) for key, member in found.items() if key not in ordered)
    return ordered


def _may_lack_places(shape: GroundingShape) -> bool:
    """Whether the caller's object may stand without any place, as one that says that nothing was found."""
    names = {each.name for each in shape.place_fields.values()}
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
