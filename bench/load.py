"""Many clients at once on open connections, each asking again as soon as it is answered."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np
import psutil
import uvloop

from bench.servers import Broken, Server

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What a server made of it.

    Attributes:
        answers: How many came.
        seconds: How long it took.
        times: From each request to its answer's end, in ms.
        busy: Processor time that the server's own process took, in seconds.
        others: Processor time of the processes that it started, in seconds.
    """

    answers: int
    seconds: float
    times: Sequence[float]
    busy: float
    others: float

    @property
    def each(self) -> float:
        """Milliseconds an answer: a thousand through the rate."""
        return 1000 * self.seconds / self.answers

    @property
    def processor(self) -> float:
        """Milliseconds of processor time an answer, of the server's own process."""
        return 1000 * self.busy / self.answers

    def at(self, percent: float) -> float:
        """The time within which so many of a hundred answers came, in ms."""
        return float(np.percentile(self.times, percent))


@dataclass
class _Client(asyncio.Protocol):
    """One connection; its future ends when the time is over, with what went wrong if anything did."""

    requests: Iterator[bytes | bytearray]
    until: float
    over: asyncio.Future[None]
    times: list[float]
    transport: asyncio.WriteTransport | None = None
    received: bytearray = field(default_factory=bytearray)
    began: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)
        self.ask(self.transport)

    def ask(self, transport: asyncio.WriteTransport) -> None:
        self.received.clear()
        self.began = time.perf_counter()
        transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        if self.over.done():
            return
        self.received += data
        if not self.received.startswith(b"HTTP/1.1 200"):
            self.over.set_exception(Broken(f"refused: {bytes(self.received[:300])!r}"))
            self.transport.abort()
            return
        if not _is_whole(self.received):
            return
        now = time.perf_counter()
        self.times.append((now - self.began) * 1000)
        if now < self.until:
            self.ask(self.transport)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.over.done():
            return
        if time.perf_counter() < self.until:
            self.over.set_exception(Broken("the server closed a connection"))
        else:
            self.over.set_result(None)


def _is_whole(received: bytearray) -> bool:
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(received, 0, end + 2)
    if length is None:
        return received.endswith(_LAST_CHUNK)
    return len(received) >= end + 4 + int(length[1])


def drive(server: Server, request: Callable[[int], bytes], clients: int, seconds: float) -> Load:
    """Let so many clients ask for so long.

    Args:
        server: Whom.
        request: Writes each request by its number.
        clients: How many ask at the same time.
        seconds: How long they begin new requests.

    Raises:
        Broken: An answer is no 200.
    """
    numbers = itertools.count()
    requests = (request(number) for number in numbers)
    times: list[float] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        until = time.perf_counter() + seconds
        ends = [loop.create_future() for _ in range(clients)]
        made = [partial(_Client, requests, until, end, times) for end in ends]
        await asyncio.gather(*(loop.create_connection(each, "127.0.0.1", server.port) for each in made))
        await asyncio.gather(*ends)

    own, all_of_it = busy([server.process]), busy(server.tree())
    began = time.perf_counter()
    uvloop.run(run())
    took = time.perf_counter() - began
    own, all_of_it = busy([server.process]) - own, busy(server.tree()) - all_of_it
    return Load(len(times), took, times, own, all_of_it - own)


def busy(processes: Sequence[psutil.Process]) -> float:
    """Seconds of processor time that processes have taken."""
    return sum(times.user + times.system for times in map(psutil.Process.cpu_times, processes))
