"""A schema, node by node, as rules."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from vidi.domain.prompt import TextFormat
from vidi.domain.schema import Kind, Scalar, Schema
from vidi.engines.gbnf.expression import (
    EMPTY,
    Binding,
    Expression,
    Rules,
    TooLarge,
    choice,
    literal,
    optional,
    repeated,
    sequence,
)
from vidi.engines.gbnf.literals import ThinkingTags, after_thinking, excluding, one_of_texts, quoted
from vidi.engines.gbnf.numbers import FRACTION_DIGITS, LARGEST, decimals, integers
from vidi.engines.gbnf.strings import StringRules
from vidi.engines.intersection import Intersection, TooManyBranches, is_free
from vidi.engines.schemas import (
    LONGEST_TEXT,
    Unfillable,
    min_items,
    options,
    refuse,
)

_COMMA = literal(",")


@dataclass(frozen=True, slots=True)
class ItemBounds:
    """How many elements an array has; None is no limit."""

    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A member of an object, name and value, and whether it must be there."""

    said: Expression
    required: bool


def array(
    first: Sequence[Expression], items: Expression | None, counts: ItemBounds, rules: Rules, hint: str
) -> Expression:
    """An array that begins with `first`, one each, and goes on with any number of `items`, within the counts.

    Args:
        first: Shapes of the first elements.
        items: Shape of all others; None if there are no others, then `counts.most` is at most `len(first)`.
        counts: Least and most elements; the array may end wherever they allow.
        rules: Where parts get their names.
        hint: What the names begin with.
    """
    lead = list(first) if items is None else [*first, items][: max(1, len(first))]
    if counts.most == 0 or not lead:
        return literal("[]")
    rest = EMPTY
    if items is not None:
        most = None if counts.most is None else counts.most - len(lead)
        rest = rules.repeat(sequence(_COMMA, items), max(0, counts.least - len(lead)), most, f"{hint}-more")
    for at in range(len(lead) - 1, 0, -1):
        rest = sequence(_COMMA, lead[at], rest)
        if at >= counts.least:
            rest = rules.define(f"{hint}-rest", optional(rest))
    whole = sequence(lead[0], rest)
    return sequence(literal("["), whole if counts.least else optional(whole), literal("]"))


def members_in_order(
    members: Sequence[CatalogEntry], more: Expression | None, rules: Rules, hint: str
) -> Expression:
    """An object with these members in this order, those that are not required left out or not.

    Args:
        members: The named ones.
        more: Any other member; as many as there may be, after the named ones. None if there are none.
        rules: Where parts get their names.
        hint: What the names begin with.
    """
    others = EMPTY if more is None else repeated(sequence(_COMMA, more), 0, None)
    anchor = next((at for at, member in enumerate(members) if member.required), None)
    if anchor is None:
        inside = _all_optional(members, more, others, rules, hint)
    else:
        before = [optional(sequence(member.said, _COMMA)) for member in members[:anchor]]
        after = [
            sequence(_COMMA, member.said) if member.required else optional(sequence(_COMMA, member.said))
            for member in members[anchor + 1 :]
        ]
        inside = sequence(*before, members[anchor].said, *after, others)
    return sequence(literal("{"), inside, literal("}"))


def _all_optional(
    members: Sequence[CatalogEntry], more: Expression | None, others: Expression, rules: Rules, hint: str
) -> Expression:
    """Nothing, or whichever member comes first and then what may follow it."""
    openings = [] if more is None else [sequence(more, others)]
    rest = others
    for member in reversed(members):
        openings.append(sequence(member.said, rest))
        following = sequence(optional(sequence(_COMMA, member.said)), rest)
        rest = rules.define(f"{hint}-rest", following) if member is not members[0] else following
    return optional(choice(*reversed(openings))) if openings else EMPTY


FREE_DEPTH = 8
"""Levels of arrays and objects in a value whose shape is left open."""

MOST_ALTERNATIVES = 500
MOST_OPTIONAL = 500
"""Alternatives of an anyOf, and optional members of an object: llama.cpp follows them all at once."""

_SCALARS = frozenset({Kind.STRING, Kind.NUMBER, Kind.BOOLEAN, Kind.NULL})
_ORDER = (
    *(Kind.OBJECT, Kind.ARRAY, Kind.STRING, Kind.NUMBER, Kind.INTEGER),
    *(Kind.BOOLEAN, Kind.NULL),
)


@dataclass(frozen=True, slots=True)
class SchemaLocation:
    """Where a node is: its path (as `$.dogs[0]`) for people, and a name for its rule."""

    path: str
    name: str

    def member(self, name: str) -> SchemaLocation:
        """The place of a member."""
        return SchemaLocation(f"{self.path}.{name[:80]}", name or "member")

    def element(self, at: int) -> SchemaLocation:
        """The place of an element."""
        return SchemaLocation(f"{self.path}[{at}]", f"{self.name}-item")


_ANYWHERE = SchemaLocation("$", "value")


class SchemaCompiler:
    """Turns schemas into expressions that refer to the rules of one grammar."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._texts = StringRules(rules)
        self._intersection = Intersection()
        self._free: dict[int, Expression] = {}

    def value(self, schema: Schema, place: SchemaLocation) -> Expression:
        """A value of this shape.

        Raises:
            Unfillable: There is none.
            TooLarge: The grammar has outgrown its caps.
        """
        if is_free(schema):
            return self.free(FREE_DEPTH)
        branches = list(self._intersection.branches(schema))
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

    def _first_that_can(self, makers: list[Callable[[], Expression]], place: SchemaLocation) -> Expression:
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

    def _branch(self, schema: Schema, place: SchemaLocation) -> Expression:
        """A value of a schema without alternatives that names its types."""
        if schema.enum is not None:
            return self._enum(schema, place)
        kinds = [kind for kind in _ORDER if kind in (schema.kinds or Kind)]
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

    def _enum(self, schema: Schema, place: SchemaLocation) -> Expression:
        words = [text for text in map(_written, options(schema)) if text is not None]
        if not words:
            raise refuse(place.path, "its enum has no value of its type and limits.")
        return self._rules.define(place.name, one_of_texts(words, self._rules))

    def _scalar(self, schema: Schema, kind: Kind, place: SchemaLocation) -> Expression:
        match kind:
            case Kind.STRING:
                return self._string(schema, place)
            case Kind.BOOLEAN:
                return self._rules.define("boolean", choice(literal("true"), literal("false")))
            case Kind.NULL:
                return literal("null")
            case _:
                return self._number(schema, kind, place)

    def _string(self, schema: Schema, place: SchemaLocation) -> Expression:
        least = schema.min_length or 0
        if schema.max_length is not None and least > schema.max_length:
            raise refuse(place.path, f"minLength {least} is above maxLength {schema.max_length}.")
        if least > LONGEST_TEXT:
            raise refuse(place.path, f"minLength {least} is above the {LONGEST_TEXT} that are written.")
        return self._texts.string(schema)

    def _number(self, schema: Schema, kind: Kind, place: SchemaLocation) -> Expression:
        low, high = schema.minimum, schema.maximum
        if kind is Kind.INTEGER:
            least = None if low is None else math.ceil(low)
            most = None if high is None else math.floor(high)
            made = integers(least, most)
        else:
            made = decimals(low, high)
        if made is None:
            digits = "" if kind is Kind.INTEGER else f" with {FRACTION_DIGITS} digits after the point"
            told = f"no {kind.value} of a magnitude up to {LARGEST}{digits}"
            raise refuse(place.path, f"{told} lies between its minimum and maximum.")
        limits = "".join(f" {limit:g}" for limit in (low, high) if limit is not None)
        return self._rules.define(kind.value + limits, made)

    def _array(self, schema: Schema, place: SchemaLocation) -> Expression:
        least = min_items(schema, place.path)
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
        counts = ItemBounds(least, most if items else len(first))
        return self._rules.define(place.name, array(first, items, counts, self._rules, place.name))

    def _item(self, schema: Schema, place: SchemaLocation, needed: bool) -> Expression | None:
        """A value that may be left out unless it is needed; None if there is none."""
        try:
            return self.value(schema, place)
        except Unfillable:
            if needed:
                raise
            return None

    def _object(self, schema: Schema, place: SchemaLocation) -> Expression:
        members: list[CatalogEntry] = []
        for each in schema.properties:
            value = self._item(each.schema, place.member(each.name), each.required)
            if value is not None:
                said = sequence(literal(f"{quoted(each.name)}:"), value)
                members.append(CatalogEntry(said, each.required))
        if sum(not member.required for member in members) > MOST_OPTIONAL:
            raise TooLarge(f"it has more than {MOST_OPTIONAL} properties that are not required", place.path)
        more = self._additional(schema, place)
        return self._rules.define(place.name, members_in_order(members, more, self._rules, place.name))

    def _additional(self, schema: Schema, place: SchemaLocation) -> Expression | None:
        """A member that `properties` does not name; None if there is none."""
        if schema.additional is None:
            return None
        value = self._item(schema.additional, place.member("*"), needed=False)
        if value is None:
            return None
        key = self._texts.any
        if schema.properties:
            inside = excluding([each.name for each in schema.properties], self._rules)
            key = sequence(literal('"'), inside, literal('"'))
        return self._rules.define(f"{place.name}-more", sequence(key, literal(":"), value))


def _written(value: Scalar) -> str | None:
    """A scalar as JSON; None for what JSON cannot write."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return json.dumps(value)


JSON_DEPTH = 16
"""Levels of arrays and objects in an answer that only has to be JSON."""

_UNSAYABLE = re.compile("[\x00\ud800-\udfff]")
_WHOLE = SchemaLocation("$", "answer")


def compile_schema(
    schema: Schema, form: TextFormat = TextFormat.JSON, *, thinking: ThinkingTags | None = None
) -> str:
    """Write the grammar (GBNF) of the answers that satisfy a schema.

    An answer is one JSON value without white space, members in the order of `Schema.properties` and then any
    others, integers as plain digits, numbers without an exponent. Everything that a schema says is in the
    grammar, except a pattern that is not simple enough, or not within the lengths beside it (`patterns`):
    that is for `grammar.validate`, which every answer should pass. Numbers have at most 15 digits before the
    point and 10 after it (20 where a limit has more); what is left open is at most FREE_DEPTH levels deep.

    Args:
        schema: The shape.
        form: JSON, or ENUM for the bare text of an option.
        thinking: How the model marks its thinking, if it may think before the answer; None if it may not.

    Returns:
        Rules of which `root` is the answer.

    Raises:
        Unfillable: No value satisfies the schema, or its grammar would be too large; says where and why.
    """
    rules = Rules()
    try:
        if form is TextFormat.ENUM:
            return _rooted(_bare_option(schema, rules), thinking, rules)
        return _rooted(SchemaCompiler(rules).value(schema, _WHOLE), thinking, rules)
    except TooLarge as error:
        raise refuse(error.path, f"{error}.") from error
    except TooManyBranches as error:
        raise refuse("$", f"{error}.") from error


def compile_json(*, thinking: ThinkingTags | None = None) -> str:
    """Write the grammar of any JSON object or array without white space, at most JSON_DEPTH levels deep.

    Args:
        thinking: As for `compile_schema`.
    """
    rules = Rules()
    nodes = SchemaCompiler(rules)
    return _rooted(choice(nodes.free_object(JSON_DEPTH), nodes.free_array(JSON_DEPTH)), thinking, rules)


def _rooted(answer: Expression, thinking: ThinkingTags | None, rules: Rules) -> str:
    if thinking is not None:
        named = answer if answer.binding is Binding.ATOM else rules.define("answer", answer)
        answer = after_thinking(named, thinking, rules)
    return rules.text(answer)


def _bare_option(schema: Schema, rules: Rules) -> Expression:
    """An option without quotes; U+0000 and lone surrogates cannot be said."""
    texts = [value for value in options(schema) if isinstance(value, str)]
    words = [text for text in texts if not _UNSAYABLE.search(text)]
    if not words:
        raise refuse("$", "its enum has no text of its type and limits.")
    return one_of_texts(words, rules)
