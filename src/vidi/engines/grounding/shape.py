"""A caller's schema as it bears on places: where they stand, and the same schema in a family's own terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from vidi.domain.geometry import GRID
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.dialect import Dialect
from vidi.engines.grounding.slots import Slot, Sought, flat_slot, slot_of

_STRING = Schema(kinds=frozenset({Kind.STRING}))

_NAMES = ("label", "name", "object", "class", "class_name", "category", "title", "item")
"""Names of a member that says what stands in a place, best first."""


@dataclass(frozen=True, slots=True)
class Shape:
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
    slots: Mapping[str, Slot] = field(default_factory=dict)
    members: Mapping[str, Shape] = field(default_factory=dict)
    items: Shape | None = None

    @property
    def unit(self) -> bool:
        """Whether places are among the object's own members."""
        return bool(self.slots)

    def first_unit(self) -> Shape | None:
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
    def sought(self) -> Sought:
        """What the first place is told as."""
        unit = self.first_unit()
        return next(iter(unit.slots.values())).sought if unit else Sought.BOXES


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


def surroundings(shape: Shape | None) -> Surroundings:
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


def shape_of(schema: Schema, dialect: Dialect) -> Shape | None:
    """A schema's shape, with the names and numbers of a dialect in `native`; None if it holds no place."""
    if schema.any_of:
        return _of_alternatives(schema, dialect)
    if schema.items is not None and Kind.ARRAY in schema.kinds:
        below = shape_of(schema.items, dialect)
        return Shape(schema, replace(schema, items=below.native), items=below) if below else None
    if schema.properties:
        return _of_object(schema, dialect)
    return None


def native_listing(dialect: Dialect, sought: Sought) -> Schema:
    """What a family writes when nobody asks for more: an array of a place and its label."""
    place = Property(place_key(dialect, sought), place_schema(dialect, sought), required=True)
    label = Property(dialect.label_key, _STRING, required=True)
    members = (label, place) if dialect.label_first else (place, label)
    return Schema(
        kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.OBJECT}), properties=members)
    )


def spoken(dialect: Dialect, sought: Sought) -> Sought:
    """What the family is asked for: boxes where it knows no points; a point is then a box's middle."""
    return sought if sought is Sought.BOXES or dialect.points_prompt else Sought.BOXES


def place_key(dialect: Dialect, sought: Sought) -> str:
    """The member that holds a place where the family writes JSON."""
    return dialect.box_key if spoken(dialect, sought) is Sought.BOXES else dialect.point_key


def place_schema(dialect: Dialect, sought: Sought) -> Schema:
    """An array of the family's own numbers: whole ones, or parts of one where its scale is 1."""
    size = spoken(dialect, sought).size
    kind = Kind.NUMBER if dialect.scale == 1 or dialect.fractions else Kind.INTEGER
    number = Schema(kinds=frozenset({kind}), minimum=0, maximum=dialect.scale or None)
    return Schema(kinds=frozenset({Kind.ARRAY}), items=number, min_items=size, max_items=size)


def _of_alternatives(schema: Schema, dialect: Dialect) -> Shape | None:
    shapes = [shape_of(option, dialect) for option in schema.any_of]
    first = next((shape for shape in shapes if shape), None)
    if first is None:
        return None
    options = tuple(
        shape.native if shape else option for shape, option in zip(shapes, schema.any_of, strict=True)
    )
    return replace(first, native=replace(schema, any_of=options))


def _of_object(schema: Schema, dialect: Dialect) -> Shape | None:
    flat = flat_slot(schema)
    if flat:
        return _of_flat(schema, flat, dialect)
    slots: dict[str, Slot] = {}
    members: dict[str, Shape] = {}
    native: list[Property] = []
    names = {each.name for each in schema.properties}
    for each in schema.properties:
        slot = slot_of(each)
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
    return Shape(
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
    label = next((name for name in _NAMES if name in texts), None)
    return tuple(replace(each, name=dialect.label_key) if each.name == label else each for each in members)


def _of_flat(schema: Schema, flat: Slot, dialect: Dialect) -> Shape:
    """The four edges among an object's members give way to the family's one member, where the first stood."""
    key = place_key(dialect, Sought.BOXES)
    place = Property(key, place_schema(dialect, Sought.BOXES), required=True)
    native: list[Property] = []
    for each in schema.properties:
        if each.name not in flat.members:
            native.append(each)
        elif place not in native:
            native.append(place)
    told = _natively_labelled(tuple(native), dialect)
    return Shape(schema, replace(schema, properties=told), slots={key: flat})


def _slot_schema(caller: Schema, slot: Slot, dialect: Dialect) -> Schema:
    place = place_schema(dialect, slot.sought)
    if slot.several:
        place = Schema(
            kinds=frozenset({Kind.ARRAY}), items=place, min_items=caller.min_items, max_items=caller.max_items
        )
    if caller.nullable:
        place = replace(place, kinds=place.kinds | {Kind.NULL})
    return place
