"""JSON read as it streams: every character once, wherever the text is cut and whatever stands around it.

`JsonScanner` finds tokens, `ValueBuilder` makes values of them. Two readers stand on both: `DocumentReader`
for an answer whose shape is kept, `ObjectSource` for objects in loose text.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from vidi.domain.schema import JsonValue
from vidi.engines.grounding.coordinates import EDGE_NAMES, LooseArrays, numbers_in
from vidi.engines.grounding.object_writer import JsonObject, ObjectWriter
from vidi.engines.grounding.schema import NATIVE_PLACE_NAMES, GroundingShape, surroundings
from vidi.engines.profile import Dialect, Form

LONGEST_TOKEN = 1 << 16
"""Characters of a string or a number that are waited for; a longer one is broken."""

MOST_VALUES = 1 << 16
"""Values within one value that is built."""

DEEPEST = 64
"""Arrays and objects within each other."""

LONGEST_OBJECT = 1 << 18
"""Characters of an object in loose text that are kept until it is complete; a longer one is passed over."""

_GAP = re.compile(r"[\s,:]*+")
_BARE = re.compile(r'[^\s{}\[\],:"]*+')
_STRING = re.compile(r'(?:[^"\\]|\\.)*+', re.DOTALL)
_STRING_OF_A_LINE = re.compile(r'(?:[^"\\\n]|\\.)*+', re.DOTALL)
_OBJECT = re.compile(r"\{")
_OBJECT_OR_ARRAY = re.compile(r"[{\[]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_DECODER = json.JSONDecoder(strict=False)


class BrokenJson(Exception):
    """The text is no JSON from here on."""


def dumps(value: JsonValue) -> str:
    """A value as JSON that any encoder can send; "" for one that JSON cannot say (an infinite number)."""
    try:
        text = _ENCODER.encode(value)
        return text if _SURROGATE.search(text) is None else json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return ""


class Token(NamedTuple):
    """A bracket, or a value that holds no others.

    Attributes:
        text: As it was written, with the blanks, commas and colons before it.
        bracket: One of `{}[]`; "" for a value.
        value: A string, a number, true, false or null.
        broken: Whether it is no JSON.
    """

    text: str
    bracket: str = ""
    value: JsonValue = None
    broken: bool = False


class JsonScanner:
    """Splits a stream into tokens. It keeps what is not complete, and never looks at a character twice.

    Commas and colons are passed over like blanks: models forget them, or write one too many, and a value is
    clear without them.
    """

    def __init__(self, *, multiline: bool) -> None:
        """Begin with nothing; without `multiline` a line break ends a string, which is then broken."""
        self._string = _STRING if multiline else _STRING_OF_A_LINE
        self._text = ""
        self._start = 0
        self._value = 0
        self._at = 0
        self._inside: re.Pattern[str] | None = None

    def feed(self, text: str) -> None:
        """Take a stretch of the stream."""
        self._text = self._text[self._start :] + text
        self._value -= self._start
        self._at -= self._start
        self._start = 0

    def pass_over(self, until: re.Pattern[str]) -> str:
        """Give everything before the next match, or all there is; only between two tokens."""
        match = until.search(self._text, self._start)
        self._at = match.start() if match else len(self._text)
        return self._taken()

    def token(self) -> Token | None:
        """The next token that is complete; None until there is more text."""
        if self._inside is None:
            self._skip(_GAP)
            first = self._text[self._at : self._at + 1]
            if not first:
                return self._incomplete()
            if first in "{}[]":
                self._at += 1
                return Token(self._taken(), bracket=first)
            self._value = self._at
            self._inside = self._string if first == '"' else _BARE
            self._at += first == '"'
        self._skip(self._inside)
        if self._text[self._at : self._at + 1] in ("", "\\"):
            return self._incomplete()
        self._at += self._inside is self._string
        self._inside = None
        try:
            value, end = _DECODER.raw_decode(self._text, self._value)
        except ValueError:
            return Token(self._taken(), broken=True)
        broken = end != self._at
        return Token(self._taken(), value=None if broken else value, broken=broken)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _taken(self) -> str:
        text = self._text[self._start : self._at]
        self._start = self._at
        return text

    def _incomplete(self) -> Token | None:
        """Wait, but not for ever: a token that is too long is given up in parts, each of them broken."""
        if len(self._text) - self._start <= LONGEST_TOKEN:
            return None
        return Token(self._taken(), broken=True)


@dataclass(slots=True)
class _Container:
    """An array or an object that has been opened.

    Attributes:
        value: What is in it so far.
        shape: Where a document's own container may hold places below; else None.
        key: Of an object, the member whose value comes next; None before its name is known.
    """

    value: list[JsonValue] | dict[str, JsonValue]
    shape: GroundingShape | None = None
    key: str | None = None

    @property
    def closer(self) -> str:
        """The bracket that closes it."""
        return "]" if isinstance(self.value, list) else "}"

    def takes_key(self, value: JsonValue) -> bool:
        """Whether a value is the name of a member, which is then kept."""
        if isinstance(self.value, list) or self.key is not None or not isinstance(value, str):
            return False
        self.key = value
        return True

    def add(self, value: JsonValue) -> None:
        """Add an element, or the value of the member that was named."""
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is None:
            raise BrokenJson
        else:
            self.value[self.key] = value
            self.key = None


def _opened(bracket: str, shape: GroundingShape | None = None) -> _Container:
    return _Container({} if bracket == "{" else [], shape)


class ValueBuilder:
    """Makes one object or array of its tokens, the brackets around it included."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._open: list[_Container] = []
        self._values = 0
        self.value: JsonValue = None
        self.complete = False

    def take(self, token: Token) -> None:
        """Take the next token.

        Raises:
            BrokenJson: It cannot stand here, or is one too many.
        """
        if token.broken:
            raise BrokenJson
        if token.bracket in ("{", "["):
            if len(self._open) >= DEEPEST:
                raise BrokenJson
            self._open.append(_opened(token.bracket))
        elif token.bracket:
            closed = self._open.pop()
            if token.bracket != closed.closer:
                raise BrokenJson
            self.value, self.complete = closed.value, not self._open
            if self._open:
                self._add(closed.value)
        elif not self._open[-1].takes_key(token.value):
            self._add(token.value)

    def _add(self, value: JsonValue) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise BrokenJson
        self._open[-1].add(value)


@dataclass(frozen=True, slots=True)
class _PlaceObject:
    """An object with places that is being built; `wrapped` where it stands for an array of such."""

    shape: GroundingShape
    wrapped: bool
    builder: ValueBuilder = field(default_factory=ValueBuilder)


class DocumentReader:
    """Reads an answer that follows `shape.native` and writes one that follows `shape.schema`.

    What surrounds the objects with places is written at once, as it comes; each of these objects is held back
    until it is complete, because where its places lie may be said by its last member.
    """

    def __init__(self, shape: GroundingShape, writer: ObjectWriter) -> None:
        """Take the shape of the whole answer."""
        self._shape = shape
        self._writer = writer
        self._scanner = JsonScanner(multiline=True)
        self._levels: list[_Container] = []
        self._object: _PlaceObject | None = None
        self._begun = False
        self._over = False
        self.value = surroundings(shape).value([])
        """What has been written so far, as a value."""

    def push(self, text: str) -> str:
        """Take a stretch of the answer; gives what can be written of it, or ""."""
        if self._over:
            return ""
        self._scanner.feed(text)
        if not self._levels and self._object is None:
            # A fence or prose before the answer's own array or object is nothing.
            self._scanner.pass_over(_OBJECT if self._shape.items is None else _OBJECT_OR_ARRAY)
        written: list[str] = []
        try:
            while not self._over and (token := self._scanner.token()):
                written.append(self._take(token))
        except BrokenJson:
            self._over = True
        return "".join(written)

    def end(self) -> str:
        """The answer is over or cut off: what is open is closed, what is incomplete is left out.

        The texts of all `push` and of `end` together are one JSON value.
        """
        # A number at the very end is complete once something stands behind it.
        written = self.push(" ")
        self._over = True
        closers = "".join(each.closer for each in reversed(self._levels))
        self._levels.clear()
        return written + closers if self._begun else surroundings(self._shape).empty

    def _take(self, token: Token) -> str:
        if self._object:
            self._object.builder.take(token)
            return self._places(self._object) if self._object.builder.complete else ""
        if token.broken:
            raise BrokenJson
        if token.bracket in ("{", "["):
            return self._open(token)
        if token.bracket:
            return self._close(token)
        return "" if self._levels[-1].takes_key(token.value) else self._add(token.value, dumps(token.value))

    def _open(self, token: Token) -> str:
        if len(self._levels) >= DEEPEST:
            raise BrokenJson
        shape = self._shape_below()
        # One object in the place of a list of them: models do so when they find only one.
        wrapped = token.bracket == "{" and shape is not None and shape.items is not None
        if shape is not None and wrapped:
            shape = shape.items
        if shape is not None and shape.has_places and token.bracket == "{":
            self._object = _PlaceObject(shape, wrapped)
            self._object.builder.take(token)
            return ""
        level = _opened(token.bracket, shape)
        written = self._add(level.value, token.bracket)
        self._levels.append(level)
        return written

    def _shape_below(self) -> GroundingShape | None:
        """The shape of what comes next."""
        if not self._levels:
            return self._shape
        top = self._levels[-1]
        if top.shape is None:
            return None
        if isinstance(top.value, list):
            # A list in a list where none was asked for is read as if it were the outer one.
            return top.shape.items or top.shape
        return top.shape.members.get(top.key or "")

    def _close(self, token: Token) -> str:
        if token.bracket != self._levels[-1].closer:
            raise BrokenJson
        self._levels.pop()
        self._over = not self._levels
        return token.bracket

    def _places(self, found: _PlaceObject) -> str:
        """Write an object that is complete: once for each of its places, as far as there is room."""
        self._object = None
        assert isinstance(found.builder.value, dict)
        values = self._writer.shaped(found.builder.value, found.shape, self._picture_here())
        written: list[tuple[JsonValue, str]] = [(each, text) for each in values if (text := dumps(each))]
        if found.wrapped:
            texts = ", ".join(text for _, text in written)
            written = [([each for each, _ in written], f"[{texts}]")]
        if not self._levels:
            written = written[:1] or [({}, "{}")]
            self._over = True
        elif isinstance(self._levels[-1].value, dict):
            written = written[:1] or [(None, "")]
        return "".join(self._add(value, text) for value, text in written)

    def _picture_here(self) -> int | None:
        """The index of the picture that an object is about where the answer is a list for each picture."""
        outer = [each.value for each in self._levels[:2] if isinstance(each.value, list)]
        return len(outer[0]) - 1 if len(outer) == 2 else None

    def _add(self, value: JsonValue, text: str) -> str:
        """Write a value with what stands before it; one without a text is left out, and so is its name."""
        if not self._levels:
            self.value, self._begun = value, True
            return text
        top = self._levels[-1]
        before = ", " if top.value else ""
        if isinstance(top.value, dict):
            if top.key is None:
                raise BrokenJson
            before += f"{dumps(top.key)}: "
        if text:
            top.add(value)
        top.key = None
        return before + text if text else ""


@dataclass(slots=True)
class _OpenObject:
    """An object in loose text that is not complete yet.

    Attributes:
        member: Whether it is the value of another object's member.
        start: Where its own text begins in what is kept.
        builder: None once it is known to be no JSON; its text may still be mended.
        lost: Whether its text is no longer kept.
    """

    member: bool
    start: int
    builder: ValueBuilder | None
    lost: bool = False


class ObjectSource:
    """Reads a family's objects out of its answer: fenced, wrapped, in prose, one or many.

    Any object that is open may turn out to be the one that is meant, or to be no JSON: so each is built as it
    comes, and its text is kept beside it until it is complete.
    """

    def __init__(self, dialect: Dialect, wanted: Callable[[JsonObject], bool]) -> None:
        """Take the dialect, and what tells whether an object is meant; the innermost that is one counts."""
        self._dialect = dialect
        self._wanted = wanted
        # No string goes over a line break: a stray quotation mark swallows a line, not the answer.
        self._scanner = JsonScanner(multiline=False)
        self._objects: list[_OpenObject] = []
        self._kept = io.StringIO()
        self._too_deep = 0
        self._loose = LooseArrays(prose=dialect.form is Form.BOX_MARKS)

    def push(self, text: str) -> Iterator[JsonObject]:
        """Take a stretch of the answer; gives the objects that it completes."""
        self._scanner.feed(text)
        while True:
            if not self._objects:
                yield from self._outside(self._scanner.pass_over(_OBJECT))
            token = self._scanner.token()
            if token is None:
                return
            found = self._take(token)
            if found is not None:
                yield found

    def end(self) -> Iterator[JsonObject]:
        """The answer is over: an object that is not complete is none."""
        self._objects.clear()
        yield from ()

    def _outside(self, text: str) -> Iterator[JsonObject]:
        for group in self._loose.push(text) if text else ():
            key = self._dialect.box_key if len(group) == 4 else self._dialect.point_key
            yield {key: list(group)}

    def _take(self, token: Token) -> JsonObject | None:
        """Take a token; gives the object that it completes if it is one that is meant."""
        if token.bracket == "{" and len(self._objects) >= DEEPEST:
            self._too_deep += 1
        elif self._too_deep:
            # An object that lies too deep is passed over, and null for the one around it.
            self._too_deep -= token.bracket == "}"
            if not self._too_deep:
                self._build(Token("null"))
        else:
            if token.bracket == "{":
                member = token.text[:-1].rstrip().endswith(":")
                self._objects.append(_OpenObject(member, self._kept.tell(), ValueBuilder()))
            self._build(token)
            if token.bracket == "}":
                return self._close()
        return None

    def _build(self, token: Token) -> None:
        """Put a token into the innermost object."""
        found = self._objects[-1]
        if found.lost:
            return
        self._kept.write(token.text)
        if self._kept.tell() > LONGEST_OBJECT:
            self._cut(0)
            for each in self._objects:
                each.builder, each.start, each.lost = None, 0, True
        try:
            if found.builder:
                found.builder.take(token)
        except BrokenJson:
            found.builder = None

    def _cut(self, start: int) -> str:
        """Take what is kept from there on."""
        self._kept.seek(start)
        text = self._kept.read()
        self._kept.seek(start)
        self._kept.truncate()
        return text

    def _close(self) -> JsonObject | None:
        found = self._objects.pop()
        text = self._cut(found.start)
        value = found.builder.value if found.builder else {} if found.lost else self._mended(text)
        assert isinstance(value, dict)
        # An object of edges alone that is another's member is a place of that one.
        meant = self._wanted(value) and not (found.member and set(value) <= EDGE_NAMES)
        if self._objects:
            # For the object around it, one that was given is null, so that no place is given twice.
            self._build(Token("null") if meant else Token(text, value=value, broken=found.builder is None))
        if meant:
            self._loose.close()
        return value if meant else None

    def _mended(self, text: str) -> dict[str, JsonValue]:
        """What can be read of an object that is no JSON: its place and its label."""
        found: dict[str, JsonValue] = {}
        for key in (self._dialect.box_key, self._dialect.point_key, *NATIVE_PLACE_NAMES):
            numbers = _value_after(key, r"""([\[(][^a-zA-Z"'{}]{0,400})""", text)
            if numbers is not None:
                found[key] = list(numbers_in(numbers))
                break
        label = _value_after(self._dialect.label_key, r"""["']([^"'\n]{0,400})""", text)
        if found and label is not None:
            found[self._dialect.label_key] = label
        return found


def _value_after(key: str, pattern: str, text: str) -> str | None:
    match = re.search(rf"""["']?{re.escape(key)}["']?\s*[:=]\s*{pattern}""", text)
    return match.group(1) if match else None
