"""The lenient reader: what Google's parser takes, what it refuses, and that strict JSON keeps its meaning."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.errors import MalformedJson
from vidi.wire.json_body import MAX_DEPTH, to_strict

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_strict_documents_keep_their_meaning(
    value: object, ascii_only: bool, indent: int | str | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert json.loads(to_strict(text.encode())) == value


@given(st.binary(max_size=40) | st.text("{}[]:,'\"\\\n \t01.e-+atrufnl$_v", max_size=30).map(str.encode))
def test_any_bytes_give_json_or_a_refusal(text: bytes) -> None:
    try:
        strict = to_strict(text)
    except MalformedJson:
        return
    assert strict.startswith(
        (b"{", b"[", b'"', b"t", b"f", b"n", b"-", *(b"%d" % digit for digit in range(10)))
    )


@pytest.mark.parametrize(
    ("lenient", "meaning"),
    [
        ("[1, 2,]", [1, 2]),
        ('{"a": 1,}', {"a": 1}),
        ('{"a": {"b": [1,],},}', {"a": {"b": [1]}}),
        ("{'a': 'b'}", {"a": "b"}),
        ("{a: 1, $b_2: true, null: null}", {"a": 1, "$b_2": True, "null": None}),
        ("{'it\\'s \"so\"': 'a\\\"b'}", {'it\'s "so"': 'a"b'}),
        ('["it\'s"]', ["it's"]),
        ('["line\nbreak\r\n\ttab\x01\x1f"]', ["line\nbreak\r\n\ttab\x01\x1f"]),
        ('["\\q\\v\\\'\\{ \\\\q \\\\\\q"]', ["q\v'{ \\q \\q"]),
        ('["\\\\"]', ["\\"]),
        ("['\\\\', 'a']", ["\\", "a"]),
        ('["\\é\\\n"]', ["é\n"]),
        ("['\\u00e9\\n']", ["é\n"]),
        ("[]", []),
        ("{}", {}),
        (" \r\n[ ] ", []),
        ("[-0.5e+3, 0, 10]", [-500.0, 0, 10]),
    ],
)
def test_what_is_allowed(lenient: str, meaning: object) -> None:
    assert json.loads(to_strict(lenient.encode())) == meaning


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Unexpected end of string. Expected a value."),
        ("{", "Unexpected end of string. Expected an object key or }."),
        ("[1", "Unexpected end of string. Expected , or ] after array value."),
        ("{,}", "Expected an object key or }."),
        ("[,]", "Expected a value or ] within an array."),
        ("[1,,]", "Expected a value or ] within an array."),
        ("[1 2]", "Expected , or ] after array value."),
        ("[1}", "Expected , or ] after array value."),
        ('{"a" 1}', "Expected : between key:value pair."),
        ('{"a":1 "b":2}', "Expected , or } after key:value pair."),
        ('{"a":}', "Expected a value."),
        ("{1: 2}", "Expected an object key or }."),
        ("[NaN]", "Unexpected token."),
        ("[undefined]", "Unexpected token."),
        ("[012]", "Octal/hex numbers are not valid JSON values."),
        ("[-0x1F]", "Octal/hex numbers are not valid JSON values."),
        ("[.5]", "Expected a value or ] within an array."),
        ("[+1]", "Expected a value or ] within an array."),
        ("[1.]", "Expected a value or ] within an array."),
        ("[1] [2]", "Parsing terminated before end of input."),
        ("{} // why", "Parsing terminated before end of input."),
        ("[1, /* two */ 2]", "Expected a value or ] within an array."),
        ('["open]', "Closing quote expected in string."),
        ("['open\\']", "Closing quote expected in string."),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(MalformedJson) as caught:
        to_strict(text.encode())
    assert caught.value.message.splitlines()[0] == f"Invalid JSON payload received. {problem}"


def test_an_error_shows_its_place() -> None:
    with pytest.raises(MalformedJson) as caught:
        to_strict(b'{"contents": [{"parts": []} "model": 1, "generationConfig": {}}')
    _, excerpt, caret = caught.value.message.split("\n")
    assert excerpt == 'ts": [{"parts": []} "model": 1, "generat'
    assert excerpt[caret.index("^") :].startswith('"model"')


def test_depth_costs_no_recursion() -> None:
    assert to_strict(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) == b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    with pytest.raises(MalformedJson, match="too deeply"):
        to_strict(b"[" * 100_000)


@pytest.mark.slow
def test_a_long_sloppy_body_is_given_up() -> None:
    with pytest.raises(MalformedJson, match="Send strict JSON"):
        to_strict(b"[" + b"1," * 300_000 + b"]")
