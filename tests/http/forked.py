"""`vidi serve` without the second that Python takes to import it: forked from a process that has."""

from __future__ import annotations

import http.client
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.waiting import HANG_SECONDS
from vidi.cli.main import main


def serve(flags: list[str]) -> None:
    """The server's process."""
    main(["serve", "--model", "echo", *flags])


@contextmanager
def forked(folder: Path, *flags: str) -> Iterator[tuple[int, ForkServerProcess]]:
    """A server on a port of its own with everything in `folder`; at the end it is killed, not stopped."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.http.forked", "vidi.engines.echo", "vidi.engines.lite.catalog"])
    port = _free_port()
    places = ["--port", str(port), "--data-dir", str(folder / "data"), "--cache-dir", str(folder / "cache")]
    process = context.Process(target=serve, args=([*places, *flags],))
    process.start()
    try:
        _wait_until_listening(port, process)
        yield port, process
    finally:
        process.kill()
        process.join()
        process.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_listening(port: int, process: ForkServerProcess) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
        try:
            connection.request("GET", "/v1beta/files?pageSize=1")
            assert connection.getresponse().status == 200
            return
        except OSError:
            assert process.is_alive(), "the server ended at once"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        finally:
            connection.close()
