"""Servers and pictures for the clients, and a table of what worked."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import platformdirs
import pytest

from tests.clients.catalogue import BY_ID, HERE, Client
from tests.clients.installers import install
from tests.clients.photographs import photograph
from tests.conftest import picture
from tests.http.live import Live, live

USE_A_TOOL = 'call=look {"at": 7}'
"""What the echo is told to call; it then says what that gave."""

DETECT = "Detect the prominent items. Each box_2d is [ymin, xmin, ymax, xmax] normalized to 0-1000."


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A `vidi serve` on the echo engine."""
    with live(tmp_path_factory.mktemp("echo")) as started:
        yield started


@pytest.fixture(scope="session")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A `vidi serve` on vidi-lite, with the weights in the user's own cache."""
    cache = os.environ.get("VIDI_CACHE_DIR") or str(platformdirs.user_cache_path("vidi"))
    pull = [sys.executable, "-m", "vidi.cli.main", "pull", "vidi-lite"]
    pulled = subprocess.run(pull, capture_output=True, text=True, env=os.environ | {"VIDI_CACHE_DIR": cache})
    if pulled.returncode:
        pytest.skip(f"the weights of vidi-lite cannot be had here: {pulled.stderr.strip()}")
    with live(tmp_path_factory.mktemp("lite"), "--model", "vidi-lite", VIDI_CACHE_DIR=cache) as started:
        yield started


@dataclass(frozen=True, slots=True)
class Ran:
    """How a client's program ended: a line of JSON for each flow that went well, in their order."""

    lines: list[str]
    complaint: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Where clients run: a server, a folder with `photo.jpg` and `second.png`, and where that is served."""

    server: Live
    folder: Path
    url: str

    def run(self, client: Client, flows: tuple[str, ...]) -> Ran:
        """Flows of a client, in one process."""
        ran = subprocess.run(
            [*install(client), *flows],
            cwd=self.folder,
            env=environment_of(client, self.folder, self.url)
            | {"VIDI": f"http://127.0.0.1:{self.server.port}"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Ran(
            ran.stdout.splitlines(), f"{client.name} ended with {ran.returncode}: {ran.stderr[-4000:]}"
        )


def environment_of(client: Client, folder: Path, url: str) -> dict[str, str]:
    """What a client's program finds but for the server: pictures in `folder`, which is served at `url`."""
    own = ("GOOGLE_", "GEMINI_", "VIDI_", "LLM_", "LITELLM_", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {
        "PHOTO": str(folder / "photo.jpg"),
        "DRAWING": str(folder / "second.png"),
        "PHOTO_URL": f"{url}/photo.jpg",
        "DETECT": DETECT,
        "USE_A_TOOL": USE_A_TOOL,
        "BROWSER": client.browser,
        "SETTINGS": str(HERE / client.folder / "settings.json"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the internet when it is imported
        "NO_PROXY": "127.0.0.1",
    }


Told = Callable[[Client, tuple[str, ...]], Ran]
"""Runs flows of a client, or says again how they ended."""


@pytest.fixture(scope="session")
def told_echo(echo: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """What a client is told by the echo engine about drawn pictures of 451x300 and 600x400."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "photo.jpg").write_bytes(picture(451, 300, "JPEG"))
    (folder / "second.png").write_bytes(picture(600, 400))
    with _served(folder) as url:
        yield functools.cache(Stage(echo, folder, url).run)


@pytest.fixture(scope="session")
def told_lite(lite: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """What a client is told by vidi-lite about photographs of a cat and of a cup of coffee."""
    folder = tmp_path_factory.mktemp("photographs")
    photograph("chelsea.png").save(folder / "photo.jpg", quality=92)
    photograph("coffee.png").save(folder / "second.png")
    with _served(folder) as url:
        yield functools.cache(Stage(lite, folder, url).run)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address of a web server for a folder."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# --- the table: a row for each client and flow, a column for each engine

HERE_IN_NODE_IDS = "tests/clients/"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note what belongs into the table, so that a test that is skipped is in it too."""
    for item in items:
        if item.nodeid.startswith(HERE_IN_NODE_IDS) and isinstance(item, pytest.Function):
            item.user_properties += _labels(item)


def _labels(item: pytest.Function) -> list[tuple[str, object]]:
    if "cookbook" in item.nodeid:
        flow = item.name.removeprefix("test_").replace("_", " ")
        return [("client", "python"), ("flow", f"cookbook: {flow}"), ("engine", "vidi-lite")]
    parameters: dict[str, object] = item.callspec.params if hasattr(item, "callspec") else {}
    client = parameters.get("client")
    if not isinstance(client, Client):
        return []
    return [("client", client.id), ("flow", parameters["flow"]), ("engine", parameters["engine"])]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table where nothing but clients ran."""
    rows: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if not getattr(report, "nodeid", HERE_IN_NODE_IDS).startswith(HERE_IN_NODE_IDS):
                return
            labels = dict(getattr(report, "user_properties", ()))
            if outcome and "client" in labels:
                rows[labels["client"], labels["flow"]][labels["engine"]] = outcome
    if rows:
        terminalreporter.section("clients")
        terminalreporter.write_line(_line("client", "version", "flow", "echo", "vidi-lite"))
    for known, flow in sorted(rows, key=lambda row: list(BY_ID).index(row[0])):
        client, outcomes = BY_ID[known], rows[known, flow]
        columns = (outcomes.get(engine, "-") for engine in ("echo", "vidi-lite"))
        terminalreporter.write_line(_line(client.name, client.version or "system's", flow, *columns))


def _line(client: str, version: str, flow: str, *outcomes: str) -> str:
    return f"{client:<32}{version:<10}{flow:<52}" + "".join(f"{outcome:<11}" for outcome in outcomes)
