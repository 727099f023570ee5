"""Rules of one grammar: shared, named, counted, bounded."""

from __future__ import annotations

import pytest

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.engines.gbnf.expression import (
    ENDLESS,
    LONGEST_REPEAT,
    MOST_REPETITIONS,
    MOST_RULES,
    Rules,
    TooLarge,
    choice,
    literal,
    reference,
    sequence,
)

A = literal("a")


def test_equal_bodies_are_one_rule_and_names_differ() -> None:
    rules = Rules()
    one = rules.define("Box 2D!", choice(A, literal("b")))
    assert rules.define("other", choice(A, literal("b"))) == one
    assert one.text == "box-2d"
    assert rules.define("box-2d", A).text == "box-2d-2"
    assert rules.define("root", literal("r")).text == "root-2"
    assert rules.define("中", literal("s")).text == "rule"


def test_only_what_is_needed_is_written_from_the_outside_in() -> None:
    rules = Rules()
    inner = rules.define("inner", choice(A, literal("b")))
    rules.define("unused", literal("inner"))
    outer = rules.define("outer", sequence(inner, literal("x inner")))
    assert rules.text(outer).splitlines() == [
        "root ::= outer",
        'outer ::= inner "x inner"',
        'inner ::= "a" | "b"',
    ]


@pytest.mark.parametrize(
    ("least", "most"),
    [
        (0, 3),
        (2, 2),
        (1, LONGEST_REPEAT),
        (0, 1001),
        (999, 1001),
        (1001, 1001),
        (0, 2000),
        (1200, 3456),
        (1001, None),
    ],
)
def test_counts_are_exact(least: int, most: int | None) -> None:
    rules = Rules()
    grammar = Grammar(rules.text(rules.repeat(A, least, most, "a")))
    lengths = {
        0,
        1,
        least - 1,
        least,
        least + 1,
        (most or 5000) - 1,
        most or 5000,
        (most or 5000) + 1,
        1000,
        1999,
        2000,
    }
    for length in lengths - {-1}:
        assert grammar.matches("a" * length) == (least <= length <= (most or length)), length
    assert grammar.widest("a" * (most or 3000)) <= 12


def test_a_limit_that_no_answer_reaches_is_none() -> None:
    assert Rules().repeat(A, 2, ENDLESS, "a").text == '"a"{2,}'


def test_a_grammar_that_grows_too_large_is_refused() -> None:
    rules = Rules()
    with pytest.raises(TooLarge, match="rules"):
        for at in range(MOST_RULES + 1):
            rules.define("x", sequence(reference("x"), literal(str(at))))
    counted = Rules()
    with pytest.raises(TooLarge, match="maxLength"):
        for count in range(MOST_REPETITIONS):
            counted.define("a", sequence(literal(str(count)), counted.repeat(A, 0, 500, "a")))


def test_the_same_count_in_many_places_counts_once() -> None:
    rules = Rules()
    for _ in range(2 * MOST_REPETITIONS // LONGEST_REPEAT):
        rules.define("a", rules.repeat(A, 0, LONGEST_REPEAT, "a"))
