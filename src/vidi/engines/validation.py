"""The shape of a structured answer: as JSON Schema, and held against a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from pkgutil import resolve_name

import re2

from vidi.domain.answer import Finish, Piece
from vidi.domain.budget import Budget, BudgetSpent
from vidi.domain.errors import Internal, InvalidRequest
from vidi.domain.prompt import Output, TextFormat
from vidi.domain.schema import JsonValue, Kind, Scalar, Schema

# RE2 matches in linear time: a caller's pattern may be made to backtrack for ever. What is linear in a text
# is also linear in the pattern with its repetitions, which MOST_STEPS bounds.
_QUIET_AND_SMALL = re2.Options()
_QUIET_AND_SMALL.log_errors = False
_QUIET_AND_SMALL.max_mem = 1 << 19


class AnswerMismatch(Internal):
    """A model's answer does not have the shape that was asked for; the text says where."""


def validate(text: str, schema: Schema, form: TextFormat = TextFormat.JSON) -> None:
    """Check that an answer has the shape that was asked for.

    Args:
        text: The whole answer: JSON, or under TextFormat.ENUM the bare value.
        schema: The shape.
        form: How the value is written.

    Raises:
        AnswerMismatch: The text is not JSON, or its value does not satisfy the schema.
    """
    validate_value(_value(text, form), schema)


def validate_value(value: JsonValue, schema: Schema) -> None:
    """Check a value that is read already.

    Raises:
        AnswerMismatch: As `validate`.
        InvalidRequest: The schema is too costly to hold this value against.
    """
    budget = Budget(CHECK_BUDGET)
    try:
        if satisfies(value, schema, budget):
            return
    except BudgetSpent:
        raise InvalidRequest(
            "The response schema has too many alternatives to hold the model's answer against them. "
            "Use fewer of them, or fewer elements.",
            where="generation_config.response_schema",
        ) from None
    if budget.spent > EXPLAINED:
        raise AnswerMismatch("The model's answer does not match the response schema.")
    # Loaded here, since most programs never meet such an answer.
    describe: Callable[[JsonValue, Mapping[str, JsonValue]], str] = resolve_name(
        "vidi.engines.mismatch:describe"
    )
    if described := describe(value, to_json_schema(schema)):
        raise AnswerMismatch(f"The model's answer does not match the response schema at {described}")


CHECK_BUDGET = 1_000_000
"""Values held against nodes of a schema, for one answer: about a second's work. An answer of 8,000 tokens
against a schema of 50 members takes a few thousand."""

EXPLAINED = 20_000
"""Above so much work a mismatch is not explained: the library that does takes a hundred times as long."""


def satisfies(value: JsonValue, schema: Schema, budget: Budget | None = None) -> bool:
    """Whether a value has a shape, as JSON Schema (`to_json_schema`) understands it.

    Args:
        value: The value.
        schema: The shape.
        budget: Counts each value that is held against a node; None allows any work.

    Raises:
        BudgetSpent: It takes more work.
    """
    return _Check(budget).holds(value, schema)


class _Check:
    """Holds values against schemas and counts the work."""

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget

    def _spend(self, amount: int) -> None:
        if self._budget is not None:
            self._budget.spend(amount)

    def holds(self, value: JsonValue, schema: Schema) -> bool:
        self._spend(1)
        if schema.kinds and not kinds_of(value) & schema.kinds:
            return False
        if schema.enum is not None and not self._is_listed(value, schema.enum):
            return False
        if schema.any_of and not any(self.holds(value, option) for option in schema.any_of):
            return False
        if isinstance(value, dict):
            return self._members_hold(value, schema)
        if isinstance(value, list):
            return self._elements_hold(value, schema)
        return self._is_within(value, schema)

    def _is_listed(self, value: JsonValue, allowed: tuple[Scalar, ...]) -> bool:
        self._spend(len(allowed) // _LISTED_AT_ONCE)
        if value not in allowed:
            return False
        if isinstance(value, str):
            return True
        # To Python, true is 1.
        return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in allowed)

    def _members_hold(self, value: dict[str, JsonValue], schema: Schema) -> bool:
        self._spend(len(schema.properties))
        for each in schema.properties:
            if each.name not in value:
                if each.required:
                    return False
            elif not self.holds(value[each.name], each.schema):
                return False
        if schema.additional is None and not is_closed(schema):
            return True
        names = {each.name for each in schema.properties}
        others = [other for name, other in value.items() if name not in names]
        if schema.additional is None:
            return not others
        return all(self.holds(other, schema.additional) for other in others)

    def _elements_hold(self, value: list[JsonValue], schema: Schema) -> bool:
        most = len(value) if schema.max_items is None else schema.max_items
        if not (schema.min_items or 0) <= len(value) <= most:
            return False
        first = len(schema.prefix_items)
        if not all(map(self.holds, value, schema.prefix_items)):
            return False
        return schema.items is None or all(self.holds(each, schema.items) for each in value[first:])

    def _is_within(self, value: Scalar, schema: Schema) -> bool:
        if isinstance(value, str):
            most = len(value) if schema.max_length is None else schema.max_length
            if not (schema.min_length or 0) <= len(value) <= most:
                return False
            if schema.pattern is None or not readable(schema.pattern):
                return True
            self._spend(match_cost(schema.pattern))
            return matches(schema.pattern, value)
        if isinstance(value, bool) or value is None:
            return True
        return (schema.minimum is None or value >= schema.minimum) and (
            schema.maximum is None or value <= schema.maximum
        )


_LISTED_AT_ONCE = 50
"""So many values of an enum are compared in the time of one step of the walk."""

_TEXT, _TRUTH, _NULL = frozenset({Kind.STRING}), frozenset({Kind.BOOLEAN}), frozenset({Kind.NULL})
_LIST, _OBJECT = frozenset({Kind.ARRAY}), frozenset({Kind.OBJECT})
_WHOLE, _FRACTION = frozenset({Kind.NUMBER, Kind.INTEGER}), frozenset({Kind.NUMBER})


def kinds_of(value: JsonValue) -> frozenset[Kind]:
    """The types that a value has; an integral number is both."""
    match value:
        case str():
            return _TEXT
        case bool():
            return _TRUTH
        case None:
            return _NULL
        case list():
            return _LIST
        case dict():
            return _OBJECT
        case int():
            return _WHOLE
    return _WHOLE if value.is_integer() else _FRACTION


def _value(text: str, form: TextFormat) -> JsonValue:
    if form is TextFormat.ENUM:
        return text
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise AnswerMismatch(f"The model's answer is not JSON: {error}") from error
    return value


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no JSON number")


def to_json_schema(schema: Schema) -> dict[str, JsonValue]:
    """Write a schema as JSON Schema 2020-12, without what is open and without unreadable patterns."""
    written: dict[str, JsonValue] = {"description": schema.description} if schema.description else {}
    if schema.kinds:
        # One type stands alone: not every server reads a list of one.
        kinds: list[JsonValue] = [kind.value for kind in Kind if kind in schema.kinds]
        written["type"] = kinds[0] if len(kinds) == 1 else kinds
    if schema.enum is not None:
        written["enum"] = list(schema.enum)
    if schema.any_of:
        written["anyOf"] = [to_json_schema(option) for option in schema.any_of]
    written.update(_object_keywords(schema))
    written.update(_array_keywords(schema))
    written.update(_limits(schema))
    return written


def _object_keywords(schema: Schema) -> Mapping[str, JsonValue]:
    written: dict[str, JsonValue] = {}
    if schema.properties:
        written["properties"] = {each.name: to_json_schema(each.schema) for each in schema.properties}
        written["required"] = [each.name for each in schema.properties if each.required]
    if schema.additional is not None:
        written["additionalProperties"] = to_json_schema(schema.additional)
    elif is_closed(schema):
        written["additionalProperties"] = False
    return written


def is_closed(schema: Schema) -> bool:
    """Whether a schema without `additional` takes no members but those that it names.

    Where only the alternatives name members, the alternatives close themselves.
    """
    return bool(schema.properties) or (Kind.OBJECT in schema.kinds and not schema.any_of)


def _array_keywords(schema: Schema) -> Mapping[str, JsonValue]:
    written: dict[str, JsonValue] = {}
    if schema.prefix_items:
        written["prefixItems"] = [to_json_schema(item) for item in schema.prefix_items]
    if schema.items is not None:
        written["items"] = to_json_schema(schema.items)
    return written


def _limits(schema: Schema) -> Mapping[str, JsonValue]:
    limits: dict[str, JsonValue] = {
        "minimum": schema.minimum,
        "maximum": schema.maximum,
        "minItems": schema.min_items,
        "maxItems": schema.max_items,
        "minLength": schema.min_length,
        "maxLength": schema.max_length,
        "pattern": schema.pattern if readable(schema.pattern) else None,
    }
    return {keyword: limit for keyword, limit in limits.items() if limit is not None}


LONGEST_PATTERN = 2_000
"""Letters of a pattern that is read."""

MOST_STEPS = 5_000
"""Steps of a pattern's program, in which a repetition is written out."""

LONGEST_MATCHED = 10_000
"""Characters of a text in which a pattern is looked for; a longer one passes."""

_STEPS_PER_UNIT = 4
"""So many steps of a pattern's program cost as much as one node, whatever the text."""


def readable(pattern: str | None) -> bool:
    """Whether a pattern can be checked here: ECMA 262 has spellings that RE2 does not read."""
    if pattern is None or len(pattern) > LONGEST_PATTERN:
        return False
    try:
        return int(re2.compile(pattern, _QUIET_AND_SMALL).programsize) <= MOST_STEPS
    except re2.error:
        return False


def matches(pattern: str, text: str) -> bool:
    """Whether a readable pattern is found in a text, or the text is longer than LONGEST_MATCHED."""
    return len(text) > LONGEST_MATCHED or re2.compile(pattern, _QUIET_AND_SMALL).search(text) is not None


def match_cost(pattern: str) -> int:
    """What looking for a readable pattern costs, in units of a budget."""
    return 1 + int(re2.compile(pattern, _QUIET_AND_SMALL).programsize) // _STEPS_PER_UNIT


Attempt = Callable[[], Generator[Piece, None, None]]
"""Begins an answer."""


def validated(attempt: Attempt, output: Output, *, hold_back: bool = False) -> Generator[Piece, None, None]:
    """Pass an answer on, and its last piece only once the text has been found to have its form.

    A `pattern`, and the lengths beside it, may be more than a grammar holds, and are found out at the end
    only. So such an answer is kept back, and asked for once more if it fails; any other streams as it comes.
    An answer that a limit cut short is passed on as it is, with that as its finish.

    Args:
        attempt: Begins the answer; called a second time if the first failed and nothing was passed on.
        output: The form.
        hold_back: Whether the engine has no grammar at all, so that every answer must be kept back.

    Raises:
        AnswerMismatch: The answer does not have its form, the second time too where there was one.
    """
    schema = output.schema
    if schema is None:
        yield from attempt()
    elif not hold_back and not _has_pattern(schema):
        yield from _checked_at_its_end(attempt, output, schema)
    else:
        try:
            yield from _kept_back(attempt, output, schema)
        except AnswerMismatch:
            yield from _kept_back(attempt, output, schema)


def _kept_back(attempt: Attempt, output: Output, schema: Schema) -> Generator[Piece, None, None]:
    """The answer at once, when it is known to be good; empty pieces keep its reader patient."""
    pieces: list[Piece] = []
    with closing(_checked_at_its_end(attempt, output, schema)) as parts:
        for piece in parts:
            pieces.append(piece)
            yield Piece("")
    yield from (piece for piece in pieces if piece.text or piece.tokens or piece.finish or piece.call)


def _checked_at_its_end(attempt: Attempt, output: Output, schema: Schema) -> Generator[Piece, None, None]:
    texts: list[str] = []
    called = False
    with closing(attempt()) as pieces:
        for piece in pieces:
            called = called or piece.call is not None
            if not piece.thought:
                texts.append(piece.text)
            if piece.finish is Finish.STOP and not called:
                validate("".join(texts), schema, output.format)
            yield piece


def _has_pattern(schema: Schema) -> bool:
    """Whether a pattern stands anywhere in a schema."""
    parts = [member.schema for member in schema.properties]
    parts += [*schema.prefix_items, *schema.any_of]
    parts += [part for part in (schema.items, schema.additional) if part is not None]
    return schema.pattern is not None or any(_has_pattern(part) for part in parts)
