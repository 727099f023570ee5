"""How much memory Vidi takes: the proportional set size (PSS) of the server and all processes it starts.

PSS counts a page shared by n processes as one nth in each, so that sums are right; where the system does
not know it, the memory that a process would free (USS).
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import pictures
from bench.servers import COUNT, GENERATE, Connection, Server, post, vidi, yardstick
from bench.table import Row
from bench.yardsticks import BARE
from vidi.images.pool import IDLE_SECONDS
from vidi.in_process import installed
from vidi.settings import load

PICTURES = 3600
SMALL_REQUESTS = 100
SETTLED_SECONDS = 1.0
SAMPLE_SECONDS = 0.02
LITE = "vidi-lite"


def footprint(server: Server) -> float:
    """Memory of a server's process tree in MB; processes that end meanwhile count nothing."""
    return sum(map(own, server.tree())) / 1e6


def own(process: psutil.Process) -> int:
    """Memory of one process in bytes; none if it has ended."""
    try:
        info = process.memory_full_info()
    except psutil.NoSuchProcess:
        return 0
    size: int = getattr(info, "pss", info.uss)
    return size


def settled(server: Server) -> float:
    """The same, a moment after the last request."""
    time.sleep(SETTLED_SECONDS)
    return footprint(server)


@dataclass(slots=True)
class Peak:
    """The most that was seen, in MB."""

    size: float = 0.0


@contextmanager
def watching(server: Server) -> Iterator[Peak]:
    """Look at a server's memory every SAMPLE_SECONDS for as long as the block lasts."""
    peak = Peak()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peak.size = max(peak.size, footprint(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def peak_above(server: Server, idle: float, path: str, body: bytes) -> float:
    """How far one request drives a server's memory above idle, in MB."""
    with watching(server) as peak, Connection(server) as connection:
        connection.ask(post(path, body))
    return peak.size - idle


def lite(folder: Path) -> Iterator[Row]:
    """An idle server with the built-in model loaded, before and after its first question."""
    name = "idle, vidi-lite loaded"
    if not installed(load({}))[LITE].ready:
        yield Row(name, skipped="its weights are not in the cache: run `vidi pull vidi-lite` first")
        return
    with vidi(LITE, folder) as server:
        yield Row(name, settled(server), most=250, unit="MB")
        with Connection(server) as connection:
            body = pictures.request([pictures.camera_jpeg()])
            connection.ask(post(f"/v1beta/models/{LITE}:generateContent", body))
        yield Row(f"{name}, after a 12 MP picture", settled(server), unit="MB")


def echo(folder: Path) -> Iterator[Row]:
    """A server on the echo engine: idle, through the largest request in pictures, and after it."""
    body = pictures.request(pictures.small_jpegs(PICTURES))
    answer = folder / "answer"
    answer.write_bytes(b"{}")
    with vidi("echo", folder) as ours, yardstick(answer) as theirs:
        idle, bare = settled(ours), settled(theirs)
        yield Row("idle, echo", idle, bare, BARE, unit="MB")
        name = f"{PICTURES:,} pictures of 5 kB"
        peaks = peak_above(ours, idle, COUNT, body), peak_above(theirs, bare, "/count", body)
        yield Row(f"{name}, countTokens: peak above idle", *peaks, BARE, unit="MB")
        yield Row(f"{name}: peak above idle", peak_above(ours, idle, GENERATE, body), most=500, unit="MB")
        yield Row("  a moment later", settled(ours) - idle, unit="MB")
        time.sleep(IDLE_SECONDS)
        yield Row("  a minute later", footprint(ours) - idle, most=60, unit="MB")
        with Connection(ours) as connection:
            for _ in range(SMALL_REQUESTS):
                connection.ask(post(GENERATE, pictures.request([])))
        yield Row(f"  and after {SMALL_REQUESTS} small requests", settled(ours) - idle, unit="MB")


SECTIONS: tuple[Callable[[Path], Iterator[Row]], ...] = (lite, echo)


def run() -> Iterator[Row]:
    """Every figure. Raises Broken if something does not work."""
    for section in SECTIONS:
        print(f"memory of {section.__name__} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            yield from section(Path(folder))
