"""Vidi before a server elsewhere, and that server driven directly, in turns: what standing between costs."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.fake_backend import AT_ONCE, FIRST_SECONDS, RATE, TOKENS
from bench.load import busy
from bench.memory import footprint
from bench.servers import Broken, Connection, Server, fake_backend, post, vidi
from bench.speed import in_turns
from bench.table import Row, Target

CLIENTS = (1, 16, 64)
ROUNDS = 3
SMALL_ROUNDS = 500
MOST_RATIO = 1 / 0.98
DIRECT = "the server itself"
STREAM = "/v1beta/models/tiny:streamGenerateContent?alt=sse"
WORD = b"word"
SLOTS = 256
SETTINGS = '[[backend]]\nurl = "http://127.0.0.1:{port}/v1"\nslots = {slots}\n'
STREAM_SECONDS = FIRST_SECONDS + TOKENS / RATE


def chat(prompt: str, *, stream: bool = True) -> bytes:
    """A request to the server itself."""
    told = {"model": "tiny", "messages": [{"role": "user", "content": prompt}], "stream": stream}
    return post("/v1/chat/completions", json.dumps(told).encode())


def generate(prompt: str) -> bytes:
    """The same through Vidi."""
    return post(STREAM, json.dumps({"contents": [{"parts": [{"text": prompt}]}]}).encode())


@dataclass(frozen=True, slots=True)
class Streams:
    """Many streams, of which all run at once for a while.

    Attributes:
        first: The median time to the first token, in ms.
        token: The median stream's time, from its request to its end, for each of its tokens, in ms.
        cores: How many cores the server kept busy.
    """

    first: float
    token: float
    cores: float


async def _one(server: Server, request: bytes, wait: float) -> tuple[float, float]:
    """The time to the first token and to the end, in ms."""
    await asyncio.sleep(wait)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 22)
    began = time.perf_counter()
    writer.write(request)
    first = 0.0
    received = bytearray()
    while not received.endswith(b"\r\n0\r\n\r\n"):
        part = await reader.read(1 << 16)
        received += part
        if not part or not received.startswith(b"HTTP/1.1 200"):
            raise Broken(f"a stream was refused: {received[:300].decode(errors='replace')}")
        if not first and WORD in part:
            first = time.perf_counter()
    whole = time.perf_counter()
    writer.close()
    if received.count(WORD) != TOKENS:
        raise Broken(f"{received.count(WORD)} tokens came of {TOKENS}")
    return (first - began) * 1000, (whole - began) * 1000


async def _together(server: Server, requests: list[bytes], spread: float) -> list[tuple[float, float]]:
    waits = [spread * at / len(requests) for at in range(len(requests))]
    return await asyncio.gather(*map(_one, [server] * len(requests), requests, waits))


def streams(server: Server, requests: list[bytes], spread: float) -> Streams:
    """Open a stream for each request, over so many seconds, and read them all to their ends."""
    before, began = busy(server.tree()), time.perf_counter()
    times = np.array(asyncio.run(_together(server, requests, spread)))
    took = time.perf_counter() - began
    first, whole = np.median(times, axis=0)
    return Streams(float(first), float(whole) / TOKENS, (busy(server.tree()) - before) / took)


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked.

    Attributes:
        name: In words.
        clients: How many streams.
        spread: Seconds over which they begin.
        known: Whether each asks what was asked before, so that its tokens are counted already.
        most: The target, for both figures.
    """

    name: str
    clients: int
    spread: float = STREAM_SECONDS
    known: bool = True
    most: float | None = MOST_RATIO


LOADS = (
    *(Load(f"{clients} clients", clients) for clients in CLIENTS),
    Load("16 clients, each prompt a new one", 16, known=False, most=None),
    Load("64 clients in one instant", 64, spread=0, most=None),
    Load("256 clients", 256, most=None),
    Load("256 clients in one instant", 256, spread=0, most=None),
)


def many_streams(ours: Server, theirs: Server, load: Load) -> Iterator[Row]:
    """One load on both, in turns; medians."""
    mine, others = [], []
    for turn in range(ROUNDS):
        prompts = [f"Tell me. {'' if load.known else (turn, at)}" for at in range(load.clients)]
        others.append(streams(theirs, [chat(prompt) for prompt in prompts], load.spread))
        mine.append(streams(ours, [generate(prompt) for prompt in prompts], load.spread))
    firsts = [float(np.median([each.first for each in found])) for found in (mine, others)]
    yield Row(f"{load.name}: first token", firsts[0], firsts[1], DIRECT, Target.RATIO, load.most)
    # A rate is held against the other one upside down, so that less is better as in every row.
    tokens = [float(np.median([each.token for each in found])) for found in (mine, others)]
    yield Row(f"{load.name}: each token", tokens[0], tokens[1], DIRECT, Target.RATIO, load.most)
    yield Row(f"{load.name}: cores busy", float(np.median([each.cores for each in mine])), unit="")


def small_request(ours: Server, theirs: Server) -> Iterator[Row]:
    """One token, answered at once, over connections that stay open."""
    with Connection(ours) as mine, Connection(theirs) as others:
        asked, direct = generate(AT_ONCE), chat(AT_ONCE)
        times = in_turns(SMALL_ROUNDS, lambda: mine.stream(asked, WORD), lambda: others.stream(direct, WORD))
    for name, share, most in (("median", 50, 1.5), ("p95", 95, None)):
        figures = float(np.percentile(times[0], share)), float(np.percentile(times[1], share))
        yield Row(f"small request, {name}", *figures, DIRECT, Target.ADDED, most)


def run() -> Iterator[Row]:
    """Everything; the server's first token comes after FIRST_SECONDS, the others at RATE."""
    yield Row("the server's first token, by itself", FIRST_SECONDS * 1000)
    yield Row("the server's tokens a second, a stream", RATE, unit="")
    with tempfile.TemporaryDirectory() as name, fake_backend() as theirs:
        folder = Path(name)
        config = folder / "vidi.toml"
        config.write_text(SETTINGS.format(port=theirs.port, slots=SLOTS), "utf-8")
        settings = {"VIDI_CONFIG": str(config), "VIDI_QUEUE": "512", "VIDI_ANSWER_CACHE_BYTES": "0"}
        with vidi("tiny", folder, folder / "cache", **settings) as ours:
            yield from small_request(ours, theirs)
            for load in LOADS:
                yield from many_streams(ours, theirs, load)
            yield Row("memory after all of it", footprint(ours), unit="MB")
