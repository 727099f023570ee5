"""A browser for the whole run, and servers for it to look at."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import picture
from tests.http.live import Live, live
from tests.playground.browser import PROGRAMS, Browser, BrowserError, Page, driver, started


def program(*names: str) -> str:
    """The first of these programs that is installed; skips the test if none is."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or pytest.skip(f"needs {names[0]}, which is not installed")


@pytest.fixture(
    scope="session",
    params=[pytest.param("chromium"), pytest.param("firefox", marks=pytest.mark.clients)],
)
def browser(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Chromium, and for `make clients` Firefox; their driver is installed once and kept in pytest's cache."""
    name: str = request.param
    shell, node, _ = program(*PROGRAMS[name]), program("node"), program("npm")
    assert pytestconfig.cache is not None
    try:
        modules = driver(pytestconfig.cache.mkdir("playground"))
    except BrowserError as error:
        pytest.skip(str(error))
    with started(name, shell, node, modules) as running:
        yield running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A `vidi serve` on the echo engine."""
    with live(tmp_path_factory.mktemp("echo")) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Live) -> Iterator[Page]:
    """The page of the echo server. It must ask nobody else, and break no policy of its own."""
    opened = browser.open(url_of(server))
    yield opened
    strangers = [url for url in opened.asked() if not url.startswith((url_of(server), "blob:", "data:"))]
    assert not strangers
    assert not opened.complaints()


def url_of(server: Live) -> str:
    """Where the page is."""
    return f"http://127.0.0.1:{server.port}/"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A drawn picture of 640 x 480 pixels as a JPEG file."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(picture(640, 480, "JPEG"))
    return file


@pytest.fixture
def cat_photo() -> Path:
    """A photograph of a cat; skips the test where it is not there."""
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        pytest.skip(
            "the photographs come with scikit-image, which is not installed (requirements/photos.txt)"
        )
    return Path(package.origin).parent / "data" / "chelsea.png"
