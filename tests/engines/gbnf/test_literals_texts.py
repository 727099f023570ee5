"""One of many texts, or none of them."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.engines.gbnf.expression import Rules, TooLarge
from vidi.engines.gbnf.literals import COMPARED, MOST_LETTERS, excluding, one_of_texts

TEXTS = st.lists(st.text('abé"\\\n', max_size=4), min_size=1, max_size=40)


@given(TEXTS, TEXTS)
def test_one_of_the_texts_and_nothing_else(texts: list[str], others: list[str]) -> None:
    rules = Rules()
    grammar = Grammar(rules.text(one_of_texts(texts, rules)))
    for text in (*texts, *others):
        assert grammar.matches(text) == (text in texts)


@given(TEXTS, TEXTS, st.integers())
def test_none_of_the_texts_and_anything_else(texts: list[str], others: list[str], seed: int) -> None:
    rules = Rules()
    grammar = Grammar(rules.text(excluding(texts, rules)))
    for text in (*texts, *others):
        assert grammar.matches(json.dumps(text, ensure_ascii=False)[1:-1]) == (text not in texts)
    assert json.loads(f'"{grammar.sample(random.Random(seed), 8)}"') not in texts


def test_many_texts_are_few_ways_to_go_on() -> None:
    rules = Rules()
    texts = [f"{colour} {at}" for colour in ("red", "green", "grey") for at in range(300)]
    grammar = Grammar(rules.text(one_of_texts(texts, rules)))
    assert max(grammar.widest(text) for text in texts) <= 12
    assert all(map(grammar.matches, texts))


def test_texts_that_each_begin_with_the_one_before() -> None:
    rules = Rules()
    texts = ["a" * count for count in range(1, 100)]
    grammar = Grammar(rules.text(one_of_texts(texts, rules)))
    assert all(map(grammar.matches, texts))
    assert not grammar.matches("a" * 100)


def test_a_very_long_text_excludes_all_that_begins_like_it() -> None:
    rules = Rules()
    grammar = Grammar(rules.text(excluding(["n" * 5000, "n" * COMPARED, "n" * 7], rules)))
    taken = ["n" * 6, "n" * 8, "n" * (COMPARED - 1), "n" * (COMPARED - 1) + "m"]
    assert all(map(grammar.matches, taken))
    assert not any(map(grammar.matches, ["n" * 7, "n" * COMPARED, "n" * 5000]))


def test_many_long_texts_are_too_many_to_exclude() -> None:
    texts = [str(at) + "n" * (COMPARED - 5) for at in range(100, 100 + MOST_LETTERS // 50)]
    with pytest.raises(TooLarge, match="additionalProperties"):
        excluding(texts, Rules())
