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
import psutil

from bench.fake_backend import AT_ONCE, FIRST_SECONDS, RATE, TOKENS
from bench.memory import footprint
from bench.servers import Broken, Connection, Server, fake_backend, post, vidi
from bench.speed import in_turns
from bench.table import Row, Target

CLIENTS = (1, 16, 64, 256)
ROUNDS = 3
SMALL_ROUNDS = 500
MOST_RATIO = 1 / 0.98
DIRECT = "the server itself"
STREAM = "/v1beta/models/tiny:streamGenerateContent?alt=sse"
WORD = b"word"
SETTINGS = '[[backend]]\nurl = "http://127.0.0.1:{port}/v1"\nslots = 256\n'


def chat(prompt: str, *, stream: bool = True) -> bytes:
    """A request to the server itself."""
    told = {"model": "tiny", "messages": [{"role": "user", "content": prompt}], "stream": stream}
    return post("/v1/chat/completions", json.dumps(told).encode())


def generate(prompt: str) -> bytes:
    """The same through Vidi."""
    return post(STREAM, json.dumps({"contents": [{"parts": [{"text": prompt}]}]}).encode())


@dataclass(frozen=True, slots=True)
class Streams:
    """Many streams at once.

    Attributes:
        first: The median time to the first token, in ms.
        rate: Tokens a second of all streams together.
        cores: How many cores the server kept busy.
    """

    first: float
    rate: float
    cores: float


async def _one(server: Server, request: bytes) -> tuple[float, int]:
    """The time to the first token in ms, and how many tokens came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 22)
    began = time.perf_counter()
    writer.write(request)
    first, tokens = 0.0, 0
    received = bytearray()
    while not received.endswith(b"\r\n0\r\n\r\n"):
        part = await reader.read(1 << 16)
        if not part or not (received or part).startswith(b"HTTP/1.1 200"):
            raise Broken(f"a stream was refused: {(received or part)[:300].decode(errors='replace')}")
        tokens += part.count(WORD)
        if tokens and not first:
            first = time.perf_counter()
        received += part
    writer.close()
    return (first - began) * 1000, tokens


async def _together(server: Server, requests: list[bytes]) -> tuple[list[float], int]:
    found = await asyncio.gather(*(_one(server, request) for request in requests))
    return [first for first, _ in found], sum(tokens for _, tokens in found)


def streams(server: Server, requests: list[bytes]) -> Streams:
    """Open a stream for each request at once and read them all to their ends."""
    before, began = _busy(server), time.perf_counter()
    firsts, tokens = asyncio.run(_together(server, requests))
    took = time.perf_counter() - began
    if tokens != TOKENS * len(requests):
        raise Broken(f"{tokens} tokens came of {TOKENS * len(requests)}")
    return Streams(float(np.median(firsts)), tokens / took, (_busy(server) - before) / took)


def _busy(server: Server) -> float:
    """Seconds of processor time that a server and its processes have taken."""
    return sum(times.user + times.system for times in map(psutil.Process.cpu_times, server.tree()))


def many_streams(ours: Server, theirs: Server, clients: int, *, known: bool) -> Iterator[Row]:
    """So many clients; `known` asks what was asked before, so that its tokens are counted already."""
    name = f"{clients} streams" if known else f"{clients} streams, each prompt a new one"
    mine, others = [], []
    for turn in range(ROUNDS):
        prompts = [f"Tell me. {'' if known else (turn, at)}" for at in range(clients)]
        others.append(streams(theirs, [chat(prompt) for prompt in prompts]))
        mine.append(streams(ours, [generate(prompt) for prompt in prompts]))
    figures = [float(np.median([each.first for each in found])) for found in (mine, others)]
    most = MOST_RATIO if clients <= 64 else None
    yield Row(f"{name}: first token", figures[0], figures[1], DIRECT, Target.RATIO, most)
    rates = [float(np.median([each.rate for each in found])) for found in (mine, others)]
    # A rate is held against the other one upside down, so that less is better as in every row.
    yield Row(f"{name}: ms a token", 1e3 / rates[0], 1e3 / rates[1], DIRECT, Target.RATIO, most)
    yield Row(f"{name}: cores busy", float(np.median([each.cores for each in mine])), unit="")


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
        config.write_text(SETTINGS.format(port=theirs.port), "utf-8")
        settings = {"VIDI_CONFIG": str(config), "VIDI_QUEUE": "512", "VIDI_ANSWER_CACHE_BYTES": "0"}
        with vidi("tiny", folder, folder / "cache", **settings) as ours:
            yield from small_request(ours, theirs)
            for clients in CLIENTS:
                yield from many_streams(ours, theirs, clients, known=True)
            yield from many_streams(ours, theirs, 16, known=False)
            yield Row("memory after all of it", footprint(ours), unit="MB")
