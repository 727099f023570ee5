"""A request's bytes as a tree of JSON values, bounded in depth and in number of values.

Google takes more than JSON: trailing commas, single quotes, bare keys, raw line breaks in strings, and so its
examples write them. The strict parser is native code and reads almost every body, so the lenient way is
no second parser: it rewrites the body as strict JSON, and the strict parser reads that.
"""

from __future__ import annotations

import re
from enum import Enum

from pydantic_core import from_json

from vidi.domain.errors import InvalidRequest, MalformedJson
from vidi.wire.errors import InvalidFields, unknown_name

# Every repetition is possessive (`*+`, `++`): it never gives back what it took, so that no body makes the
# search go back and forth.
_TOKEN = re.compile(
    rb"[ \t\r\n]*+(?:"
    rb"(?P<mark>[{}\[\],:])"
    rb"|(?P<quote>[\"'])"
    rb"|(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?(?![\w.]))"
    rb"|(?P<word>[A-Za-z_$][\w$]*+)"
    rb"|(?P<end>\Z))"
)
_BLANKS = re.compile(rb"[ \t\r\n]*+")
_TO_QUOTE = {
    b'"': re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL),
    b"'": re.compile(rb"[^'\\]*+(?:\\.[^'\\]*+)*+", re.DOTALL),
}
_LITERALS = frozenset({b"true", b"false", b"null"})
_NO_NUMBER = re.compile(rb"-?0[0-9xX]")

_CONTROLS = bytes(range(0x20))
_UNKNOWN_ESCAPE = re.compile(rb"\\[^\"/bfnrtu]", re.DOTALL)
_STRETCH = 1 << 16
_BACKSLASH = b"\xff"
"""Stands for an escaped backslash while a string is rewritten; never occurs in UTF-8."""

MAX_DEPTH = 200
"""The strict parser's limit on nesting; known here too, so that a hopeless body is given up early."""

_MAX_PIECES = 100_000
"""Most pieces of a body that is not strict: nobody writes more by hand, 3,600 pictures have 60,000, and each
one takes a microsecond."""

TOO_DEEP = "The body nests its values too deeply."

_CONTEXT = 20
"""Characters shown on either side of an error."""


class _Want(Enum):
    """What may come next, by the words used when something else comes."""

    VALUE = "Expected a value."
    ELEMENT = "Expected a value or ] within an array."
    KEY = "Expected an object key or }."
    COLON = "Expected : between key:value pair."
    AFTER_MEMBER = "Expected , or } after key:value pair."
    AFTER_ELEMENT = "Expected , or ] after array value."
    NOTHING = "Parsing terminated before end of input."


def to_strict(text: bytes) -> bytes:
    """Rewrite lenient JSON as strict JSON, in time linear in its length.

    The size of numbers and the validity of `\\u` escapes are left for the strict parser to judge.

    Args:
        text: Valid UTF-8.

    Raises:
        MalformedJson: It is no JSON even so; the message shows the place.
    """
    return _Rewriter(text).run()


def complaint(problem: str, text: bytes | bytearray, at: int) -> MalformedJson:
    """The error for a problem at an offset, with the characters around it and a caret under the place."""
    before = text[max(0, at - _CONTEXT) : at].decode("utf-8", "replace")
    after = text[at : at + _CONTEXT].decode("utf-8", "replace")
    return MalformedJson(f"Invalid JSON payload received. {problem}\n{before}{after}\n{' ' * len(before)}^")


_VALUES = (_Want.VALUE, _Want.ELEMENT)
_AFTER_COMMA = {_Want.AFTER_MEMBER: _Want.KEY, _Want.AFTER_ELEMENT: _Want.ELEMENT}
_CLOSES = frozenset(
    {
        (_Want.KEY, b"}"),
        (_Want.AFTER_MEMBER, b"}"),
        (_Want.ELEMENT, b"]"),
        (_Want.AFTER_ELEMENT, b"]"),
    }
)


class _Rewriter:
    """Walks over the tokens and copies each in its strict form.

    The grammar is in two values: `_open`, the brackets that are open, as a stack, so that depth costs no
    recursion; and `_want`, what may come next. `_comma` is a comma that was read but not written yet: one
    before a closing bracket never is.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._out: list[bytes] = []
        self._open: list[bytes] = []
        self._want = _Want.VALUE
        self._comma = False

    def run(self) -> bytes:
        at = 0
        while True:
            token = self._token(at)
            kind = token.lastgroup or "end"
            start, at = token.span(kind)
            if kind == "end":
                self._check_end(start)
                return b"".join(self._out)
            if kind == "mark":
                self._add_mark(token[kind], start)
            elif kind == "quote":
                string, at = self._string(token[kind], at)
                self._add_scalar(string, start, may_be_key=True)
            elif kind == "word":
                self._add_word(token[kind], start)
            else:
                self._add_scalar(token[kind], start, may_be_key=False)

    def _token(self, at: int) -> re.Match[bytes]:
        if len(self._out) > _MAX_PIECES:
            raise complaint("The body is too long to be read leniently. Send strict JSON.", self._text, at)
        token = _TOKEN.match(self._text, at)
        if token is None:
            blanks = _BLANKS.match(self._text, at)
            raise self._unexpected(blanks.end() if blanks else at)
        return token

    def _add_word(self, word: bytes, at: int) -> None:
        if self._want is _Want.KEY:
            self._add_scalar(b'"' + word + b'"', at, may_be_key=True)
        elif self._want in _VALUES and word not in _LITERALS:
            raise complaint("Unexpected token.", self._text, at)
        else:
            self._add_scalar(word, at, may_be_key=False)

    def _check_end(self, at: int) -> None:
        if self._want is not _Want.NOTHING:
            raise complaint(f"Unexpected end of string. {self._want.value}", self._text, at)

    def _unexpected(self, at: int) -> MalformedJson:
        if self._want in _VALUES and _NO_NUMBER.match(self._text, at):
            return complaint("Octal/hex numbers are not valid JSON values.", self._text, at)
        return complaint(self._want.value, self._text, at)

    def _add_mark(self, mark: bytes, at: int) -> None:
        if mark in b"{[" and self._want in _VALUES:
            if len(self._open) == MAX_DEPTH:
                raise complaint(TOO_DEEP, self._text, at)
            self._emit(mark)
            self._open.append(mark)
            self._want = _Want.KEY if mark == b"{" else _Want.ELEMENT
        elif (self._want, mark) in _CLOSES:
            self._open.pop()
            self._comma = False
            self._out.append(mark)
            self._want = self._after_value()
        elif mark == b":" and self._want is _Want.COLON:
            self._out.append(mark)
            self._want = _Want.VALUE
        elif mark == b"," and self._want in _AFTER_COMMA:
            self._comma = True
            self._want = _AFTER_COMMA[self._want]
        else:
            raise self._unexpected(at)

    def _add_scalar(self, strict: bytes, at: int, *, may_be_key: bool) -> None:
        if self._want in _VALUES:
            self._emit(strict)
            self._want = self._after_value()
        elif self._want is _Want.KEY and may_be_key:
            self._emit(strict)
            self._want = _Want.COLON
        else:
            raise self._unexpected(at)

    def _emit(self, strict: bytes) -> None:
        if self._comma:
            self._out.append(b",")
            self._comma = False
        self._out.append(strict)

    def _after_value(self) -> _Want:
        if not self._open:
            return _Want.NOTHING
        return _Want.AFTER_MEMBER if self._open[-1] == b"{" else _Want.AFTER_ELEMENT

    def _string(self, quote: bytes, at: int) -> tuple[bytes, int]:
        """The string that begins at an offset, as strict JSON, and the offset after its closing quote."""
        end = self._text.find(quote, at)
        if end >= 0 and self._text.find(b"\\", at, end) >= 0:
            body = _TO_QUOTE[quote].match(self._text, at)
            end = body.end() if body else -1
        if not 0 <= end < len(self._text):
            raise complaint("Closing quote expected in string.", self._text, len(self._text))
        return b'"' + _strict_string(self._text[at:end], quote) + b'"', end + 1


def _unknown_escapes(raw: bytes) -> set[bytes]:
    """In stretches: while one is searched, no other thread runs."""
    found: set[bytes] = set()
    for start in range(0, len(raw), _STRETCH):
        found.update(_UNKNOWN_ESCAPE.findall(raw, start, start + _STRETCH + 1))
    return found


def _has_controls(raw: bytes) -> bool:
    return len(raw.translate(None, _CONTROLS)) != len(raw)


def _strict_string(raw: bytes, quote: bytes) -> bytes:
    """The inside of a string as strict JSON writes it.

    Made of whole-string replacements, each one pass of native code: a string may hold a picture of megabytes.
    Escaped backslashes are put aside first, so that the second one is not taken for the start of an escape.
    """
    escaped = b"\\" in raw
    if escaped:
        raw = raw.replace(b"\\\\", _BACKSLASH).replace(b"\\v", b"\\u000b")
        # Few kinds, perhaps at millions of places.
        for unknown in _unknown_escapes(raw):
            raw = raw.replace(unknown, unknown[1:])
    if quote == b"'":
        raw = raw.replace(b'\\"', b'"').replace(b'"', b'\\"')
    if _has_controls(raw):
        raw = raw.replace(b"\n", b"\\n").replace(b"\r", b"\\r").replace(b"\t", b"\\t")
        for control in _CONTROLS if _has_controls(raw) else b"":
            raw = raw.replace(bytes((control,)), b"\\u%04x" % control)
    return raw.replace(_BACKSLASH, b"\\\\") if escaped else raw


MAX_VALUES = 1_000_000
"""Most commas and opening brackets in a body. Base64 has none, and a text with more is longer than any
model's prompt; without a bound a body of 100 MB grows to gigabytes of small objects."""

_FEW_MARKS = 50_000
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
        tree = _read_leniently(body)
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
    for found in range(_FEW_MARKS):
        at = body.find(mark, at + 1)
        if at < 0:
            return found
    return body.count(mark)


def _read_leniently(body: bytes | bytearray) -> object:
    if not body or body.isspace():
        return {}
    _check_text(body)
    strict = to_strict(bytes(body))
    try:
        tree: object = from_json(strict, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise _malformed(str(error), strict) from None
    return tree


def _check_text(body: bytes | bytearray) -> None:
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
    problem = problem[: place.start()]
    return complaint(_PROBLEMS.get(problem, f"{problem[:1].upper()}{problem[1:]}."), text, at)
