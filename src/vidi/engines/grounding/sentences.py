"""A text as sentences that can be taken out one by one.

A line that begins in lower case goes on with the sentence of the line before: people wrap prompts by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STOP = re.compile(r"[\[\](){}]|\n\s*\n\s*|\n(?!\s*[a-zçğıöşü])|[.!?;]+[\"'”’]*(?=\s|$)")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, or a line.

    Attributes:
        text: With single blanks, without blanks around it.
        after: The white space that stood behind it.
    """

    text: str
    after: str = ""


def sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences and lines of a text; what stands in brackets, as a sample of JSON, is not taken apart."""
    found: list[Sentence] = []
    for piece in _pieces(text):
        bare = piece.strip()
        if bare:
            after = piece[len(piece.rstrip()) :]
            found.append(Sentence(_BLANKS.sub(" ", bare).replace("İ", "i"), "\n" if "\n" in after else " "))
    return tuple(found)


def joined(parts: tuple[Sentence, ...]) -> str:
    """Sentences as a text again."""
    return "".join(part.text + part.after for part in parts).strip()


def _pieces(text: str) -> list[str]:
    closed = _cut(text, whole_brackets=True)
    return closed if closed is not None else _cut(text, whole_brackets=False) or [text]


def _cut(text: str, *, whole_brackets: bool) -> list[str] | None:
    """Cut behind each end of a sentence; None if brackets were to stay whole and do not close."""
    pieces: list[str] = []
    depth, start = 0, 0
    for match in _STOP.finditer(text):
        mark = match.group()
        if mark in "[({":
            depth += 1
        elif mark in "])}":
            depth = max(0, depth - 1)
        elif depth == 0 or not whole_brackets:
            end = match.end()
            blank = _BLANKS.match(text, end)
            end = blank.end() if blank else end
            pieces.append(text[start:end])
            start = end
    if depth and whole_brackets:
        return None
    return [*pieces, text[start:]]
