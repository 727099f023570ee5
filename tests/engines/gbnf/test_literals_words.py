"""One of many words, or none of them."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.engines.gbnf.expression import Rules, TooLarge
from vidi.engines.gbnf.literals import MOST_LETTERS, excluding, one_of_texts

WORDS = st.lists(st.text('abé"\\\n', max_size=4), min_size=1, max_size=40)


@given(WORDS, WORDS)
def test_one_of_the_words_and_nothing_else(words: list[str], others: list[str]) -> None:
    rules = Rules()
    grammar = Grammar(rules.text(one_of_texts(words, rules)))
    for word in (*words, *others):
        assert grammar.matches(word) == (word in words)


@given(WORDS, WORDS, st.integers())
def test_none_of_the_words_and_anything_else(words: list[str], others: list[str], seed: int) -> None:
    rules = Rules()
    grammar = Grammar(rules.text(excluding(words, rules)))
    for word in (*words, *others):
        assert grammar.matches(json.dumps(word, ensure_ascii=False)[1:-1]) == (word not in words)
    assert json.loads(f'"{grammar.sample(random.Random(seed), 8)}"') not in words


def test_many_words_are_few_ways_to_go_on() -> None:
    rules = Rules()
    words = [f"{colour} {at}" for colour in ("red", "green", "grey") for at in range(300)]
    grammar = Grammar(rules.text(one_of_texts(words, rules)))
    assert max(grammar.widest(word) for word in words) <= 12
    assert all(map(grammar.matches, words))


def test_words_that_each_begin_with_the_one_before() -> None:
    rules = Rules()
    words = ["a" * count for count in range(1, 100)]
    grammar = Grammar(rules.text(one_of_texts(words, rules)))
    assert all(map(grammar.matches, words))
    assert not grammar.matches("a" * 100)


@pytest.mark.slow
def test_a_very_long_name_is_no_deep_recursion() -> None:
    rules = Rules()
    grammar = Grammar(rules.text(excluding(["n" * (MOST_LETTERS - 1)], rules)))
    assert grammar.matches("n" * (MOST_LETTERS - 2))
    assert not grammar.matches("n" * (MOST_LETTERS - 1))
    with pytest.raises(TooLarge, match="additionalProperties"):
        excluding(["n" * MOST_LETTERS], rules)
