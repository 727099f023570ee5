"""What many hostile callers cost together: memory at its peak, and useful work under overload.

memory      callers that make a server hold bytes, each kind alone and then all at once: bodies that stop
            short of their end, compressed ones, large files that prompts name again and again, idle readers
overload    many clients with new pictures on the built-in engine, more than its queue takes
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import math
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench import pictures
from bench.lite import MODEL, photographs
from bench.memory import settled, watching
from bench.servers import GENERATE, Broken, Connection, Server, post, vidi
from bench.table import Row, Target
from vidi.in_process import installed
from vidi.settings import load

CLIENTS = 96
"""What a queue of 64 and two slots do not take."""

WARM_SECONDS = 8.0
LOAD_SECONDS = 20.0
TURNS = 2
"""How often few clients and the crowd are measured, so that other work on the machine meets both."""

HEAD = "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{more}\r\n"
LARGE = 95_000_000
STALLED = 12
MOST_UNDONE = 1.11
"""How much longer an answer may take under overload: nine tenths of the work is done."""

MOST_OVER = 1.5
"""How much of the budget the peak may be: buffers grow in steps, and two bodies are parsed at a time."""

HOSTILE_SECONDS = 8.0
"""How long the hostile callers are looked at: longer than it takes until a stalled one gives its place."""


def _padded(number: int) -> bytes:
    """A small JPEG in a large file: what follows its end is not looked at."""
    return pictures.stamped(pictures.jpeg(640, 480, noise=4), number) + bytes(LARGE)


def _begin(server: Server, stack: ExitStack, data: bytes) -> socket.socket:
    """Send a request, or a part of one, and leave it there."""
    line = stack.enter_context(closing(socket.create_connection(("127.0.0.1", server.port), timeout=30)))
    with suppress(OSError):  # It may be refused while it comes.
        line.sendall(data)
    return line


def stalled_bodies(server: Server, stack: ExitStack) -> None:
    """Each a byte short of 100 MB."""
    head = HEAD.format(method="POST", path=GENERATE, more="content-length: 100000000\r\n").encode()
    with ThreadPoolExecutor(STALLED) as threads:
        for _ in range(STALLED):
            threads.submit(_begin, server, stack, head + b" " * 99_999_999)


def whole_bodies(server: Server, stack: ExitStack) -> None:
    """Good requests of 96 MB, all at once."""
    body = pictures.request([_padded(7)[:72_000_000]])
    with ThreadPoolExecutor(STALLED) as threads:
        for _ in range(STALLED):
            threads.submit(_begin, server, stack, post(GENERATE, body))


def compressed_bodies(server: Server, stack: ExitStack) -> None:
    """A hundred kilobytes that become 100 MB."""
    body = gzip.compress(b" " * 100_000_000)
    more = f"content-encoding: gzip\r\ncontent-length: {len(body) + 1}\r\n"
    for _ in range(STALLED):
        _begin(server, stack, HEAD.format(method="POST", path=GENERATE, more=more).encode() + body)


def named_files(server: Server, stack: ExitStack) -> None:
    """Six requests of a kilobyte, each naming two files of 95 MB four times."""
    names = [_upload(server, _padded(number)) for number in range(2)]
    levels = ("LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")
    parts = [
        {"fileData": {"fileUri": name}, "mediaResolution": {"level": f"MEDIA_RESOLUTION_{level}"}}
        for name in names
        for level in levels
    ]
    body = json.dumps({"contents": [{"parts": parts}]}).encode()
    for _ in range(6):
        _begin(server, stack, post(GENERATE, body))


def idle_readers(server: Server, stack: ExitStack) -> None:
    """Twenty that ask for an interaction of 90 MB and do not read it."""
    data = pictures.stamped(pictures.jpeg(640, 480, noise=4), 9) + bytes(65_000_000)
    part = json.loads(pictures.request([data]))["contents"][0]["parts"][0]["inlineData"]
    asked = {"model": "echo", "input": [{"type": "image", "data": part["data"], "mime_type": "image/jpeg"}]}
    with Connection(server) as connection:
        made = json.loads(connection.ask(post("/v1beta/interactions", json.dumps(asked).encode())))["id"]
    path = f"/v1beta/interactions/{made}?include_input=true"
    for _ in range(20):
        _begin(server, stack, HEAD.format(method="GET", path=path, more="").encode())


KINDS: Sequence[tuple[str, Callable[[Server, ExitStack], None]]] = (
    (f"{STALLED} bodies that stop short of 100 MB", stalled_bodies),
    (f"{STALLED} good bodies of 96 MB", whole_bodies),
    (f"{STALLED} compressed bodies of 100 MB", compressed_bodies),
    ("six prompts that name files of 95 MB eight times", named_files),
    ("twenty idle readers of an interaction of 90 MB", idle_readers),
)


def _upload(server: Server, data: bytes) -> str:
    head = HEAD.format(
        method="POST",
        path="/upload/v1beta/files?uploadType=media",
        more=f"x-goog-upload-header-content-type: image/jpeg\r\ncontent-length: {len(data)}\r\n",
    )
    with Connection(server) as connection:
        uri: str = json.loads(connection.ask(head.encode() + data))["file"]["uri"]
        return uri


def memory() -> Iterator[Row]:
    """The peak of each kind of hostile caller and of all of them, above an idle server."""
    budget = load({}).memory_bytes / 1e6
    alone = [(name, [kind]) for name, kind in KINDS]
    for name, kinds in (*alone, ("all of them", [kind for _, kind in KINDS])):
        with tempfile.TemporaryDirectory() as folder, vidi("echo", Path(folder)) as server:
            idle = settled(server)
            with watching(server) as peak, ExitStack() as stack:
                for kind in kinds:
                    kind(server, stack)
                if kinds == [stalled_bodies]:
                    yield Row("a body of 100 MB is taken beside them after", _until_taken(server), unit="s")
                time.sleep(HOSTILE_SECONDS)
            figure = f"memory: {name}: peak above idle"
            yield Row(figure, peak.size - idle, budget, "the budget", Target.RATIO, MOST_OVER, "MB")
            with Connection(server) as connection:
                connection.ask(post(GENERATE, pictures.request([])))


def _until_taken(server: Server) -> float:
    """Seconds until a large body finds room."""
    began = time.perf_counter()
    body = pictures.request([]) + b" " * 99_000_000
    while time.perf_counter() - began < 60:
        try:
            with Connection(server) as connection:
                connection.ask(post(GENERATE, body))
            return time.perf_counter() - began
        except (Broken, OSError):
            time.sleep(0.5)
    return float("inf")


@dataclass(slots=True)
class Load:
    """What a crowd of clients saw: milliseconds of each refusal, and answers in the time that counts."""

    refusals: list[float] = field(default_factory=list)
    answers: int = 0
    broken: int = 0
    silent: int = 0


async def _ask(server: Server, path: str, body: bytes) -> tuple[int, float, float]:
    """Status, milliseconds until it was there, and how many seconds to wait."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        began = time.perf_counter()
        writer.write(post(path, body).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
        head = await reader.readuntil(b"\r\n\r\n")
        took = (time.perf_counter() - began) * 1000
        await reader.read()
        told = [line for line in head.lower().split(b"\r\n") if line.startswith(b"retry-after:")]
        return int(head[9:12]), took, float(told[0].partition(b":")[2]) if told else 0.0
    finally:
        writer.close()


async def _crowd(server: Server, bodies: Iterator[bytes], clients: int, load: Load, *, patient: bool) -> None:
    """So many clients, each with its next picture as soon as it is answered; what they saw goes to `load`."""
    begins = time.perf_counter() + WARM_SECONDS
    ends = begins + LOAD_SECONDS
    path = f"/v1beta/models/{MODEL}:generateContent"

    async def client() -> None:
        while time.perf_counter() < ends:
            status, took, wait = await _ask(server, path, next(bodies))
            counts = begins <= time.perf_counter() < ends
            load.answers += counts and status == 200
            load.broken += status not in (200, 503)
            load.silent += status == 503 and not wait
            if status == 503:
                if counts:
                    load.refusals.append(took)
                await asyncio.sleep(wait if patient else 0)

    tasks = [asyncio.create_task(client()) for _ in range(clients)]
    await asyncio.sleep(WARM_SECONDS + LOAD_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _lite() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, vidi(MODEL, Path(folder)) as server:
        yield server


def overload() -> Iterator[Row]:
    """Useful work and refusals with more clients than the queue takes, beside a few clients."""
    photos = photographs()
    if not photos or not installed(load({}))[MODEL].ready:
        yield Row("overload", skipped="needs the weights of vidi-lite, and scikit-image's photographs")
        return
    numbers = itertools.count(100_000)
    bodies = (
        pictures.request([pictures.stamped(photo, number)])
        for photo, number in zip(itertools.cycle(photos), numbers, strict=False)
    )
    for name, patient in (("wait as told", True), ("come back at once", False)):
        few, many = Load(), Load()
        for clients, seen in ((4, few), (CLIENTS, many)) * TURNS:
            with _lite() as server:
                asyncio.run(_crowd(server, bodies, clients, seen, patient=patient))
        if many.broken or many.silent or not few.answers:
            raise Broken(f"{many.broken} neither 200 nor 503, {many.silent} 503 without Retry-After")
        kind = f"overload: {CLIENTS} clients that {name}"
        yield Row(
            f"{kind}: time an answer",
            1000 * TURNS * LOAD_SECONDS / many.answers if many.answers else math.inf,
            1000 * TURNS * LOAD_SECONDS / few.answers,
            "4 clients",
            Target.RATIO,
            MOST_UNDONE,
        )
        refusals = many.refusals or [math.inf]
        yield Row(f"{kind}: refused ({len(many.refusals)}), p50", float(np.percentile(refusals, 50)))
        yield Row(f"{kind}: refused, p99", float(np.percentile(refusals, 99)), most=100)
