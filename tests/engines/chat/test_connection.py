"""One exchange over a socket: whatever the other side does, it ends in one of three ways, or in an answer."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.waiting import HANG_SECONDS
from vidi.engines.chat.connection import ConnectFailed, ConnectionLost, Endpoint, HttpRefusal, post

Script = Callable[[socket.socket], None]
"""What the other side does with a connection whose request it has read."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


class Server:
    """Takes one connection after another; remembers the requests."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.hung_up = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def endpoint(self) -> Endpoint:
        host, port = self._socket.getsockname()
        return Endpoint(host, port, "the-key")

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            connection.settimeout(HANG_SECONDS)
            received = b""
            while b"the-body" not in received:
                received += connection.recv(4096)
            self.requests.append(received)
            try:
                self._script(connection)
            except OSError:
                self.hung_up.set()

    def close(self) -> None:
        self._thread.join(HANG_SECONDS)
        self._socket.close()
        assert not self._thread.is_alive()


@contextmanager
def serving(script: Script) -> Iterator[Server]:
    server = Server(script)
    try:
        yield server
    finally:
        server.close()


def answer(script: Script) -> bytes:
    with serving(script) as server:
        return b"".join(post(server.endpoint, "/path", b"the-body"))


def test_the_request_is_whole_and_shows_the_key() -> None:
    with serving(lambda connection: connection.sendall(HEAD + b"hello world")) as server:
        assert b"".join(post(server.endpoint, "/some/path", b"the-body")) == b"hello world"
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /some/path HTTP/1.1\r\n")
    lines = {line.lower() for line in head.split(b"\r\n")}
    assert {b"authorization: bearer the-key", b"content-length: 8", b"connection: close"} <= lines
    assert body == b"the-body"


def test_an_answer_in_tiny_portions_is_put_together() -> None:
    def drip(connection: socket.socket) -> None:
        for byte in CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n":
            connection.sendall(bytes([byte]))

    assert answer(drip) == b"hello world"


def test_what_came_together_is_one_portion() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(CHUNKED + b"4\r\none \r\n4\r\ntwo \r\n")
        heard.wait(HANG_SECONDS)
        connection.sendall(b"5\r\nthree\r\n0\r\n\r\n")

    heard = threading.Event()
    with serving(talk) as server:
        parts = []
        for part in post(server.endpoint, "/", b"the-body"):
            parts.append(part)
            if not part:
                heard.set()
    assert [part for part in parts if part] == [b"one two ", b"three"]


def test_whoever_waits_gets_a_turn_while_nothing_comes() -> None:
    def wait(connection: socket.socket) -> None:
        waited.wait(HANG_SECONDS)
        connection.sendall(HEAD + b"hello world")

    waited = threading.Event()
    parts = []
    with serving(wait) as server:
        for part in post(server.endpoint, "/", b"the-body"):
            parts.append(part)
            if parts.count(b"") == 2:
                waited.set()
    assert b"".join(parts) == b"hello world"


def test_whoever_stops_waiting_hangs_up() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        while True:
            connection.sendall(b"5\r\nhello\r\n")

    with serving(talk) as server:
        with closing(post(server.endpoint, "/", b"the-body")) as parts:
            assert next(filter(None, parts))
        assert server.hung_up.wait(HANG_SECONDS)


def reset(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"hello")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.mark.parametrize(
    "script",
    [
        lambda connection: None,
        lambda connection: connection.sendall(b"HTTP/1.1 200"),
        lambda connection: connection.sendall(HEAD + b"hello"),
        lambda connection: connection.sendall(CHUNKED + b"5\r\nhello\r\n"),
        lambda connection: connection.sendall(CHUNKED + b"zz\r\nhello\r\n"),
        lambda connection: connection.sendall(b"\x00\xff" * 1000 + b"\r\n\r\n"),
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000),
        reset,
    ],
    ids=[
        "closes",
        "in the head",
        "in the body",
        "in a chunk",
        "bad chunk",
        "garbage",
        "endless head",
        "resets",
    ],
)
def test_an_answer_that_is_not_whole_is_lost(script: Script) -> None:
    with pytest.raises(ConnectionLost):
        answer(script)


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_an_error_status_comes_with_what_was_said(status: int) -> None:
    said = b'{"error":{}}'
    head = f"HTTP/1.1 {status} No\r\nContent-Length: {len(said)}\r\n\r\n".encode()
    with pytest.raises(HttpRefusal) as refused:
        answer(lambda connection: connection.sendall(head + said))
    assert (refused.value.status, refused.value.body) == (status, said)


def test_where_nobody_listens_nothing_was_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ConnectFailed):
        list(post(Endpoint("127.0.0.1", port, ""), "/", b""))
