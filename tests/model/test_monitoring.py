"""What /ready and /metrics say of models that run elsewhere: a process that dies, a backend that goes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.http.live import Live, live, read_all
from tests.model.listener import shapes_listener
from tests.model.test_backend import settings_file
from tests.waiting import until

pytest.importorskip("xllamacpp", reason="needs the extra `llama`")


def _get(server: Live, path: str) -> bytes:
    with server.connect() as connection:
        head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode())
        return read_all(connection)


def _is_ready(server: Live) -> bool:
    return _get(server, "/ready").startswith(b"HTTP/1.1 200")


def _model_process(server: Live) -> psutil.Process:
    """The one child that is there before the first picture."""
    (process,) = server.process.children()
    return process


@pytest.fixture
def server(shapes_folder: Path, tmp_path: Path) -> Iterator[Live]:
    """A server on `shapes` with a process of its own."""
    cache = str(shapes_folder / "cache")
    with live(tmp_path, "--model", "shapes", VIDI_CACHE_DIR=cache, VIDI_DECODERS="1") as started:
        yield started


def test_a_process_that_is_started_again_is_counted_and_the_server_ready_again(server: Live) -> None:
    assert _is_ready(server)
    metrics = _get(server, "/metrics")
    assert b'vidi_model_restarts_total{model="shapes"} 0.0' in metrics
    held = re.search(rb'vidi_model_memory_bytes{model="shapes"} (\S+)', metrics)
    assert held is not None
    assert float(held[1]) > 10e6
    _model_process(server).kill()
    until(lambda: b'vidi_model_restarts_total{model="shapes"} 1.0' in _get(server, "/metrics"))
    until(lambda: _is_ready(server))
    assert server.works()


def test_a_server_is_ready_while_its_backend_is_there(tmp_path: Path) -> None:
    with shapes_listener() as (address, backend):
        config = settings_file(tmp_path, address)
        with live(tmp_path, "--model", "", VIDI_CONFIG=str(config), VIDI_DECODERS="1") as server:
            until(lambda: _is_ready(server))
            backend.kill()
            until(lambda: not _is_ready(server))
            (reason,) = json.loads(_get(server, "/ready").partition(b"\r\n\r\n")[2])["reasons"]
            assert reason
            assert _get(server, "/health").startswith(b"HTTP/1.1 200")
