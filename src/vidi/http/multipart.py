"""multipart/related: a file's note and its bytes in one body, read as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from vidi.domain.errors import InvalidRequest

MAX_NOTE = 1_000_000
"""Longest first part in bytes."""


class Related:
    """A body of two parts: `note` first, then `content`."""

    def __init__(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        """Read `chunks` by the boundary in `content_type`.

        Raises:
            InvalidRequest: There is no boundary.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not kind.startswith(b"multipart/") or not boundary:
            raise InvalidRequest("A multipart upload needs Content-Type: multipart/related; boundary=...")
        self._chunks = chunks
        self._part = 0
        self._ended = False
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._header = b""
        self._value = b""
        self.mime_type = ""
        """The second part's Content-Type, once the note has been read."""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )

    async def note(self) -> bytes:
        """The first part: JSON.

        Raises:
            InvalidRequest: The body is no multipart, or its first part is too long.
        """
        note = bytearray()
        while await self._more(part=1):
            note += self._pieces.popleft()[1]
            if len(note) > MAX_NOTE:
                raise InvalidRequest(f"The first part of a multipart upload has at most {MAX_NOTE} bytes.")
        # The second part's headers have been read when its first bytes are here.
        await self._more(part=2)
        return bytes(note)

    async def content(self) -> AsyncIterator[bytes]:
        """The second part, after `note`.

        Raises:
            InvalidRequest: The body ends too early or has a third part.
        """
        while await self._more(part=2):
            yield self._pieces.popleft()[1]
        if not self._ended or self._part != 2:
            raise InvalidRequest("A multipart upload has two parts, a JSON note and the file, and an end.")

    async def _more(self, part: int) -> bool:
        """Read on until there is data; whether the next data belong to this part."""
        while not self._pieces and not self._ended and self._part <= part:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                break
            try:
                self._parser.write(chunk)
            except FormParserError:
                raise InvalidRequest("The body is not the multipart that its Content-Type says.") from None
        return bool(self._pieces) and self._pieces[0][0] == part

    def _on_part_begin(self) -> None:
        self._part += 1

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._part == 2 and self._header.lower() == b"content-type":
            self.mime_type = self._value.decode("latin-1").strip()
        self._header = self._value = b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append((self._part, data[start:end]))

    def _on_end(self) -> None:
        self._ended = True
