"""The walk over a schema, and the value that says least."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings

from tests.conftest import examples
from tests.engines.schemas import schemas
from vidi.domain.schema import JsonValue, Kind, Property, Scalar, Schema
from vidi.engines.schemas import (
    LONGEST_TEXT,
    MOST_ELEMENTS,
    NOTHING,
    Elements,
    FilledValue,
    Unfillable,
    ValueSource,
    fill,
    minimal_value,
    number,
    options,
)
from vidi.engines.validation import validate


def of(*kinds: Kind) -> frozenset[Kind]:
    return frozenset(kinds)


@settings(max_examples=examples(150))
@given(schemas())
def test_a_value_satisfies_its_schema_or_the_schema_is_refused(schema: Schema) -> None:
    try:
        value = minimal_value(schema)
    except Unfillable as refusal:
        assert "$" in refusal.message
        assert refusal.where == "generation_config.response_schema"
        return
    validate(json.dumps(value), schema)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (Schema(), None),
        (Schema(kinds=of(Kind.STRING, Kind.NULL)), None),
        (Schema(kinds=of(Kind.STRING)), ""),
        (Schema(kinds=of(Kind.STRING), min_length=3), "   "),
        (Schema(kinds=of(Kind.STRING), format="date"), "0001-01-01"),
        (Schema(kinds=of(Kind.STRING), pattern="^[a-z]+$"), "a"),
        (Schema(kinds=of(Kind.STRING), pattern=r"^\d{5}$", min_length=5), "00000"),
        (Schema(kinds=of(Kind.BOOLEAN)), False),
        (Schema(kinds=of(Kind.INTEGER), minimum=2.5), 3),
        (Schema(kinds=of(Kind.NUMBER), maximum=-1.5), -1.5),
        (Schema(kinds=of(Kind.ARRAY)), []),
        (Schema(kinds=of(Kind.ARRAY), items=Schema(kinds=of(Kind.INTEGER)), min_items=2), [0, 0]),
        (Schema(enum=("dog", "cat")), "dog"),
        (Schema(enum=("dog", None)), None),
        (Schema(kinds=of(Kind.INTEGER), enum=("dog", 2)), 2),
        (Schema(any_of=(Schema(enum=()), Schema(kinds=of(Kind.BOOLEAN)))), False),
    ],
)
def test_it_says_as_little_as_it_may(schema: Schema, value: JsonValue) -> None:
    assert minimal_value(schema) == value


def test_optional_members_are_left_out() -> None:
    text = Schema(kinds=of(Kind.STRING))
    schema = Schema(kinds=of(Kind.OBJECT), properties=(Property("a", text, True), Property("b", text, False)))
    assert minimal_value(schema) == {"a": ""}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (Schema(enum=()), "enum"),
        (Schema(kinds=of(Kind.INTEGER), enum=("dog",)), "enum"),
        (Schema(kinds=of(Kind.INTEGER), minimum=0.2, maximum=0.8), "minimum"),
        (Schema(kinds=of(Kind.ARRAY), min_items=3, max_items=2), "minItems"),
        (Schema(kinds=of(Kind.ARRAY), min_items=MOST_ELEMENTS + 1), "minItems"),
        (Schema(kinds=of(Kind.STRING), min_length=3, max_length=2), "minLength"),
        (Schema(kinds=of(Kind.STRING), min_length=LONGEST_TEXT + 1), "minLength"),
        (Schema(kinds=of(Kind.STRING), pattern="^a$", min_length=4), "pattern"),
        (Schema(kinds=of(Kind.STRING), any_of=(Schema(kinds=of(Kind.ARRAY)),)), "alternatives"),
    ],
)
def test_a_contradiction_is_named(schema: Schema, told: str) -> None:
    member = Schema(kinds=of(Kind.OBJECT), properties=(Property("pets", schema, True),))
    with pytest.raises(Unfillable, match=told) as refusal:
        minimal_value(member)
    assert "$.pets" in refusal.value.message


def test_a_number_keeps_to_its_limits() -> None:
    schema = Schema(kinds=of(Kind.INTEGER), minimum=0, maximum=10)
    assert [number(value, schema, "$") for value in (-3, 2.4, 99.5)] == [0, 2, 10]
    assert isinstance(number(2.4, schema, "$"), int)


def test_options_are_those_of_the_type() -> None:
    assert options(Schema(kinds=of(Kind.NUMBER), enum=(1, True, "1", 2.5))) == (1, 2.5)


@dataclass(frozen=True)
class Words:
    """A source that knows one text, and lists of it."""

    text: str | None
    count: int = 0

    def kinds(self, schema: Schema, /) -> Sequence[Kind]:
        return [kind for kind in Kind if kind in schema.kinds]

    def scalar(self, kind: Kind, _schema: Schema, /) -> Scalar:
        return self.text if kind is Kind.STRING else None

    def blank(self, _schema: Schema, /) -> str:
        return ""

    def choose(self, allowed: Sequence[Scalar], /) -> FilledValue:
        return FilledValue(self.text if self.text in allowed else allowed[0], known=self.text in allowed)

    def members(self, schema: Schema, /) -> Sequence[ValueSource]:
        return [self if each.name == "text" else NOTHING for each in schema.properties]

    def elements(self, _schema: Schema, /) -> Elements:
        return Elements([*[self] * self.count, Words(None)])


TEXT = Schema(kinds=of(Kind.STRING))
MAYBE = Schema(kinds=of(Kind.STRING, Kind.NULL))


@pytest.mark.parametrize(
    ("schema", "value", "known"),
    [
        (TEXT, "dog", True),
        (MAYBE, "dog", True),
        (Schema(kinds=of(Kind.STRING), max_length=2), "do", True),
        (Schema(kinds=of(Kind.INTEGER)), 0, False),
        (Schema(enum=("cat", "dog")), "dog", True),
        (Schema(any_of=(Schema(kinds=of(Kind.NULL)), TEXT)), "dog", True),
        (Schema(any_of=(Schema(kinds=of(Kind.NULL)), Schema(kinds=of(Kind.INTEGER)))), None, False),
        (Schema(kinds=of(Kind.ARRAY), items=TEXT), ["dog", "dog"], True),
        (Schema(kinds=of(Kind.ARRAY), items=TEXT, max_items=1), ["dog"], True),
        (Schema(kinds=of(Kind.ARRAY), items=TEXT, min_items=3), ["dog", "dog", ""], True),
        (
            Schema(
                kinds=of(Kind.OBJECT),
                properties=(
                    Property("text", MAYBE, False),
                    Property("other", MAYBE, False),
                    Property("a", MAYBE, True),
                ),
            ),
            {"text": "dog", "a": None},
            True,
        ),
    ],
)
def test_a_source_says_what_it_knows_within_the_limits(schema: Schema, value: JsonValue, known: bool) -> None:
    assert fill(schema, Words("dog", count=2)) == FilledValue(value, known)


def test_objects_of_a_list_are_not_made_up() -> None:
    each = Schema(kinds=of(Kind.OBJECT), properties=(Property("text", TEXT, True),))
    schema = Schema(kinds=of(Kind.ARRAY), items=each, min_items=3)
    assert fill(schema, NOTHING).value == [{"text": ""}] * 3
    with pytest.raises(Unfillable, match="minItems is 3, but 2"):
        fill(schema, Words("dog", count=2))
