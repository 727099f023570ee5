"""Tokens out of a stream, and values made of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.schema import JsonValue
from vidi.engines.grounding.json_stream import (
    LONGEST_TOKEN,
    MOST_VALUES,
    BrokenJson,
    JsonScanner,
    Token,
    ValueBuilder,
    dumps,
)


def tokens(*pieces: str, multiline: bool = True) -> list[Token]:
    scanner = JsonScanner(multiline=multiline)
    found = []
    for piece in (*pieces, " "):
        scanner.feed(piece)
        while token := scanner.token():
            found.append(token)
    return found


def built(*pieces: str) -> JsonValue:
    builder = ValueBuilder()
    for token in tokens(*pieces):
        builder.take(token)
    assert builder.complete
    return builder.value


def test_tokens_keep_their_text() -> None:
    assert tokens('{"a" : [1.5,\n true]}') == [
        Token("{", "{"),
        Token('"a"', value="a"),
        Token(" : [", "["),
        Token("1.5", value=1.5),
        Token(",\n true", value=True),
        Token("]", "]"),
        Token("}", "}"),
    ]


@pytest.mark.parametrize("text", ["nul", "01", "'a'", "1.2.3", "-", "\\", '"\\x"'])
def test_what_is_no_value_is_a_broken_token(text: str) -> None:
    assert tokens(text) == [Token(text, broken=True)]


def test_a_line_break_in_a_string_is_read_or_ends_it() -> None:
    assert tokens('"a\nb"') == [Token('"a\nb"', value="a\nb")]
    assert tokens('"a\nb"', multiline=False)[0] == Token('"a\n', broken=True)


@pytest.mark.parametrize("start", ['"', "1", " "])
def test_a_token_that_is_too_long_is_broken_and_what_is_behind_it_is_read(start: str) -> None:
    filling = {'"': '\\"', "1": "1", " ": " "}[start] * 1000
    found = tokens(start, *[filling] * (LONGEST_TOKEN // 1000 + 2), '" ' if start == '"' else " ", "{")
    assert found[0].broken
    assert found[-1].bracket == "{"
    assert sum(len(token.text) for token in found) > LONGEST_TOKEN
    assert max(len(token.text) for token in found) < LONGEST_TOKEN + 3000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES), st.integers(1, 9), st.booleans())
def test_a_value_is_what_json_reads(value: JsonValue, size: int, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert built(*(text[at : at + size] for at in range(0, len(text), size))) == value


@pytest.mark.parametrize("text", ["[1}", '{"a": 1]', "{1: 2}", "{[]}", "{{}}", "[nonsense]"])
def test_what_is_no_json_cannot_be_built(text: str) -> None:
    with pytest.raises(BrokenJson):
        built(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "1," * (MOST_VALUES + 1)])
def test_what_is_too_large_cannot_be_built(text: str) -> None:
    with pytest.raises(BrokenJson):
        built(text)


@given(st.lists(st.text(alphabet='{}[]":,\\ \n1b', max_size=8)), st.booleans())
def test_pieces_do_not_matter_for_tokens(pieces: list[str], multiline: bool) -> None:
    assert tokens(*pieces, multiline=multiline) == tokens("".join(pieces), multiline=multiline)


def test_what_json_cannot_say_is_not_written() -> None:
    assert dumps(float("inf")) == ""
    assert dumps("\ud800") == '"\\ud800"'
    assert dumps("ş") == '"ş"'
