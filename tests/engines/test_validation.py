"""Schemas as JSON Schema, and answers held against them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.conftest import examples
from tests.engines.gbnf.shapes import checkable
from tests.engines.gbnf.values import guess
from tests.engines.schemas import schemas
from vidi.domain.budget import Budget, BudgetSpent
from vidi.domain.prompt import TextFormat
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.validation import AnswerMismatch, matches, readable, satisfies, to_json_schema, validate

TEXT = Schema(kinds=frozenset({Kind.STRING}))
WHOLE = Schema(kinds=frozenset({Kind.INTEGER}), minimum=0, maximum=1000)
ITEM = Schema(
    kinds=frozenset({Kind.OBJECT}),
    properties=(
        Property("label", TEXT, required=True),
        Property(
            "box_2d", Schema(kinds=frozenset({Kind.ARRAY}), items=WHOLE, min_items=4, max_items=4), True
        ),
        Property("score", Schema(kinds=frozenset({Kind.NUMBER})), required=False),
    ),
)
ITEMS = Schema(kinds=frozenset({Kind.ARRAY}), items=ITEM)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '[{"label": "dog", "box_2d": [0, 1, 2, 1000]}]',
        '[{"label": "dog", "box_2d": [0, 1, 2, 3], "score": 0.5}]',
    ],
)
def test_a_fitting_answer_passes(text: str) -> None:
    validate(text, ITEMS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```json\n[]\n```", "not JSON"),
        ("[NaN]", "not JSON"),
        ("", "not JSON"),
        ("{}", r"\$"),
        ('[{"label": "dog"}]', r"\$\[0\]"),
        ('[{"label": "dog", "box_2d": [0, 1, 2]}]', "box_2d"),
        ('[{"label": "dog", "box_2d": [0, 1, 2, 1001]}]', r"box_2d\[3\]"),
        ('[{"label": "dog", "box_2d": [0, 1, 2, 2.5]}]', r"box_2d\[3\]"),
        ('[{"label": "dog", "box_2d": [0, 1, 2, 3], "mask": ""}]', r"\$\[0\]"),
    ],
)
def test_a_misfit_is_refused_and_its_place_named(text: str, told: str) -> None:
    with pytest.raises(AnswerMismatch, match=told):
        validate(text, ITEMS)


def test_a_long_misfit_is_told_shortly() -> None:
    with pytest.raises(AnswerMismatch) as refusal:
        validate(f'"{"x" * 10_000}"', WHOLE)
    assert len(refusal.value.message) < 500


def test_an_enum_answer_is_the_bare_value() -> None:
    options = Schema(kinds=frozenset({Kind.STRING}), enum=("dog", "cat"))
    validate("dog", options, TextFormat.ENUM)
    with pytest.raises(AnswerMismatch):
        validate('"dog"', options, TextFormat.ENUM)


def test_every_limit_is_written() -> None:
    schema = Schema(
        kinds=frozenset({Kind.STRING, Kind.NULL}), min_length=1, max_length=2, pattern="^a", enum=("a", None)
    )
    assert to_json_schema(schema) == {
        "type": ["string", "null"],
        "enum": ["a", None],
        "minLength": 1,
        "maxLength": 2,
        "pattern": "^a",
    }


def test_alternatives_close_themselves() -> None:
    one = Schema(kinds=frozenset({Kind.OBJECT}), properties=(Property("a", TEXT, True),))
    two = Schema(kinds=frozenset({Kind.OBJECT}), properties=(Property("b", TEXT, True),))
    either = Schema(kinds=frozenset({Kind.OBJECT}), any_of=(one, two))
    validate('{"b": "x"}', either)
    with pytest.raises(AnswerMismatch):
        validate('{"a": "x", "b": "x"}', either)


def test_a_pattern_that_python_cannot_read_is_not_checked() -> None:
    assert readable("^a+$")
    assert not readable(r"\p{L}+(")
    validate('"x"', Schema(kinds=frozenset({Kind.STRING}), pattern=r"\p{L}+("))


@settings(max_examples=examples(100))
@given(schemas().map(checkable), st.integers(0, 2**32))
def test_a_value_satisfies_a_schema_as_json_schema_has_it(schema: Schema, seed: int) -> None:
    chance = random.Random(seed)
    validator = Draft202012Validator(to_json_schema(schema))
    for value in (guess(schema, chance) for _ in range(6)):
        assert satisfies(value, schema) == validator.is_valid(value)


@pytest.mark.parametrize("value", [1, True, 1.0, 0, False, 2, "1", [1], {"a": 1}])
@pytest.mark.parametrize("allowed", [(1,), (True,), (1.0, "x"), (True, 1), (0, None)])
def test_an_enum_tells_one_from_true(value: object, allowed: tuple[object, ...]) -> None:
    schema = Schema(enum=allowed)  # type: ignore[arg-type]  # of any scalars
    expected = Draft202012Validator({"enum": list(allowed)}).is_valid(value)
    assert satisfies(value, schema) == expected  # type: ignore[arg-type]  # of any form


def test_the_work_is_counted_and_bounded() -> None:
    texts = tuple(Schema(kinds=frozenset({Kind.STRING}), min_length=at) for at in range(2, 90))
    array = Schema(kinds=frozenset({Kind.ARRAY}), items=Schema(any_of=texts))
    few, many = Budget(100_000), Budget(100_000)
    assert not satisfies(["a"] * 10, array, few)
    assert few.spent < 10 * 100
    assert satisfies(["ab"] * 1000, array, many)
    assert many.spent < 3000
    with pytest.raises(BudgetSpent):
        satisfies(["ab"] * 2000, Schema(items=Schema(any_of=texts[::-1])), Budget(100_000))


def test_a_costly_pattern_is_not_read_and_a_long_text_not_searched() -> None:
    assert not readable("(a|b)?" * 1600)
    assert not readable("[a-z]{1000}" * 20)
    assert matches("^b$", "a" * 10_001)
    assert not matches("^b$", "a" * 10_000)
