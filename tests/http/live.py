"""A real `vidi serve` process, for what only a socket can show."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import HANG_SECONDS


@dataclass(frozen=True, slots=True)
class Live:
    """A running server; `log` holds what it has said."""

    port: int
    process: psutil.Process
    log: Path
    key: str = ""

    def connect(self) -> socket.socket:
        """A connection with a timeout."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=HANG_SECONDS)

    def post(self, path: str, body: bytes, headers: str = "") -> bytes:
        """The raw answer to a POST on a connection of its own."""
        with self.connect() as connection:
            connection.sendall(request(path, body, headers))
            return read_all(connection)

    def works(self) -> bool:
        """Whether a good request is answered."""
        body = json.dumps({"contents": [{"parts": [{"text": "hi"}]}]}).encode()
        key = f"x-goog-api-key: {self.key}\r\n" if self.key else ""
        return b"Echo" in self.post("/v1beta/models/echo:generateContent", body, key)


def request(path: str, body: bytes, headers: str = "") -> bytes:
    """A POST as bytes that closes its connection."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n{headers}\r\n"
    )
    return head.encode() + body


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    received = bytearray()
    while chunk := connection.recv(65536):
        received += chunk
    return bytes(received)


@contextmanager
def live(folder: Path, *flags: str, key: str = "", **environment: str) -> Iterator[Live]:
    """Start `vidi serve` on a free port with everything in `folder`, and stop it; `key` opens it."""
    command = [sys.executable, "-m", "vidi.cli.main", "serve", "--port", "0", "--model", "echo", *flags]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("VIDI_")}
    variables |= {
        "VIDI_DATA_DIR": str(folder / "data"),
        "VIDI_CACHE_DIR": str(folder / "cache"),
        **environment,
    }
    log = folder / "log.txt"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stderr=sink, env=variables)
    try:
        server = Live(_port(process, log), psutil.Process(process.pid), log, key)
        assert server.works()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(HANG_SECONDS)
        finally:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the server says it listens on; its socket takes connections from then on."""
    deadline = time.monotonic() + HANG_SECONDS
    while not (found := re.search(r"BASE_URL=http://127\.0\.0\.1:(\d+)", log.read_text())):
        assert process.poll() is None, f"vidi serve did not start: {log.read_text()}"
        assert time.monotonic() < deadline, f"vidi serve says no address: {log.read_text()}"
        time.sleep(0.02)
    return int(found[1])
