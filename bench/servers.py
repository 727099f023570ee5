"""Servers to measure, each a process of its own, and the client that measures them.

The client is a plain blocking socket: what it costs itself is the same small amount for every server.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from vidi.engines.llama.supervisor import Launch

START_SECONDS = 60.0
PROXY_START_SECONDS = 300.0
"""LiteLLM takes half a minute of a core before it listens."""
ANSWER_SECONDS = 120.0

GENERATE = "/v1beta/models/echo:generateContent"
STREAM = "/v1beta/models/echo:streamGenerateContent?alt=sse"
COUNT = "/v1beta/models/echo:countTokens"

_LAST_CHUNK = b"\r\n0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on so many cores, where the system can do that."""
    own = psutil.Process()
    if not hasattr(own, "cpu_affinity"):
        yield
        return
    before = own.cpu_affinity()
    own.cpu_affinity(before[:count])
    try:
        yield
    finally:
        own.cpu_affinity(before)


class Broken(Exception):
    """Something that was to be measured does not work."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    process: psutil.Process

    def tree(self) -> list[psutil.Process]:
        """The process and all that it has started, as far as they live."""
        return [self.process, *self.process.children(recursive=True)]


def post(path: str, body: bytes) -> bytes:
    """A POST as bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(frozen=True, slots=True)
class Streamed:
    """A streamed answer.

    Attributes:
        first: Milliseconds from the request to the first bytes that hold the mark.
        whole: Milliseconds from the request to the end.
        text: Everything that came.
    """

    first: float
    whole: float
    text: bytes


class Connection:
    """One keep-alive connection."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def send(self, request: bytes | bytearray) -> None:
        """Send and do not wait."""
        self._socket.sendall(request)

    def receive(self) -> bytes:
        """What has come, at least a byte."""
        received = self._socket.recv(1 << 16)
        if not received:
            raise Broken("the server closed the connection")
        return received

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        return not select.select([self._socket], [], [], seconds)[0]

    def ask(self, request: bytes | bytearray) -> bytes:
        """Send a request and read its answer's body.

        Raises:
            Broken: The answer is not a 200 of a declared length.
        """
        self.send(request)
        return self.answer()

    def answer(self) -> bytes:
        """Read the body of an answer that is due. Raises Broken, as `ask`."""
        received = self.receive()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self.receive()
        length = _LENGTH.search(received, 0, end)
        if not received.startswith(b"HTTP/1.1 200") or length is None:
            raise Broken(f"a request was refused: {received[:600].decode(errors='replace')}")
        whole = end + 4 + int(length[1])
        while len(received) < whole:
            received += self.receive()
        return received[end + 4 :]

    def stream(self, request: bytes, mark: bytes) -> Streamed:
        """Send a request and read an answer that comes in chunks.

        Args:
            request: What to send.
            mark: What is in the first token's bytes, and not in those before.

        Raises:
            Broken: The answer is not a 200, or ends without the mark.
        """
        began = time.perf_counter()
        self.send(request)
        received = bytearray()
        first = 0.0
        while not received.endswith(_LAST_CHUNK):
            received += self.receive()
            if not first and mark in received:
                first = time.perf_counter()
            if not received.startswith(b"HTTP/1.1 200"):
                break
        if not first:
            raise Broken(f"a request was refused: {received[:600].decode(errors='replace')}")
        whole = time.perf_counter()
        return Streamed((first - began) * 1000, (whole - began) * 1000, bytes(received))


@contextmanager
def vidi(model: str, folder: Path, cache: Path | None = None, **settings: str) -> Iterator[Server]:
    """`vidi serve` with every setting at its default, but for where it keeps its data.

    Args:
        model: The default model.
        folder: Where uploaded files go.
        cache: Where weights lie; None takes the usual place.
        settings: More, by their names in the environment.

    Raises:
        Broken: It does not start.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith("VIDI_")}
    variables["VIDI_DATA_DIR"] = str(folder)
    variables |= settings
    if cache is not None:
        variables["VIDI_CACHE_DIR"] = str(cache)
    port = _free_port()
    arguments = ["vidi.cli.main", "serve", "--port", str(port), "--model", model]
    with _running(arguments, port, variables) as server:
        yield server


@contextmanager
def yardstick(answer: Path) -> Iterator[Server]:
    """The peers of `yardsticks.py`, all in one server; `answer` holds the bytes that they answer with.

    Raises:
        Broken: It does not start.
    """
    port = _free_port()
    with _running(["bench.yardsticks", str(port), str(answer)], port, dict(os.environ)) as server:
        yield server


@contextmanager
def litellm(python: Path, folder: Path, answer: str) -> Iterator[Server]:
    """LiteLLM's proxy with one model, `mock`, that answers by itself.

    Args:
        python: Of the environment that it is installed in.
        folder: For its configuration.
        answer: What it says.

    Raises:
        Broken: It does not start.
    """
    config = folder / "litellm.yaml"
    model = {"model": "openai/mock", "api_key": "none", "mock_response": answer}
    config.write_text(json.dumps({"model_list": [{"model_name": "mock", "litellm_params": model}]}))
    quiet = {
        # It fetches no list of prices, does not tell home, and starts without a key, as the others do.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOG": "ERROR",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    port = _free_port()
    program = str(python.with_name("litellm"))
    flags = ("--config", str(config), "--port", str(port), "--host", "127.0.0.1", "--num_workers", "1")
    with _program([str(python), program, *flags], port, os.environ | quiet, PROXY_START_SECONDS) as server:
        yield server


@contextmanager
def fake_backend() -> Iterator[Server]:
    """A server that answers like vLLM, at a fixed rate. Raises Broken if it does not start."""
    port = _free_port()
    with _running(["bench.fake_backend", str(port)], port, dict(os.environ)) as server:
        yield server


@contextmanager
def llama_server(launch: Launch, folder: Path) -> Iterator[tuple[Server, float]]:
    """llama.cpp's own server, and how many seconds it took to load the model.

    Args:
        launch: What it runs.
        folder: For files that the two processes tell each other something with.

    Raises:
        Broken: It does not start.
    """
    told, loaded = folder / "launch.json", folder / "loaded"
    told.write_bytes(launch.pack())
    port = _free_port()
    with _running(["bench.llama_peer", str(port), str(told), str(loaded)], port, dict(os.environ)) as server:
        # It answers already while it loads.
        end = time.monotonic() + START_SECONDS
        while not loaded.exists():
            if time.monotonic() > end:
                raise Broken(f"llama.cpp's server did not load {launch.text} within {START_SECONDS:g} s")
            time.sleep(0.05)
        yield server, float(loaded.read_text())


def _running(
    module: Sequence[str], port: int, variables: Mapping[str, str]
) -> AbstractContextManager[Server]:
    return _program([sys.executable, "-m", *module], port, variables, START_SECONDS)


@contextmanager
def _program(
    command: Sequence[str], port: int, variables: Mapping[str, str], seconds: float
) -> Iterator[Server]:
    process = subprocess.Popen(command, stdout=sys.stderr, stderr=subprocess.PIPE, env=variables)
    try:
        _wait_until_up(process, port, seconds)
        yield Server(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_up(process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            _, said = process.communicate()
            raise Broken(f"the server ended at once: {said.decode(errors='replace').strip()[-600:]}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                probe.sendall(b"GET /v1beta/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                if probe.recv(100):
                    return
        except OSError:
            time.sleep(0.05)
    raise Broken(f"the server did not answer within {seconds:g} s")
