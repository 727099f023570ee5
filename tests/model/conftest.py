"""A real `vidi serve` on a model that sees, pulled as a user pulls it, and the official client before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google import genai
from google.genai import types

from tests.http.live import Live, live
from tests.model.pulling import SHAPES, pull


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose cache holds `shapes`; to be read, or copied."""
    pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
    folder = tmp_path_factory.mktemp("shapes")
    assert "shapes is ready" in pull(folder, SHAPES)
    return folder


@pytest.fixture(scope="session")
def shapes_server(shapes_folder: Path) -> Iterator[Live]:
    """`vidi serve --model shapes`."""
    with live(shapes_folder, "--model", "shapes", VIDI_DECODERS="2") as started:
        yield started


@pytest.fixture(scope="session")
def client(shapes_server: Live) -> Iterator[genai.Client]:
    """A client of that server."""
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{shapes_server.port}")
    with genai.Client(api_key="any", http_options=options) as made:
        yield made
