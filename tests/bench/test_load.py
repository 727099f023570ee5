"""Many clients at once, on a server that is asked in this process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from bench.load import Load, drive
from bench.servers import Broken, Server

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def _answering(answer: bytes) -> Iterator[Server]:
    """A server that sends the same to each request, in two pieces."""
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() == b"ask\n":
            writer.write(answer[:30])
            await writer.drain()
            await asyncio.sleep(0.001)
            writer.write(answer[30:])
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Server(server.sockets[0].getsockname()[1], psutil.Process())
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


@pytest.mark.parametrize("answer", [ANSWER, CHUNKED])
def test_every_client_asks_again_until_the_time_is_over(answer: bytes) -> None:
    asked: list[int] = []

    def request(number: int) -> bytes:
        asked.append(number)
        return b"ask\n"

    with _answering(answer) as server:
        load = drive(server, request, clients=3, seconds=0.2)
    assert asked == list(range(load.answers))
    assert load.answers == len(load.times) > 6
    assert load.seconds >= 0.2
    assert min(load.times) >= 1


def test_a_refusal_ends_it() -> None:
    with _answering(REFUSAL) as server, pytest.raises(Broken, match="503"):
        drive(server, lambda _: b"ask\n", clients=1, seconds=0.2)


def test_what_a_load_says_of_one_answer() -> None:
    load = Load(answers=4, seconds=2.0, times=[1.0, 2.0, 3.0, 4.0], busy=0.5, others=1.0)
    assert (load.each, load.processor, load.at(50)) == (500, 125, 2.5)
