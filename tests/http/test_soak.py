"""Mixed load with hang-ups: afterwards the process is what it was before."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.conftest import inline, picture
from tests.http.live import Live, live, request
from tests.images import hostile
from tests.images.drawn import heic
from tests.waiting import HANG_SECONDS, until

pytestmark = pytest.mark.slow

CLIENTS = 12
WARM_UP = 12
STEPS = 80
"""What each client does, one after the other: so much work whatever the machine can do in a second."""
HANG_UPS = 0.15
MODEL = "/v1beta/models/echo"
STREAM = f"{MODEL}:streamGenerateContent?alt=sse"
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, as a client that dies does."""


def _body(*parts: object) -> bytes:
    return json.dumps({"contents": [{"parts": list(parts)}]}).encode()


@dataclass(frozen=True, slots=True)
class Question:
    """A request and the status of its answer."""

    method: str
    body: bytes
    status: int = 200


HI = {"text": "hi"}
PHOTO = inline(picture(1600, 1200, "JPEG"), "image/jpeg")
QUESTIONS = [
    Question("generateContent", _body(HI)),
    Question("generateContent", _body(PHOTO, HI)),
    Question("generateContent", _body(*[inline(picture(200, 150, kind)) for kind in ("PNG", "WEBP")], HI)),
    Question("generateContent", _body(inline(heic("turned-6"), "image/heic"))),
    Question("streamGenerateContent?alt=sse", _body(PHOTO, {"text": "echo words=300"})),
    Question("streamGenerateContent", _body({"text": "echo words=100 sleep=0.001"})),
    Question("countTokens", _body(*[inline(picture(8, 8))] * 200)),
    Question("generateContent", _body(HI, inline(hostile.broken_data()["jpeg: half"])), 400),
    Question("generateContent", _body(inline(hostile.over_limits()["png: 900 megapixels"])), 400),
    Question("countTokens", b'{"contents": [', 400),
    Question("embedContent", b"{}", 404),
]


async def _answered(client: httpx2.AsyncClient, maker: random.Random, tally: Counter[str]) -> None:
    question = maker.choice(QUESTIONS)
    reply = await client.post(f"{MODEL}:{question.method}", content=question.body)
    assert reply.status_code == question.status, reply.text[:500]
    tally["answered"] += 1


def _in_the_body(connection: socket.socket) -> None:
    connection.sendall(request(f"{MODEL}:generateContent", QUESTIONS[1].body)[:5000])


def _before_the_answer(connection: socket.socket) -> None:
    body = _body({"text": "echo words=10000 sleep=0.01"})
    connection.sendall(request(f"{MODEL}:generateContent", body))


def _while_decoding(connection: socket.socket) -> None:
    connection.sendall(request(f"{MODEL}:generateContent", QUESTIONS[1].body))


def _in_the_stream(connection: socket.socket) -> None:
    connection.sendall(request(STREAM, _body({"text": "echo words=100000"})))
    assert connection.recv(100)


HANGING_UP: tuple[Callable[[socket.socket], None], ...] = (
    _in_the_body,
    _before_the_answer,
    _while_decoding,
    _in_the_stream,
)


async def _hung_up(server: Live, maker: random.Random, tally: Counter[str]) -> None:
    """Leave in the middle, politely or not."""
    leave = maker.choice(HANGING_UP)

    def go() -> None:
        with server.connect() as connection:
            if maker.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            leave(connection)

    await asyncio.to_thread(go)
    tally[leave.__name__] += 1


async def _load(server: Live, steps: int, seed: int) -> Counter[str]:
    """Keep every client busy; what they did."""
    tally: Counter[str] = Counter()

    async def be_a_client(maker: random.Random, client: httpx2.AsyncClient) -> None:
        for _ in range(steps):
            if maker.random() < HANG_UPS:
                await _hung_up(server, maker, tally)
            else:
                await _answered(client, maker, tally)

    address = f"http://127.0.0.1:{server.port}"
    async with httpx2.AsyncClient(base_url=address, timeout=HANG_SECONDS) as client:
        await asyncio.gather(*(be_a_client(random.Random(seed + each), client) for each in range(CLIENTS)))
    return tally


@dataclass(frozen=True, slots=True)
class Weight:
    """What the server holds: bytes with its children, its descriptors, its threads."""

    memory: int
    descriptors: int
    threads: int
    children: int

    def is_like(self, before: Weight) -> bool:
        """Promise 30, and no process more than before."""
        return (
            self.memory - before.memory <= max(150_000_000, before.memory // 10)
            and self.descriptors - before.descriptors <= 8
            and self.threads - before.threads <= 16
            and self.children <= before.children
        )


def _weigh(process: psutil.Process) -> Weight:
    children = process.children(recursive=True)
    memory = sum(each.memory_info().rss for each in (process, *children))
    return Weight(memory, process.num_fds(), process.num_threads(), len(children))


def _cpu_seconds(process: psutil.Process) -> float:
    return float(sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True))))


def _wait_until_idle(process: psutil.Process) -> None:
    """Nothing that nobody waits for goes on: promise 29."""

    def rests() -> bool:
        before = _cpu_seconds(process)
        time.sleep(0.5)
        return _cpu_seconds(process) - before < 0.1

    until(rests)


def test_after_a_mixed_load_the_server_is_as_before(tmp_path: Path) -> None:
    with live(tmp_path, VIDI_DECODERS="2") as server:
        asyncio.run(_load(server, WARM_UP, seed=1))
        _wait_until_idle(server.process)
        before = _weigh(server.process)
        tally = asyncio.run(_load(server, STEPS, seed=100))
        _wait_until_idle(server.process)
        after = _weigh(server.process)
        assert after.is_like(before), f"{before} became {after} after {tally}"
        assert server.works()
        assert "Traceback" not in server.log.read_text()
        # Every way to hang up has happened, or nothing was shown.
        assert all(tally[leave.__name__] for leave in HANGING_UP)
        assert tally["answered"] > 100


def test_hung_up_streams_leave_the_next_answer_alone(tmp_path: Path) -> None:
    """Streams at full speed, all of them left before the next question."""
    with live(tmp_path) as server:
        for _ in range(8):
            with server.connect() as connection:
                connection.sendall(request(STREAM, _body({"text": "echo words=1000000"})))
                assert connection.recv(100)
        assert server.works()
        _wait_until_idle(server.process)
