"""Sets of characters, and how JSON writes them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.engines.gbnf.expression import Rules
from vidi.engines.gbnf.literals import ALL, all_but, common, in_string, quoted, spans

CODES = st.integers(0, 0x7F) | st.integers(0, 0xD7FF) | st.integers(0xE000, 0x10FFFF)
SPANS = st.lists(st.tuples(CODES, CODES).map(lambda pair: (min(pair), max(pair))), max_size=5)


def _has(ranges: list[tuple[int, int]] | tuple[tuple[int, int], ...], code: int) -> bool:
    return any(low <= code <= high for low, high in ranges)


@given(SPANS, SPANS, CODES)
def test_sets(one: list[tuple[int, int]], other: list[tuple[int, int]], code: int) -> None:
    assert _has(spans(one), code) == _has(one, code)
    assert _has(all_but(one), code) == (not _has(one, code))
    assert _has(common(one, other), code) == (_has(one, code) and _has(other, code))
    assert not _has(all_but(one), 0xD800)


@given(SPANS, st.lists(CODES, min_size=1))
def test_a_set_inside_a_string(ranges: list[tuple[int, int]], codes: list[int]) -> None:
    allowed = common(ranges, ALL) or ALL
    rules = Rules()
    grammar = Grammar(rules.text(in_string(allowed, rules)))
    for code in (*codes, *(low for low, _ in allowed)):
        text = json.dumps(chr(code), ensure_ascii=False)[1:-1]
        assert grammar.matches(text) == _has(allowed, code)


@given(st.text())
def test_a_text_is_quoted_so_that_it_is_read_again(text: str) -> None:
    assert json.loads(quoted(text)) == text


def test_a_lone_surrogate_stays_an_escape() -> None:
    assert quoted("a\ud83d") == '"a\\ud83d"'
