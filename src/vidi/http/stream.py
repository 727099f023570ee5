"""Answers that are sent while they are made, and clients that go away.

A stream is opened and closed in one task, so that leaving it frees the engine at once, whoever leaves
first. An error before the first byte is a plain HTTP error; after it, a line that all SDKs recognise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from vidi.domain.errors import Cancelled, DeadlineExceeded, Internal, VidiError

Frames = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens an answer as encoded frames; leaving the block cancels what still runs."""


@asynccontextmanager
async def until_hangup(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block when the client goes away. The request's body must have been read to its end.

    Raises:
        Cancelled: The client went away.
    """
    caller = asyncio.current_task()
    assert caller is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        caller.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone and caller.uncancel() == 0:
            raise Cancelled("The client went away.") from None
        raise
    finally:
        watcher.cancel()


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Cancel the block after so many seconds.

    Raises:
        DeadlineExceeded: The time is over.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeadlineExceeded(
            f"The answer was not ready within {seconds:g} s. Ask for less, or allow more time."
        ) from None


@dataclass(frozen=True, slots=True)
class Framing:
    """How an answer lies on the wire."""

    media_type: str
    first: bytes
    between: bytes
    last: bytes
    error: Callable[[VidiError], bytes]


@dataclass(frozen=True, slots=True)
class Stream:
    """An ASGI response that sends frames as they are made."""

    frames: Frames
    framing: Framing
    seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole answer, or as much as the client wants of it."""
        async with until_hangup(receive):
            opened = False
            try:
                async with within(self.seconds), self.frames() as frames:
                    async for frame in frames:
                        if not opened:
                            await self._open(send)
                            await _send(send, self.framing.first + frame)
                            opened = True
                        else:
                            await _send(send, self.framing.between + frame)
                await _send(send, self.framing.last, more=False)
            except VidiError as error:
                if not opened:
                    raise
                await _send(send, self.framing.error(error), more=False)

    async def _open(self, send: Send) -> None:
        headers = [
            (b"content-type", self.framing.media_type.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
