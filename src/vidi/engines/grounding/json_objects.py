"""Objects found in a stream of text, each as soon as it is complete, whatever stands around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vidi.engines.grounding.coordinates import EDGE_NAMES, Group, in_groups, numbers_in
from vidi.engines.grounding.object_writer import JsonObject, loads
from vidi.engines.profile import Dialect, Form
from vidi.engines.validation import JsonValue

LONGEST_OBJECT = 1 << 18
"""Characters of an object that are kept until it is complete; a longer one is passed over."""

DEEPEST = 32
"""Objects within objects that are looked into."""

LONGEST_ARRAY = 300
"""Characters of a bare array of numbers, and of what may stand before it."""

_MARKS = re.compile(r'[{}"\\\n]')
_FENCE = re.compile(r"```(?:json)?")
_WORD = re.compile(r"[^\W\d_]{2,}")
_BRACKETED = re.compile(r"[\[(<]\s*([-\d.][-\d.eE\s,]*[\d.])\s*[\])>]")
_AFTER_KEY = re.compile(r":\s*$")
_NEAR = 20


@dataclass(slots=True)
class _Frame:
    """An object that is not complete yet; `dead` once it has grown too long."""

    member: bool
    pieces: list[str] = field(default_factory=list)
    dead: bool = False


class ObjectSource:
    """Reads a family's objects out of its answer: fenced, wrapped, in prose, one or many."""

    def __init__(self, dialect: Dialect, wanted: Callable[[JsonObject], bool]) -> None:
        """Take the dialect, and what tells whether an object is meant; the innermost that is one counts."""
        self._dialect = dialect
        self._wanted = wanted
        self._frames: list[_Frame] = []
        self._too_deep = 0
        self._held = 0
        self._quoted = False
        self._escaped_at = -1
        self._loose = _LooseArrays(prose=dialect.form is Form.BOX_MARKS)

    def push(self, text: str) -> Iterator[JsonObject]:
        """Take a stretch of the answer; gives the objects that it completes."""
        at = 0
        for match in _MARKS.finditer(text):
            mark, start = match.group(), match.start()
            if self._quoted:
                self._in_string(mark, start)
            elif mark == "{":
                yield from self._pass(text[at:start])
                at = start
                self._open()
            elif mark == "}" and (self._frames or self._too_deep):
                self._keep(text[at : start + 1])
                at = start + 1
                yield from self._close()
            elif mark == '"' and self._frames:
                self._quoted = True
        yield from self._pass(text[at:])
        self._escaped_at -= len(text)

    def end(self) -> Iterator[JsonObject]:
        """The answer is over: an object that is not complete is none."""
        self._frames.clear()
        yield from ()

    def _in_string(self, mark: str, at: int) -> None:
        if at == self._escaped_at:
            return
        if mark == "\\":
            self._escaped_at = at + 1
        elif mark in '"\n':
            # No string goes over a line break: a stray quotation mark swallows a line, not the answer.
            self._quoted = False

    def _open(self) -> None:
        if len(self._frames) >= DEEPEST:
            self._too_deep += 1
            return
        before = "".join(self._frames[-1].pieces[-_NEAR:])[-_NEAR:] if self._frames else ""
        self._frames.append(_Frame(member=_AFTER_KEY.search(before) is not None))

    def _pass(self, text: str) -> Iterator[JsonObject]:
        """Text that completes no object: of the innermost one, or outside of all."""
        if self._frames:
            self._keep(text)
        elif text:
            for group in self._loose.push(text):
                key = self._dialect.box_key if len(group) == 4 else self._dialect.point_key
                yield {key: list(group)}

    def _keep(self, text: str) -> None:
        if not self._frames or self._frames[-1].dead or not text:
            return
        self._frames[-1].pieces.append(text)
        self._held += len(text)
        if self._held > LONGEST_OBJECT:
            for frame in self._frames:
                frame.pieces.clear()
                frame.dead = True
            self._held = 0

    def _close(self) -> Iterator[JsonObject]:
        if self._too_deep:
            self._too_deep -= 1
            return
        frame = self._frames.pop()
        text = "".join(frame.pieces)
        self._held -= len(text)
        value = None if frame.dead else self._value(text)
        # An object of edges alone that is another's member is a place of that one.
        if value is not None and not (frame.member and set(value) <= EDGE_NAMES):
            yield value
            self._loose.close()
            text = "null"
        self._keep(text)

    def _value(self, text: str) -> JsonObject | None:
        try:
            value: JsonValue = loads(text)
        except ValueError:
            value = self._mended(text)
        return value if isinstance(value, dict) and self._wanted(value) else None

    def _mended(self, text: str) -> JsonValue:
        """What can be read of an object that is no JSON: its place and its label."""
        dialect = self._dialect
        found: dict[str, JsonValue] = {}
        for key in (dialect.box_key, dialect.point_key, "box_2d", "bbox_2d", "bbox", "point"):
            match = re.search(
                rf"""["']?{re.escape(key)}["']?\s*[:=]\s*([\[(][^a-zA-Z"'{{}}]{{0,400}})""", text
            )
            if match:
                found[key] = list(numbers_in(match.group(1)))
                break
        label = re.search(
            rf"""["']?{re.escape(dialect.label_key)}["']?\s*[:=]\s*["']([^"'\n]{{0,400}})""", text
        )
        if found and label:
            found[dialect.label_key] = label.group(1)
        return found or None


class _LooseArrays:
    """Arrays of numbers outside of any object: how some models answer when they forget the names.

    In prose such an array is only believed where the family is known to answer so.
    """

    def __init__(self, *, prose: bool) -> None:
        self._prose = prose
        self._open = True
        self._text = ""
        self._seen: set[Group] = set()

    def close(self) -> None:
        """An object with a place was met: from here on there are no bare arrays."""
        self._open = False
        self._text = ""

    def push(self, text: str) -> Iterator[Group]:
        if not self._open:
            return
        self._text += text
        done = 0
        for match in _BRACKETED.finditer(self._text):
            worded = _WORD.search(_FENCE.sub("", self._text[done : match.start()]))
            done = match.end()
            if worded and not self._prose:
                self.close()
                return
            for group in in_groups(numbers_in(match.group(1))):
                if group not in self._seen and len(self._seen) < 10_000:
                    self._seen.add(group)
                    yield group
        self._text = self._text[done:]
        if len(self._text) > LONGEST_ARRAY:
            self._open = self._prose
            self._text = self._text[-LONGEST_ARRAY:] if self._prose else ""
