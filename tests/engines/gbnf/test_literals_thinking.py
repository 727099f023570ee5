"""Thinking before an answer."""

from __future__ import annotations

import random

import pytest

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.domain.schema import Kind, Schema
from vidi.engines.gbnf import ThinkingTags, compile_json, compile_schema

YES = Schema(kinds=frozenset({Kind.BOOLEAN}))
TAGS = ("<think>", "</think>")


@pytest.mark.parametrize(
    ("text", "opened", "taken"),
    [
        ("true", False, True),
        ("<think>hm</think>true", False, True),
        ("<think></think>\n\ntrue", False, True),
        ("<think>a <b> </thin </ </<</think> false", False, True),
        ("<think>one</think>two</think>true", False, False),
        ("hm</think>true", False, False),
        ("<think>true", False, False),
        ("</think>true", True, True),
        ("hm\n</think>\n\nfalse", True, True),
        ("true", True, False),
    ],
)
def test_what_may_come_first(text: str, opened: bool, taken: bool) -> None:
    grammar = Grammar(compile_schema(YES, thinking=ThinkingTags(*TAGS, opened=opened)))
    assert grammar.matches(text) == taken


@pytest.mark.parametrize("closing", ["aab", "abab", "x", "aaa", "[/THINK]", "^]-"])
def test_the_first_mark_ends_it(closing: str) -> None:
    grammar = Grammar(compile_schema(YES, thinking=ThinkingTags("", closing, opened=True)))
    chance = random.Random(closing)
    for _ in range(300):
        thought = "".join(chance.choices(closing + "z", k=chance.randint(0, 9)))
        whole = thought + closing
        assert grammar.matches(whole + "true") == (whole.index(closing) == len(thought)), whole
        assert grammar.widest(whole) <= 8


def test_thinking_before_free_json() -> None:
    grammar = Grammar(compile_json(thinking=ThinkingTags(*TAGS)))
    assert grammar.matches('<think>{</think>{"a":[1,null]}')
    assert grammar.matches("[]")
    assert not grammar.matches('"text"')
    assert not grammar.matches('{"a": 1}')
