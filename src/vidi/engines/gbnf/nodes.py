"""A schema, node by node, as rules."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vidi.domain.schema import Kind, Scalar, Schema
from vidi.engines.blank import LONGEST_TEXT, Unfillable, demanded, options, refuse
from vidi.engines.gbnf.characters import quoted
from vidi.engines.gbnf.containers import Counts, Member, array, members_in_order
from vidi.engines.gbnf.expression import Expression, choice, literal, optional, repeated, sequence
from vidi.engines.gbnf.meet import Meetings, is_free
from vidi.engines.gbnf.numbers import LARGEST, decimals, integers
from vidi.engines.gbnf.patterns import NoText
from vidi.engines.gbnf.rules import Rules, TooLarge
from vidi.engines.gbnf.texts import Texts
from vidi.engines.gbnf.words import any_of, none_of

FREE_DEPTH = 8
"""Levels of arrays and objects in a value whose shape is left open."""

MOST_ALTERNATIVES = 500
MOST_OPTIONAL = 500
"""Alternatives of an anyOf, and optional members of an object: llama.cpp follows them all at once."""

_COMMA = literal(",")
_SCALARS = frozenset({Kind.STRING, Kind.NUMBER, Kind.BOOLEAN, Kind.NULL})
_ORDER = (
    *(Kind.OBJECT, Kind.ARRAY, Kind.STRING, Kind.NUMBER, Kind.INTEGER),
    *(Kind.BOOLEAN, Kind.NULL),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is: its path (as `$.dogs[0]`) for people, and a name for its rule."""

    path: str
    name: str

    def member(self, name: str) -> Place:
        """The place of a member."""
        return Place(f"{self.path}.{name[:80]}", name or "member")

    def element(self, at: int) -> Place:
        """The place of an element."""
        return Place(f"{self.path}[{at}]", f"{self.name}-item")


_ANYWHERE = Place("$", "value")


class Nodes:
    """Turns schemas into expressions that refer to the rules of one grammar."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._texts = Texts(rules)
        self._meetings = Meetings()
        self._free: dict[int, Expression] = {}

    def value(self, schema: Schema, place: Place) -> Expression:
        """A value of this shape.

        Raises:
            Unfillable: There is none.
            TooLarge: The grammar has outgrown its caps.
        """
        if is_free(schema):
            return self.free(FREE_DEPTH)
        branches = self._meetings.branches(schema)
        if len(branches) == 1:
            return self._branch(branches[0], place)
        if len(branches) > MOST_ALTERNATIVES:
            raise TooLarge(f"it has more than {MOST_ALTERNATIVES} alternatives", place.path)
        return self._first_that_can([partial(self._branch, each, place) for each in branches], place)

    def free(self, depth: int) -> Expression:
        """Any value with at most `depth` levels of arrays and objects in it."""
        if depth not in self._free:
            kinds = [self._scalar(Schema(), kind, _ANYWHERE) for kind in Kind if kind in _SCALARS]
            if depth > 0:
                kinds += [self.free_object(depth), self.free_array(depth)]
            self._free[depth] = self._rules.define(f"value-{depth}", choice(*kinds))
        return self._free[depth]

    def free_object(self, depth: int) -> Expression:
        """An object of any members, with at most `depth` levels, itself included."""
        member = sequence(self._texts.any, literal(":"), self.free(depth - 1))
        return self._rules.define(f"object-{depth}", self._list("{", member, "}"))

    def free_array(self, depth: int) -> Expression:
        """An array of any elements, with at most `depth` levels, itself included."""
        return self._rules.define(f"array-{depth}", self._list("[", self.free(depth - 1), "]"))

    def _list(self, opening: str, element: Expression, closing: str) -> Expression:
        more = repeated(sequence(_COMMA, element), 0, None)
        return sequence(literal(opening), optional(sequence(element, more)), literal(closing))

    def _first_that_can(self, makers: list[Callable[[], Expression]], place: Place) -> Expression:
        """One of those that can be made; if none can, the first one's refusal."""
        made: list[Expression] = []
        refusal: Unfillable | None = None
        for make in makers:
            try:
                made.append(make())
            except Unfillable as error:
                refusal = refusal or error
        if not made:
            raise refusal or refuse(place.path, "none of its alternatives agrees with the rest.")
        return self._rules.define(place.name, choice(*made)) if len(made) > 1 else made[0]

    def _branch(self, schema: Schema, place: Place) -> Expression:
        """A value of a schema without alternatives that names its types."""
        if schema.enum is not None:
            return self._enum(schema, place)
        kinds = [kind for kind in _ORDER if kind in schema.kinds]
        if Kind.NUMBER in kinds and Kind.INTEGER in kinds:
            kinds.remove(Kind.INTEGER)
        makers = {Kind.OBJECT: self._object, Kind.ARRAY: self._array}
        return self._first_that_can(
            [
                partial(makers[kind], schema, place)
                if kind in makers
                else partial(self._scalar, schema, kind, place)
                for kind in kinds
            ],
            place,
        )

    def _enum(self, schema: Schema, place: Place) -> Expression:
        words = [text for text in map(_written, options(schema)) if text is not None]
        if not words:
            raise refuse(place.path, "its enum has no value of its type and limits.")
        return self._rules.define(place.name, any_of(words, self._rules))

    def _scalar(self, schema: Schema, kind: Kind, place: Place) -> Expression:
        match kind:
            case Kind.STRING:
                return self._string(schema, place)
            case Kind.BOOLEAN:
                return self._rules.define("boolean", choice(literal("true"), literal("false")))
            case Kind.NULL:
                return literal("null")
            case _:
                return self._number(schema, kind, place)

    def _string(self, schema: Schema, place: Place) -> Expression:
        least = schema.min_length or 0
        if schema.max_length is not None and least > schema.max_length:
            raise refuse(place.path, f"minLength {least} is above maxLength {schema.max_length}.")
        if least > LONGEST_TEXT:
            raise refuse(place.path, f"minLength {least} is above the {LONGEST_TEXT} that are written.")
        try:
            return self._texts.string(schema)
        except NoText as error:
            shown = (schema.pattern or "")[:80]
            raise refuse(place.path, f"no text of its length matches {shown!r}.") from error

    def _number(self, schema: Schema, kind: Kind, place: Place) -> Expression:
        low, high = schema.minimum, schema.maximum
        if kind is Kind.INTEGER:
            least = None if low is None else math.ceil(low)
            most = None if high is None else math.floor(high)
            made = integers(least, most)
        else:
            made = decimals(low, high)
        if made is None:
            text = f"no {kind.value} of a magnitude up to {LARGEST} lies between its minimum and maximum."
            raise refuse(place.path, text)
        limits = "".join(f" {limit:g}" for limit in (low, high) if limit is not None)
        return self._rules.define(kind.value + limits, made)

    def _array(self, schema: Schema, place: Place) -> Expression:
        least = demanded(schema, place.path)
        most = schema.max_items
        first: list[Expression] = []
        for at, each in enumerate(schema.prefix_items[:most]):
            item = self._item(each, place.element(at), at < least)
            if item is None:
                most = at
                break
            first.append(item)
        items = None
        if most is None or most > len(first):
            items = self._item(schema.items or Schema(), place.element(len(first)), least > len(first))
        counts = Counts(least, most if items else len(first))
        return self._rules.define(place.name, array(first, items, counts, self._rules, place.name))

    def _item(self, schema: Schema, place: Place, needed: bool) -> Expression | None:
        """A value that may be left out unless it is needed; None if there is none."""
        try:
            return self.value(schema, place)
        except Unfillable:
            if needed:
                raise
            return None

    def _object(self, schema: Schema, place: Place) -> Expression:
        members: list[Member] = []
        for each in schema.properties:
            value = self._item(each.schema, place.member(each.name), each.required)
            if value is not None:
                said = sequence(literal(f"{quoted(each.name)}:"), value)
                members.append(Member(said, each.required))
        if sum(not member.required for member in members) > MOST_OPTIONAL:
            raise TooLarge(f"it has more than {MOST_OPTIONAL} properties that are not required", place.path)
        more = self._additional(schema, place)
        return self._rules.define(place.name, members_in_order(members, more, self._rules, place.name))

    def _additional(self, schema: Schema, place: Place) -> Expression | None:
        """A member that `properties` does not name; None if there is none."""
        if schema.additional is None:
            return None
        value = self._item(schema.additional, place.member("*"), needed=False)
        if value is None:
            return None
        key = self._texts.any
        if schema.properties:
            inside = none_of([each.name for each in schema.properties], self._rules)
            key = sequence(literal('"'), inside, literal('"'))
        return self._rules.define(f"{place.name}-more", sequence(key, literal(":"), value))


def _written(value: Scalar) -> str | None:
    """A scalar as JSON; None for what JSON cannot write."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return json.dumps(value)
