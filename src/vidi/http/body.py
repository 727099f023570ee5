"""Request bodies: read as a stream into one buffer, limited while reading, parsed once.

A body may not be larger than the limit, all bodies in flight together not larger than a budget, and none
may drip: after a grace of 10 s it must have come at 1 kB/s or more.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from vidi.domain.errors import Cancelled, InvalidRequest, SlowRequest, Unavailable
from vidi.wire.refusals import body_too_large

GRACE_S = 10.0
"""How long a body may take before its rate is looked at."""

MIN_BYTES_PER_S = 1000
"""Slowest rate at which a body may come, after the grace."""

BODIES_IN_FLIGHT = 4
"""How many bodies of the largest size may be held at the same time, or more of smaller ones."""

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class Bodies:
    """Reads request bodies within the server's limits."""

    def __init__(self, limit: int) -> None:
        """Allow bodies of up to `limit` bytes each, after decompression."""
        self._limit = limit
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
            async for chunk in self._unpacked(scope, receive):
                if held + len(chunk) > self._limit:
                    raise body_too_large(self._limit)
                if len(chunk) > self._free:
                    raise Unavailable(
                        "The server holds too many large requests. Please try again.", retry_after=1.0
                    )
                self._free -= len(chunk)
                held += len(chunk)
                body += chunk
            yield body
        finally:
            self._free += held

    async def _unpacked(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._limit:
            raise body_too_large(self._limit)
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("", "identity"):
            async for chunk in chunks(receive):
                yield chunk
        elif encoding in ("gzip", "x-gzip", "deflate"):
            async for chunk in self._inflated(receive):
                yield chunk
        else:
            raise InvalidRequest(f"Content-Encoding {encoding[:50]!r} is not read here. Use gzip or none.")

    async def _inflated(self, receive: Receive) -> AsyncIterator[bytes]:
        inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            async for chunk in chunks(receive):
                # One byte over the limit is enough to refuse; a bomb never unfolds further.
                yield inflater.decompress(chunk, self._limit + 1)
                if inflater.unconsumed_tail:
                    raise body_too_large(self._limit)
        except zlib.error:
            raise InvalidRequest("The body is not what its Content-Encoding says.") from None
        if not inflater.eof:
            raise InvalidRequest("The compressed body ends too early.")


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises:
        SlowRequest: It came slower than MIN_BYTES_PER_S, after GRACE_S.
        Cancelled: The client went away before the end.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    received = 0
    while True:
        try:
            async with asyncio.timeout_at(began + GRACE_S + received / MIN_BYTES_PER_S):
                message = await receive()
        except TimeoutError:
            raise SlowRequest(
                f"The request body came slower than {MIN_BYTES_PER_S} bytes a second."
            ) from None
        if message["type"] == "http.disconnect":
            raise Cancelled("The client went away before the end of its request.")
        chunk: bytes = message.get("body", b"")
        if chunk:
            received += len(chunk)
            yield chunk
        if not message.get("more_body", False):
            return
