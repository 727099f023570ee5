"""The value that says least."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from tests.conftest import examples
from tests.engines.schemas import schemas
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.schemas import LONGEST_TEXT, MOST_ELEMENTS, Unfillable, minimal_value, number, options
from vidi.engines.validation import JsonValue, validate


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
