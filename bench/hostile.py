"""What hostile callers cost the others.

small requests    one request of under a megabyte that asks for much work, a family a row: how late the
                  answer to a cheap request comes meanwhile, at worst
memory, overload  many callers together: `hostile_load.py`
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.hostile_load import memory, overload
from bench.hostile_requests import FAMILIES, LARGEST, Hostile
from bench.load import busy
from bench.memory import LITE
from bench.servers import GENERATE, Broken, Connection, Server, post, vidi
from bench.table import Row
from vidi.in_process import installed
from vidi.settings import load

MOST_DELAY = 100.0
"""Milliseconds by which a small request may delay the answers to others."""

TRIES = 4

PATIENCE_SECONDS = 10.0
"""How long an answer is waited for before the caller hangs up."""

AFTER_SECONDS = 30.0
"""How long the server is watched after that."""

IDLE_SHARE = 0.2
"""A server that uses less of a core than this does no work."""

CHEAP = post(GENERATE, b'{"contents":[{"parts":[{"text":"hi"}]}]}')


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hostile request did.

    Attributes:
        delay: The longest that a cheap request took meanwhile, in ms.
        seconds: From the request to its answer, or to the end of PATIENCE_SECONDS.
        status: Of its answer; 0 if the caller hung up first.
        after: How many seconds the server went on working after that.
    """

    delay: float
    seconds: float
    status: int
    after: float = 0.0


def cost(server: Server, model: str, hostile: Hostile) -> Cost:
    """Send one hostile request, and cheap ones beside it until it is answered.

    Raises:
        Broken: A cheap request is refused.
    """
    request = _written(server, model, hostile)
    over = threading.Event()
    delays: list[float] = [0.0]

    def ask_cheaply() -> None:
        with Connection(server) as connection:
            while not over.is_set():
                began = time.perf_counter()
                connection.ask(CHEAP)
                delays.append((time.perf_counter() - began) * 1000)
                time.sleep(0.002)

    asking = threading.Thread(target=ask_cheaply)
    asking.start()
    try:
        time.sleep(0.05)
        began = time.perf_counter()
        status = _status(server, request)
        seconds = time.perf_counter() - began
        time.sleep(0.1)
    finally:
        over.set()
        asking.join()
    return Cost(max(delays), seconds, status, 0.0 if status else _work_after(server))


def _written(server: Server, model: str, hostile: Hostile) -> bytes:
    name = _upload(server, hostile.upload) if hostile.upload else ""
    path = hostile.path.replace("{model}", model)
    body = hostile.body.replace(b"{file}", name.encode()).replace(b"{model}", model.encode())
    method = "POST" if body or hostile.path.startswith("/upload") else "GET"
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{hostile.headers}"
    if "content-type" not in hostile.headers:
        head += "content-type: application/json\r\n"
    written = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    if len(written) > LARGEST:
        raise Broken(f"a request of {len(written)} bytes is not small")
    return written


def _upload(server: Server, data: bytes) -> str:
    head = (
        "POST /upload/v1beta/files?uploadType=media HTTP/1.1\r\nhost: localhost\r\n"
        f"content-type: image/heic\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    with Connection(server) as connection:
        name: str = json.loads(connection.ask(head.encode() + data))["file"]["name"]
        return name


def _status(server: Server, request: bytes) -> int:
    """The status of the answer; 0 if none came in time."""
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)) as line:
        try:
            line.sendall(request)
            head = line.recv(12)
        except TimeoutError:
            return 0
        except OSError:
            return -1
    return int(head[9:12] or b"-1")


def _work_after(server: Server) -> float:
    """How many seconds it takes until the server is idle, AFTER_SECONDS at most."""
    began = time.perf_counter()
    while time.perf_counter() - began < AFTER_SECONDS:
        seen = time.perf_counter()
        before = busy([server.process])
        time.sleep(0.5)
        if busy([server.process]) - before < IDLE_SHARE * 0.5:
            return seen - began
    return AFTER_SECONDS


def small_requests() -> Iterator[Row]:
    """The delay that each family causes, on `echo` and on the built-in engine."""
    for model in ("echo", LITE):
        if model == LITE and not installed(load({}))[LITE].ready:
            yield Row(f"{model}: small requests", skipped="run `vidi pull vidi-lite` first")
            return
        with tempfile.TemporaryDirectory() as folder:
            yield from _on(model, Path(folder))


def _on(model: str, folder: Path) -> Iterator[Row]:
    with vidi(model, folder) as server:
        with Connection(server) as connection:
            for _ in range(20):
                connection.ask(CHEAP)
        yield Row(
            f"{model}: none", cost(server, model, Hostile("/v1beta/models", b"")).delay, most=MOST_DELAY
        )
        for name, made in FAMILIES.items():
            found = least_disturbed(server, model, made())
            print(f"{model}: {name}: {found}", file=sys.stderr, flush=True)
            answered = f"{found.status} after {found.seconds:.2f} s"
            ending = answered if found.status else f"hung up; worked {found.after:.1f} s more"
            yield Row(f"{model}: {name} ({ending})", found.delay, most=MOST_DELAY)


def least_disturbed(server: Server, model: str, hostile: Hostile) -> Cost:
    """The cost, asked again up to TRIES times if it is over the bar: the machine has other work too."""
    tries: list[Cost] = []
    while len(tries) < TRIES and (not tries or (tries[-1].delay > MOST_DELAY and tries[-1].status)):
        tries.append(cost(server, model, hostile))
    return min(tries, key=lambda each: each.delay)


PARTS: Mapping[str, Callable[[], Iterator[Row]]] = {
    "small requests": small_requests,
    "memory": memory,
    "overload": overload,
}
"""Each part of the benchmark; in the order in which they run."""


def run() -> Iterator[Row]:
    """Every figure. Raises Broken if something does not work."""
    for name, part in PARTS.items():
        print(f"hostile: {name} ...", file=sys.stderr, flush=True)
        yield from part()
