import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from vidi.engines.llama.connection import Lost, NobodyThere, Refused, post
from vidi.engines.llama.launch import Endpoint

Serve = Callable[[Callable[[socket.socket], None]], Endpoint]

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that gives the first request what a function says, and then hangs up."""
    threads: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def start(answer: Callable[[socket.socket], None]) -> Endpoint:
        def run() -> None:
            link, _ = listener.accept()
            with link:
                link.settimeout(10)
                answer(link)

        threads.append(threading.Thread(target=run))
        threads[0].start()
        return Endpoint("127.0.0.1", listener.getsockname()[1], "secret")

    yield start
    for thread in threads:
        thread.join(10)
    listener.close()


def test_the_request_is_whole_and_shows_the_key(serve: Serve) -> None:
    seen: list[bytes] = []

    def answer(link: socket.socket) -> None:
        received = b""
        while not received.endswith(b'{"a": 1}'):
            received += link.recv(1000)
        seen.append(received)
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    assert b"".join(post(serve(answer), "/path", b'{"a": 1}')) == b"ok"
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /path HTTP/1.1\r\n")
    assert b"Authorization: Bearer secret" in head
    assert b"Content-Length: 8" in head
    assert body == b'{"a": 1}'


def test_what_came_together_is_one_portion_and_silence_is_an_empty_one(serve: Serve) -> None:
    heard = threading.Event()

    def answer(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(HEAD + chunk(b"one ") + chunk(b"two "))
        heard.wait(10)
        whole = chunk(b"three") + b"0\r\n\r\n"
        for byte in range(len(whole)):
            link.sendall(whole[byte : byte + 1])

    portions: list[bytes] = []
    for portion in post(serve(answer), "/", b""):
        portions.append(portion)
        if not portion:
            heard.set()
    assert portions[0] == b"one two "
    assert b"" in portions
    assert b"".join(portions) == b"one two three"


def test_a_refusal_holds_the_status_and_what_was_said(serve: Serve) -> None:
    def answer(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nno")
        link.sendall(b"pe")

    with pytest.raises(Refused) as refused:
        list(post(serve(answer), "/", b""))
    assert (refused.value.status, refused.value.body) == (400, b"nope")


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200", HEAD, HEAD + b"5\r\nfi", HEAD + chunk(b"five!"), b"220 no HTTP\r\n\r\n"]
)
def test_an_answer_that_breaks_off_or_is_none_is_lost(serve: Serve, said: bytes) -> None:
    def answer(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(said)

    with pytest.raises(Lost):
        list(post(serve(answer), "/", b""))


def test_a_reader_that_leaves_closes_the_connection(serve: Serve) -> None:
    left: list[bytes] = []

    def answer(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(HEAD + chunk(b"begun"))
        left.append(link.recv(1))

    with closing(post(serve(answer), "/", b"")) as portions:
        assert next(portions) == b"begun"
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(10)
    assert left == [b""]


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(NobodyThere):
        list(post(Endpoint("127.0.0.1", port, ""), "/", b""))
