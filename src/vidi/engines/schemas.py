"""The value that says least: what a structured answer holds where nothing is known.

Null where the schema allows it, else no elements, no optional members, an empty text, false, the number
nearest to zero, the first option. Dates and times are the zero of Go's `time.Time`.
"""

from __future__ import annotations

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
    """The alternatives of a schema, each joined with what holds for all of them."""
    shared = replace(schema, any_of=())
    for option in schema.any_of:
        joined = _joined(shared, option)
        if joined is not None:
            yield joined


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


def _joined(shared: Schema, option: Schema) -> Schema | None:
    """Both at once; None if their types or options exclude each other."""
    kinds = _common_kinds(shared.kinds, option.kinds)
    if kinds is None:
        return None
    enum = shared.enum if option.enum is None else option.enum
    if shared.enum is not None and option.enum is not None:
        enum = tuple(value for value in option.enum if value in shared.enum)
    return replace(
        option,
        kinds=kinds,
        enum=enum,
        properties=option.properties or shared.properties,
        items=option.items or shared.items,
        prefix_items=option.prefix_items or shared.prefix_items,
        minimum=_tighter(max, shared.minimum, option.minimum),
        maximum=_tighter(min, shared.maximum, option.maximum),
        min_items=_tighter(max, shared.min_items, option.min_items),
        max_items=_tighter(min, shared.max_items, option.max_items),
        min_length=_tighter(max, shared.min_length, option.min_length),
        max_length=_tighter(min, shared.max_length, option.max_length),
        pattern=option.pattern or shared.pattern,
        description=option.description or shared.description,
        title=option.title or shared.title,
    )


def _common_kinds(one: frozenset[Kind], other: frozenset[Kind]) -> frozenset[Kind] | None:
    """The types that both allow; empty if neither says, None if they share none. An integer is a number."""
    if not one or not other:
        return one | other
    common = one & other
    if Kind.INTEGER in one | other and Kind.NUMBER in one | other:
        common |= {Kind.INTEGER}
    return common or None


Limit = TypeVar("Limit", int, float)


def _tighter(choose: Callable[[Limit, Limit], Limit], one: Limit | None, other: Limit | None) -> Limit | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)
