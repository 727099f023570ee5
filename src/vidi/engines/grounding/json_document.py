"""A structured answer rewritten as it streams: what surrounds the units passes, each unit is turned round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vidi.engines.grounding.object_writer import ObjectWriter, dumps, loads
from vidi.engines.grounding.schema import GroundingShape, surroundings
from vidi.engines.validation import JsonValue

LONGEST_STRING = 1 << 16
"""Characters of a string that are waited for; the answer ends before a longer one."""

MOST_VALUES = 1 << 16
"""Values in one unit; a unit of more ends the answer."""

DEEPEST = 64
"""Arrays and objects within each other; the answer ends before a deeper one."""

_TOKEN = re.compile(
    r"""[\s,:]*(?:(?P<mark>[{}\[\]])|(?P<text>"(?:[^"\\]|\\.)*+")|(?P<bare>[^\s{}\[\],:"]++)(?=[\s{}\[\],:"]))""",
    re.DOTALL,
)
_OBJECT = re.compile(r"\{")
_EITHER = re.compile(r"[{\[]")
_BETWEEN = " \t\r\n,:"
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_CONSTANTS: dict[str, JsonValue] = {"true": True, "false": False, "null": None}


class _Broken(Exception):
    """The answer is no JSON from here on."""


@dataclass(slots=True)
class _Open:
    """An array or an object that has been opened.

    Attributes:
        shape: Of the node; None where no place is in it.
        value: What was read so far, inside a unit; None outside, where it is written at once.
        array: Whether it is an array.
        key: Of an object, the member whose value comes next; None before its name is known.
        wrapped: Whether it is an object in the place of an array of such.
        written: How many elements or members were written.
    """

    shape: GroundingShape | None
    value: list[JsonValue] | dict[str, JsonValue] | None
    array: bool
    key: str | None = None
    wrapped: bool = False
    written: int = 0


class DocumentReader:
    """Reads an answer that follows `shape.native` and writes one that follows `shape.schema`."""

    def __init__(self, shape: GroundingShape, writer: ObjectWriter) -> None:
        """Take the shape of the whole answer."""
        self._shape = shape
        self._writer = writer
        self._rest = ""
        self._stack: list[_Open] = []
        self._begun = False
        self._over = False
        self._values = 0

    def push(self, text: str) -> str:
        """Take a stretch of the answer; gives what can be told of it."""
        if self._over:
            return ""
        waiting = self._rest.lstrip(_BETWEEN)[:1] == '"'
        self._rest += text
        if waiting and '"' not in text and len(self._rest) <= LONGEST_STRING:
            return ""
        return "".join(self._told())

    def end(self) -> str:
        """The answer is over: what is open is closed, what is incomplete is left out."""
        told = "" if self._over else self.push(" ")
        self._over = True
        closers = [("]" if each.array else "}") for each in reversed(self._stack) if each.value is None]
        self._stack.clear()
        return told + "".join(closers) if self._begun else surroundings(self._shape).empty

    def _told(self) -> Iterator[str]:
        at = 0 if self._stack else self._beginning()
        try:
            while not self._over and (match := _TOKEN.match(self._rest, at)):
                at = match.end()
                yield from self._take(match)
        except (_Broken, ValueError):
            self._over = True
        self._rest = "" if self._over else self._rest[at:]
        if len(self._rest) > LONGEST_STRING:
            self._over = True
            self._rest = ""

    def _beginning(self) -> int:
        """Where the answer's own array or object begins; a fence or prose before it is nothing."""
        match = (_OBJECT if self._shape.items is None else _EITHER).search(self._rest)
        return match.start() if match else len(self._rest)

    def _take(self, match: re.Match[str]) -> Iterator[str]:
        mark = match.group("mark")
        if mark in ("{", "["):
            yield from self._open(mark)
        elif mark in ("}", "]"):
            yield from self._close(mark)
        elif match.group("text") is not None:
            yield from self._text(str(loads(match.group("text"))))
        elif match.group("bare") is not None:
            yield from self._value(_bare(match.group("bare")))

    def _open(self, mark: str) -> Iterator[str]:
        if len(self._stack) >= DEEPEST:
            raise _Broken
        top = self._stack[-1] if self._stack else None
        shape = self._below(top)
        wrapped = mark == "{" and shape is not None and shape.items is not None
        if wrapped and shape is not None:
            shape = shape.items
        inside = top is not None and top.value is not None
        reading = inside or (shape is not None and shape.unit and mark == "{")
        empty: list[JsonValue] | dict[str, JsonValue] = [] if mark == "[" else {}
        if not reading:
            yield self._before(top) + mark
            self._begun = True
            if top:
                top.written += 1
        self._stack.append(_Open(shape, empty if reading else None, array=mark == "[", wrapped=wrapped))

    def _below(self, top: _Open | None) -> GroundingShape | None:
        """The shape of what comes next."""
        if top is None:
            return self._shape
        if top.shape is None:
            return None
        if top.array:
            # A list in a list where none was asked for is read as if it were the outer one.
            return top.shape.items or top.shape
        return top.shape.members.get(top.key or "")

    def _close(self, mark: str) -> Iterator[str]:
        if self._stack[-1].array != (mark == "]"):
            raise _Broken
        closed = self._stack.pop()
        top = self._stack[-1] if self._stack else None
        if closed.value is None:
            yield mark
            if top:
                top.key = None
        elif top is not None and top.value is not None:
            self._attach(top, closed.value)
        else:
            yield from self._unit(top, closed)
        self._over = not self._stack

    def _unit(self, top: _Open | None, closed: _Open) -> Iterator[str]:
        """Write a unit that is complete; where one only may stand, the first of its places."""
        self._values = 0
        assert isinstance(closed.value, dict)
        assert closed.shape is not None
        texts = self._writer.shaped(closed.value, closed.shape)
        if closed.wrapped:
            texts = iter([f"[{', '.join(texts)}]"])
        for text in texts:
            yield self._before(top) + text
            if top is None:
                break
            top.written += 1
            if not top.array:
                break
        else:
            if top is None:
                yield "{}"
        self._begun = True
        if top is not None:
            top.key = None

    def _text(self, text: str) -> Iterator[str]:
        top = self._stack[-1]
        if not top.array and top.key is None:
            top.key = text
        else:
            yield from self._value(text)

    def _value(self, value: JsonValue) -> Iterator[str]:
        top = self._stack[-1]
        if not top.array and top.key is None:
            raise _Broken
        if top.value is not None:
            self._attach(top, value)
            return
        text = dumps(value)
        if text:
            yield self._before(top) + text
            top.written += 1
        top.key = None

    def _attach(self, top: _Open, value: JsonValue) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise _Broken
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.value is not None and top.key is not None:
            top.value[top.key] = value
            top.key = None
        else:
            raise _Broken

    def _before(self, top: _Open | None) -> str:
        """What stands before a value: a comma, and the name of the member."""
        if top is None:
            return ""
        comma = ", " if top.written else ""
        if top.array:
            return comma
        if top.key is None:
            raise _Broken
        return f"{comma}{dumps(top.key)}: "


def _bare(text: str) -> JsonValue:
    if _WHOLE.fullmatch(text):
        return int(text)
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    value = loads(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Broken
    return value
