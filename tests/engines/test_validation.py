"""Schemas as JSON Schema, and answers held against them."""

from __future__ import annotations

import pytest

from vidi.domain.prompt import TextFormat
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.validation import AnswerMismatch, readable, to_json_schema, validate

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
