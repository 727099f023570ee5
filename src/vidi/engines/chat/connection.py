"""One HTTP exchange with a model's server, read in small steps so that it can be given up at any of them."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus

from httptools import HttpParserError, HttpResponseParser

TICK_SECONDS = 0.1
"""How long nothing may come before the reader gets its turn, to see whether anybody still waits."""

IDLE_SECONDS = 4.0
"""How long a connection is kept for the next request; uvicorn, under vLLM and SGLang, hangs up after 5."""

_CONNECT_SECONDS = 5.0
_CHUNK = 1 << 16
_MOST_HEAD = 1 << 16
_MOST_REFUSAL = 1 << 16
"""Bytes of an answer's head, and of what a server says when it refuses; more is not read."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running model listens.

    Attributes:
        host, port: Its address; on loopback for a process of Vidi's own.
        key: What callers must show; "" where nothing is asked.
        base: What stands before every path, as `/gpu`.
        tls: Whether it speaks TLS; its certificate must be one that this machine trusts.
    """

    host: str
    port: int
    key: str
    base: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """A request.

    Attributes:
        path: Where it goes, below the endpoint's base.
        body: JSON; None makes it a GET.
        headers: Further lines of its head, as `x-session-id: 12`.
    """

    path: str
    body: bytes | None = None
    headers: tuple[str, ...] = ()


Post = Callable[[str, bytes], Generator[bytes, None, None]]
"""Sends a body to a path; yields the answer's bytes, and b"" while nothing comes. Raises HttpRefusal and
Unavailable."""


class HttpRefusal(Exception):
    """The server answered with an error.

    Attributes:
        status: The HTTP status.
        body: What it said.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class ConnectFailed(Exception):
    """Nothing listens, or nobody that can be trusted; no request was sent. The text says which."""


class ConnectionLost(Exception):
    """The server died, hung up, or sent what is no HTTP, before its answer was whole."""


class _Stale(Exception):
    """A kept connection had been closed by the other side before it was used again."""


class Links:
    """The connections to one endpoint: those that are idle are kept for the next requests."""

    def __init__(self, endpoint: Endpoint, *, keep: int = 0) -> None:
        """Open nothing yet.

        Args:
            endpoint: The other side.
            keep: How many idle connections are kept; 0 closes each after its request.
        """
        self.endpoint = endpoint
        self.keep = keep
        self._tls = ssl.create_default_context() if endpoint.tls else None
        self._lock = threading.Lock()
        self._idle: deque[tuple[socket.socket, float]] = deque()

    def connect(self) -> socket.socket:
        """A new connection; raises ConnectFailed."""
        endpoint = self.endpoint
        try:
            link = socket.create_connection((endpoint.host, endpoint.port), _CONNECT_SECONDS)
        except (OSError, ValueError):
            raise ConnectFailed("is not there") from None
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._tls.wrap_socket(link, server_hostname=endpoint.host) if self._tls else link
        except ssl.SSLCertVerificationError:
            link.close()
            raise ConnectFailed("has a certificate that this machine does not trust") from None
        except (OSError, ValueError):
            link.close()
            raise ConnectFailed("is not there") from None

    def take(self) -> socket.socket | None:
        """A kept connection that the other side has not closed, as far as can be seen; None without."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                link, since = self._idle.pop()
            # Whatever can be read now is its end: no answer is due.
            if time.monotonic() - since < IDLE_SECONDS and not select.select([link], [], [], 0)[0]:
                return link
            link.close()

    def give(self, link: socket.socket) -> None:
        """Keep a connection whose last answer is whole."""
        with self._lock:
            self._idle.append((link, time.monotonic()))
            surplus = self._idle.popleft()[0] if len(self._idle) > self.keep else None
        if surplus is not None:
            surplus.close()

    def close(self) -> None:
        """Close those that are idle, and keep none from now on."""
        with self._lock:
            self.keep = 0
            idle, self._idle = self._idle, deque()
        for link, _ in idle:
            link.close()


def post(endpoint: Endpoint, path: str, body: bytes) -> Generator[bytes, None, None]:
    """Send a request over a connection of its own; as `exchange` in all else."""
    yield from exchange(Links(endpoint), HttpMessage(path, body))


def exchange(links: Links, message: HttpMessage) -> Generator[bytes, None, None]:
    """Send a request; yields the answer's bytes as they come, and b"" whenever nothing came for a tick.

    What has come together is yielded together, so that a reader that falls behind has fewer turns to take.
    Closing the generator closes the connection, which makes the server stop.

    Raises:
        ConnectFailed: The server was gone before.
        HttpRefusal: The server answered with another status than 200; a redirect is not followed.
        ConnectionLost: The server died over it.
    """
    kept = links.take()
    if kept is not None:
        try:
            yield from _exchange(links, kept, message, kept=True)
            return
        except _Stale:
            pass
    yield from _exchange(links, links.connect(), message)


def fetch(links: Links, message: HttpMessage, *, seconds: float, most: int = 1 << 22) -> bytes:
    """A whole short answer.

    Raises:
        ConnectFailed, HttpRefusal, ConnectionLost: As `exchange`; ConnectionLost too if it does not come in
            time, or has more than `most` bytes.
    """
    until = time.monotonic() + seconds
    received = bytearray()
    with closing(exchange(links, message)) as portions:
        for portion in portions:
            received += portion
            if time.monotonic() > until or len(received) > most:
                raise ConnectionLost
    return bytes(received)


def _exchange(
    links: Links, link: socket.socket, message: HttpMessage, *, kept: bool = False
) -> Generator[bytes, None, None]:
    answer = _ResponseParser()
    try:
        link.settimeout(TICK_SECONDS)
        yield from _send(link, _head(links, message) + (message.body or b""))
        while not answer.whole:
            yield from _portions(link, answer)
    except (OSError, HttpParserError):
        if kept and not answer.heard:
            raise _Stale from None
        raise ConnectionLost from None
    finally:
        if links.keep and answer.reusable:
            links.give(link)
        else:
            link.close()
    if answer.status != HTTPStatus.OK:
        raise HttpRefusal(answer.status, answer.taken())


def _head(links: Links, message: HttpMessage) -> bytes:
    endpoint, body = links.endpoint, message.body
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    lines = [
        f"{'GET' if body is None else 'POST'} {endpoint.base}{message.path} HTTP/1.1",
        f"Host: {host}:{endpoint.port}",
        *([f"Authorization: Bearer {endpoint.key}"] if endpoint.key else ()),
        *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if body is not None else ()),
        *(() if links.keep else ["Connection: close"]),
        *message.headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _send(link: socket.socket, data: bytes) -> Generator[bytes, None, None]:
    """Send all of it; yields b"" for every tick in which the other side takes nothing."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[link.send(rest) :]
        except TimeoutError:
            yield b""


def _portions(link: socket.socket, answer: _ResponseParser) -> Generator[bytes, None, None]:
    """What comes next of a good answer's body, if it is any; b"" if nothing comes for a tick."""
    try:
        received = link.recv(_CHUNK)
    except TimeoutError:
        yield b""
        return
    if received:
        answer.feed(received)
    else:
        answer.end()
    if answer.status == HTTPStatus.OK:
        yield answer.taken()


class _ResponseParser:
    """An HTTP answer, as far as it has come; httptools calls the methods whose names begin with `on`."""

    def __init__(self) -> None:
        self.status = 0
        self.whole = False
        self.heard = False
        self.reusable = False
        self._framed = False
        self._size = 0
        self._body: list[bytes] = []
        self._parser = HttpResponseParser(self)

    def feed(self, received: bytes) -> None:
        """Raises HttpParserError, and OSError for a head that has no end; ends a refusal that has none."""
        self.heard = True
        self._parser.feed_data(received)
        self._size += len(received)
        if not self.status and self._size > _MOST_HEAD:
            raise ConnectionError("the answer's head has no end")
        if self.status not in (0, HTTPStatus.OK) and self._size > _MOST_REFUSAL:
            self.whole = True

    def end(self) -> None:
        """The other side hung up: that ends an answer that tells no length; raises OSError for another."""
        if not self.status or self._framed:
            raise ConnectionError("the answer is not whole")
        self.whole = True

    def taken(self) -> bytes:
        """The body's bytes that were not taken before."""
        body, self._body = b"".join(self._body), []
        return body

    def on_header(self, name: bytes, _value: bytes) -> None:
        self._framed = self._framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.whole = True
        self.reusable = self._framed and self._parser.should_keep_alive()
