"""docs/operations.md, run: its proxies before a server, its unit, its backup; all taken from the page."""

from __future__ import annotations

import http.client
import io
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from google import genai
from google.genai import types
from PIL import Image

from tests.conftest import inline, picture
from tests.http.live import Live, live
from tests.waiting import HANG_SECONDS, until

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[1] / "docs/operations.md").read_text("utf-8")
KEY = "a-key-of-mine-that-is-long"
MINE = {"x-goog-api-key": KEY}


def block(kind: str, instead: Mapping[str, str]) -> str:
    """The page's one block of that kind that holds the names, with other names and ports put in."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    text: str
    (text,) = (each for each in blocks if all(old in each for old in instead))
    for old, new in instead.items():
        text = text.replace(old, new)
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy with TLS that listens on a port of localhost."""

    port: int
    trust: ssl.SSLContext

    @property
    def base(self) -> str:
        return f"https://localhost:{self.port}/vidi"

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("localhost", self.port, timeout=HANG_SECONDS, context=self.trust)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = MINE
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, body or None, dict(headers))
            with connection.getresponse() as reply:
                return reply.status, reply.headers, reply.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "vidi.pem", folder / "vidi.key"
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1", "-nodes"]
    made = ["-newkey", "rsa:2048", "-keyout", str(files[1]), "-out", str(files[0])]
    subprocess.run(["openssl", "req", "-x509", *named, *made], check=True, capture_output=True)
    return files


@contextmanager
def proxied(kind: str, upstream: int, folder: Path, certificate: tuple[Path, Path]) -> Iterator[Proxy]:
    """nginx or Caddy as on the page, before a port."""
    if shutil.which(kind) is None:
        pytest.skip(f"needs {kind}")
    port, (pem, key) = free_port(), certificate
    folder = folder / kind
    folder.mkdir()
    places = {
        "/etc/ssl/vidi.pem": str(pem),
        "/etc/ssl/vidi.key": str(key),
        "127.0.0.1:8484": f"127.0.0.1:{upstream}",
    }
    if kind == "nginx":
        places |= {"/var/log/nginx": str(folder), "listen 443": f"listen 127.0.0.1:{port}"}
        kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{name}_temp_path {folder}/{name};" for name in kept)
        config = folder / "nginx.conf"
        config.write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;"
            f"events {{}} http {{ {paths} {block('nginx', places | {'vidi.example': 'localhost'})} }}"
        )
        command = ["nginx", "-p", str(folder), "-c", str(config)]
    else:
        site = block("caddyfile", places | {"vidi.example": f"https://localhost:{port}"})
        config = folder / "Caddyfile"
        config.write_text(f"{{\n admin off\n auto_https disable_redirects\n}}\n{site}")
        command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
    environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        until(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, (folder / "log.txt").read_text()
        yield Proxy(port, ssl.create_default_context(cafile=str(pem)))
    finally:
        process.terminate()
        process.wait(HANG_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("behind")
    with live(folder, "-v", key=KEY, VIDI_API_KEYS=KEY, VIDI_TRUSTED_PROXIES="127.0.0.1") as started:
        yield started


@pytest.fixture(params=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest, server: Live, tmp_path: Path, certificate: tuple[Path, Path]
) -> Iterator[Proxy]:
    """Each proxy before a server with a key."""
    with proxied(request.param, server.port, tmp_path, certificate) as started:
        yield started


def _large() -> bytes:
    """A picture of nine megabytes, which both proxies would refuse or put on a disk if left to themselves."""
    noise = np.random.default_rng(1).integers(0, 256, (1700, 1800, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_large_body_and_an_upload_come_through(proxy: Proxy) -> None:
    data = _large()
    assert len(data) > 9_000_000
    prompt = json.dumps({"contents": [{"parts": [inline(data)]}]}).encode()
    path = "/vidi/v1beta/models/gemini-3-flash:generateContent"
    status, headers, _ = proxy.ask("POST", path, prompt)
    assert status == 200
    assert re.fullmatch(r"[0-9a-f]{16,32}", headers["x-request-id"])
    start = {"protocol": "resumable", "command": "start", "header-content-length": str(len(data))}
    told = {f"x-goog-upload-{name}": value for name, value in start.items()}
    _, headers, _ = proxy.ask("POST", "/vidi/upload/v1beta/files", b"{}", MINE | told)
    url = headers["x-goog-upload-url"]
    assert url.startswith(f"{proxy.base}/upload/v1beta/files?upload_id=")
    half = len(data) // 2
    place = url.removeprefix(f"https://localhost:{proxy.port}")
    step = {"x-goog-upload-offset": "0", "x-goog-upload-command": "upload"}
    assert proxy.ask("POST", place, data[:half], step)[0] == 200
    step = {"x-goog-upload-offset": str(half), "x-goog-upload-command": "upload, finalize"}
    status, _, body = proxy.ask("POST", place, data[half:], step)
    file = json.loads(body)["file"]
    assert (status, file["sizeBytes"]) == (200, str(len(data)))
    assert file["uri"].startswith(f"{proxy.base}/v1beta/files/")


def test_an_sdk_goes_through(proxy: Proxy) -> None:
    options = types.HttpOptions(base_url=proxy.base, client_args={"verify": proxy.trust})
    with genai.Client(api_key=KEY, http_options=options) as client:
        file = client.files.upload(
            file=io.BytesIO(picture(64, 48)), config=types.UploadFileConfig(mime_type="image/png")
        )
        contents: list[types.PartUnionDict] = [file, "What is it?"]
        pieces = client.models.generate_content_stream(model="gemini-3-flash", contents=contents)
        assert "What is it?" in "".join(piece.text or "" for piece in pieces)


def test_whoever_comes_through_a_proxy_needs_a_key(proxy: Proxy) -> None:
    for headers in (
        {},
        {"x-forwarded-for": "127.0.0.1", "x-real-ip": "::1"},
    ):
        assert proxy.ask("GET", "/vidi/v1beta/models", headers=headers)[0] == 403
    assert proxy.ask("GET", "/vidi/v1beta/models")[0] == 200


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_bodies_and_streams_pass_as_they_come(
    kind: str, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """A server that waits for each side in turn: whoever keeps bytes back would make both wait for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        heard, answered = threading.Event(), threading.Event()
        thread = threading.Thread(target=_in_turns, args=(listener, heard, answered), daemon=True)
        thread.start()
        with proxied(kind, port, tmp_path, certificate) as proxy:
            connection = proxy.connect()
            connection.putrequest("POST", "/vidi/v1beta/models/any:streamGenerateContent?alt=sse")
            connection.putheader("content-length", "20")
            connection.endheaders(b"0123456789")
            assert heard.wait(HANG_SECONDS), "the first half of the body was kept back"
            connection.send(b"0123456789")
            # Closed by itself: it keeps the socket, which a later test would be blamed for.
            with connection.getresponse() as reply:
                assert reply.read1() == b"data: 1\n\n"
                answered.set()
                assert reply.read() == b"data: 2\n\n"
            connection.close()
        thread.join(HANG_SECONDS)


def _in_turns(listener: socket.socket, heard: threading.Event, answered: threading.Event) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # The test ended before its proxy asked.
        with connection:
            connection.settimeout(HANG_SECONDS)
            came = b""
            while not came.endswith(b"\r\n\r\n0123456789"):
                more = connection.recv(4096)
                if not more:
                    break  # The test's own look whether the port listens.
                came += more
            else:
                heard.set()
                while not came.endswith(b"01234567890123456789"):
                    came += connection.recv(4096)
                head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked"
                connection.sendall(head.encode() + b"\r\n\r\n9\r\ndata: 1\n\n\r\n")
                assert answered.wait(HANG_SECONDS)
                connection.sendall(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
                return


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    program = tmp_path / "vidi"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "vidi.service"
    unit.write_text(block("ini", {"/opt/vidi/bin/vidi": str(program), "User=vidi": "User=daemon"}))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert "vidi.service" not in done.stderr, done.stderr


def test_a_backup_of_a_running_server_brings_everything_back(tmp_path: Path) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("needs the sqlite3 program")
    backup = tmp_path / "backup"
    backup.mkdir()
    data = picture(64, 48)
    with live(tmp_path) as server:
        raw = "x-goog-upload-protocol: raw\r\nx-goog-upload-header-content-type: image/png\r\n"
        file = json.loads(_body(server.post("/upload/v1beta/files", data, raw)))["file"]
        asked = json.dumps({"model": "echo", "input": "remember this"}).encode()
        interaction = json.loads(_body(server.post("/v1beta/interactions", asked)))
        places = {"/var/lib/vidi": str(tmp_path / "data"), "/backup/vidi": str(backup)}
        subprocess.run(["sh", "-ec", block("sh", places)], check=True)
        server.post("/upload/v1beta/files", data, raw)
    shutil.rmtree(tmp_path / "data")
    backup.rename(tmp_path / "data")
    with live(tmp_path) as server:
        parts = [{"fileData": {"fileUri": file["uri"], "mimeType": "image/png"}}, {"text": "Still there?"}]
        prompt = json.dumps({"contents": [{"parts": parts}]}).encode()
        assert b"1 image (64x48)" in server.post("/v1beta/models/echo:generateContent", prompt)
        again = json.dumps(
            {"model": "echo", "input": "go on", "previous_interaction_id": interaction["id"]}
        ).encode()
        assert server.post("/v1beta/interactions", again).startswith(b"HTTP/1.1 200")


def _body(reply: bytes) -> bytes:
    return reply.partition(b"\r\n\r\n")[2]
