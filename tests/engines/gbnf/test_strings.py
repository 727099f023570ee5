"""Strings by format and by length."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date, datetime, time

import pytest

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.domain.schema import Kind, Schema
from vidi.engines.gbnf import compile_schema
from vidi.engines.validation import AnswerMismatch, validate

STRING = frozenset({Kind.STRING})


@pytest.mark.parametrize(
    ("name", "reads", "fitting", "others"),
    [
        (
            "date",
            date.fromisoformat,
            ["2024-02-29", "2000-02-29", "1999-12-31"],
            ["2023-02-29", "1900-02-29", "2024-04-31"],
        ),
        (
            "time",
            time.fromisoformat,
            ["23:59:59Z", "00:00:00.5+05:30"],
            ["24:00:00Z", "12:00:00", "12:60:00Z"],
        ),
        (
            "date-time",
            datetime.fromisoformat,
            ["2026-11-28T18:25:00Z"],
            ["2026-11-28", "2026-11-28 18:25:00Z"],
        ),
    ],
)
def test_formats(name: str, reads: Callable[[str], object], fitting: list[str], others: list[str]) -> None:
    grammar = Grammar(compile_schema(Schema(kinds=STRING, format=name)))
    assert all(grammar.matches(json.dumps(text)) for text in fitting)
    assert not any(grammar.matches(json.dumps(text)) for text in others)
    for seed in range(60):
        reads(json.loads(grammar.sample(random.Random(seed))))


def test_lengths_come_before_a_format() -> None:
    assert Grammar(compile_schema(Schema(kinds=STRING, format="date", max_length=4))).matches('"2024"')


@pytest.mark.parametrize("name", ["colour", "uuid", "email", "uri", "duration"])
def test_a_format_that_google_does_not_know_is_free(name: str) -> None:
    assert Grammar(compile_schema(Schema(kinds=STRING, format=name))).matches('"red"')


def test_lengths_beside_a_pattern_are_left_to_validation() -> None:
    schema = Schema(kinds=STRING, pattern="^[a-z]+$", min_length=2, max_length=3)
    grammar = Grammar(compile_schema(schema))
    assert grammar.matches('"abc"')
    assert not grammar.matches('"ABC"')
    for text in ('"a"', '"abcd"'):
        assert grammar.matches(text)
        with pytest.raises(AnswerMismatch):
            validate(text, schema)


def test_lengths_are_held_where_the_pattern_is_not_simple() -> None:
    schema = Schema(kinds=STRING, pattern=r"^\p{L}+$", max_length=3)
    grammar = Grammar(compile_schema(schema))
    assert [grammar.matches(text) for text in ('"abc"', '"123"', '"abcd"')] == [True, True, False]
    with pytest.raises(AnswerMismatch):
        validate('"123"', schema)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ('"abc"', 3),
        (r'"\"\\\/\b\f\n\r\t"', 8),
        (r'"\u00e9"', 1),
        (r'"\ud83d\ude00"', 1),
        ('"😀"', 1),
        ('"\x7f"', 1),
    ],
)
def test_every_spelling_of_a_character_counts_once(text: str, length: int) -> None:
    assert Grammar(compile_schema(Schema(kinds=STRING, min_length=length, max_length=length))).matches(text)
    assert not Grammar(compile_schema(Schema(kinds=STRING, max_length=length - 1))).matches(text)
    assert len(json.loads(text)) == length


@pytest.mark.parametrize(
    "text", ['"a', '"\n"', '"\x1f"', r'"\x"', r'"\u12"', r'"\ud800"', r'"\udc00"', r'"\ud800\u0041"']
)
def test_what_is_no_text_is_not_said(text: str) -> None:
    assert not Grammar(compile_schema(Schema(kinds=STRING))).matches(text)
