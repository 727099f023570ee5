"""What only a real socket shows: hang-ups, drips, broken HTTP, signals."""

from __future__ import annotations

import json
import random
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import inline, picture
from tests.http.live import Live, live, read_all, request
from tests.waiting import HANG_SECONDS, until
from vidi.engines.echo import CARD

pytestmark = pytest.mark.slow

PATH = "/v1beta/models/echo:generateContent"
STREAM = "/v1beta/models/echo:streamGenerateContent?alt=sse"
HOURS = "echo words=100000 sleep=0.1"


def _body(text: str) -> bytes:
    return json.dumps({"contents": [{"parts": [{"text": text}]}]}).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("live")) as started:
        yield started


def test_a_hung_up_stream_stops_its_generation(tmp_path: Path) -> None:
    """A slot comes back when its generation has ended; every one is taken by hours of work, then free."""
    with live(tmp_path, VIDI_QUEUE="0") as server:
        streams = []
        for _ in range(CARD.slots):
            connection = server.connect()
            connection.sendall(request(STREAM, _body(HOURS)))
            assert connection.recv(100)
            streams.append(connection)
        assert not server.works()
        for connection in streams:
            connection.close()
        until(server.works)


def test_a_client_that_leaves_before_the_answer_frees_its_slot(server: Live) -> None:
    for _ in range(CARD.slots + 6):
        connection = server.connect()
        connection.sendall(request(PATH, _body(HOURS)))
        connection.close()
    assert server.works()


def test_sixty_four_dripping_clients_cost_sixty_four_connections(tmp_path: Path) -> None:
    """Every kind of drip is cut, and good requests are answered meanwhile."""
    head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n"
    with live(tmp_path) as server:
        drips = []
        for index in range(64):
            connection = server.connect()
            # A third drips its headers, a third its body, a third sends nothing at all.
            connection.sendall((head.encode(), head.encode() + b"\r\n", b"")[index % 3])
            drips.append((connection, index % 3))

        def all_cut() -> bool:
            nonlocal drips
            assert server.works()
            drips = [(connection, kind) for connection, kind in drips if _drip(connection, kind)]
            time.sleep(0.5)
            return not drips

        until(all_cut)


def _drip(connection: socket.socket, kind: int) -> bool:
    """Send one more byte; False when the server has had enough."""
    connection.setblocking(False)
    try:
        if kind < 2:
            connection.sendall(b"x")
        # Anything to read is the refusal or the end of the connection.
        connection.recv(1)
    except BlockingIOError:
        return True
    except OSError:
        pass
    connection.close()
    return False


_POST = b"POST /v1beta/models/echo:generateContent HTTP/1.1\r\nhost: localhost\r\n"
_GET = b"GET /v1beta/models HTTP/1.1\r\nhost: localhost\r\n"

BROKEN = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x00\x01\x02\xff" * 50 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    _POST + b"content-length: -1\r\n\r\n",
    _POST + b"content-length: 1e9\r\n\r\n",
    _POST + b"content-length: 99999999999999999999999\r\n\r\n",
    _POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    _POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    _POST + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    _POST + b"no colon here\r\n\r\n",
    b"POST /%ff%fe HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
    b"POST /\xc3\xbc HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
    b"GET /v1beta/models HTTP/9.9\r\nhost: localhost\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nhost: localhost\r\n\r\n",
    _GET + b"x: " + b"a" * 1_000_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    _GET + b"x: y\r\n" * 100_000 + b"\r\n",
    _GET + b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n",
]


def _poke(server: Live, data: bytes) -> bytes:
    """Send bytes, end the sending side, and read what comes."""
    with server.connect() as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)
        except OSError:
            return b""


def test_broken_http_hurts_nobody_else(server: Live) -> None:
    maker = random.Random(20261123)
    good = request(PATH, _body("hi"))
    cases = list(BROKEN)
    for _ in range(150):
        spoilt = bytearray(good)
        for _ in range(maker.randint(1, 8)):
            spoilt[maker.randrange(len(spoilt))] = maker.randrange(256)
        cases.append(bytes(spoilt[: maker.randint(1, len(spoilt))]))
    for index, case in enumerate(cases):
        answer = _poke(server, case)
        assert not answer.startswith((b"HTTP/1.1 500", b"HTTP/1.1 502")), case[:200]
        if answer.startswith(b"HTTP/1.1 4"):
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] // 100 == 4
        if index % 25 == 0:
            assert server.works()
    assert server.works()


def test_what_follows_a_body_is_no_header(tmp_path: Path) -> None:
    """Neither a key nor what a trusted proxy would say of its caller."""
    key = "a-key-of-sixteen-letters-or-more"
    proxied = "x-forwarded-for: 192.0.2.1\r\nx-forwarded-host: vidi.example\r\n"
    with live(tmp_path, key=key, VIDI_API_KEYS=key, VIDI_TRUSTED_PROXIES="127.0.0.1") as server:
        for path, trailers in (
            ("/v1beta/models", f"x-goog-api-key: {key}\r\n"),
            ("/metrics", "x-forwarded-for: ::1\r\nx-forwarded-host: localhost\r\n"),
        ):
            head = f"GET {path} HTTP/1.1\r\nhost: vidi.example\r\n{proxied}connection: close\r\n"
            sent = f"{head}transfer-encoding: chunked\r\n\r\n0\r\n{trailers}\r\n"
            assert _poke(server, sent.encode()).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"0\r\nx: ", b"y" * 65536),
        (b"0\r\n", b"name: value\r\n" * 5000),
        (b"5;a=", b"y" * 65536),
        (b"0", b"0" * 65536),
    ],
    ids=["a trailer", "trailers", "an extension of a chunk", "the length of a chunk"],
)
def test_what_stands_around_a_body_is_bounded(server: Live, begin: bytes, more: bytes) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    with server.connect() as connection, pytest.raises(ConnectionError):
        connection.sendall(head.encode() + begin)
        for _ in range(1000):
            connection.sendall(more)
    assert server.works()


@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["at once", "its body later"])
@pytest.mark.parametrize("wish", ["h2c", "websocket", "TLS/1.0"])
def test_a_wish_for_another_protocol_is_not_granted(server: Live, wish: str, pause: float) -> None:
    """What comes behind such a request is its body, and never a request: the next one gets its own answer."""
    head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: {wish}\r\n"
    body = _body("the body")
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for framing, content in (
            (f"content-length: {len(body)}", body),
            ("transfer-encoding: chunked", chunks),
        ):
            connection.sendall(f"{head}{framing}\r\n\r\n".encode())
            time.sleep(pause)
            connection.sendall(content)
        connection.sendall(_GET + b"upgrade: x\r\nconnection: upgrade\r\n\r\n")
        connection.sendall(request(PATH, _body("the end")))
        answers = read_all(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)|text: (the \w+)", answers) == [
        (b"200", b""),
        (b"", b"the body"),
        (b"200", b""),
        (b"", b"the body"),
        (b"200", b""),
        (b"200", b""),
        (b"", b"the end"),
    ]


def test_a_body_over_the_limit_is_refused_while_it_comes(tmp_path: Path) -> None:
    with live(tmp_path, "--max-request-bytes", "1000000") as server:
        declared = server.post(PATH, b"x" * 1_000_001)
        assert b"exceeds the limit: 1000000 bytes" in declared
        with server.connect() as connection:
            connection.sendall(
                f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n"
                "connection: close\r\n\r\n".encode()
            )
            for _ in range(40):
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
            assert b"exceeds the limit" in read_all(connection)
        assert server.works()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_everything_it_started(tmp_path: Path, sent: signal.Signals) -> None:
    with live(tmp_path) as server:
        body = {"contents": [{"parts": [inline(picture(32, 32))]}]}
        assert b"32x32" in server.post(PATH, json.dumps(body).encode())
        children = server.process.children(recursive=True)
        assert children
        server.process.send_signal(sent)
        psutil.wait_procs([server.process, *children], timeout=HANG_SECONDS)
        assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
