"""The guide's shell samples as printed, but for key, host and file names, by a real bash, curl and jq."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import picture
from tests.http.live import Live
from tests.waiting import HANG_SECONDS

TOOLS = ("bash", "curl", "jq", "base64", "file", "grep", "awk", "sed", "cut", "tr", "wc")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

SAMPLES = Path(__file__).parent / "guide"
GOOGLE = "https://generativelanguage.googleapis.com"
CAPTION = "Echo: 1 image (320x240), text: Caption this image."
DIFFERENCE = "Echo: 2 images (320x240, 30x20), text: What is different between these two images?"


class _Redirecting(SimpleHTTPRequestHandler):
    """A short address that leads to the picture, as the guide's does."""

    def do_HEAD(self) -> None:
        if not self._led_on():
            super().do_HEAD()

    def do_GET(self) -> None:
        if not self._led_on():
            super().do_GET()

    def _led_on(self) -> bool:
        if self.path == "/instrument-img":
            self.send_response(301)
            self.send_header("location", "/first.jpg")
            self.send_header("content-length", "0")
            self.end_headers()
        return self.path == "/instrument-img"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "first.jpg").write_bytes(picture(320, 240, "JPEG"))
    (tmp_path / "second.png").write_bytes(picture(30, 20))
    return tmp_path


@pytest.fixture
def short_url(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Redirecting, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/instrument-img"
        server.shutdown()


def _pasted(name: str, folder: Path, server: Live, short_url: str = "") -> list[str]:
    """The lines that a sample prints when it is pasted into a shell."""
    names = {
        GOOGLE: f"http://127.0.0.1:{server.port}",
        "https://goo.gle/instrument-img": short_url,
        "/path/to/your/image1.jpg": "first.jpg",
        "path/to/sample.jpg": "first.jpg",
        "path/to/image1.jpg": "first.jpg",
        "path/to/image2.png": "second.png",
    }
    sample = (SAMPLES / f"{name}.sh").read_text(encoding="utf-8")
    for theirs, ours in names.items():
        sample = sample.replace(theirs, ours)
    ran = subprocess.run(
        ["bash", "-s"],
        input=sample,
        cwd=folder,
        env=os.environ | {"GEMINI_API_KEY": "any", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


def _said(answer: str) -> str:
    message = json.loads(answer)
    return "".join(part["text"] for part in message["candidates"][0]["content"]["parts"])


def test_inline(echo_server: Live, folder: Path) -> None:
    (answer,) = _pasted("inline", folder, echo_server)
    assert _said(answer) == CAPTION


def test_fetched(echo_server: Live, folder: Path, short_url: str) -> None:
    (answer,) = _pasted("fetched", folder, echo_server, short_url)
    assert _said(answer) == CAPTION


def test_upload(echo_server: Live, folder: Path) -> None:
    uri, answer, text = (line for line in _pasted("upload", folder, echo_server) if line)
    assert uri.startswith(f"file_uri=http://127.0.0.1:{echo_server.port}/v1beta/files/")
    assert _said(answer) == json.loads(text) == CAPTION


def test_several(echo_server: Live, folder: Path) -> None:
    uri, answer, text = (line for line in _pasted("several", folder, echo_server) if line)
    assert uri.startswith("file1_uri=")
    assert _said(answer) == json.loads(text) == DIFFERENCE
