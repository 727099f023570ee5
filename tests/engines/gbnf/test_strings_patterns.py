"""Regular expressions as grammars."""

from __future__ import annotations

import json
import random

import pytest

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.engines.gbnf.expression import Rules, literal, sequence
from vidi.engines.gbnf.strings import pattern_text
from vidi.engines.validation import matches

SIMPLE = [
    (r"^[a-z]+$", ["a", "zz"], ["", "A", "a1"]),
    (r"^#[0-9a-fA-F]{6}$", ["#00ff7F"], ["#00ff7", "00ff7f0"]),
    (r"^\d{3}-\d{4}$", ["555-0100"], ["555-010", "5550100"]),
    (r"^(red|green|blue)$", ["red", "blue"], ["redd", "re"]),
    (r"^(?:a|bc)+\.(?P<end>x?)$", ["a.", "bca.x"], [".", "abc"]),
    (r"cat", ["cat", "a cat!"], ["ca t"]),
    (r"^cat|dog$", ["catalogue", "hot dog"], ["dogs", "a cat"]),
    (r"^[^\"\\\n]$", ["a", "é", "\t"], ['"', "\\", "\n", "ab"]),
    (r"^[\w.+-]+@\w+\.[a-z]{2,}?$", ["a.b@c.de"], ["@c.de", "a@c"]),
    (r"^\S+\s\S+$", ["a b", "ab\tc"], ["ab", "a b c"]),
    (r"^.{2,3}$", ["ab", '"\\ ', "中文"], ["a", "abcd", "a\n"]),
    (r"^\x41\u00e9\/\$$", ["Aé/$"], ["Aé/"]),
    (r"^[\]a\-c-]+$", ["]-a", "c"], ["b"]),
    (r"^a{2}b{1,}c{0,2}$", ["aab", "aabbcc"], ["ab", "aabccc"]),
    (r"", ["", "x"], []),
    (r"^$", [""], ["x"]),
]


def _grammar(pattern: str) -> Grammar | None:
    rules = Rules()
    inside = pattern_text(pattern, rules)
    if inside is None:
        return None
    return Grammar(rules.text(sequence(literal('"'), inside, literal('"'))))


@pytest.mark.parametrize(("pattern", "fitting", "others"), SIMPLE)
def test_simple_patterns(pattern: str, fitting: list[str], others: list[str]) -> None:
    grammar = _grammar(pattern)
    assert grammar is not None
    for text in fitting:
        assert grammar.matches(json.dumps(text, ensure_ascii=False)), text
    for text in others:
        assert not grammar.matches(json.dumps(text, ensure_ascii=False)), text
    for seed in range(30):
        text = json.loads(grammar.sample(random.Random(seed), 30))
        assert matches(pattern.replace(r"\u00e9", "é"), text), text


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            r"a(?=b)",
            r"(?i)a",
            r"\bword\b",
            r"(a)\1",
            r"\p{L}",
            r"a**",
            r"a{2}{3}",
            r"a^b",
            r"a$b",
            "[[:alpha:]]",
        ),
        *(
            "[]a]",
            "[",
            "(",
            ")",
            "a)",
            "(a",
            "*",
            "[z-a]",
            r"[\d-z]",
            "{",
            "a{,3}",
            "\\",
            "\\0",
            "\ud800",
            "(^a)",
        ),
        *("(a*)*", "(a?b?)+", "(" * 40 + ")" * 40, "^(a{1,20}b?){1,20}$", "^[a-z]{0,300}[a-y]{0,300}$"),
    ],
)
def test_what_is_not_simple_is_left_to_validation(pattern: str) -> None:
    assert _grammar(pattern) is None


def test_few_ways_to_go_on_are_followed_at_once() -> None:
    for pattern in ("^[a-z]{0,1000}$", "^[a-z]{3,1000}!$", "cat", r"^\d{1,3}(\.\d{1,3}){3}$"):
        grammar = _grammar(pattern)
        assert grammar is not None
        assert grammar.widest('"' + "abcd1.2"[:4] * 9) <= 8
