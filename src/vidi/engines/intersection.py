"""What satisfies two schemas at once: for grammars, and for the walk that fills a schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from vidi.domain.budget import Budget, BudgetSpent
from vidi.domain.schema import Kind, Property, Scalar, Schema
from vidi.engines.validation import readable

NEVER = Schema(enum=())
"""No value at all."""

BRANCH_BUDGET = 20_000
"""Alternatives of alternatives multiply: schemas joined, and their members and options, for one schema."""

_VALUES_AT_ONCE = 10
"""So many values of an enum are joined in the time of one member."""

_FREE = Schema()


class TooManyBranches(Exception):
    """Working out the alternatives of a schema costs more than BRANCH_BUDGET."""


class Intersection:
    """What satisfies two schemas at once, and the alternatives of one; the budget is for all calls together.

    A schema with `any_of` says: all of what stands beside it, and one of the alternatives. Here that becomes
    schemas without `any_of`, of which one must hold.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        """Spend from a budget, or from one of BRANCH_BUDGET."""
        self._budget = budget or Budget(BRANCH_BUDGET)

    def branches(self, schema: Schema) -> Iterator[Schema]:
        """The alternatives that can hold, without `any_of`; a lone one for a plain schema.

        Raises:
            TooManyBranches: The budget is spent.
        """
        self._spend(1)
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
        self._spend(1 + _breadth(one) + _breadth(other))
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

    def _spend(self, amount: int) -> None:
        try:
            self._budget.spend(amount)
        except BudgetSpent:
            raise TooManyBranches("its alternatives multiply; nest fewer anyOf in each other") from None

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
        return tuple(self._intersect(one.element(at), other.element(at)) for at in range(count))


def _breadth(schema: Schema) -> int:
    """How much is copied when a schema is joined with another; a long enum is compared as a set."""
    values = len(schema.enum or ()) // _VALUES_AT_ONCE
    return len(schema.properties) + len(schema.prefix_items) + values


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
    known = set(map(_as_json, other))
    return tuple(value for value in one if _as_json(value) in known)


def _as_json(value: Scalar) -> str:
    """A text that is the same for equal values, as JSON compares them: 1 is 1.0, and not true.

    A text also because numbers, unlike texts, can be chosen so that all of them fall together in a set.
    """
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


Limit = TypeVar("Limit", int, float)


def _tighter(choose: Callable[[Limit, Limit], Limit], one: Limit | None, other: Limit | None) -> Limit | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)
