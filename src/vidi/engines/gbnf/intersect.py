"""Two schemas at once, and the alternatives of one.

A schema with `any_of` says: all of what stands beside it, and one of the alternatives. Here that becomes a
list of schemas without `any_of`, of which one must hold; each says which types it allows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from vidi.domain.schema import Kind, Property, Scalar, Schema
from vidi.engines.gbnf.expression import TooLarge
from vidi.engines.validation import readable

NEVER = Schema(kinds=frozenset(Kind), enum=())
"""No value at all."""

MOST_MEETINGS = 20_000
"""Alternatives of alternatives multiply; more are refused."""

_ALL = frozenset(Kind)
_FREE = Schema()


class Intersection:
    """Works out alternatives, with a bound on the work."""

    def __init__(self) -> None:
        self._count = 0

    def branches(self, schema: Schema) -> list[Schema]:
        """The alternatives, each with a set of types and without `any_of`; a lone one for a plain schema.

        Raises:
            TooLarge: There are too many.
        """
        shared = _explicit(schema)
        if not schema.any_of:
            return [shared]
        options = [branch for option in schema.any_of for branch in self.branches(option)]
        return [self._both(shared, option) for option in options]

    def _meet(self, one: Schema, other: Schema) -> Schema:
        """What satisfies both."""
        if is_free(one) or is_free(other):
            return other if is_free(one) else one
        pairs = [(a, b) for a in self.branches(one) for b in self.branches(other)]
        met = [self._both(a, b) for a, b in pairs]
        return met[0] if len(met) == 1 else Schema(any_of=tuple(met))

    def _both(self, one: Schema, other: Schema) -> Schema:
        """What satisfies both of two schemas that have no alternatives and name their types."""
        self._count += 1 + sum(len(each.properties) + len(each.enum or ()) for each in (one, other))
        if self._count > MOST_MEETINGS:
            raise TooLarge("its alternatives multiply; nest fewer anyOf in each other")
        kinds = _shared_kinds(one.kinds, other.kinds)
        properties = self._properties(one, other) if Kind.OBJECT in kinds else ()
        if properties is None:
            kinds -= {Kind.OBJECT}
        if not kinds:
            return NEVER
        return Schema(
            kinds=kinds,
            enum=_shared_values(one.enum, other.enum),
            properties=properties or (),
            items=self._element(one, other),
            prefix_items=self._prefix(one, other),
            additional=self._additional(one, other),
            minimum=_tighter(max, one.minimum, other.minimum),
            maximum=_tighter(min, one.maximum, other.maximum),
            min_items=_tighter(max, one.min_items, other.min_items),
            max_items=_tighter(min, one.max_items, other.max_items),
            min_length=_tighter(max, one.min_length, other.min_length),
            max_length=_tighter(min, one.max_length, other.max_length),
            pattern=other.pattern if readable(other.pattern) else one.pattern or other.pattern,
            format=other.format or one.format,
        )

    def _properties(self, one: Schema, other: Schema) -> tuple[Property, ...] | None:
        """The members of both, in the first one's order; None if one demands what the other forbids."""
        theirs = {each.name: each for each in other.properties}
        names = {each.name for each in one.properties}
        members = [(each, theirs.get(each.name), other.additional) for each in one.properties]
        members += [(each, None, one.additional) for each in other.properties if each.name not in names]
        met: list[Property] = []
        for each, partner, rest in members:
            against = rest if partner is None else partner.schema
            required = each.required or (partner is not None and partner.required)
            if against is None and required:
                return None
            schema = NEVER if against is None else self._meet(each.schema, against)
            met.append(Property(each.name, schema, required))
        return tuple(met)

    def _additional(self, one: Schema, other: Schema) -> Schema | None:
        if one.additional is None or other.additional is None:
            return None
        return self._meet(one.additional, other.additional)

    def _element(self, one: Schema, other: Schema) -> Schema | None:
        if one.items is None or other.items is None:
            return one.items or other.items
        return self._meet(one.items, other.items)

    def _prefix(self, one: Schema, other: Schema) -> tuple[Schema, ...]:
        count = max(len(one.prefix_items), len(other.prefix_items))
        return tuple(self._meet(_item(one, at), _item(other, at)) for at in range(count))


def _item(schema: Schema, at: int) -> Schema:
    if at < len(schema.prefix_items):
        return schema.prefix_items[at]
    return schema.items or _FREE


def is_free(schema: Schema) -> bool:
    """Whether any value satisfies a schema, as far as it says."""
    return replace(schema, title="", description="", format=None) == _FREE


def _explicit(schema: Schema) -> Schema:
    """The schema without its alternatives, with its types named and free members spelled out."""
    # An object that is closed only by its type, and has alternatives, is closed by these.
    closed = bool(schema.properties) or (Kind.OBJECT in schema.kinds and not schema.any_of)
    additional = schema.additional if closed or schema.additional is not None else _FREE
    return replace(schema, kinds=schema.kinds or _ALL, any_of=(), additional=additional)


def _shared_kinds(one: frozenset[Kind], other: frozenset[Kind]) -> frozenset[Kind]:
    """The types that both allow; an integer is a number."""
    return _with_integers(one) & _with_integers(other)


def _with_integers(kinds: frozenset[Kind]) -> frozenset[Kind]:
    return kinds | {Kind.INTEGER} if Kind.NUMBER in kinds else kinds


def _shared_values(
    one: tuple[Scalar, ...] | None, other: tuple[Scalar, ...] | None
) -> tuple[Scalar, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    known = {_same(value) for value in other}
    return tuple(value for value in one if _same(value) in known)


def _same(value: Scalar) -> str:
    """A text that is the same for equal values, as JSON compares them: 1 is 1.0, and not true."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


Limit = TypeVar("Limit", int, float)


def _tighter(choose: Callable[[Limit, Limit], Limit], one: Limit | None, other: Limit | None) -> Limit | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)
