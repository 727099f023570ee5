"""From bytes to a tree: strict, else lenient, never an accident."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.errors import InvalidRequest, MalformedJson
from vidi.wire.json_body import MAX_VALUES, read_object


def test_strict_and_sloppy_spellings_are_one() -> None:
    tree = {"contents": [{"parts": [{"text": "é\n"}]}]}
    assert read_object(json.dumps(tree).encode()) == tree
    assert read_object(bytearray("{contents: [{'parts': [{'text': 'é\n'},],}]}".encode())) == tree


@pytest.mark.parametrize("body", [b"", b" \r\n", b"{}"])
def test_an_empty_body_is_an_empty_object(body: bytes) -> None:
    assert read_object(body) == {}


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"['a',]"])
def test_the_root_must_be_an_object(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Root element must be a message"):
        read_object(body)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"a":' * 100_000, "nests its values too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nests its values too deeply"),
        (b"[" * 205 + b"]" * 205, "nests its values too deeply"),
        (b'{"a":' + b"9" * 5_000 + b"}", "too many digits"),
        (b'{"a":"\\ud800"}', "half a character"),
        (b'{"a":"\\udc00 \\ud800"}', "half a character"),
        (b'{"a":"\\u12g4"}', "escape"),
        (b'{"a":"\xff"}', "not valid UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not valid UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"a":1}'.encode("utf-16"), "byte order mark"),
        (b'{"a":"\0"}', "NUL byte"),
        (b'{"a":NaN}', "Unexpected token"),
        (b'{"a":-Infinity}', "Expected a value"),
        (b"\x89PNG\r\n\x1a\n", "not valid UTF-8"),
    ],
)
def test_hopeless_bodies_are_refused(body: bytes, problem: str) -> None:
    with pytest.raises(MalformedJson) as caught:
        read_object(body)
    assert caught.value.message.startswith("Invalid JSON payload received. ")
    assert problem in caught.value.message


@pytest.mark.parametrize("element", [b"{},", b"1,", b"[[[[]]]],"])
def test_a_flood_of_values_is_refused_before_it_is_read(element: bytes) -> None:
    body = (
        b'{"contents":['
        + element * (MAX_VALUES // element.count(b"[") if b"[" in element else MAX_VALUES)
        + b"1]}"
    )
    with pytest.raises(InvalidRequest, match="more than 1000000 JSON values"):
        read_object(body)


def test_commas_in_text_are_no_flood() -> None:
    text = "a, " * 10_000
    assert read_object(json.dumps({"text": text}).encode()) == {"text": text}


@given(st.binary(max_size=60))
def test_any_bytes_give_a_tree_or_a_refusal(body: bytes) -> None:
    try:
        assert isinstance(read_object(body), dict)
    except InvalidRequest as refusal:
        assert refusal.message
