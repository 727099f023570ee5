"""The listening socket: uvicorn, with limits where it has none.

uvicorn waits for ever for a header block that drips and for a client that does not read, takes headers of
any size, and answers broken HTTP in plain text. All of it is mended here; `body.py` limits the time that
bodies may take.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import HANDLED_SIGNALS

from vidi.byte_budget import share_heap
from vidi.domain.errors import InvalidRequest
from vidi.http.stream import Drain
from vidi.wire.encode import encode_error

HEADER_SECONDS = 30.0
"""How long a header block may take, from the connection or from its first byte."""

LINGER_SECONDS = 30.0
"""How long a refused body may go on coming, so that the client finds time to read the refusal."""

WRITE_SECONDS = 30.0
"""How long a client may take to read what its connection holds for it, which is 128 kB at most."""

MAX_HEADER_BYTES = 64 * 1024
"""Longest header block, request line included."""

FRAMING = (b"content-length", b"transfer-encoding")
"""Headers that say how long a body is."""

CUT_SECONDS = 2.0
"""How long an answer that is cut off may take to say so, and a client to read it."""

POLL_SECONDS = 0.02

BACKLOG = 1024

OBJECTS_PER_COLLECTION = 20_000
"""So many objects come into being between two searches for cycles of garbage; Python's own choice is 700."""


class HeadWithBody(asyncio.Transport):
    """A connection that sends an answer's head together with what follows it in the same turn of the loop.

    uvicorn writes both apart: two system calls, and a client that is woken to find half an answer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | bytearray | memoryview = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; what looks like a head waits for the next write, or for the loop's next turn."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data[:9] == b"HTTP/1.1 ":
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Close when all has been sent."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Cut."""
        self._head = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it was closed or cut."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken yet."""
        return len(self._head) + self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take nothing more from the client for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more."""
        self._transport.resume_reading()


class Protocol(HttpToolsProtocol):
    """One connection: bytes from the socket go to the parser, whose callbacks are the `on_...` methods.

    `_timer` runs alone, and closes the connection when it ends. It runs while nothing else protects the
    server from a silent client: from the connection or a request's first byte to the end of its headers, and
    from an early answer to the end of the refused body. In between `body.py` and the answer's deadline watch.
    `_write_timer` runs while a client has not read what it was sent, and cuts the connection.
    """

    _timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _unfinished = 0
    _in_headers = True
    _in_message = False
    _upgrades = False
    _continues = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(HeadWithBody(transport, self.loop))
        self._start_timer(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unfinished += len(data)
        self._unset_keepalive_if_required()
        try:
            self._feed(memoryview(data))
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        # The callbacks see only what is complete; a header, a trailer or the length of a chunk that never
        # ends is counted here.
        if self._unfinished > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("Request headers are too large.")

    def _feed(self, data: memoryview) -> None:
        """Parse; a wish for another protocol is not granted, and what stands behind it is the request's body.

        The parser ends such a request at its head. Whoever sent its body in a second packet could have it
        read as a request, and behind a proxy would get the answer to somebody else's.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                framing = [each for each in self.headers if each[0] in FRAMING]
                self._upgrades, self._continues = False, True
                self.parser.feed_data(
                    b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(b"%s: %s\r\n" % each for each in framing)
                )
            else:
                return

    def on_message_begin(self) -> None:
        if self._continues:
            return
        super().on_message_begin()
        self._in_headers = self._in_message = True
        self._header_bytes = 0
        if not self.flow.write_paused:
            # What was left of the answer before has been looked at long enough: this client is alive.
            self._stop_write_timer()
        # A first request shares the connection's timer, so that opening one gains a client no time.
        if self._timer is None:
            self._start_timer(HEADER_SECONDS)

    def on_url(self, url: bytes) -> None:
        if self._in_headers:
            self._header_bytes += len(url)
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a body comes without a limit, maybe after the door has looked: nobody reads it.
        if self._in_headers:
            self._header_bytes += len(name) + len(value)
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        if self._continues:
            self._continues = False
            return
        if self._header_bytes > MAX_HEADER_BYTES:
            # Inside a parser callback any exception ends as `send_400_response`.
            raise ValueError("headers too large")
        self._in_headers = False
        self._upgrades = self.parser.should_upgrade()
        self._unfinished = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._upgrades:
            return
        self._in_message = False
        self._unfinished = 0
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._write_timer is None and self.transport.get_write_buffer_size():
            self._write_timer = self.loop.call_later(WRITE_SECONDS, self._cut_unread)
        if self._in_message:
            # Closing at once would reset the connection under a client that still sends, before it could read
            # why it was refused.
            self._start_timer(LINGER_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stop_write_timer()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self._cut_unread)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def _cut_unread(self) -> None:
        """Cut the connection: to close it would wait until the client has read what is left."""
        self._write_timer = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def close_after_answer(self) -> None:
        """The server ends. A client that waits for nothing may ask once more, and is told so."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Answer broken HTTP in Google's shape, and close; in the middle of an answer only close."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()
            return
        body = encode_error(InvalidRequest(msg))
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=UTF-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: The address is taken or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def serve(app: ASGIApp, listener: socket.socket, drain: Drain) -> None:
    """Serve until SIGINT or SIGTERM; then what runs gets `drain.seconds` to end, or until the next signal."""
    # A collection stops every thread. What is loaded by now stays, so it need not be gone through each time;
    # and a body of a hundred thousand values is no reason to look for rubbish a hundred times.
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    share_heap()
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # `access.py` decides which proxies are believed; uvicorn would believe any on this machine.
        proxy_headers=False,
    )
    DrainingServer(config, drain).run(sockets=[listener])


class DrainingServer(uvicorn.Server):
    """uvicorn's server, but for its end: it answers to the last, and a signal is no error."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving. uvicorn sends itself those that it got once more afterwards."""
        before = {each: signal.signal(each, self.handle_exit) for each in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends the server, the second one at once, the third without a word."""
        del sig, frame
        if self.force_exit or (self.should_exit and not self.started):
            os._exit(1)
        self.force_exit = self.should_exit
        self.should_exit = True
        self._drain.begin()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse what is new, wait for what runs, cut what is left, and close everything.

        New connections are taken until then: who asks whether the server is ready has to get an answer.
        """
        del sockets
        self._drain.begin()
        for connection in self.server_state.connections:
            if isinstance(connection, Protocol):
                connection.close_after_answer()
        await self._until(lambda: self._drain.idle or self.force_exit, self._drain.seconds)
        self._drain.cut()
        for server in self.servers:
            server.close()
        await self._until(lambda: not self.server_state.tasks, CUT_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await self._until(lambda: not self.server_state.connections, CUT_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        if self.force_exit:
            # Models and decoders end by themselves when this process is gone; nothing half-written matters.
            logging.shutdown()
            os._exit(0)
        await self.lifespan.shutdown()

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while not condition() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110  # a signal sets no event
            await asyncio.sleep(POLL_SECONDS)
