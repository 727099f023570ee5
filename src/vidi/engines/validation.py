"""The shape of a structured answer: as JSON Schema, and held against a text."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from vidi.domain.answer import Finish, Piece
from vidi.domain.errors import Internal
from vidi.domain.prompt import Output, TextFormat
from vidi.domain.schema import JsonValue, Kind, Schema

# RE2 matches in linear time: a caller's pattern may be made to backtrack for ever.
_NO_LOG = re2.Options()
_NO_LOG.log_errors = False


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
    """Check a value that is read already; raises AnswerMismatch as `validate` does."""
    mismatch = best_match(_Validator(to_json_schema(schema)).iter_errors(value))
    if mismatch is not None:
        raise AnswerMismatch(
            f"The model's answer does not match the response schema at {mismatch.json_path}: "
            f"{_shortened(mismatch.message)}"
        )


def satisfies(value: JsonValue, schema: Schema) -> bool:
    """Whether a value has a shape."""
    return bool(_Validator(to_json_schema(schema)).is_valid(value))


def satisfying(values: Iterable[JsonValue], schema: Schema) -> list[bool]:
    """Whether each of many values has a shape."""
    validator = _Validator(to_json_schema(schema))
    return [bool(validator.is_valid(value)) for value in values]


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


def _shortened(message: str, length: int = 300) -> str:
    return message if len(message) <= length else message[: length - 3] + "..."


def to_json_schema(schema: Schema) -> dict[str, JsonValue]:
    """Write a schema as JSON Schema 2020-12, without what is open and without unreadable patterns."""
    written: dict[str, JsonValue] = {}
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
    elif schema.properties or (Kind.OBJECT in schema.kinds and not schema.any_of):
        # Where only the alternatives name members, the alternatives close themselves.
        written["additionalProperties"] = False
    return written


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


def readable(pattern: str | None) -> bool:
    """Whether a pattern can be checked here: ECMA 262 has spellings that RE2 does not read."""
    try:
        return pattern is not None and re2.compile(pattern, _NO_LOG) is not None
    except re2.error:
        return False


def matches(pattern: str, text: str) -> bool:
    """Whether a readable pattern is found in a text, in time linear in the text."""
    return re2.compile(pattern, _NO_LOG).search(text) is not None


def _pattern(_: object, pattern: str, value: JsonValue, __: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})


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
    yield from (piece for piece in pieces if piece.text or piece.tokens or piece.finish)


def _checked_at_its_end(attempt: Attempt, output: Output, schema: Schema) -> Generator[Piece, None, None]:
    texts: list[str] = []
    with closing(attempt()) as pieces:
        for piece in pieces:
            if not piece.thought:
                texts.append(piece.text)
            if piece.finish is Finish.STOP:
                validate("".join(texts), schema, output.format)
            yield piece


def _has_pattern(schema: Schema) -> bool:
    """Whether a pattern stands anywhere in a schema."""
    parts = [member.schema for member in schema.properties]
    parts += [*schema.prefix_items, *schema.any_of]
    parts += [part for part in (schema.items, schema.additional) if part is not None]
    return schema.pattern is not None or any(_has_pattern(part) for part in parts)
