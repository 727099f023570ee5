"""A request's bytes as a tree of JSON values, bounded in depth and in number of values."""

from __future__ import annotations

import re

from pydantic_core import from_json

from vidi.domain.errors import InvalidRequest, MalformedJson
from vidi.wire.lenient import MAX_DEPTH, TOO_DEEP, complaint, to_strict
from vidi.wire.violations import InvalidFields, unknown_name

MAX_VALUES = 1_000_000
"""Most commas and opening brackets in a body. Base64 has none, and a text with more is longer than any
model's prompt; without a bound a body of 100 MB grows to gigabytes of small objects."""

_FEW = 50_000
"""So many marks are searched for faster than a body of megabytes is counted through."""

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_PLACE = re.compile(r" at line (\d+) column (\d+)$")
_PROBLEMS = {
    "recursion limit exceeded": TOO_DEEP,
    "number out of range": "A number has too many digits.",
    "lone leading surrogate in hex escape": "An escape holds half a character.",
    "unexpected end of hex escape": "An escape holds half a character.",
}
"""The strict parser's terms that need other words for a caller."""


def read_object(body: bytes | bytearray) -> dict[str, object]:
    """Read a body that must be a JSON object; strictly first, leniently when that fails.

    An empty body is an empty object.

    Raises:
        MalformedJson: It is no JSON, even read leniently.
        InvalidFields: It is JSON but no object.
        InvalidRequest: It holds too many values.
    """
    if _has_many_values(body):
        raise InvalidRequest(f"The body holds more than {MAX_VALUES} JSON values. Send a shorter request.")
    try:
        tree: object = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        tree = _read_leniently(bytes(body))
    if not isinstance(tree, dict):
        raise InvalidFields([unknown_name("", "", "Root element must be a message.")])
    return tree


def _has_many_values(body: bytes | bytearray) -> bool:
    """Whether there are more than MAX_VALUES; brackets matter only where commas and depth allow for many."""
    commas = _count(body, b",")
    if commas < MAX_VALUES // (MAX_DEPTH + 1):
        return False
    return commas + _count(body, b"{") + _count(body, b"[") > MAX_VALUES


def _count(body: bytes | bytearray, mark: bytes) -> int:
    """How often a byte occurs: searched for while there are few, as between pictures, else counted."""
    at = -1
    for found in range(_FEW):
        at = body.find(mark, at + 1)
        if at < 0:
            return found
    return body.count(mark)


def _read_leniently(body: bytes) -> object:
    if not body.strip():
        return {}
    _check_text(body)
    strict = to_strict(body)
    try:
        tree: object = from_json(strict, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise _malformed(str(error), strict) from None
    return tree


def _check_text(body: bytes) -> None:
    if body.startswith(_BYTE_ORDER_MARKS):
        raise MalformedJson(
            "Invalid JSON payload received. The body begins with a byte order mark. Send plain UTF-8."
        )
    if b"\0" in body:
        raise complaint("The body holds a NUL byte. Send plain UTF-8.", body, body.index(b"\0"))
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise complaint("The body is not valid UTF-8.", body, error.start) from None


def _malformed(problem: str, text: bytes) -> MalformedJson:
    """The strict parser's complaint (`... at line 1 column 7`) in the form of all others."""
    place = _PLACE.search(problem)
    if place is None:
        return complaint(problem, text, 0)
    line, column = int(place[1]), int(place[2])
    before = text.split(b"\n", line)[: line - 1]
    at = sum(len(each) + 1 for each in before) + max(0, column - 1)
    said = problem[: place.start()]
    return complaint(_PROBLEMS.get(said, f"{said[:1].upper()}{said[1:]}."), text, at)
