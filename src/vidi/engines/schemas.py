"""One walk over a schema that makes a value of it from what a source knows.

What the source does not know is filled with the value that says least: null where the schema allows it, else
no elements, no optional members, an empty text, false, the number nearest to zero, the first option. Dates
and times are the zero of Go's `time.Time`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from vidi.domain.budget import Budget, BudgetSpent
from vidi.domain.errors import InvalidRequest
from vidi.domain.schema import JsonValue, Kind, Scalar, Schema
from vidi.engines.intersection import Intersection, TooManyBranches
from vidi.engines.validation import kinds_of, match_cost, matches, readable, satisfies

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
    Kind.NUMBER,
    Kind.INTEGER,
)


class Unfillable(InvalidRequest):
    """No value, or none that can be made here, satisfies the schema."""


def refuse(path: str, reason: str) -> Unfillable:
    """The error for a schema that cannot be filled at `path` (as `$.items[0]`)."""
    return Unfillable(f"The response schema cannot be filled at {path}: {reason}", where=WHERE)


@dataclass(frozen=True, slots=True)
class FilledValue:
    """A value, and whether its source knows it."""

    value: JsonValue
    known: bool


@dataclass(frozen=True, slots=True)
class Elements:
    """What an array may hold.

    Attributes:
        sources: One for each element; those that turn out to know nothing are left out.
        limit: How many are wanted at most; None for as many as the schema allows.
        strict: Whether it is an error that one cannot be filled; else it is left out too.
        every: Whether each stands, whatever is known of it.
    """

    sources: Sequence[ValueSource] = ()
    limit: int | None = None
    strict: bool = False
    every: bool = False


class ValueSource(Protocol):
    """What is known about one place of a schema; `Nothing` below is an example."""

    def kinds(self, schema: Schema, /) -> Sequence[Kind]:
        """The types to try, at least one; the last one is taken whether or not it is known."""
        ...

    def scalar(self, kind: Kind, schema: Schema, /) -> Scalar:
        """The text, number or truth that stands here, before the schema's limits; None if unknown."""
        ...

    def blank(self, schema: Schema, /) -> str | float:
        """The text, or number, that says that nothing is known, if the schema's limits allow it."""
        ...

    def choose(self, allowed: Sequence[Scalar], /) -> FilledValue:
        """One of the values of an enum, of which there is at least one."""
        ...

    def members(self, schema: Schema, /) -> Sequence[ValueSource]:
        """What is known about each of an object's properties, in their order."""
        ...

    def elements(self, schema: Schema, /) -> Elements:
        """What is known about an array's elements."""
        ...


class Nothing:
    """The source that knows nothing: from it the walk makes the value that says least."""

    def kinds(self, schema: Schema, /) -> Sequence[Kind]:
        return (default_kind(schema),)

    def scalar(self, _kind: Kind, _schema: Schema, /) -> Scalar:
        return None

    def blank(self, _schema: Schema, /) -> str | float:
        return ""

    def choose(self, allowed: Sequence[Scalar], /) -> FilledValue:
        return FilledValue(None if None in allowed else allowed[0], known=False)

    def members(self, schema: Schema, /) -> Sequence[ValueSource]:
        return [self] * len(schema.properties)

    def elements(self, _schema: Schema, /) -> Elements:
        return Elements()


NOTHING = Nothing()


def minimal_value(schema: Schema) -> JsonValue:
    """Make the value that says least among those that satisfy a schema.

    Raises:
        Unfillable: The schema contradicts itself or asks for more than can be made; names the place.
    """
    return fill(schema, NOTHING).value


FILL_BUDGET = 50_000
"""Nodes filled, values held against them and options looked at, for one schema: a second's work at most."""


def fill(schema: Schema, source: ValueSource, path: str = "$", budget: Budget | None = None) -> FilledValue:
    """Make a value of a schema from what a source knows.

    Args:
        schema: The shape.
        source: What is known.
        path: Where in the answer the value stands.
        budget: Shared with other values of the same answer; None for one of FILL_BUDGET.

    Raises:
        Unfillable: As for `minimal_value`, or the source knows fewer elements than an array must have.
    """
    try:
        return _Filler(budget or Budget(FILL_BUDGET)).fill(schema, source, path)
    except BudgetSpent as error:
        reason = "it takes too much work to fill; use fewer alternatives, members or enum values."
        raise refuse(error.where or path, reason) from None


class _Filler:
    """The walk; what it does is counted, since alternatives of alternatives multiply."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def fill(self, schema: Schema, source: ValueSource, path: str) -> FilledValue:
        self._budget.spend(1, path)
        if schema.any_of:
            # Nothing is not asked what it knows: nested alternatives would be tried twice at every level.
            known = None if source is NOTHING else self._known_alternative(schema, source, path)
            return known or self._minimal_alternative(schema, path)
        if schema.enum is not None:
            self._spend(len(schema.enum), source, path)
            allowed = options(schema)
            if not allowed:
                raise refuse(path, "its enum has no value of its type and limits.")
            return source.choose(allowed)
        kinds = source.kinds(schema)
        for kind in kinds[:-1]:
            filled = self._fill_kind(kind, schema, source, path)
            if filled.known:
                return filled
        return self._fill_kind(kinds[-1], schema, source, path)

    def _spend(self, options: int, source: ValueSource, path: str) -> None:
        """Count options, at which a source that knows something looks far longer than one that does not."""
        self._budget.spend(options // (_OPTIONS_AT_ONCE if source is NOTHING else 1), path)

    def _fill_kind(self, kind: Kind, schema: Schema, source: ValueSource, path: str) -> FilledValue:
        schema = replace(schema, kinds=frozenset({kind}))
        match kind:
            case Kind.NULL:
                return FilledValue(None, known=False)
            case Kind.OBJECT:
                return self._fill_object(schema, source, path)
            case Kind.ARRAY:
                return self._fill_array(schema, source, path)
        self._spend(len(schema.description) // _LETTERS_AT_ONCE, source, path)
        told = source.scalar(kind, schema)
        match kind:
            case Kind.BOOLEAN:
                return FilledValue(bool(told), known=told is not None)
            case Kind.STRING:
                filled = self._fill_text(told if isinstance(told, str) else None, schema, path)
                blank = "" if filled.known else source.blank(schema)
                told_blank = isinstance(blank, str) and blank != "" and self._fits(blank, schema, path)
                return FilledValue(blank, False) if told_blank else filled
            case _:
                near = told if isinstance(told, int | float) else source.blank(schema)
                near = near if isinstance(near, int | float) else 0
                return FilledValue(number(near, schema, path), known=told is not None)

    def _known_alternative(self, schema: Schema, source: ValueSource, path: str) -> FilledValue | None:
        """The first alternative that the source knows."""
        for option in self._alternatives(schema, path):
            if option.kinds != {Kind.NULL}:
                filled = self._attempt(option, source, path)
                if filled.known and satisfies(filled.value, schema, self._budget):
                    return filled
        return None

    def _minimal_alternative(self, schema: Schema, path: str) -> FilledValue:
        """Null if it may be, else the first alternative that can be filled at all."""
        if satisfies(None, schema, self._budget):
            return FilledValue(None, known=False)
        refusal: Unfillable | None = None
        for option in self._alternatives(schema, path):
            try:
                filled = self.fill(option, NOTHING, path)
            except Unfillable as error:
                refusal = refusal or error
            else:
                if satisfies(filled.value, schema, self._budget):
                    return filled
        raise refusal or refuse(path, "none of its alternatives agrees with the rest.")

    def _alternatives(self, schema: Schema, path: str) -> Iterator[Schema]:
        try:
            yield from Intersection(self._budget).branches(schema)
        except TooManyBranches:
            raise BudgetSpent(path) from None

    def _attempt(self, schema: Schema, source: ValueSource, path: str) -> FilledValue:
        """A value that is as good as unknown if it cannot be filled."""
        try:
            return self.fill(schema, source, path)
        except Unfillable:
            return FilledValue(None, known=False)

    def _fill_object(self, schema: Schema, source: ValueSource, path: str) -> FilledValue:
        members: dict[str, JsonValue] = {}
        known = False
        self._spend(_MEMBER * len(schema.properties), source, path)
        for each, inner in zip(schema.properties, source.members(schema), strict=True):
            if inner is NOTHING and not each.required:
                continue
            filled = self.fill(each.schema, inner, f"{path}.{each.name[:80]}")
            if filled.known or each.required:
                members[each.name] = filled.value
            known = known or filled.known
        return FilledValue(members, known)

    def _fill_array(self, schema: Schema, source: ValueSource, path: str) -> FilledValue:
        least = min_items(schema, path)
        each = schema.element(0)
        self._spend(len(each.enum or ()) + _MEMBER * len(each.properties), source, path)
        told = source.elements(schema)
        make = self.fill if told.strict else self._attempt
        filled = [make(schema.element(at), inner, f"{path}[{at}]") for at, inner in enumerate(told.sources)]
        known = [value.value for value in filled if value.known or told.every]
        values = known[: told.limit if schema.max_items is None else schema.max_items]
        have = len(values)
        if known and have < least and schema.element(have).properties:
            # An object stands for a thing, and things are not made up.
            raise refuse(path, f"minItems is {least}, but {have} such things are seen in the picture.")
        alike = max(have, len(schema.prefix_items))
        values += [
            self.fill(schema.element(at), NOTHING, f"{path}[{at}]").value
            for at in range(have, min(least, alike + 1))
        ]
        # From `alike` on every element has the same shape, and the value that says least is the same one.
        values += values[-1:] * (least - len(values))
        return FilledValue(values, known=bool(known))

    def _fill_text(self, text: str | None, schema: Schema, path: str) -> FilledValue:
        """A text within the schema's lengths, cut between words and filled up with blanks."""
        if text is None:
            return FilledValue(self._minimal_text(schema, path), known=False)
        least, most = schema.min_length or 0, schema.max_length
        if most is not None and len(text) > most:
            text = text[: most + 1].rpartition(" ")[0] or text[:most]
        if len(text) < least <= LONGEST_TEXT:
            text = text.ljust(least)
        if self._fits(text, schema, path):
            return FilledValue(text, known=True)
        return FilledValue(self._minimal_text(schema, path), known=False)

    def _minimal_text(self, schema: Schema, path: str) -> str:
        least = schema.min_length or 0
        if schema.max_length is not None and least > schema.max_length:
            raise refuse(path, f"minLength {least} is above maxLength {schema.max_length}.")
        if least > LONGEST_TEXT:
            raise refuse(path, f"minLength {least} is above the {LONGEST_TEXT} that this model can write.")
        zero = _ZERO_TEXTS.get(schema.format or "", "")
        for guess in (zero, *_PATTERN_GUESSES):
            for filler in (" ", "0", "a", "A"):
                text = guess.ljust(least, filler)
                if self._fits(text, schema, path):
                    return text
        shown = (schema.pattern or "")[:200]
        raise refuse(path, f"this model knows no text for the pattern {shown!r}; leave the pattern out.")

    def _fits(self, text: str, schema: Schema, path: str) -> bool:
        """Whether a text obeys the lengths and the pattern of a schema."""
        if not (schema.min_length or 0) <= len(text) <= _longest(schema):
            return False
        if schema.pattern is None:
            return True
        if not readable(schema.pattern):
            return False
        self._budget.spend(match_cost(schema.pattern), path)
        return matches(schema.pattern, text)


def _longest(schema: Schema) -> int:
    return LONGEST_TEXT if schema.max_length is None else schema.max_length


_OPTIONS_AT_ONCE = 4
"""So many values of an enum are looked at in the time in which one node is filled, if nothing is known."""

_LETTERS_AT_ONCE = 4
"""So many letters of a description are read in the time of one option."""

_MEMBER = 8
"""A member costs as much as so many options: its name is read."""


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
    """The type of the value that says least: null if it may be, else the first allowed one."""
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
    plain = replace(schema, any_of=(), enum=None)
    values = schema.enum or ()
    if plain == Schema(kinds=schema.kinds, title=schema.title, description=schema.description):
        # Most enums have a type and nothing else.
        return tuple(value for value in values if not schema.kinds or kinds_of(value) & schema.kinds)
    return tuple(value for value in values if satisfies(value, plain))


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
