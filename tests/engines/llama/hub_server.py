"""A server that speaks as much of the hub's protocol as fetching files takes, and fails as it is told."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "someone/tiny-GGUF"


@dataclass
class Hub:
    """What the server holds, how it behaves, and what it was asked.

    Attributes:
        repository: The one that it has.
        files: Content by path in the repository.
        behave: Called with each request's handler before the usual answer; True means that it has answered.
        asked: `(method, path, Range, Authorization)` of every request.
        sent: Bytes of content that were sent in all.
        digests: What to say instead of the true SHA-256 of a file.
        lfs: Whether SHA-256 digests are told at all.
        storage: Address of another server that content requests are redirected to; "" for none.
    """

    files: dict[str, bytes]
    behave: Callable[[Handler], bool] = lambda handler: False
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    sent: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    lfs: bool = True
    storage: str = ""
    address: str = ""
    repository: str = REPOSITORY

    def count(self, method: str) -> int:
        """How many requests of a method came."""
        return sum(1 for asked, *_ in self.asked if asked == method)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        hub = self.hub
        range_, token = self.headers.get("Range", ""), self.headers.get("Authorization", "")
        hub.asked.append((self.command, self.path, range_, token))
        if hub.behave(self):
            return
        if self.path == f"/api/models/{hub.repository}":
            self.names()
            return
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", unquote(self.path))
        if found is None or found[1] != hub.repository:
            self.refuse(404, "RepoNotFound")
        elif found[2] not in ("main", COMMIT):
            self.refuse(404, "RevisionNotFound")
        elif found[3] not in hub.files:
            self.refuse(404, "EntryNotFound")
        else:
            self.content(found[3])

    def names(self) -> None:
        """What the repository holds."""
        body = json.dumps({"siblings": [{"rfilename": name} for name in self.hub.files]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, code: str = "", **headers: str) -> bool:
        """An error as the hub writes it."""
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def content(self, name: str, *, cut: int | None = None, pause: float = 0.0) -> bool:
        """A file, or its rest; `cut` hangs up after that many bytes, `pause` waits in the middle."""
        hub, whole = self.hub, self.hub.files[name]
        if hub.storage and self.command == "GET":
            self.refuse(302, Location=f"{hub.storage}{self.path}")
            return True
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if begin >= len(whole) and whole:
            return self.refuse(416)
        rest = whole[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(whole) - 1}/{len(whole)}")
        self._facts(name, whole)
        self.send_header("Content-Length", str(len(whole) if self.command == "HEAD" else len(rest)))
        self.end_headers()
        if self.command == "GET":
            self._send(rest, cut, pause)
        return True

    def _facts(self, name: str, whole: bytes) -> None:
        hub = self.hub
        digest = hub.digests.get(name, hashlib.sha256(whole).hexdigest())
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", '"0123456789012345678901234567890123456789"')
        if hub.lfs:
            self.send_header("X-Linked-ETag", f'"{digest}"')
            self.send_header("X-Linked-Size", str(len(whole)))

    def _send(self, rest: bytes, cut: int | None, pause: float) -> None:
        part = rest if cut is None else rest[:cut]
        self.hub.sent += len(part)
        try:
            self.wfile.write(part[: len(part) // 2 if pause else len(part)])
            self.wfile.flush()
            if pause:
                time.sleep(pause)
                self.wfile.write(part[len(part) // 2 :])
        except OSError:
            pass
        if cut is not None:
            self.close_connection = True


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Run a hub on a free port; its address is in `hub.address`."""
    bound = type("Bound", (Handler,), {"hub": hub})
    server = _Quiet(("127.0.0.1", 0), bound)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
