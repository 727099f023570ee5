"""The listening socket: uvicorn, with limits where it has none.

uvicorn waits for ever for a header block that drips, takes one of any size, and answers broken HTTP in
plain text. All three are mended here; bodies have their own clock in `body.py`.
"""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vidi.domain.errors import InvalidRequest
from vidi.wire.encode import encode_error

HEADER_SECONDS = 30.0
"""How long a header block may take, from the connection or from its first byte."""

LINGER_SECONDS = 30.0
"""How long a refused body may go on coming, so that the client finds time to read the refusal."""

MAX_HEADER_BYTES = 64 * 1024
"""Longest header block, request line included."""

GRACEFUL_SECONDS = 5
"""How long running answers may take to end after a stop signal."""

BACKLOG = 1024


class Protocol(HttpToolsProtocol):
    """One connection."""

    _clock: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_headers = True
    _in_message = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._start_clock(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; refuse a header block that does not end."""
        super().data_received(data)
        if self._in_headers:
            self._count_header(len(data))
            if self._header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
                self.send_400_response("Request headers are too large.")

    def on_message_begin(self) -> None:
        """Start the clock, unless the connection's own is still running."""
        super().on_message_begin()
        self._in_headers = self._in_message = True
        self._header_bytes = 0
        if self._clock is None:
            self._start_clock(HEADER_SECONDS)

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        self._count_header(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count one header."""
        self._count_header(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the clock and hand the request over."""
        if self._header_bytes > MAX_HEADER_BYTES:
            # Inside a parser callback any exception ends as `send_400_response`.
            raise ValueError("headers too large")
        self._in_headers = False
        self._stop_clock()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that nothing of this request is missing."""
        self._in_message = False
        self._stop_clock()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give a client that is still sending a while to read the answer."""
        super().on_response_complete()
        if self._in_message:
            self._start_clock(LINGER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Answer broken HTTP in Google's shape, and close."""
        body = encode_error(InvalidRequest(msg))
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=UTF-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _count_header(self, size: int) -> None:
        self._header_bytes += size

    def _start_clock(self, seconds: float) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(seconds, self.transport.close)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: The address is taken or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; running answers get GRACEFUL_SECONDS to end."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
