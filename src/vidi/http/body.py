"""Request bodies: read as a stream into one buffer, limited while reading, parsed once.

A body may not be larger than the limit, all bodies in flight together not larger than a budget, and none
may drip: after a grace of 10 s it must have come at 1 kB/s or more.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from vidi.domain.errors import Cancelled, InvalidRequest, SlowRequest, Unavailable
from vidi.wire.errors import body_too_large

GRACE_S = 10.0
"""How long a body may take before its rate is looked at."""

MIN_BYTES_PER_S = 1000
"""Slowest rate at which a body may come, after the grace."""

LONGEST_PAUSE_S = 60.0
"""How long an upload may pause; it may take as long as it wants in all."""

BODIES_IN_FLIGHT = 4
"""How many bodies of the largest size may be held at the same time, or more of smaller ones."""

PARSED_ON_THE_LOOP = 256_000
"""Bodies of up to so many bytes are parsed where they are, in about a millisecond; others on a thread."""

Result = TypeVar("Result")

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_PIECE = 1 << 20


class BodyReader:
    """Reads request bodies within the server's limits."""

    def __init__(self, limit: int) -> None:
        """Allow bodies of up to `limit` bytes each, after decompression."""
        self.limit = limit
        self._free = BODIES_IN_FLIGHT * limit

    @asynccontextmanager
    async def read(self, scope: Scope, receive: Receive) -> AsyncIterator[bytearray]:
        """The whole body; its bytes count as held until the block is left, even if it is cleared before.

        Raises:
            RequestTooLarge: Longer than the limit, whatever its header says.
            SlowRequest: It dripped.
            InvalidRequest: It is compressed in a way that is not read, or wrongly.
            Unavailable: Too many bytes are held for other requests.
            Cancelled: The client went away before the end.
        """
        body = bytearray()
        held = 0
        try:
            self._check_declared_size(scope)
            async for chunk in decompress(scope, receive_chunks(receive, may_pause=False)):
                if held + len(chunk) > self.limit:
                    raise body_too_large(self.limit)
                self._take(len(chunk))
                held += len(chunk)
                body += chunk
            yield body
        finally:
            self._free += held

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Count `size` bytes from elsewhere, as those of earlier requests, as held until the block is left.

        Raises:
            Unavailable: Too many bytes are held for other requests.
        """
        self._take(size)
        try:
            yield
        finally:
            self._free += size

    def _take(self, size: int) -> None:
        if size > self._free:
            raise Unavailable("The server holds too many large requests. Please try again.", retry_after=1.0)
        self._free -= size

    def _check_declared_size(self, scope: Scope) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self.limit:
            raise body_too_large(self.limit)


async def decode_body(body: bytearray, decode: Callable[[bytearray], Result]) -> Result:
    """What `decode` makes of a body, without keeping other requests waiting while it works."""
    if len(body) <= PARSED_ON_THE_LOOP:
        return decode(body)
    return await asyncio.to_thread(decode, body)


async def decompress(scope: Scope, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body's bytes without their Content-Encoding, in pieces of a megabyte or less if they had one.

    Raises:
        InvalidRequest: It is compressed in a way that is not read, or wrongly.
    """
    encoding = Headers(scope=scope).get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        async for chunk in chunks:
            yield chunk
    elif encoding in ("gzip", "x-gzip", "deflate"):
        async for chunk in _inflate(chunks):
            yield chunk
    else:
        raise InvalidRequest(f"Content-Encoding {encoding[:50]!r} is not read here. Use gzip or none.")


async def _inflate(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        async for chunk in chunks:
            # In small pieces, so that a bomb unfolds no further than its reader lets it.
            while chunk:
                yield inflater.decompress(chunk, _PIECE)
                chunk = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error:
        raise InvalidRequest("The body is not what its Content-Encoding says.") from None
    if not inflater.eof:
        raise InvalidRequest("The compressed body ends too early.")


async def receive_chunks(receive: Receive, *, may_pause: bool) -> AsyncIterator[bytes]:
    """The body as it comes.

    What is held in memory until its end must keep up a rate on the whole. What is stored as it comes may
    pause, so that a slow line can bring a large file.

    Raises:
        SlowRequest: The next bytes were not here in time.
        Cancelled: The client went away before the end.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    received = 0
    while True:
        try:
            due = clock() + LONGEST_PAUSE_S if may_pause else began + GRACE_S + received / MIN_BYTES_PER_S
            async with asyncio.timeout_at(due):
                message = await receive()
        except TimeoutError:
            raise SlowRequest("The request body came too slowly. Send it faster, or in parts.") from None
        if message["type"] == "http.disconnect":
            raise Cancelled("The client went away before the end of its request.")
        chunk: bytes = message.get("body", b"")
        if chunk:
            received += len(chunk)
            yield chunk
        if not message.get("more_body", False):
            return
