"""One HTTP exchange with a model's process, read in small steps so that it can be given up at any of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from http import HTTPStatus

from httptools import HttpParserError, HttpResponseParser

TICK_SECONDS = 0.1
"""How long nothing may come before the reader gets its turn, to see whether anybody still waits."""

_CONNECT_SECONDS = 5.0
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running model listens.

    Attributes:
        host, port: Its address, on loopback.
        key: What callers must show.
    """

    host: str
    port: int
    key: str


Post = Callable[[str, bytes], Generator[bytes, None, None]]
"""Sends a body to a path; yields the answer's bytes, and b"" while nothing comes. Raises HttpRefusal and
Unavailable."""


class HttpRefusal(Exception):
    """The process answered with an error.

    Attributes:
        status: The HTTP status.
        body: What it said.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class ConnectFailed(Exception):
    """Nothing listens; no request was sent."""


class ConnectionLost(Exception):
    """The process died, or hung up, before its answer was whole."""


def post(endpoint: Endpoint, path: str, body: bytes) -> Generator[bytes, None, None]:
    """Send a request; yields the answer's bytes as they come, and b"" whenever nothing came for a tick.

    What has come together is yielded together, so that a reader that falls behind has fewer turns to take.
    Closing the generator closes the connection, which makes the process stop.

    Raises:
        ConnectFailed: The process was gone before.
        HttpRefusal: The process answered with another status than 200.
        ConnectionLost: The process died over it.
    """
    try:
        link = socket.create_connection((endpoint.host, endpoint.port), _CONNECT_SECONDS)
    except OSError:
        raise ConnectFailed from None
    answer = _ResponseParser()
    try:
        with link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.sendall(_head(endpoint, path, len(body)) + body)
            link.settimeout(TICK_SECONDS)
            while not answer.whole:
                portion = _portion(link, answer)
                if portion is not None:
                    yield portion
    except (OSError, HttpParserError):
        raise ConnectionLost from None
    if answer.status != HTTPStatus.OK:
        raise HttpRefusal(answer.status, answer.taken())


def _head(endpoint: Endpoint, path: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: {endpoint.host}\r\nAuthorization: Bearer {endpoint.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode()


def _portion(link: socket.socket, answer: _ResponseParser) -> bytes | None:
    """What comes next of a good answer's body; b"" if nothing comes for a tick, None if it was no body."""
    try:
        received = link.recv(_CHUNK)
    except TimeoutError:
        return b""
    if not received:
        raise ConnectionError("the answer is not whole")
    answer.feed(received)
    return answer.taken() or None if answer.status == HTTPStatus.OK else None


class _ResponseParser:
    """An HTTP answer, as far as it has come; httptools calls the methods whose names begin with `on`."""

    def __init__(self) -> None:
        self.status = 0
        self.whole = False
        self._body: list[bytes] = []
        self._parser = HttpResponseParser(self)

    def feed(self, received: bytes) -> None:
        """Raises HttpParserError."""
        self._parser.feed_data(received)

    def taken(self) -> bytes:
        """The body's bytes that were not taken before."""
        body, self._body = b"".join(self._body), []
        return body

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.whole = True
