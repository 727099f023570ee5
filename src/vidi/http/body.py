"""Request bodies: read as a stream into one buffer, limited while reading, parsed once.

A body may not be larger than the limit, and counts in the server's one budget of bytes. None may drip or
stall: it comes at 1 kB/s or more over any 10 s, and where memory is short sooner gives its place to others
(`byte_budget.py`).
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from vidi.byte_budget import RETRY_AFTER_S, ByteBudget, Transfer
from vidi.domain.errors import Cancelled, InvalidRequest, SlowRequest
from vidi.files.store import BLOCK_BYTES
from vidi.wire.errors import body_too_large

GRACE_S = 10.0
"""How long a body may pause at most, at its begin too."""

MIN_BYTES_PER_S = 1000
"""Slowest rate at which a body may come; what came faster earns it no pause over the grace."""

LONGEST_PAUSE_S = 60.0
"""How long an upload may pause; it may take as long as it wants in all."""

UPLOAD_BUFFER = 2 * BLOCK_BYTES
"""Most bytes of an upload that are in memory at once: one block fills while another goes to the disk."""

PARSED_AT_ONCE = 2
"""Large bodies that are parsed at the same time: parsing takes twice their size beside them."""

PARSED_ON_THE_LOOP = 4_000
"""Bodies of up to so many bytes, long strings left out, are parsed where they are, in a few milliseconds;
others on a thread."""

QUICK_BYTES = 400_000
"""Longer bodies are parsed on a thread in any case."""

_LONG_STRING = 200
"""No key that means anything has so many bytes, however it is written."""
_MOST_STRINGS = 500

SMALL = 256_000
"""Bodies of more bytes count as large."""

# A schema that refers to its parts multiplies them: then the body's size says nothing of the work.
_REFERENCE = re.compile(rb"ref|\\u")

Result = TypeVar("Result")
Body = TypeVar("Body", bytes, bytearray)

_NOT_ENCODED = ("", "identity")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_PIECE = 1 << 20


MOST_UNFOLDED = 20
"""How many times its size a compressed body may have: JSON with pictures has 1.3, texts have 3 to 10."""

FREELY_UNFOLDED = 5_000_000
"""Up to so many bytes it may have any."""


def is_quick(body: Body) -> bool:
    """Whether a body is parsed in a few milliseconds: it is short but for the text of pictures.

    What takes time is the number of its values and how they are used, so long strings do not count. Where
    they begin and end is sure only without escapes and other quotes, which pictures have none of.
    """
    if len(body) > PARSED_ON_THE_LOOP:
        if len(body) > QUICK_BYTES or b"\\" in body:
            return False
        body = _without_long_strings(body)
    return len(body) <= PARSED_ON_THE_LOOP and not _REFERENCE.search(body)


def _without_long_strings(body: Body) -> Body:
    """A body without its long strings; all of it where that cannot be told, or there are many strings."""
    kept, end = body[:0], 0
    for _ in range(_MOST_STRINGS):
        begin = body.find(b'"', end)
        if begin < 0:
            return kept + body[end:]
        between, end = body[end:begin], body.find(b'"', begin + 1) + 1
        if not end or b"'" in between:
            return body
        kept += between
        if end - begin <= _LONG_STRING:
            kept += body[begin:end]
    return body


class BodyReader:
    """Reads request bodies within the server's limits."""

    def __init__(self, limit: int, budget: ByteBudget) -> None:
        """Allow bodies of up to `limit` bytes each, after decompression, all of them within `budget`."""
        self.limit = limit
        self.budget = budget
        self._parsing = asyncio.Semaphore(PARSED_AT_ONCE)

    def read(self, scope: Scope, receive: Receive) -> AbstractAsyncContextManager[bytearray]:
        """The whole body; its bytes count as held until the block is left, even if it is cleared before.

        Raises:
            RequestTooLarge: Longer than the limit, whatever its header says.
            SlowRequest: It dripped, or stood still while others needed the memory.
            InvalidRequest: It is compressed in a way that is not read, or wrongly.
            Unavailable: Too many bytes are held for other requests.
            Cancelled: The client went away before the end.
        """
        return _Reading(self, scope, receive)

    async def fill(self, body: bytearray, scope: Scope, receive: Receive, transfer: Transfer) -> None:
        """Read a whole body into a buffer. Raises as `read`."""
        self._make_room(scope, transfer)

        def add(chunk: bytes) -> None:
            if len(body) + len(chunk) > self.limit:
                raise body_too_large(self.limit)
            transfer.add(len(chunk))
            body.extend(chunk)

        if _encoding(scope) in _NOT_ENCODED:
            await _receive_all(receive, transfer, add)
        else:
            async for chunk in decompress(scope, receive_chunks(receive, transfer, may_pause=False)):
                add(chunk)
        self.budget.complete(transfer)

    async def decode(self, body: Body, decode: Callable[[Body], Result]) -> Result:
        """What `decode` makes of a body, without keeping other requests waiting while it works."""
        if is_quick(body):
            return decode(body)
        if len(body) <= SMALL:
            return await asyncio.to_thread(decode, body)
        async with self._parsing:
            return await asyncio.to_thread(decode, body)

    @contextmanager
    def upload(
        self, scope: Scope, receive: Receive, buffer: int = UPLOAD_BUFFER
    ) -> Iterator[AsyncIterator[bytes]]:
        """A body that is stored while it comes, and may pause; its buffers count until the block is left.

        Args:
            scope: Of the request.
            receive: Of the request.
            buffer: Most of its bytes that are in memory at once.

        Reading it raises SlowRequest, InvalidRequest, Unavailable and Cancelled, as `read`; what was stored
        stays.
        """
        with self.budget.transfer() as transfer:
            yield self._buffered(
                transfer, decompress(scope, receive_chunks(receive, transfer, may_pause=True)), buffer
            )

    async def _buffered(
        self, transfer: Transfer, chunks: AsyncIterator[bytes], buffer: int
    ) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            transfer.add(len(chunk), most=buffer)
            yield chunk

    def _make_room(self, scope: Scope, transfer: Transfer) -> None:
        """Refuse at once what is too long by its own word, or has no room now."""
        declared = Headers(scope=scope).get("content-length", "")
        length = int(declared[:20]) if declared.isdecimal() else 0
        if length > self.limit:
            raise body_too_large(self.limit)
        self.budget.require(length, transfer)


class _Reading:
    """A body that is read when the block is entered."""

    def __init__(self, reader: BodyReader, scope: Scope, receive: Receive) -> None:
        self._reader, self._scope, self._receive = reader, scope, receive
        self._body = bytearray()
        self._held = reader.budget.transfer()

    async def __aenter__(self) -> bytearray:
        transfer = self._held.__enter__()
        try:
            await self._reader.fill(self._body, self._scope, self._receive, transfer)
        except BaseException:
            self._leave()
            raise
        return self._body

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        # An error on its way out may keep this frame, and the frame the body, for as long as the client
        # reads the refusal. A reader that failed may still look at it: then both go together.
        with suppress(BufferError):
            self._body.clear()
        self._held.__exit__(None, None, None)


def _encoding(scope: Scope) -> str:
    return Headers(scope=scope).get("content-encoding", "identity").strip().lower()


async def decompress(scope: Scope, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body's bytes without their Content-Encoding, in pieces of a megabyte or less if they had one.

    Raises:
        InvalidRequest: It is compressed in a way that is not read, or wrongly.
    """
    encoding = _encoding(scope)
    if encoding in _NOT_ENCODED:
        async for chunk in chunks:
            yield chunk
    elif encoding in ("gzip", "x-gzip", "deflate"):
        async for chunk in _inflate(chunks):
            yield chunk
    else:
        raise InvalidRequest(f"Content-Encoding {encoding[:50]!r} is not read here. Use gzip or none.")


async def _inflate(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    packed = unfolded = 0
    try:
        async for chunk in chunks:
            packed += len(chunk)
            # In small pieces, so that a bomb unfolds no further than its reader lets it.
            while chunk:
                piece = inflater.decompress(chunk, _PIECE)
                unfolded += len(piece)
                if unfolded > max(FREELY_UNFOLDED, MOST_UNFOLDED * packed):
                    raise InvalidRequest(
                        f"The compressed body unfolds to more than {MOST_UNFOLDED} times its size. "
                        "Send it without Content-Encoding."
                    )
                yield piece
                chunk = inflater.unconsumed_tail
                # A small chunk may unfold for long: others have their turn after each piece.
                await asyncio.sleep(0)
        yield inflater.flush()
    except zlib.error:
        raise InvalidRequest("The body is not what its Content-Encoding says.") from None
    if not inflater.eof:
        raise InvalidRequest("The compressed body ends too early.")


async def receive_chunks(receive: Receive, transfer: Transfer, *, may_pause: bool) -> AsyncIterator[bytes]:
    """The body as it comes.

    What is held in memory until its end must keep up a rate all the time. What is stored as it comes may
    pause, so that a slow line can bring a large file.

    Raises:
        SlowRequest: The next bytes were not here in time, or the memory was needed for others.
        Cancelled: The client went away before the end.
    """
    clock = asyncio.get_running_loop().time
    pause = LONGEST_PAUSE_S if may_pause else GRACE_S
    due = clock() + pause
    while True:
        try:
            async with asyncio.timeout_at(due) as limit:
                transfer.interrupt = partial(limit.reschedule, 0.0)
                message = await receive()
        except TimeoutError:
            raise _too_slow(transfer) from None
        finally:
            transfer.interrupt = None
        chunk = _chunk_in(message, transfer)
        if chunk:
            earned = clock() + pause if may_pause else due + len(chunk) / MIN_BYTES_PER_S
            due = min(earned, clock() + pause)
            yield chunk
        if not message.get("more_body", False):
            return


async def _receive_all(receive: Receive, transfer: Transfer, add: Callable[[bytes], None]) -> None:
    """A body that must keep up its rate, and whose chunks take no time to put away: one clock for all of it.

    Raises:
        As `receive_chunks`, and what `add` raises.
    """
    clock = asyncio.get_running_loop().time
    due = clock() + GRACE_S
    try:
        async with asyncio.timeout_at(due) as limit:
            transfer.interrupt = partial(limit.reschedule, 0.0)
            while True:
                message = await receive()
                chunk = _chunk_in(message, transfer)
                if chunk:
                    add(chunk)
                if not message.get("more_body", False):
                    return
                due = min(due + len(chunk) / MIN_BYTES_PER_S, clock() + GRACE_S)
                limit.reschedule(due)
    except TimeoutError:
        raise _too_slow(transfer) from None
    finally:
        transfer.interrupt = None


def _chunk_in(message: Message, transfer: Transfer) -> bytes:
    """The bytes that have come. Raises Cancelled and SlowRequest, as `receive_chunks`."""
    if message["type"] == "http.disconnect":
        raise Cancelled("The client went away before the end of its request.")
    if transfer.put_out:
        raise _too_slow(transfer)
    chunk: bytes = message.get("body", b"")
    return chunk


def _too_slow(transfer: Transfer) -> SlowRequest:
    if transfer.put_out:
        return SlowRequest(
            "The request body stood still while the server needed its memory for others. Please try again.",
            retry_after=RETRY_AFTER_S,
        )
    return SlowRequest("The request body came too slowly. Send it faster, or in parts.")
