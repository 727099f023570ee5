"""The page in `examples/`, served from another port than the server that it asks."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.http.live import Live
from tests.playground.browser import Browser, Page

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.slow


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def pages() -> Iterator[int]:
    """The port of a web server for the examples."""
    handler = functools.partial(_Quiet, directory=str(EXAMPLES))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port
        running.shutdown()


def test_a_page_of_another_port_captions_a_photograph(
    browser: Browser, server: Live, pages: int, photo: Path
) -> None:
    browser.ask(open={}, script="")
    page = Page(browser)
    page.call("goto", f"http://localhost:{pages}/caption.html?vidi=http://127.0.0.1:{server.port}")
    page.call("setInputFiles", "#photo", str(photo))
    page.wait("document.querySelector('#caption').textContent")
    assert page.text("#caption") == "Echo: 1 image (640x480), text: Caption this image."
    assert not [each for each in page.complaints() if "favicon" not in each]
