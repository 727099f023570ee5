"""Right-hand sides mean what they say wherever they are put."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.engines.gbnf.expression import (
    EMPTY,
    Expression,
    choice,
    literal,
    one_of,
    optional,
    repeated,
    sequence,
)

A, B = literal("a"), literal("b")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


def _grammar(root: Expression) -> Grammar:
    return Grammar(f"root ::= {root.text}\n")


@given(TEXTS, TEXTS)
def test_a_literal_is_its_text_and_nothing_else(text: str, other: str) -> None:
    grammar = _grammar(literal(text))
    assert grammar.matches(text)
    assert grammar.matches(other) == (text == other)


@given(
    st.lists(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), st.characters()
)
def test_a_class_is_its_characters_and_nothing_else(members: list[str], other: str) -> None:
    grammar = _grammar(one_of((ord(member), ord(member)) for member in members))
    assert all(map(grammar.matches, members))
    assert grammar.matches(other) == (other in members)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (sequence(A, B, choice(A, B)), '"ab" ("a" | "b")'),
        (sequence(EMPTY, sequence(A, B), EMPTY), '"ab"'),
        (sequence(), '""'),
        (choice(A, A), '"a"'),
        (choice(choice(A, B), EMPTY), '"a" | "b" | ""'),
        (optional(sequence(A, one_of([(48, 57)]))), '("a" [0-9])?'),
        (repeated(choice(A, B), 0, None), '("a" | "b")*'),
        (repeated(A, 1, None), '"a"+'),
        (repeated(A, 2, None), '"a"{2,}'),
        (repeated(A, 3, 3), '"a"{3}'),
        (repeated(A, 1, 1), '"a"'),
        (repeated(A, 0, 0), '""'),
        (optional(EMPTY), '""'),
    ],
)
def test_brackets_stand_where_they_must(made: Expression, text: str) -> None:
    assert made.text == text
