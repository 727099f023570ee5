"""Strings by format and by length."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date, datetime, time
from uuid import UUID

import pytest

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.domain.schema import Kind, Schema
from vidi.engines.gbnf import compile_schema

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
        ("uuid", UUID, ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000"]),
        (
            "email",
            lambda text: text.index("@"),
            ["a.b-c@d.example.org"],
            ["a@b", "a..b@c.de", "@c.de", "a@-c.de"],
        ),
    ],
)
def test_formats(name: str, reads: Callable[[str], object], fitting: list[str], others: list[str]) -> None:
    grammar = Grammar(compile_schema(Schema(kinds=STRING, format=name)))
    assert all(grammar.matches(json.dumps(text)) for text in fitting)
    assert not any(grammar.matches(json.dumps(text)) for text in others)
    for seed in range(60):
        reads(json.loads(grammar.sample(random.Random(seed))))


def test_lengths_come_before_a_format_and_an_unknown_format_is_free() -> None:
    assert Grammar(compile_schema(Schema(kinds=STRING, format="date", max_length=4))).matches('"2024"')
    assert Grammar(compile_schema(Schema(kinds=STRING, format="colour"))).matches('"red"')


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
