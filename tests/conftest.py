"""What every test may ask for: pictures, settings, an app on the echo engine."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import platformdirs
import pytest
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from bench import backing
from tests.files import cluster
from tests.waiting import HANG_SECONDS
from vidi.app import create_app
from vidi.domain.errors import Unavailable
from vidi.engines.base import EngineContext
from vidi.engines.lite.weights.assets import Weights, ensure
from vidi.settings import Settings

# Timings never fail a test: on a busy machine an example may take any time.
hypothesis.settings.register_profile(
    "ci", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
# `make check` asks for it: `pytest --hypothesis-profile dev`.
hypothesis.settings.register_profile("dev", hypothesis.settings.get_profile("ci"), max_examples=10)
hypothesis.settings.load_profile("ci")


SLOW_FOLDERS = {"clients", "model", "playground", "sdk"}
"""Other programs, models and browsers: all of it is `slow`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole folders."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in SLOW_FOLDERS:
            item.add_marker("slow")


def examples(most: int) -> int:
    """How many examples a test takes that needs another number than usual; `dev` has a tenth of them."""
    return most if hypothesis.settings.get_current_profile_name() == "ci" else max(5, most // 10)


def picture(width: int, height: int, kind: str = "PNG", **options: object) -> bytes:
    """A drawn picture, encoded: an orange block and a blue ball on grey."""
    image = Image.new("RGB", (width, height), (200, 200, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 10, height // 10, width // 2, height // 2), fill=(230, 120, 20))
    draw.ellipse((width // 2, height // 2, width - 2, height - 2), fill=(20, 60, 200))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def inline(data: bytes, mime_type: str = "image/png") -> dict[str, object]:
    """An inline image part."""
    return {"inlineData": {"mimeType": mime_type, "data": base64.b64encode(data).decode()}}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An echo server that keeps everything in the test's own folder."""
    return Settings(
        model="echo",
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        decoders=1,
        decode_seconds=HANG_SECONDS,
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A client of an echo server in this process."""
    with TestClient(create_app(settings), base_url="http://localhost") as started:
        yield started


@pytest.fixture(scope="session")
def real_weights() -> Weights:
    """The published weights, in the user's own cache; fetched there by whichever test asks first."""
    named = os.environ.get("VIDI_CACHE_DIR")
    cache = Path(named) if named else platformdirs.user_cache_path("vidi")
    try:
        return ensure(EngineContext(cache, threads=1, progress=lambda step, done, total: None))
    except Unavailable as missing:
        pytest.skip(f"the weights of vidi-lite cannot be fetched here: {missing.message}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[backing.Program]:
    """One PostgreSQL for all tests; each takes a database of its own."""
    with cluster.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[backing.Program]:
    """One S3 server for all tests; each takes a prefix of its own."""
    with backing.s3() as server:
        yield server
