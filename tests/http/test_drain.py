"""The end of a server: what runs may end, what is cut says so, and nobody is left without a word."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from platformdirs import user_cache_path

from tests.conftest import inline, picture
from tests.http.live import Live, live, read_all, request
from tests.model.pulling import SHAPES, pull
from tests.waiting import HANG_SECONDS, until
from vidi.in_process import installed
from vidi.settings import load

pytestmark = pytest.mark.slow

STREAMS = 20
LITE = "vidi-lite"
HOURS = "echo words=100000 sleep=0.1"
WEIGHTS = Path(os.environ.get("VIDI_CACHE_DIR") or user_cache_path("vidi"))
SSE = "alt=sse"


def _path(model: str, query: str = SSE) -> str:
    return f"/v1beta/models/{model}:streamGenerateContent?{query}"


def _body(text: str, *parts: object) -> bytes:
    return json.dumps({"contents": [{"parts": [*parts, {"text": text}]}]}).encode()


def _photo(index: int) -> object:
    """Another file each time, so that nothing is remembered."""
    return inline(picture(400 + index, 300, "JPEG"), "image/jpeg")


def _sent(server: Live, path: str, body: bytes) -> socket.socket:
    connection = server.connect()
    connection.sendall(request(path, body))
    return connection


def _rest(connection: socket.socket) -> bytes:
    """All that still comes; the connection is closed."""
    with connection:
        return read_all(connection)


def _ended(server: Live) -> int:
    """Wait for the server's end; its exit code, and that its log shows no trouble."""
    code = server.process.wait(HANG_SECONDS)
    log = server.log.read_text()
    assert not re.search(r"Traceback|Aborted|terminate called|Exception in|without completing", log), log
    assert code is not None
    return code


def _split(reply: bytes) -> tuple[int, str, str]:
    """Status, head and body of a raw reply; the body without its chunks' lengths."""
    head, _, body = reply.partition(b"\r\n\r\n")
    text = head.decode()
    if "transfer-encoding: chunked" in text:
        assert body.endswith(b"\r\n0\r\n\r\n"), body[-200:]
        whole = b""
        while body:
            length, _, body = body.partition(b"\r\n")
            whole, body = whole + body[: int(length, 16)], body[int(length, 16) + 2 :]
        body = whole
    return int(text[9:12]), text.lower(), body.decode()


def _kind_of_end(reply: bytes) -> str:
    """How a stream of events ended: "whole", "cut" or "refused"; anything else fails."""
    status, head, body = _split(reply)
    if status == 503:
        assert "retry-after: " in head
        assert json.loads(body)["error"]["status"] == "UNAVAILABLE"
        return "refused"
    assert status == 200
    last = body.split("\r\n\r\n")[-2]
    if last.startswith("data: "):
        assert json.loads(last.removeprefix("data: "))["candidates"][0]["finishReason"]
        return "whole"
    assert json.loads(last)["error"]["code"] == 503
    return "cut"


@contextmanager
def _server(model: str, folder: Path, **settings: str) -> Iterator[Live]:
    cache = folder / "cache"
    if model == LITE:
        if not installed(load({"cache_dir": WEIGHTS}))[LITE].ready:
            pytest.skip("the weights of vidi-lite are not here")
        shutil.copytree(WEIGHTS / LITE, cache / LITE)
    if model == "shapes":
        pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
        assert "shapes is ready" in pull(folder, SHAPES)
    with live(folder, "--model", model, **settings) as server:
        yield server


@pytest.mark.parametrize("model", ["echo", LITE, "shapes"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_each_of_many_streams_ends_properly(tmp_path: Path, model: str, sent: signal.Signals) -> None:
    text = HOURS if model == "echo" else "Caption this image."
    with _server(model, tmp_path, VIDI_DRAIN_SECONDS="0.3") as server, ThreadPoolExecutor(STREAMS) as readers:
        streams = [_sent(server, _path(model), _body(text, _photo(index))) for index in range(STREAMS)]
        first = [stream.recv(1) for stream in streams[:1]]
        replies = [readers.submit(_rest, stream) for stream in streams]
        server.process.send_signal(sent)
        whole = [reply.result(HANG_SECONDS) for reply in replies]
        ends = [_kind_of_end(first[0] + reply if index == 0 else reply) for index, reply in enumerate(whole)]
        assert len(ends) == STREAMS
        assert _ended(server) == 0
    if model == "echo":
        assert "cut" in ends


def test_what_ends_in_time_ends_whole_and_what_is_new_is_refused(tmp_path: Path) -> None:
    with live(tmp_path) as server:
        kept = http.client.HTTPConnection("localhost", server.port, timeout=HANG_SECONDS)
        kept.request("GET", "/v1beta/models")
        assert len(json.loads(kept.getresponse().read())["models"])
        assert kept.sock is not None
        stream = _sent(server, _path("echo"), _body("echo words=40 sleep=0.1"))
        assert stream.recv(1) == b"H"
        server.process.send_signal(signal.SIGTERM)
        until(lambda: _refused(server))
        for connection in (kept.sock, server.connect()):
            connection.sendall(request("/v1beta/models/echo:generateContent", _body("hi")))
            status, head, body = _split(_rest(connection))
            assert (status, json.loads(body)["error"]["status"]) == (503, "UNAVAILABLE")
            assert "retry-after: 5" in head
            assert "connection: close" in head
        with server.connect() as probe:
            probe.sendall(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            assert b"The server is shutting down." in read_all(probe)
        assert _kind_of_end(b"H" + _rest(stream)) == "whole"
        assert _ended(server) == 0


def _refused(server: Live) -> bool:
    return server.post("/v1beta/models/echo:countTokens", _body("hi")).startswith(b"HTTP/1.1 503")


def test_every_kind_of_answer_that_is_cut_says_so(tmp_path: Path) -> None:
    with live(tmp_path, VIDI_DRAIN_SECONDS="0") as server:
        whole = _sent(server, "/v1beta/models/echo:generateContent", _body(HOURS))
        array = _sent(server, _path("echo", ""), _body(HOURS))
        asked = {"model": "echo", "input": [{"type": "text", "text": HOURS}], "stream": True}
        events = _sent(server, "/v1beta/interactions", json.dumps(asked).encode())
        begun = [connection.recv(1) for connection in (array, events)]
        server.process.send_signal(signal.SIGTERM)
        status, head, body = _split(_rest(whole))
        assert (status, json.loads(body)["error"]["code"], "retry-after: 5" in head) == (503, 503, True)
        *pieces, last = json.loads(_split(begun[0] + _rest(array))[2])
        assert pieces
        assert last["error"]["code"] == 503
        assert '"code":"service_unavailable"' in _split(begun[1] + _rest(events))[2]
        assert _ended(server) == 0


def test_a_body_that_is_still_coming_is_answered(tmp_path: Path) -> None:
    with live(tmp_path, VIDI_DRAIN_SECONDS="0") as server:
        stuck = server.connect()
        stuck.sendall(request("/v1beta/models/echo:generateContent", _body("hi"))[:-5])
        # The server has begun with it when it answers another one.
        assert server.works()
        server.process.send_signal(signal.SIGTERM)
        assert _rest(stuck).startswith(b"HTTP/1.1 503")
        assert _ended(server) == 0


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, sent: signal.Signals) -> None:
    with live(tmp_path, VIDI_DRAIN_SECONDS="100000") as server:
        stream = _sent(server, _path("echo"), _body(HOURS))
        assert stream.recv(1) == b"H"
        children = server.process.children(recursive=True)
        server.process.send_signal(sent)
        until(lambda: _refused(server))
        server.process.send_signal(sent)
        assert _kind_of_end(b"H" + _rest(stream)) == "cut"
        assert _ended(server) == 0
        _, alive = psutil.wait_procs(children, HANG_SECONDS)
        assert not alive


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_a_command_without_noise(tmp_path: Path, times: int) -> None:
    """While an engine's thread is in native code, which the interpreter's end must not tear down."""
    if not installed(load({"cache_dir": WEIGHTS}))[LITE].ready:
        pytest.skip("the weights of vidi-lite are not here")
    for index in range(40):
        (tmp_path / f"{index}.jpg").write_bytes(picture(400 + index, 300, "JPEG"))
    variables = {**os.environ, "VIDI_CACHE_DIR": str(WEIGHTS), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "vidi.cli.main", "caption", str(tmp_path), "--model", LITE]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, said) == (130, "")
