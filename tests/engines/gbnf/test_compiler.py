"""What a grammar allows satisfies its schema, and what satisfies the schema is allowed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.engines.gbnf.gbnf_reader import Grammar
from tests.engines.gbnf.shapes import DETECTION, ENUM, NESTED, NULLABLE, TREE, checkable, read
from tests.engines.gbnf.values import guess, written
from tests.engines.schemas import schemas
from vidi.domain.prompt import TextFormat
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.gbnf import ThinkingTags, compile_json, compile_schema
from vidi.engines.gbnf.compiler import MOST_ALTERNATIVES, MOST_OPTIONAL
from vidi.engines.gbnf.expression import ENDLESS
from vidi.engines.schemas import LONGEST_TEXT, Unfillable
from vidi.engines.validation import AnswerMismatch, satisfies, validate

SEEDS = st.integers(0, 2**32)


@settings(max_examples=examples(100))
@given(schemas().map(checkable), SEEDS)
@pytest.mark.slow
def test_every_text_of_a_grammar_satisfies_the_schema(schema: Schema, seed: int) -> None:
    chance = random.Random(seed)
    try:
        grammar = Grammar(compile_schema(schema))
    except Unfillable:
        for _ in range(4):
            assert not satisfies(guess(schema, chance), schema)
        return
    for _ in range(5):
        validate(grammar.sample(chance), schema)


@settings(max_examples=examples(100))
@given(schemas().map(checkable), SEEDS)
@pytest.mark.slow
def test_every_value_of_a_schema_is_a_text_of_the_grammar(schema: Schema, seed: int) -> None:
    chance = random.Random(seed)
    values = [guess(schema, chance) for _ in range(4)]
    fitting = [value for value in values if satisfies(value, schema)]
    if fitting:
        grammar = Grammar(compile_schema(schema))
        for value in fitting:
            assert grammar.matches(written(value, schema))


GOLDEN = Path(__file__).parents[2] / "golden" / "gbnf"
REFRESH = (
    "If the change is meant: UPDATE_GOLDEN=1 pytest tests/engines/gbnf/test_compiler.py, then read the diff."
)
GRAMMARS: dict[str, Callable[[], str]] = {
    "detection": lambda: compile_schema(DETECTION),
    "nested": lambda: compile_schema(NESTED),
    "enum": lambda: compile_schema(ENUM),
    "bare_enum": lambda: compile_schema(ENUM, TextFormat.ENUM),
    "nullable": lambda: compile_schema(NULLABLE),
    "tree": lambda: compile_schema(TREE),
    "thinking": lambda: compile_schema(ENUM, thinking=ThinkingTags("<think>", "</think>")),
    "json": compile_json,
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_grammars_are_as_they_were(name: str) -> None:
    path, text = GOLDEN / f"{name}.gbnf", GRAMMARS[name]()
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{path.name} differs. {REFRESH}"


@pytest.mark.parametrize(
    ("raw", "text", "taken"),
    [
        (
            {"type": "object", "properties": {"b": True, "a": True}, "propertyOrdering": ["a", "b"]},
            '{"a":1,"b":2}',
            1,
        ),
        (
            {"type": "object", "properties": {"b": True, "a": True}, "propertyOrdering": ["a", "b"]},
            '{"b":1,"a":2}',
            0,
        ),
        ({"type": "object", "properties": {"a": True}}, '{"a":1,"b":2}', 0),
        (
            {"type": "object", "properties": {"a": True}, "additionalProperties": True},
            '{"a":1,"b":2,"c":[]}',
            1,
        ),
        ({"type": "object", "properties": {"a": True}, "additionalProperties": True}, '{"b":1,"a":2}', 0),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, '{"b":1,"a":2}', 1),
        ({"type": "object"}, "{}", 1),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, "[1]", 1),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, "[1,2,3]", 1),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, "[2]", 0),
        ({"type": "array", "prefixItems": [{"const": 1}], "items": False, "minItems": 1}, "[]", 0),
        ({"enum": [1, "1", True, None, 2.5]}, '"1"', 1),
        ({"enum": [1, "1", True, None, 2.5]}, "true", 1),
        ({"enum": [1]}, "true", 0),
        ({"type": "INTEGER", "enum": ["3", "4"]}, "3", 1),
        ({"type": "object", "properties": {'k"\u00e9\n': {"const": 'v"\\'}}}, '{"k\\"é\\n":"v\\"\\\\"}', 1),
        (True, "[" * 8 + "]" * 8, 1),
        (True, "[" * 9 + "]" * 9, 0),
        (True, '{"a": 1}', 0),
    ],
)
def test_what_a_grammar_takes(raw: object, text: str, taken: int) -> None:
    assert Grammar(compile_schema(read(raw))).matches(text) == bool(taken)


def test_a_shape_said_twice_is_one_rule() -> None:
    point = {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": 9},
        "minItems": 2,
        "maxItems": 2,
    }
    described = {**point, "description": "where it is", "title": "Place"}
    grammar = compile_schema(read({"type": "object", "properties": {"a": point, "b": described}}))
    assert grammar.count("integer-0-9 ::=") == 1
    assert grammar.count("{1}") + grammar.count('"," integer-0-9') == 1


def _member(schema: Schema, *, required: bool = True) -> Schema:
    return Schema(kinds=frozenset({Kind.OBJECT}), properties=(Property("pets", schema, required),))


STRING, INTEGER, ARRAY = (frozenset({kind}) for kind in (Kind.STRING, Kind.INTEGER, Kind.ARRAY))


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (Schema(enum=()), "enum"),
        (Schema(kinds=INTEGER, enum=("dog",)), "enum"),
        (Schema(kinds=INTEGER, minimum=0.2, maximum=0.8), "minimum"),
        (Schema(kinds=INTEGER, minimum=1e16), "magnitude"),
        (Schema(kinds=ARRAY, min_items=3, max_items=2), "minItems"),
        (Schema(kinds=ARRAY, min_items=1, items=Schema(enum=())), "enum"),
        (Schema(kinds=STRING, min_length=3, max_length=2), "minLength"),
        (Schema(kinds=STRING, min_length=LONGEST_TEXT + 1), "minLength"),
        (Schema(kinds=STRING, any_of=(Schema(kinds=ARRAY),)), "alternatives"),
        (Schema(any_of=(Schema(enum=()), Schema(kinds=INTEGER, enum=()))), "enum"),
        (Schema(any_of=(Schema(kinds=STRING),) * (MOST_ALTERNATIVES + 1)), "alternatives"),
        (
            Schema(
                kinds=frozenset({Kind.OBJECT}),
                properties=tuple(Property(str(at), Schema(), False) for at in range(MOST_OPTIONAL + 1)),
            ),
            "not required",
        ),
    ],
)
def test_a_contradiction_is_refused_and_its_place_named(schema: Schema, told: str) -> None:
    with pytest.raises(Unfillable, match=told) as refusal:
        compile_schema(_member(schema))
    assert "$.pets" in refusal.value.message
    assert refusal.value.where == "generation_config.response_schema"


def test_a_limit_that_no_answer_reaches_is_left_to_validation() -> None:
    schema = Schema(kinds=STRING, max_length=ENDLESS)
    assert "char*" in compile_schema(schema)
    with pytest.raises(AnswerMismatch):
        validate(f'"{"x" * (ENDLESS + 1)}"', schema)


def test_what_cannot_be_is_left_out_where_it_may_be() -> None:
    never = Schema(enum=())
    assert Grammar(compile_schema(_member(never, required=False))).matches("{}")
    assert Grammar(compile_schema(Schema(kinds=ARRAY, items=never))).matches("[]")
    assert Grammar(compile_schema(Schema(any_of=(never, Schema(kinds=INTEGER))))).matches("7")
    assert Grammar(compile_schema(Schema(kinds=STRING | {Kind.NULL}, min_length=2, max_length=1))).matches(
        "null"
    )


MANY = tuple(f"p{at}" for at in range(3000))


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (Schema(enum=(*MANY, "y" * 1_000_000)), "fewer values"),
        (Schema(items=Schema(any_of=(Schema(kinds=STRING),) * 501)), "alternatives"),
        (
            Schema(
                items=Schema(any_of=tuple(Schema(minimum=float(at)) for at in range(200))),
                any_of=(Schema(items=Schema(any_of=tuple(Schema(maximum=float(at)) for at in range(200)))),),
            ),
            "nest fewer anyOf",
        ),
        (
            Schema(
                kinds=frozenset({Kind.OBJECT}),
                properties=tuple(
                    Property(name, Schema(kinds=STRING, max_length=500 + at), True)
                    for at, name in enumerate(MANY[:400])
                ),
            ),
            "maxLength",
        ),
        (
            Schema(
                kinds=frozenset({Kind.OBJECT}),
                properties=tuple(
                    Property(name + "_" * at, Schema(), True) for at, name in enumerate(MANY[:99])
                ),
                additional=Schema(),
            ),
            "additionalProperties",
        ),
        (
            Schema(
                kinds=frozenset({Kind.OBJECT}),
                properties=tuple(Property("n" * 4000 + name, Schema(), True) for name in MANY),
            ),
            "fewer properties",
        ),
    ],
    ids=["values", "alternatives", "multiplied", "counts", "open", "names"],
)
@pytest.mark.slow
def test_what_would_be_too_large_is_refused_and_said_why(schema: Schema, told: str) -> None:
    with pytest.raises(Unfillable, match=told) as refusal:
        compile_schema(schema)
    assert "$" in refusal.value.message


def test_alternatives_hold_together_with_what_stands_beside_them() -> None:
    schema = Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=(Property("a", Schema(kinds=INTEGER, minimum=0), True),),
        additional=Schema(),
        any_of=(
            Schema(properties=(Property("a", Schema(maximum=9), False),), additional=Schema()),
            Schema(properties=(Property("b", Schema(kinds=STRING), True),), additional=Schema()),
        ),
    )
    grammar = Grammar(compile_schema(schema))
    taken = ['{"a":3}', '{"a":12,"b":"x"}']
    refused = ['{"a":12}', '{"a":-1,"b":"x"}', '{"b":"x"}', '{"a":12,"b":1}']
    assert all(map(grammar.matches, taken))
    assert not any(map(grammar.matches, refused))


def test_an_option_that_cannot_be_said_bare_is_left_out() -> None:
    options = Schema(kinds=STRING, enum=("a", "", "nul\0", "\ud800"))
    grammar = Grammar(compile_schema(options, TextFormat.ENUM))
    assert [grammar.matches(text) for text in ("a", "", "nul", '"a"')] == [True, True, False, False]
    with pytest.raises(Unfillable, match="enum"):
        compile_schema(Schema(kinds=STRING, enum=("\ud800",)), TextFormat.ENUM)
