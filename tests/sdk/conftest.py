"""Servers as their users start them, and the official client pointed at them by environment alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google import genai

from tests.http.live import Live, live


@pytest.fixture(scope="session")
def echo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A `vidi serve` on the echo engine."""
    with live(tmp_path_factory.mktemp("echo")) as started:
        yield started


def point_at(server: Live, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set what a user of the SDK sets, and nothing else; returns the server's URL."""
    for name in ("GOOGLE_API_KEY", "GOOGLE_GENAI_API_VERSION", "GOOGLE_GENAI_USE_VERTEXAI"):
        monkeypatch.delenv(name, raising=False)
    url = f"http://127.0.0.1:{server.port}"
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", url)
    monkeypatch.setenv("GEMINI_API_KEY", "any")
    return url


@pytest.fixture
def client(echo_server: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[genai.Client]:
    """`genai.Client()` as in the guide."""
    point_at(echo_server, monkeypatch)
    with genai.Client() as made:
        yield made
