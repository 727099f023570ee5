"""The value that says least: what a structured answer holds where nothing is known.

Null where the schema allows it, else no elements, no optional members, an empty text, false, the number
nearest to zero, the first option. Dates and times are the zero of Go's `time.Time`. And what satisfies two
schemas at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from vidi.domain.errors import InvalidRequest
from vidi.domain.schema import Kind, Property, Scalar, Schema
from vidi.engines.validation import JsonValue, matches, readable, satisfies, satisfying

WHERE = "generation_config.response_schema"
"""The field that a refusal names."""

LONGEST_TEXT = 100_000
MOST_ELEMENTS = 10_000
MOST_VALUES = 100_000
"""Larger demands of a schema are refused before memory is spent on nothing."""

_CHARACTERS_PER_VALUE = 100
"""A demanded text of so many characters weighs as much as another value."""

_ZERO_TEXTS = {"date": "0001-01-01", "date-time": "0001-01-01T00:00:00Z", "time": "00:00:00Z"}
_PATTERN_GUESSES = ("", " ", "a", "A", "-", "0", "none", "n/a", "#000000", *_ZERO_TEXTS.values())
_PREFERENCE = (
    Kind.NULL,
    Kind.ARRAY,
    Kind.OBJECT,
    Kind.STRING,
    Kind.BOOLEAN,
    Kind.INTEGER,
    Kind.NUMBER,
)


class Unfillable(InvalidRequest):
    """No value, or none that can be made here, satisfies the schema."""


def refuse(path: str, reason: str) -> Unfillable:
    """The error for a schema that cannot be filled at `path` (as `$.items[0]`)."""
    return Unfillable(f"The response schema cannot be filled at {path}: {reason}", where=WHERE)


def minimal_value(schema: Schema, path: str = "$") -> JsonValue:
    """Make the value that says least among those that satisfy a schema.

    Raises:
        Unfillable: The schema contradicts itself or asks for more than can be made; names the place.
    """
    if schema.any_of:
        return _first_alternative(schema, path)
    if schema.enum is not None:
        return _first_option(schema, path)
    return _blank_of(schema, default_kind(schema), path)


def check_size(schema: Schema) -> None:
    """Refuse a schema that demands more values, in all its nested arrays together, than can be made.

    Raises:
        Unfillable: It demands more than MOST_VALUES.
    """
    if _weight(schema) > MOST_VALUES:
        raise refuse("$", f"it demands more than {MOST_VALUES} values; lower its minItems and minLength.")


def _weight(schema: Schema) -> int:
    """How many values the smallest whole instance has, roughly; counting stops above MOST_VALUES."""
    # A demand that is too large by itself is refused in its place, with its own words.
    weight = 1 + min(schema.min_length or 0, LONGEST_TEXT) // _CHARACTERS_PER_VALUE
    weight += sum(_weight(each.schema) for each in schema.properties)
    weight += max((_weight(option) for option in schema.any_of), default=0)
    least = min(schema.min_items or 0, MOST_ELEMENTS)
    named = schema.prefix_items[:least]
    weight += sum(_weight(item) for item in named)
    if least > len(named):
        weight += (least - len(named)) * _weight(schema.items or Schema())
    return min(weight, MOST_VALUES + 1)


def default_kind(schema: Schema) -> Kind:
    """The type of the blank value: null if it may be, else the first allowed one."""
    if schema.kinds:
        return next(kind for kind in _PREFERENCE if kind in schema.kinds)
    if schema.properties:
        return Kind.OBJECT
    return Kind.ARRAY if schema.items or schema.prefix_items else Kind.NULL


def alternatives(schema: Schema) -> Iterator[Schema]:
    """The alternatives of a schema, each joined with what holds for all of them.

    Raises:
        Unfillable: There are too many.
    """
    try:
        yield from Intersection().branches(schema)
    except TooManyBranches as error:
        raise refuse("$", f"{error}.") from error


def options(schema: Schema) -> tuple[Scalar, ...]:
    """The values of an enum that its types and limits allow."""
    values = schema.enum or ()
    fitting = satisfying(values, replace(schema, any_of=(), enum=None))
    return tuple(value for value, fits in zip(values, fitting, strict=True) if fits)


def number(value: float, schema: Schema, path: str) -> int | float:
    """The number nearest to `value` within the schema's limits; whole where the schema wants integers.

    Raises:
        Unfillable: There is no such number.
    """
    low = -math.inf if schema.minimum is None else schema.minimum
    high = math.inf if schema.maximum is None else schema.maximum
    if Kind.NUMBER not in schema.kinds and Kind.INTEGER in schema.kinds:
        low = low if math.isinf(low) else math.ceil(low)
        high = high if math.isinf(high) else math.floor(high)
        value = round(value)
    if low > high:
        raise refuse(path, f"no number lies between minimum {schema.minimum} and maximum {schema.maximum}.")
    nearest = min(max(value, low), high)
    return int(nearest) if nearest == math.floor(nearest) else nearest


def fits(text: str, schema: Schema) -> bool:
    """Whether a text obeys the lengths and the pattern of a schema."""
    if schema.pattern is not None and not (readable(schema.pattern) and matches(schema.pattern, text)):
        return False
    return (
        (schema.min_length or 0)
        <= len(text)
        <= (LONGEST_TEXT if schema.max_length is None else schema.max_length)
    )


def element(schema: Schema, index: int) -> Schema:
    """The shape of an array's element."""
    if index < len(schema.prefix_items):
        return schema.prefix_items[index]
    return schema.items or Schema()


def _blank_of(schema: Schema, kind: Kind, path: str) -> JsonValue:
    match kind:
        case Kind.NULL:
            return None
        case Kind.BOOLEAN:
            return False
        case Kind.STRING:
            return _blank_text(schema, path)
        case Kind.ARRAY:
            return [
                minimal_value(element(schema, at), f"{path}[{at}]") for at in range(min_items(schema, path))
            ]
        case Kind.OBJECT:
            return {
                each.name: minimal_value(each.schema, f"{path}.{each.name}")
                for each in _min_properties(schema.properties)
            }
        case _:
            return number(0, schema, path)


def _min_properties(properties: tuple[Property, ...]) -> Iterator[Property]:
    return (each for each in properties if each.required)


def min_items(schema: Schema, path: str) -> int:
    """How many elements an array must have at least.

    Raises:
        Unfillable: More than it may have, or more than can be made.
    """
    least = schema.min_items or 0
    if schema.max_items is not None and least > schema.max_items:
        raise refuse(path, f"minItems {least} is above maxItems {schema.max_items}.")
    if least > MOST_ELEMENTS:
        raise refuse(path, f"minItems {least} is above the {MOST_ELEMENTS} that this model can make.")
    return least


def _blank_text(schema: Schema, path: str) -> str:
    least = schema.min_length or 0
    if schema.max_length is not None and least > schema.max_length:
        raise refuse(path, f"minLength {least} is above maxLength {schema.max_length}.")
    if least > LONGEST_TEXT:
        raise refuse(path, f"minLength {least} is above the {LONGEST_TEXT} that this model can write.")
    zero = _ZERO_TEXTS.get(schema.format or "", "")
    for guess in (zero, *_PATTERN_GUESSES):
        for filler in (" ", "0", "a", "A"):
            text = guess.ljust(least, filler)
            if fits(text, schema):
                return text
    raise refuse(path, f"this model knows no text for the pattern {schema.pattern!r}; leave the pattern out.")


def _first_option(schema: Schema, path: str) -> Scalar:
    allowed = options(schema)
    if not allowed:
        raise refuse(path, "its enum has no value of its type and limits.")
    return None if None in allowed else allowed[0]


def _first_alternative(schema: Schema, path: str) -> JsonValue:
    if satisfies(None, schema):
        return None
    refusal: Unfillable | None = None
    for option in alternatives(schema):
        try:
            value = minimal_value(option, path)
        except Unfillable as error:
            refusal = refusal or error
        else:
            if satisfies(value, schema):
                return value
    raise refusal or refuse(path, "none of its alternatives agrees with the rest.")


NEVER = Schema(enum=())
"""No value at all."""

BRANCH_BUDGET = 20_000
"""Alternatives of alternatives multiply: schemas joined, and their members and options, for one schema."""

_FREE = Schema()


class TooManyBranches(Exception):
    """Working out the alternatives of a schema costs more than BRANCH_BUDGET."""


class Intersection:
    """What satisfies two schemas at once, and the alternatives of one; the budget is for all calls together.

    A schema with `any_of` says: all of what stands beside it, and one of the alternatives. Here that becomes
    schemas without `any_of`, of which one must hold.
    """

    def __init__(self) -> None:
        self._spent = 0

    def branches(self, schema: Schema) -> Iterator[Schema]:
        """The alternatives that can hold, without `any_of`; a lone one for a plain schema.

        Raises:
            TooManyBranches: The budget is spent.
        """
        shared = _without_alternatives(schema)
        if not schema.any_of:
            yield shared
        for option in schema.any_of:
            for branch in self.branches(option):
                joined = self._both(shared, branch)
                if joined is not None:
                    yield joined

    def _intersect(self, one: Schema, other: Schema) -> Schema:
        if is_free(one) or is_free(other):
            return other if is_free(one) else one
        theirs = list(self.branches(other))
        pairs = (self._both(mine, each) for mine in self.branches(one) for each in theirs)
        joined = tuple(each for each in pairs if each is not None)
        if len(joined) == 1:
            return joined[0]
        return Schema(any_of=joined) if joined else NEVER

    def _both(self, one: Schema, other: Schema) -> Schema | None:
        """Two schemas without alternatives as one; None if no value satisfies both."""
        self._spent += 1 + sum(len(each.properties) + len(each.enum or ()) for each in (one, other))
        if self._spent > BRANCH_BUDGET:
            raise TooManyBranches("its alternatives multiply; nest fewer anyOf in each other")
        kinds = _common_kinds(one.kinds, other.kinds)
        if kinds is None:
            return None
        properties = self._properties(one, other) if not kinds or Kind.OBJECT in kinds else ()
        if properties is None:
            # One demands a member that the other forbids: it may still be anything but an object.
            kinds = (kinds or frozenset(Kind)) - {Kind.OBJECT}
            if not kinds:
                return None
        return Schema(
            kinds=kinds,
            enum=_common_options(one.enum, other.enum),
            properties=properties or (),
            items=self._items(one, other),
            prefix_items=self._prefix_items(one, other),
            additional=self._additional(one, other),
            minimum=_tighter(max, one.minimum, other.minimum),
            maximum=_tighter(min, one.maximum, other.maximum),
            min_items=_tighter(max, one.min_items, other.min_items),
            max_items=_tighter(min, one.max_items, other.max_items),
            min_length=_tighter(max, one.min_length, other.min_length),
            max_length=_tighter(min, one.max_length, other.max_length),
            pattern=other.pattern if readable(other.pattern) else one.pattern or other.pattern,
            format=other.format or one.format,
            title=other.title or one.title,
            description=other.description or one.description,
        )

    def _properties(self, one: Schema, other: Schema) -> tuple[Property, ...] | None:
        """The members of both, in the first one's order; None if one demands what the other forbids."""
        theirs = {each.name: each for each in other.properties}
        names = {each.name for each in one.properties}
        members = [(each, theirs.get(each.name), other.additional) for each in one.properties]
        members += [(each, None, one.additional) for each in other.properties if each.name not in names]
        joined: list[Property] = []
        for each, partner, rest in members:
            against = rest if partner is None else partner.schema
            required = each.required or (partner is not None and partner.required)
            if against is None and required:
                return None
            schema = NEVER if against is None else self._intersect(each.schema, against)
            joined.append(Property(each.name, schema, required))
        return tuple(joined)

    def _additional(self, one: Schema, other: Schema) -> Schema | None:
        if one.additional is None or other.additional is None:
            return None
        return self._intersect(one.additional, other.additional)

    def _items(self, one: Schema, other: Schema) -> Schema | None:
        if one.items is None or other.items is None:
            return one.items or other.items
        return self._intersect(one.items, other.items)

    def _prefix_items(self, one: Schema, other: Schema) -> tuple[Schema, ...]:
        count = max(len(one.prefix_items), len(other.prefix_items))
        return tuple(self._intersect(element(one, at), element(other, at)) for at in range(count))


def is_free(schema: Schema) -> bool:
    """Whether any value satisfies a schema, as far as it says."""
    return replace(schema, title="", description="", format=None) == _FREE


def _without_alternatives(schema: Schema) -> Schema:
    """What holds beside the alternatives; that other members are allowed is said, where it is so."""
    # An object that is closed only by its type, and has alternatives, is closed by these.
    closed = bool(schema.properties) or (Kind.OBJECT in schema.kinds and not schema.any_of)
    additional = schema.additional if closed or schema.additional is not None else _FREE
    return replace(schema, any_of=(), additional=additional)


def _common_kinds(one: frozenset[Kind], other: frozenset[Kind]) -> frozenset[Kind] | None:
    """The types that both allow; empty if neither says, None if they share none. An integer is a number."""
    if not one or not other:
        return one | other
    common = one & other
    for mine, theirs in ((one, other), (other, one)):
        if Kind.INTEGER in mine and Kind.NUMBER in theirs:
            common |= {Kind.INTEGER}
    return common or None


def _common_options(
    one: tuple[Scalar, ...] | None, other: tuple[Scalar, ...] | None
) -> tuple[Scalar, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    known = {_as_json(value) for value in other}
    return tuple(value for value in one if _as_json(value) in known)


def _as_json(value: Scalar) -> str:
    """A text that is the same for equal values, as JSON compares them: 1 is 1.0, and not true."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


Limit = TypeVar("Limit", int, float)


def _tighter(choose: Callable[[Limit, Limit], Limit], one: Limit | None, other: Limit | None) -> Limit | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)
