"""Tags and the text between them, out of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_TAG = 1 << 14
"""Characters of a tag that are waited for; a longer one is text."""

_END = re.compile("[<>]")


@dataclass(frozen=True, slots=True)
class Tag:
    """What stands between `<` and `>`."""

    name: str


class TagScanner:
    """Splits a stream into tags and text."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = ""

    def push(self, text: str) -> Iterator[Tag | str]:
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
                yield Tag(text[start + 1 : at - 1])
            else:
                yield text[start:at]
        if at < len(text):
            yield text[at:]

    def end(self) -> Iterator[str]:
        """The stream is over; gives what was waited for as text."""
        if self._held:
            yield self._held
        self._held = ""
