"""How long a command takes from its start: help, one photo's caption, a server's first answer.

Each figure is the best of ROUNDS starts, since other work can only make one longer; a figure's second row is
the processor time, the program's own children included. Files are in the system's cache by then.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from bench import pictures
from bench.lite import MODEL, photographs
from bench.servers import Broken, Connection, Server, post
from bench.table import Row
from vidi.in_process import installed
from vidi.settings import load

ROUNDS = 10
HELP_MS, CAPTION_MS, SERVE_MS = 150, 1500, 1000
_PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")

Cost = tuple[float, float]
"""Milliseconds by the clock, and of processor time."""


def run() -> Iterator[Row]:
    """Every figure. Raises Broken if something does not work."""
    yield from _rows("vidi --help", lambda: command(["--help"]), HELP_MS)
    with tempfile.TemporaryDirectory() as folder:
        data = {"VIDI_DATA_DIR": folder}
        yield from _rows("vidi serve, echo: first answer", lambda: first_answer("echo", data), SERVE_MS)
        if not installed(load({}))[MODEL].ready:
            yield Row(MODEL, skipped="its weights are not in the cache: run `vidi pull vidi-lite` first")
            return
        yield from _rows("vidi serve, vidi-lite: first answer", lambda: first_answer(MODEL, data), SERVE_MS)
        photo = Path(folder) / "photo.jpg"
        photo.write_bytes(next(iter(photographs()), b"") or pictures.jpeg(640, 480, noise=4))
        words = ["caption", str(photo), "--model", MODEL]
        yield from _rows("vidi caption of a 640 x 480 photo", lambda: command(words), CAPTION_MS)


def _rows(figure: str, start: Callable[[], Cost], most: float) -> Iterator[Row]:
    print(f"{figure} ...", file=sys.stderr, flush=True)
    start()
    walls, processor = zip(*(start() for _ in range(ROUNDS)), strict=True)
    yield Row(figure, min(walls), most=most)
    yield Row("  processor time", min(processor))


def command(words: Sequence[str]) -> Cost:
    """What a command costs that ends by itself.

    Raises:
        Broken: It failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen([*_vidi(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Broken(f"vidi {' '.join(words)} ended with {process.returncode}")
    return wall * 1000, (used.ru_utime + used.ru_stime) * 1000


def first_answer(model: str, settings: Mapping[str, str]) -> Cost:
    """What it costs until a new server has answered its first question.

    Raises:
        Broken: It did not start.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [*_vidi(), "serve", "--port", "0", "--model", model],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )
    try:
        assert process.stderr is not None
        port = next((found[1] for line in process.stderr if (found := _PORT.search(line))), "")
        if not port:
            raise Broken("vidi serve did not start")
        server = Server(int(port), psutil.Process(process.pid))
        with Connection(server) as connection:
            connection.ask(post(f"/v1beta/models/{model}:generateContent", pictures.request([], "Hello")))
        wall = time.perf_counter() - began
        times = server.process.cpu_times()
    finally:
        process.terminate()
        process.wait()
    return wall * 1000, (times.user + times.system) * 1000


def _vidi() -> list[str]:
    """The program as its script on the disk begins it."""
    return [sys.executable, "-P", "-c", "import vidi.cli; vidi.cli.run()"]
