"""One HTTP exchange with a model's process, read in small steps so that it can be given up at any of them."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator
from contextlib import closing

import h11

from vidi.engines.llama.launch import Endpoint

TICK_SECONDS = 0.1
"""How long nothing may come before the reader gets its turn, to see whether anybody still waits."""

_CONNECT_SECONDS = 5.0
_CHUNK = 1 << 16


class Refused(Exception):
    """The process answered with an error.

    Attributes:
        status: The HTTP status.
        body: What it said.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class NobodyThere(Exception):
    """Nothing listens; no request was sent."""


class Lost(Exception):
    """The process died, or hung up, before its answer was whole."""


def post(endpoint: Endpoint, path: str, body: bytes) -> Generator[bytes, None, None]:
    """Send a request; yields the answer's bytes as they come, and b"" whenever nothing came for a tick.

    Closing the generator closes the connection, which makes llama.cpp stop.

    Raises:
        NobodyThere: The process was gone before.
        Refused: The process answered with another status than 200.
        Lost: The process died over it.
    """
    try:
        link = socket.create_connection((endpoint.host, endpoint.port), _CONNECT_SECONDS)
    except OSError:
        raise NobodyThere from None
    try:
        with link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = h11.Connection(h11.CLIENT)
            link.sendall(_request(connection, endpoint, path, body))
            link.settimeout(TICK_SECONDS)
            with closing(_answer(connection, link)) as parts:
                yield from parts
    except (OSError, h11.RemoteProtocolError):
        raise Lost from None


def _request(connection: h11.Connection, endpoint: Endpoint, path: str, body: bytes) -> bytes:
    request = h11.Request(
        method="POST",
        target=path,
        headers=[
            ("Host", endpoint.host),
            ("Authorization", f"Bearer {endpoint.key}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ],
    )
    head = connection.send(request) or b""
    sent = connection.send(h11.Data(body)) or b""
    end = connection.send(h11.EndOfMessage()) or b""
    return b"".join((head, sent, end))


def _answer(connection: h11.Connection, link: socket.socket) -> Generator[bytes, None, None]:
    status = 0
    refusal = bytearray()
    for event in _events(connection, link):
        if event is None:
            yield b""
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            if status == 200:
                yield bytes(event.data)
            else:
                refusal += event.data
    if status != 200:
        raise Refused(status, bytes(refusal))


def _events(connection: h11.Connection, link: socket.socket) -> Iterator[h11.Event | None]:
    """Events up to the end of the answer; None stands for a tick in which nothing came."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            try:
                connection.receive_data(link.recv(_CHUNK))
            except TimeoutError:
                yield None
        elif isinstance(event, h11.EndOfMessage):
            return
        elif isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("the connection ended before its answer")
        elif isinstance(event, h11.Event):
            yield event
