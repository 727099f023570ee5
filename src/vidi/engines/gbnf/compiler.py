"""A schema, node by node, as rules."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from vidi.domain.prompt import FunctionDeclaration, Prompt, TextFormat
from vidi.domain.schema import Kind, Scalar, Schema
from vidi.engines.calls import CLOSING, MOST_CALLS, OPENING
from vidi.engines.gbnf.expression import (
    EMPTY,
    Binding,
    Expression,
    Rules,
    TooLarge,
    choice,
    literal,
    one_of,
    optional,
    repeated,
    sequence,
)
from vidi.engines.gbnf.literals import (
    ThinkingTags,
    after_thinking,
    all_but,
    excluding,
    one_of_texts,
    quoted,
    span_of,
)
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

FREE_DEPTH = 8
"""Levels of arrays and objects in a value whose shape is left open."""

JSON_DEPTH = 16
"""Levels of arrays and objects in an answer that only has to be JSON."""

MOST_ALTERNATIVES = 500
MOST_OPTIONAL = 500
"""Alternatives of an anyOf, and optional members of an object: llama.cpp follows them all at once."""

_OPTION = 4
"""An option costs as much as so many nodes: its beginning is merged with those of others."""

_COMMA = literal(",")
_UNSAYABLE = re.compile("[\x00\ud800-\udfff]")
_ORDER = (
    *(Kind.OBJECT, Kind.ARRAY, Kind.STRING, Kind.NUMBER, Kind.INTEGER),
    *(Kind.BOOLEAN, Kind.NULL),
)


def compile_schema(
    schema: Schema, form: TextFormat = TextFormat.JSON, *, thinking: ThinkingTags | None = None
) -> str:
    """Write the grammar (GBNF) of the answers that satisfy a schema.

    An answer is one JSON value without white space, members in the order of `Schema.properties` and then any
    others, integers as plain digits, numbers without an exponent and with at most 10 digits after the point.
    What is left open is at most FREE_DEPTH levels deep. The grammar may hold less than the schema, where it
    has a pattern (`patterns`, `StringRules.string`) or counts that no answer reaches; so every answer should
    pass `validation.validate` too.

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
    """Write the grammar of any JSON object or array without white space, at most JSON_DEPTH levels deep."""
    rules = Rules()
    compiler = SchemaCompiler(rules)
    answer = choice(compiler.free_object(JSON_DEPTH), compiler.free_array(JSON_DEPTH))
    return _rooted(answer, thinking, rules)


def compile_calls(prompt: Prompt, *, thinking: ThinkingTags | None = None) -> str:
    """Write the grammar of an answer that is either calls of a prompt's functions, or as without them.

    Raises:
        Unfillable: As `compile_schema`.
    """
    rules = Rules()
    compiler = SchemaCompiler(rules)
    output = prompt.output
    try:
        calls = [_marked_call(each, compiler) for each in prompt.functions]
        one = sequence(literal(OPENING), rules.define("called", choice(*calls)), literal(CLOSING))
        some = rules.repeat(rules.define("call", one), 1, MOST_CALLS, "calls")
        if output.schema is not None:
            other = compiler.value(output.schema, _WHOLE)
        elif output.format is TextFormat.JSON:
            other = choice(compiler.free_object(JSON_DEPTH), compiler.free_array(JSON_DEPTH))
        else:
            other = sequence(
                one_of(all_but(map(span_of, OPENING[0]))), repeated(one_of(all_but(())), 0, None)
            )
        answer = rules.define("answer", choice(some, rules.define("words", other)))
        return _rooted(answer, thinking, rules)
    except TooLarge as error:
        raise refuse(error.path, f"{error}.") from error
    except TooManyBranches as error:
        raise refuse("$", f"{error}.") from error


def _marked_call(function: FunctionDeclaration, compiler: SchemaCompiler) -> Expression:
    args = compiler.value(function.parameters, SchemaLocation(function.name, f"args-{function.name}"))
    return sequence(literal(f'{{"name":{quoted(function.name)},"args":'), args, literal("}"))


def _rooted(answer: Expression, thinking: ThinkingTags | None, rules: Rules) -> str:
    if thinking is not None:
        named = answer if answer.binding is Binding.ATOM else rules.define("answer", answer)
        answer = after_thinking(named, thinking, rules)
    return rules.text(answer)


def _bare_option(schema: Schema, rules: Rules) -> Expression:
    """An option without quotes; U+0000 and lone surrogates cannot be said."""
    texts = [value for value in options(schema) if isinstance(value, str)]
    sayable = [text for text in texts if not _UNSAYABLE.search(text)]
    if not sayable:
        raise refuse("$", "its enum has no text of its type and limits.")
    return one_of_texts(sayable, rules)


@dataclass(frozen=True, slots=True)
class SchemaLocation:
    """Where a node is: its path (as `$.dogs[0]`) for people, and a name for its rule."""

    path: str
    name: str

    def member(self, name: str) -> SchemaLocation:
        """The location of a member."""
        return SchemaLocation(f"{self.path}.{name[:80]}", name or "member")

    def element(self, at: int) -> SchemaLocation:
        """The location of an element."""
        return SchemaLocation(f"{self.path}[{at}]", f"{self.name}-item")


_WHOLE = SchemaLocation("$", "answer")
_ANYWHERE = SchemaLocation("$", "value")


class SchemaCompiler:
    """Turns schemas into expressions that refer to the rules of one grammar."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._strings = StringRules(rules)
        self._intersection = Intersection()
        self._free: dict[int, Expression] = {}

    def value(self, schema: Schema, location: SchemaLocation) -> Expression:
        """A value of this shape.

        Raises:
            Unfillable: There is none.
            TooLarge: The grammar has outgrown its caps.
            TooManyBranches: So have its alternatives.
        """
        self._rules.spend(1, location.path)
        if is_free(schema):
            return self.free(FREE_DEPTH)
        branches = list(self._intersection.branches(schema))
        if len(branches) > MOST_ALTERNATIVES:
            raise TooLarge(f"it has more than {MOST_ALTERNATIVES} alternatives", location.path)
        return self._possible([partial(self._branch, each, location) for each in branches], location)

    def free(self, depth: int) -> Expression:
        """Any value with at most `depth` levels of arrays and objects in it."""
        if depth not in self._free:
            kinds = (Kind.STRING, Kind.NUMBER, Kind.BOOLEAN, Kind.NULL)
            values = [self._of_kind(Schema(), kind, _ANYWHERE) for kind in kinds]
            if depth > 0:
                values += [self.free_object(depth), self.free_array(depth)]
            self._free[depth] = self._rules.define(f"value-{depth}", choice(*values))
        return self._free[depth]

    def free_object(self, depth: int) -> Expression:
        """An object of any members, with at most `depth` levels, itself included."""
        member = sequence(self._strings.any, literal(":"), self.free(depth - 1))
        return self._rules.define(f"object-{depth}", object_of([], member, self._rules, ""))

    def free_array(self, depth: int) -> Expression:
        """An array of any elements, with at most `depth` levels, itself included."""
        element = self.free(depth - 1)
        return self._rules.define(
            f"array-{depth}", array_of([], element, ItemBounds(0, None), self._rules, "")
        )

    def _possible(self, makers: list[Callable[[], Expression]], location: SchemaLocation) -> Expression:
        """A choice of those that can be made; if none can, the first one's refusal."""
        made: list[Expression] = []
        refusal: Unfillable | None = None
        for make in makers:
            try:
                made.append(make())
            except Unfillable as error:
                refusal = refusal or error
        if not made:
            raise refusal or refuse(location.path, "none of its alternatives agrees with the rest.")
        return self._rules.define(location.name, choice(*made)) if len(made) > 1 else made[0]

    def _branch(self, schema: Schema, location: SchemaLocation) -> Expression:
        """A value of a schema without alternatives."""
        if schema.enum is not None:
            return self._enum(schema, location)
        kinds = [kind for kind in _ORDER if kind in (schema.kinds or Kind)]
        if Kind.NUMBER in kinds and Kind.INTEGER in kinds:
            kinds.remove(Kind.INTEGER)
        return self._possible([partial(self._of_kind, schema, kind, location) for kind in kinds], location)

    def _enum(self, schema: Schema, location: SchemaLocation) -> Expression:
        self._rules.spend(_OPTION * len(schema.enum or ()), location.path)
        texts = [text for text in map(_as_json, options(schema)) if text is not None]
        if not texts:
            raise refuse(location.path, "its enum has no value of its type and limits.")
        return self._rules.define(location.name, one_of_texts(texts, self._rules))

    def _of_kind(self, schema: Schema, kind: Kind, location: SchemaLocation) -> Expression:
        match kind:
            case Kind.OBJECT:
                return self._object(schema, location)
            case Kind.ARRAY:
                return self._array(schema, location)
            case Kind.STRING:
                return self._string(schema, location)
            case Kind.BOOLEAN:
                return self._rules.define("boolean", choice(literal("true"), literal("false")))
            case Kind.NULL:
                return literal("null")
            case _:
                return self._number(schema, kind, location)

    def _string(self, schema: Schema, location: SchemaLocation) -> Expression:
        least = schema.min_length or 0
        if schema.max_length is not None and least > schema.max_length:
            raise refuse(location.path, f"minLength {least} is above maxLength {schema.max_length}.")
        if least > LONGEST_TEXT:
            raise refuse(location.path, f"minLength {least} is above the {LONGEST_TEXT} that are written.")
        return self._strings.string(schema)

    def _number(self, schema: Schema, kind: Kind, location: SchemaLocation) -> Expression:
        low, high = schema.minimum, schema.maximum
        digits = ""
        if kind is Kind.INTEGER:
            least = None if low is None else math.ceil(low)
            most = None if high is None else math.floor(high)
            made = integers(least, most)
        else:
            digits = f" with {FRACTION_DIGITS} digits after the point"
            made = decimals(low, high)
        if made is None:
            text = f"no {kind.value} of a magnitude up to {LARGEST}{digits}"
            raise refuse(location.path, f"{text} lies between its minimum and maximum.")
        limits = "".join(f" {limit:g}" for limit in (low, high) if limit is not None)
        return self._rules.define(kind.value + limits, made)

    def _array(self, schema: Schema, location: SchemaLocation) -> Expression:
        least = min_items(schema, location.path)
        most = schema.max_items
        first: list[Expression] = []
        for at, each in enumerate(schema.prefix_items[:most]):
            item = self._if_possible(each, location.element(at), needed=at < least)
            if item is None:
                # The array must end before an element that cannot be.
                most = at
                break
            first.append(item)
        items = None
        if most is None or most > len(first):
            shape, at = schema.items or Schema(), len(first)
            items = self._if_possible(shape, location.element(at), needed=least > at)
        counts = ItemBounds(least, most if items else len(first))
        return self._rules.define(location.name, array_of(first, items, counts, self._rules, location.name))

    def _if_possible(self, schema: Schema, location: SchemaLocation, *, needed: bool) -> Expression | None:
        """A value that may be left out unless it is needed; None if there is none."""
        try:
            return self.value(schema, location)
        except Unfillable:
            if needed:
                raise
            return None

    def _object(self, schema: Schema, location: SchemaLocation) -> Expression:
        members: list[ObjectMember] = []
        self._rules.spend(len(schema.properties), location.path)
        for each in schema.properties:
            value = self._if_possible(each.schema, location.member(each.name), needed=each.required)
            if value is not None:
                written = sequence(literal(f"{quoted(each.name)}:"), value)
                members.append(ObjectMember(written, each.required))
        if sum(not member.required for member in members) > MOST_OPTIONAL:
            raise TooLarge(
                f"it has more than {MOST_OPTIONAL} properties that are not required", location.path
            )
        more = self._additional(schema, location)
        return self._rules.define(location.name, object_of(members, more, self._rules, location.name))

    def _additional(self, schema: Schema, location: SchemaLocation) -> Expression | None:
        """A member that `properties` does not name; None if there is none."""
        if schema.additional is None:
            return None
        value = self._if_possible(schema.additional, location.member("*"), needed=False)
        if value is None:
            return None
        key = self._strings.any
        if schema.properties:
            # A name said twice would stand for its last value, which no rule of the member holds.
            self._rules.spend(sum(len(each.name) for each in schema.properties), location.path)
            inside = excluding([each.name for each in schema.properties], self._rules)
            key = sequence(literal('"'), inside, literal('"'))
        return self._rules.define(f"{location.name}-more", sequence(key, literal(":"), value))


def _as_json(value: Scalar) -> str | None:
    """A scalar as JSON; None for what JSON cannot write."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return json.dumps(value)


@dataclass(frozen=True, slots=True)
class ItemBounds:
    """How many elements an array has; None is no limit."""

    least: int
    most: int | None


def array_of(
    first: Sequence[Expression], items: Expression | None, counts: ItemBounds, rules: Rules, hint: str
) -> Expression:
    """An array that begins with `first`, one each, and goes on with any number of `items`, within the counts.

    Where there are no `items`, `counts.most` is at most `len(first)`. It may end wherever the counts allow.
    """
    lead = list(first) if items is None else [*first, items][: max(1, len(first))]
    if counts.most == 0 or not lead:
        return literal("[]")
    rest = EMPTY
    if items is not None:
        most = None if counts.most is None else counts.most - len(lead)
        rest = rules.repeat(sequence(_COMMA, items), max(0, counts.least - len(lead)), most, f"{hint}-more")
    # From the end: each element with its comma and all that follows it, left out together.
    following = [rest]
    for at in range(len(lead) - 1, 0, -1):
        following += [lead[at], _COMMA]
        if at >= counts.least:
            following = [rules.define(f"{hint}-rest", optional(sequence(*reversed(following))))]
    whole = sequence(lead[0], *reversed(following))
    return sequence(literal("["), whole if counts.least else optional(whole), literal("]"))


@dataclass(frozen=True, slots=True)
class ObjectMember:
    """A member of an object, name and value, and whether it must be there."""

    written: Expression
    required: bool


def object_of(
    members: Sequence[ObjectMember], more: Expression | None, rules: Rules, hint: str
) -> Expression:
    """An object with these members in this order, those that are not required left out or not.

    As many of `more` as there may be follow them; None if there are no others.
    """
    others = EMPTY if more is None else repeated(sequence(_COMMA, more), 0, None)
    # Where one member must be there, the commas hang on it: those before it end in one, those after it begin
    # with one. Where none must, any of them may come first.
    anchor = next((at for at, member in enumerate(members) if member.required), None)
    if anchor is None:
        inside = _all_optional(members, more, others, rules, hint)
    else:
        before = [optional(sequence(member.written, _COMMA)) for member in members[:anchor]]
        after = [
            sequence(_COMMA, member.written)
            if member.required
            else optional(sequence(_COMMA, member.written))
            for member in members[anchor + 1 :]
        ]
        inside = sequence(*before, members[anchor].written, *after, others)
    return sequence(literal("{"), inside, literal("}"))


def _all_optional(
    members: Sequence[ObjectMember], more: Expression | None, others: Expression, rules: Rules, hint: str
) -> Expression:
    """Nothing, or whichever member comes first and then what may follow it."""
    openings = [] if more is None else [sequence(more, others)]
    rest = others
    for member in reversed(members):
        openings.append(sequence(member.written, rest))
        following = sequence(optional(sequence(_COMMA, member.written)), rest)
        # What may follow is a rule of its own: written out, it would double with each member.
        rest = rules.define(f"{hint}-rest", following) if member is not members[0] else following
    return optional(choice(*reversed(openings))) if openings else EMPTY
