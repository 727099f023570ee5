"""Places between tags, as families write them that do not write JSON; outlines too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from vidi.domain.schema import JsonValue
from vidi.engines.grounding.coordinates import grouped, numbers_in
from vidi.engines.grounding.masks import OUTLINES
from vidi.engines.grounding.object_writer import JsonObject
from vidi.engines.profile import Dialect, Form

LONGEST_TAG = 1 << 14
"""Characters of a tag that are waited for; a longer one is text."""

LONGEST_TEXT = 4000
"""Characters of a label or of the numbers between two tags; what is beyond is cut off."""

MOST_CORNERS = 4_000
"""Corners of one thing's outlines; what is beyond is cut off."""

_END = re.compile("[<>]")


@dataclass(frozen=True, slots=True)
class MarkupTag:
    """What stands between `<` and `>`."""

    name: str


class TagScanner:
    """Splits a stream into tags and text."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = ""

    def push(self, text: str) -> Iterator[MarkupTag | str]:
        """Take a stretch; gives tags and texts in their order, texts in any pieces."""
        text = self._held + text
        self._held = ""
        at = 0
        while (start := text.find("<", at)) >= 0:
            if start > at:
                yield text[at:start]
            end = _END.search(text, start + 1)
            if end is None:
                if len(text) - start <= LONGEST_TAG:
                    self._held = text[start:]
                else:
                    yield text[start:]
                return
            at = end.start()
            if end.group() == ">":
                at += 1
                yield MarkupTag(text[start + 1 : at - 1])
            else:
                yield text[start:at]
        if at < len(text):
            yield text[at:]

    def end(self) -> Iterator[str]:
        """The stream is over; gives what was waited for as text."""
        if self._held:
            yield self._held
        self._held = ""


class TagParser(Protocol):
    """What the tags of one form mean."""

    def tag(self, name: str) -> Iterable[JsonObject]:
        """A tag was met; gives the objects that it completes."""
        ...

    def text(self, text: str) -> Iterable[JsonObject]:
        """Text was met, in any pieces."""
        ...

    def end(self) -> Iterable[JsonObject]:
        """The answer is over."""
        ...


class TagSource:
    """Reads a family's places out of its answer, as objects with the dialect's own member names."""

    def __init__(self, dialect: Dialect, *, outlined: bool = False) -> None:
        """Take the dialect, whose form is one that has tags; `outlined` where outlines were asked for."""
        self._scanner = TagScanner()
        self._parsers = (_Outlines(dialect),) if outlined else _parsers(dialect)

    def push(self, text: str) -> Iterator[JsonObject]:
        """Take a stretch of the answer; gives the objects that it completes."""
        for part in self._scanner.push(text):
            for parser in self._parsers:
                yield from parser.tag(part.name) if isinstance(part, MarkupTag) else parser.text(part)

    def end(self) -> Iterator[JsonObject]:
        """The answer is over; gives what was complete but for a closing tag that the form does not need."""
        rest = "".join(self._scanner.end())
        for parser in self._parsers:
            yield from parser.text(rest)
            yield from parser.end()


def _parsers(dialect: Dialect) -> Sequence[TagParser]:
    if dialect.form in (Form.BOX_TAGS, Form.DET_MARKS):
        return (_PairedTags(dialect),)
    if dialect.form is Form.POINTS:
        return (_PointTags(dialect),)
    # How a number's tag is written tells on which side its label stands: one of the two parsers knows it.
    return (_NumbersThenLabel(dialect), _LabelThenNumbers(dialect))


class _PairedTags:
    """A label between two tags, then numbers between two tags: `<ref>cat</ref><box>1 2 3 4</box>`.

    A label holds for every box until the next label. Numbers without their closing tag are not complete.
    """

    _LABEL = frozenset({"ref", "|object_ref_start|", "|ref|"})
    _LABEL_END = frozenset({"/ref", "|object_ref_end|", "|/ref|"})
    _BOX = frozenset({"box", "quad", "|box_start|", "|det|"})
    _BOX_END = frozenset({"/box", "/quad", "|box_end|", "|/det|"})

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._label = ""
        self._collected = ""
        self._collecting = False

    def tag(self, name: str) -> Iterator[JsonObject]:
        collected, self._collected = self._collected, ""
        self._collecting = name in self._LABEL or name in self._BOX
        if name in self._LABEL_END:
            self._label = collected.strip()
        elif name in self._BOX_END:
            for group in grouped(numbers_in(collected)):
                yield _object(self._dialect, group, self._label)

    def text(self, text: str) -> Iterable[JsonObject]:
        if self._collecting:
            self._collected = _joined(self._collected, text)
        return ()

    def end(self) -> Iterable[JsonObject]:
        return ()


class _NumbersThenLabel:
    """`<loc0001><loc0002><loc0003><loc0004> cat ; ...`"""

    _NUMBER = re.compile(r"loc(\d{1,5})")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._numbers: list[float] = []
        self._label = ""

    def tag(self, name: str) -> Iterator[JsonObject]:
        number = self._NUMBER.fullmatch(name)
        if number:
            yield from self._complete()
            self._numbers.append(float(number.group(1)))

    def text(self, text: str) -> Iterator[JsonObject]:
        if len(self._numbers) < 4:
            self._numbers = self._numbers if not text.strip() else []
            return
        label, ended, _ = text.partition(";")
        self._label = _joined(self._label, label)
        if ended:
            yield from self._complete()

    def end(self) -> Iterator[JsonObject]:
        yield from self._complete()

    def _complete(self) -> Iterator[JsonObject]:
        if len(self._numbers) == 4:
            yield _object(self._dialect, self._numbers, self._label.strip())
            self._numbers = []
        self._label = ""


class _LabelThenNumbers:
    """`cat<loc_1><loc_2><loc_3><loc_4>`, further boxes of the same label behind it; four corners as
    `text<|LOC_1|>` and seven more; and DocTags, `<title><loc_1><loc_2><loc_3><loc_4>words</title>`, whose
    label is the name of the element and whose words are its `text`.
    """

    _NUMBER = re.compile(r"loc_(\d{1,5})|\|LOC_(\d{1,5})\|")
    _ELEMENT = re.compile(r"[a-z]\w{3,60}")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._size = 8 if dialect.form is Form.QUAD_TOKENS else 4
        self._numbers: list[float] = []
        self._label = ""
        self._stale = False
        self._element = ""
        self._waiting: dict[str, JsonValue] | None = None
        self._words = ""

    def tag(self, name: str) -> Iterator[JsonObject]:
        number = self._NUMBER.fullmatch(name)
        if number:
            self._numbers.append(float(number.group(1) or number.group(2)))
            if len(self._numbers) == self._size:
                yield from self._complete()
            return
        self._numbers = []
        closes = name == f"/{self._element}"
        if closes or self._ELEMENT.fullmatch(name):
            yield from self._with_words()
            self._element = "" if closes else name

    def text(self, text: str) -> Iterable[JsonObject]:
        if self._waiting is not None:
            self._words = _joined(self._words, text)
        elif text.strip():
            # Boxes that follow each other share a label; the first words after a box begin the next one.
            self._label = _joined("" if self._stale else self._label, text)
            self._stale = False
            self._numbers = []
        return ()

    def end(self) -> Iterable[JsonObject]:
        return ()

    def _complete(self) -> Iterator[JsonObject]:
        numbers, self._numbers = self._numbers, []
        if self._size == 8:
            across, down = sorted(numbers[0::2]), sorted(numbers[1::2])
            numbers = [across[0], down[0], across[-1], down[-1]]
        if self._element:
            yield from self._with_words()
            self._waiting = _object(self._dialect, numbers, self._element)
        else:
            yield _object(self._dialect, numbers, self._label.strip())
            self._stale = True

    def _with_words(self) -> Iterator[JsonObject]:
        """The element that waited for its words."""
        if self._waiting is not None:
            words = self._words.strip()
            yield {**self._waiting, "text": words} if words else self._waiting
        self._waiting, self._words = None, ""


class _Outlines:
    """`cat<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><sep><loc_7>...`: outlines, each pair of them a corner.

    `<sep>` parts the outlines of one thing; a word, `<poly>` and `</poly>` part things. The box is what they
    span.
    """

    _NUMBER = re.compile(r"loc_(\d{1,5})")
    _SEPARATOR = "sep"

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._outlines: list[list[JsonValue]] = [[]]
        self._numbers = 0
        self._label = ""

    def tag(self, name: str) -> Iterator[JsonObject]:
        number = self._NUMBER.fullmatch(name)
        if number:
            if self._numbers < 2 * MOST_CORNERS:
                self._outlines[-1].append(float(number.group(1)))
                self._numbers += 1
        elif name != self._SEPARATOR:
            yield from self._complete()
        elif self._outlines[-1]:
            self._outlines.append([])

    def text(self, text: str) -> Iterator[JsonObject]:
        if text.strip():
            if self._outlines[0]:
                yield from self._complete()
                self._label = ""
            self._label = _joined(self._label, text)

    def end(self) -> Iterator[JsonObject]:
        yield from self._complete()

    def _complete(self) -> Iterator[JsonObject]:
        # A thing needs three corners; two are the box that the family gives where it has no outline.
        outlines, self._outlines = [each[: len(each) // 2 * 2] for each in self._outlines], [[]]
        self._numbers = 0
        drawn = [each for each in outlines if len(each) >= 4]
        numbers = [number for each in drawn for number in each if isinstance(number, float)]
        if numbers:
            first, second = numbers[0::2], numbers[1::2]
            bounds = [min(first), min(second), max(first), max(second)]
            found = _object(self._dialect, bounds, self._label.strip())
            closed: list[JsonValue] = [list(each) for each in drawn if len(each) >= 6]
            yield {**found, OUTLINES: closed} if closed else found


class _PointTags:
    """Points as attributes of a tag: `<points coords="1 1 450 320">cat</points>`."""

    _COORDS = re.compile(r"""\bcoords\s*=\s*["']([^"']*)["']""")
    _NAMED = re.compile(r"""\balt\s*=\s*["']([^"']*)["']""")
    _PICTURE = re.compile(r"(?:^|[\t:;,])\s*(\d{1,6})\s+([\d. ]+)")
    _POINT = re.compile(r"\d{1,6} +(\d{1,4}(?:\.\d+)?) +(\d{1,4}(?:\.\d+)?)(?= |$)")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._found: list[dict[str, JsonValue]] = []
        self._label = ""

    def tag(self, name: str) -> Iterator[JsonObject]:
        if name.startswith("/"):
            yield from self._labelled(self._label)
        coords = self._COORDS.search(name) if name.startswith(("points", "tracks")) else None
        if coords:
            yield from self._labelled(self._label)
            self._found = list(self._points(coords.group(1)))
            alt = self._NAMED.search(name)
            if name.endswith("/") or alt:
                yield from self._labelled(alt.group(1) if alt else "")

    def text(self, text: str) -> Iterable[JsonObject]:
        if self._found:
            self._label = _joined(self._label, text)
        return ()

    def end(self) -> Iterator[JsonObject]:
        yield from self._labelled("")

    def _points(self, coords: str) -> Iterator[dict[str, JsonValue]]:
        for picture in self._PICTURE.finditer(coords):
            for point in self._POINT.finditer(picture.group(2)):
                numbers: list[JsonValue] = [float(point.group(1)), float(point.group(2))]
                yield {self._dialect.point_key: numbers, "image": int(picture.group(1))}

    def _labelled(self, label: str) -> Iterator[JsonObject]:
        found, self._found, self._label = self._found, [], ""
        name = label.strip()
        for each in found:
            yield {**each, self._dialect.label_key: name} if name else each


def _joined(text: str, more: str) -> str:
    return (text + more)[:LONGEST_TEXT]


def _object(dialect: Dialect, group: Sequence[float], label: str) -> dict[str, JsonValue]:
    key = dialect.box_key if len(group) == 4 else dialect.point_key
    return {key: list(group), **({dialect.label_key: label} if label else {})}
