"""Answers that are sent while they are made, clients that go away, and a server that ends.

A stream is opened and closed in one task, so that leaving it frees the engine at once, whoever leaves
first. An error before the first byte is a plain HTTP error; after it, a line that all SDKs recognise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from functools import partial
from types import TracebackType

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from vidi.byte_budget import Transfer
from vidi.domain.errors import Cancelled, DeadlineExceeded, Unavailable, VidiError
from vidi.http.response import JSON
from vidi.wire.encode import ARRAY_END, array_element, array_error, sse_error, sse_event

DRAIN = "drain"
"""Key in a request's state: the server's `Drain`."""

RETRY_AFTER_S = 5.0
"""What a caller of a server that ends is told to wait, until it or another has started."""

PIECE_BYTES = 64 << 10
"""How much is handed to a connection at once: as much as it holds for a slow reader before it says so."""

Messages = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens an answer as encoded messages; leaving the block cancels what still runs."""


def cancel_on_disconnect(receive: Receive) -> AbstractAsyncContextManager[None]:
    """Cancel the block when the client goes away. The request's body must have been read to its end.

    Raises:
        Cancelled: The client went away.
    """
    return _CancelOnDisconnect(receive)


class _CancelOnDisconnect(AbstractAsyncContextManager[None]):
    # asyncio can cancel a task, not a block. So the watcher cancels the task and notes that it did; the note
    # tells this cancellation from one of the server's own, and `uncancel` from both at once.

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._caller = _current_task()
        # Begun at the next turn of the loop: what is answered without waiting needs no watcher.
        self._begin = asyncio.get_running_loop().call_soon(self._start)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._begin.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        if cancelled and self._gone and self._caller.uncancel() == 0:
            raise Cancelled("The client went away.") from None

    def _start(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._caller.cancel()


class Drain:
    """The end of a server: nothing new, time for what runs, then an end of it that clients understand.

    Attributes:
        seconds: How long what runs may take.
        begun: Whether the server is ending.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begun = False
        self._over = False
        self._running: set[asyncio.Task[object]] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing runs that came before the end."""
        return not self._running

    def request(self) -> AbstractContextManager[None]:
        """One request, from its begin to its end.

        Raises:
            Unavailable: The server is ending, or did while the request ran.
        """
        return _RequestOf(self)

    def named(self) -> AbstractContextManager[None]:
        """Make an error of being cut off, for the innermost block that can still tell the client."""
        return _Named(self)

    def enter(self) -> None:
        """A request begins. Raises Unavailable, as `request`."""
        if self.begun:
            raise _ending()
        self._running.add(_current_task())

    def leave(self) -> None:
        """It ends."""
        self._running.discard(_current_task())

    def name(self, error: type[BaseException] | None) -> None:
        """Raise Unavailable in place of an error that is the server's own end."""
        cancelled = error is not None and issubclass(error, asyncio.CancelledError)
        if cancelled and self._over and _current_task().uncancel() == 0:
            raise _ending() from None

    def begin(self) -> None:
        """Take no more requests."""
        self.begun = True

    def cut(self) -> None:
        """Cut off what still runs."""
        self.begun = self._over = True
        for task in self._running:
            task.cancel()


class _Named(AbstractContextManager[None]):
    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._drain.name(kind)


class _RequestOf(_Named):
    def __enter__(self) -> None:
        self._drain.enter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._drain.leave()
        self._drain.name(kind)


def _current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _ending() -> Unavailable:
    return Unavailable("The server is shutting down. Please try again later.", retry_after=RETRY_AFTER_S)


def deadline(seconds: float) -> AbstractAsyncContextManager[None]:
    """Cancel the block after so many seconds.

    Raises:
        DeadlineExceeded: The time is over.
    """
    return _Deadline(seconds)


class _Deadline(AbstractAsyncContextManager[None]):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
            over = kind is not None and issubclass(kind, TimeoutError)
        except TimeoutError:
            over = True
        if over:
            raise DeadlineExceeded(
                f"The answer was not ready within {self._seconds:g} s. Ask for less, or allow more time."
            ) from None


def requested_timeout(headers: Headers, most: float) -> float:
    """The server's time limit in seconds, or the client's if it is shorter."""
    try:
        wanted = float(headers.get("x-server-timeout", most))
    except ValueError:
        return most
    return min(wanted, most) if wanted > 0 else most


async def send_content(content: bytes, transfer: Transfer, send: Send) -> None:
    """Send a reply of JSON that counts in the budget of bytes for as long as the client takes.

    Raises:
        Cancelled: The client stood still while the memory was needed for others.
    """
    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(content))]
    try:
        async with asyncio.timeout(None) as limit:
            transfer.interrupt = partial(limit.reschedule, 0.0)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for piece in pieces_of(content):
                await send(_body(piece))
                transfer.moved(len(piece))
    except TimeoutError:
        raise Cancelled("The client read too slowly.") from None
    finally:
        transfer.interrupt = None
    await send(_body(b"", more=False))


def pieces_of(content: bytes) -> Iterator[bytes]:
    """Content in pieces, of which each is sent when the client has taken most of those before."""
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]


@dataclass(frozen=True, slots=True)
class Framing:
    """How messages lie on the wire: the first one, each later one, an error among them, and their end."""

    media_type: bytes
    first: Callable[[bytes], bytes]
    later: Callable[[bytes], bytes]
    error: Callable[[VidiError], bytes]
    end: bytes


EVENTS = Framing(
    media_type=b"text/event-stream",
    first=sse_event,
    later=sse_event,
    error=sse_error,
    end=b"",
)

ARRAY = Framing(
    media_type=b"application/json; charset=UTF-8",
    first=partial(array_element, first=True),
    later=partial(array_element, first=False),
    error=partial(array_error, first=False),
    end=ARRAY_END,
)


@dataclass(frozen=True, slots=True)
class Stream:
    """An ASGI response that sends messages as they are made.

    Attributes:
        messages: Opens the answer.
        framing: How the messages lie on the wire.
        seconds: How long the whole answer may take.
    """

    messages: Messages
    framing: Framing
    seconds: float

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the answer; an error before its first message is raised, a later one is sent."""
        begun = False
        last = self.framing.end
        drain: Drain = scope["state"][DRAIN]
        try:
            with drain.named():
                async with deadline(self.seconds), self.messages() as messages:
                    async for message in messages:
                        if not begun:
                            await send(self._start())
                        frame = self.framing.later if begun else self.framing.first
                        begun = True
                        await send(_body(frame(message)))
        except VidiError as error:
            if not begun:
                raise
            last = self.framing.error(error)
        await send(_body(last, more=False))

    def _start(self) -> Message:
        headers = [(b"content-type", self.framing.media_type), (b"cache-control", b"no-cache")]
        return {"type": "http.response.start", "status": 200, "headers": headers}


def _body(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}
