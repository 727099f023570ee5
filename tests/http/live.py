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


@dataclass(frozen=True, slots=True)
class Live:
    """A running server."""

    port: int
    process: psutil.Process
    key: str = ""

    def connect(self) -> socket.socket:
        """A connection with a timeout."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

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
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables)
    assert process.stderr is not None
    try:
        told = ""
        for line in process.stderr:
            told += line
            if found := re.search(r"BASE_URL=http://127\.0\.0\.1:(\d+)", line):
                server = Live(int(found[1]), psutil.Process(process.pid), key)
                _wait_until_listening(server)
                yield server
                return
        raise AssertionError(f"vidi serve did not start: {told}")
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


def _wait_until_listening(server: Live) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            assert server.works()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)
