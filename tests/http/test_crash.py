"""The server is killed at random moments, and its disk is full: what was acknowledged is still there.

A client keeps a ledger of what it has asked for and of what it was told. After each kill the server starts
again on the same directory, and its listing, its uploads and its disk have to agree with that ledger.
"""

from __future__ import annotations

import base64
import hashlib
import random
import resource
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import picture
from tests.http.forked import forked
from tests.http.refusal import refusal
from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

SEED = 20
ROUNDS = 50
STEPS = 100
"""Most steps of all clients together in one round."""

CLIENTS = 4
SIZES = (0, 1, 999, 70_000, 400_000, 1_500_000)
CHUNKS = (300_000, 65_536, 500_000)
OPEN_AT_ONCE = 3
"""Uploads that one client has open."""

KEPT = 6
"""Files that one client keeps before it deletes one."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(slots=True)
class Upload:
    """What one upload should be, and what is known of it."""

    label: str
    data: bytes
    chunk: int
    url: str = ""
    located: bool = False
    acknowledged: int = 0
    sent: int = 0
    received: int = 0
    finalizing: bool = False
    cancelling: bool = False
    deleting: bool = False
    file: dict[str, Any] | None = None
    over: bool = False
    """Cancelled or deleted, and the server has said so."""

    gone: bool = False
    """Found to be no file any more, after it was over."""

    @property
    def open(self) -> bool:
        return bool(self.url) and self.file is None and not self.over


@dataclass(slots=True)
class Client:
    """One uploader and its ledger."""

    rng: random.Random
    name: str
    uploads: list[Upload] = field(default_factory=list)
    steps: int = 0
    repeats: int = 0

    def work(self, http: httpx2.Client) -> None:
        """Do one thing after another until the line breaks."""
        for upload in self.uploads:
            upload.located = False
        try:
            while True:
                self.step(http)
                self.steps += 1
        except httpx2.TransportError:
            return

    def step(self, http: httpx2.Client) -> None:
        ongoing = [upload for upload in self.uploads if upload.open]
        kept = [upload for upload in self.uploads if upload.file and not upload.over]
        if len(kept) > KEPT:
            delete(http, self.rng.choice(kept))
        elif len(ongoing) < OPEN_AT_ONCE:
            label = f"{self.name}-{len(self.uploads)}"
            data = self.rng.randbytes(self.rng.choice(SIZES))
            self.uploads.append(Upload(label, data, self.rng.choice(CHUNKS)))
            start(http, self.uploads[-1])
        else:
            self.advance(http, self.rng.choice(ongoing))

    def advance(self, http: httpx2.Client, upload: Upload) -> None:
        if self.rng.random() < 0.04:
            cancel(http, upload)
        elif upload.located or self.rng.random() < 0.3:
            # Not located: the last chunk may have arrived; sent again without asking, it must be harmless.
            self.repeats += not upload.located
            send(http, upload)
        else:
            query(http, upload)


def command(http: httpx2.Client, upload: Upload, what: str, offset: int = 0, data: bytes = b"") -> Any:
    headers = {"x-goog-upload-command": what, "x-goog-upload-offset": str(offset)}
    reply = http.post(upload.url, content=data, headers=headers)
    assert "x-goog-upload-status" in reply.headers
    return reply


def start(http: httpx2.Client, upload: Upload) -> None:
    headers = {"x-goog-upload-command": "start"}
    if len(upload.data) % 2:
        headers["x-goog-upload-header-content-length"] = str(len(upload.data))
    note = {"file": {"displayName": upload.label, "mimeType": "text/plain"}}
    reply = http.post("/upload/v1beta/files", json=note, headers=headers)
    assert reply.status_code == 200, reply.text
    upload.url = httpx2.URL(reply.headers["x-goog-upload-url"]).raw_path.decode()
    upload.located = True


def send(http: httpx2.Client, upload: Upload) -> None:
    offset = upload.acknowledged
    data = upload.data[offset : offset + upload.chunk]
    upload.sent = max(upload.sent, offset + len(data))
    last = offset + len(data) == len(upload.data)
    upload.finalizing |= last
    reply = command(http, upload, "upload, finalize" if last else "upload", offset, data)
    assert reply.status_code == 200, reply.text
    if last:
        upload.file = reply.json()["file"]
    else:
        upload.acknowledged = int(reply.headers["x-goog-upload-size-received"])
    upload.located = True


def query(http: httpx2.Client, upload: Upload) -> None:
    """Ask where an open upload stands, and check the answer against the ledger."""
    reply = command(http, upload, "query")
    assert reply.status_code == 200, reply.text
    match reply.headers["x-goog-upload-status"]:
        case "active":
            upload.received = int(reply.headers["x-goog-upload-size-received"])
            assert upload.acknowledged <= upload.received <= upload.sent
            upload.acknowledged = upload.received
        case "final":
            assert upload.finalizing
            upload.file = reply.json()["file"]
        case "cancelled":
            assert upload.cancelling
            upload.over = True
    upload.located = True


def cancel(http: httpx2.Client, upload: Upload) -> None:
    upload.cancelling = True
    reply = command(http, upload, "cancel")
    if reply.status_code == 200:
        upload.over = True
    else:
        # It was final already, and the word of that was lost.
        assert upload.finalizing
        assert refusal(reply).status == "FAILED_PRECONDITION"


def delete(http: httpx2.Client, upload: Upload) -> None:
    assert upload.file
    again = upload.deleting
    upload.deleting = True
    reply = http.delete(f"/v1beta/{upload.file['name']}")
    assert reply.status_code == 200 or (again and reply.status_code == 403), reply.text
    upload.over = True


def listing(http: httpx2.Client) -> dict[str, Any]:
    found: list[Any] = []
    token = ""
    while True:
        page = http.get("/v1beta/files", params={"pageSize": "100", "pageToken": token}).json()
        found += page.get("files", [])
        token = page.get("nextPageToken", "")
        if not token:
            named = {file["name"]: file for file in found}
            assert len(named) == len(found)
            return named


def check(http: httpx2.Client, uploads: list[Upload], folder: Path, *, known: bool = True) -> None:
    """The listing is what the ledger says, and the disk holds that and nothing else.

    `known` asks again for deleted files that were found gone before: the listing has them no more either.
    """
    for upload in uploads:
        if upload.open:
            query(http, upload)
    listed = listing(http)
    for upload in uploads:
        if upload.deleting and upload.file and upload.file["name"] not in listed:
            upload.over = True
    kept = [upload for upload in uploads if upload.file and not upload.over]
    assert listed == {upload.file["name"]: upload.file for upload in kept if upload.file}
    for upload in kept:
        assert upload.file
        assert upload.file["displayName"] == upload.label
        assert upload.file["state"] == "ACTIVE"
        assert upload.file["sizeBytes"] == str(len(upload.data))
        assert base64.b64decode(upload.file["sha256Hash"]).decode() == sha256(upload.data)
        assert http.get(f"/v1beta/{upload.file['name']}").json() == upload.file
    for upload in uploads:
        if upload.over and upload.file and (known or not upload.gone):
            assert http.get(f"/v1beta/{upload.file['name']}").status_code == 403
            upload.gone = True
    expected = [upload.data for upload in kept]
    expected += [upload.data[: upload.received] for upload in uploads if upload.open]
    assert on_disk(folder) == Counter(sha256(data) for data in expected if data)


def on_disk(folder: Path) -> Counter[str]:
    """Digests of all stored bytes, whole and growing, but for empty files."""
    stored = [file for name in ("parts", "blobs") for file in (folder / "data" / name).iterdir()]
    return Counter(sha256(file.read_bytes()) for file in stored if file.stat().st_size)


@contextmanager
def talking(port: int) -> Iterator[Callable[[], httpx2.Client]]:
    """A maker of clients, all closed at the end."""
    made: list[httpx2.Client] = []

    def make() -> httpx2.Client:
        # One name whatever the port, so that a file's uri stays the same.
        http = httpx2.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"host": "localhost"},
            timeout=HANG_SECONDS,
            trust_env=False,
        )
        made.append(http)
        return http

    try:
        yield make
    finally:
        for http in made:
            http.close()


class Crew:
    """Clients that work at the same time until their server is killed."""

    def __init__(self, seed: int) -> None:
        self.clients = [Client(random.Random(seed + index), f"client{index}") for index in range(CLIENTS)]
        self.failures: list[BaseException] = []

    @property
    def uploads(self) -> list[Upload]:
        return [upload for client in self.clients for upload in client.uploads]

    @property
    def steps(self) -> int:
        return sum(client.steps for client in self.clients)

    def work_until(self, kill: Callable[[], None], make: Callable[[], httpx2.Client], steps: int) -> None:
        """Work; `kill` is called after so many steps of all clients."""
        enough = self.steps + steps
        threads = [threading.Thread(target=self._work, args=(client, make())) for client in self.clients]
        for thread in threads:
            thread.start()
        while self.steps < enough and not self.failures:
            time.sleep(0.001)
        kill()
        for thread in threads:
            thread.join()
        assert not self.failures

    def _work(self, client: Client, http: httpx2.Client) -> None:
        try:
            client.work(http)
        except BaseException as error:
            self.failures.append(error)
            raise


def test_what_is_acknowledged_outlives_a_kill_at_any_moment(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    crew = Crew(SEED)
    for _ in range(ROUNDS):
        with forked(tmp_path) as (port, server), talking(port) as make:
            check(make(), crew.uploads, tmp_path, known=False)
            steps, pause = rng.randrange(STEPS), rng.uniform(0, 0.02)

            def kill(server: ForkServerProcess = server, pause: float = pause) -> None:
                time.sleep(pause)
                server.kill()

            crew.work_until(kill, make, steps)
    with forked(tmp_path) as (port, _), talking(port) as make:
        http = make()
        check(http, crew.uploads, tmp_path)
        for upload in crew.uploads:
            while upload.open:
                send(http, upload)
        check(http, crew.uploads, tmp_path)
        finished = [upload for upload in crew.uploads if upload.file]
        assert len(finished) > ROUNDS
        assert sum(client.repeats for client in crew.clients) > 0
        for upload in finished:
            if not upload.over:
                delete(http, upload)
    with forked(tmp_path) as (port, _), talking(port) as make:
        check(make(), crew.uploads, tmp_path)
        assert not on_disk(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 8 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _whole(http: httpx2.Client, data: bytes, label: str) -> Upload:
    upload = Upload(label, data, chunk=500_000)
    start(http, upload)
    while upload.open:
        send(http, upload)
    return upload


def _until_refused(http: httpx2.Client, upload: Upload) -> Any:
    """Send on until the server refuses; what it has received is in the ledger then."""
    while True:
        offset = upload.acknowledged
        data = upload.data[offset : offset + upload.chunk]
        upload.sent = max(upload.sent, offset + len(data))
        reply = command(http, upload, "upload", offset, data)
        if reply.status_code != 200:
            assert reply.headers["x-goog-upload-status"] == "active"
            query(http, upload)
            return reply
        upload.acknowledged = int(reply.headers["x-goog-upload-size-received"])


def test_a_full_disk_is_said_and_nothing_is_lost(small_disk: Path) -> None:
    rng = random.Random(SEED)
    first = Upload("first", picture(300, 200), chunk=500_000)
    with forked(small_disk) as (port, server), talking(port) as make:
        http = make()
        start(http, first)
        send(http, first)
        filler = _whole(http, rng.randbytes(3_000_000), "filler")
        large = Upload("large", rng.randbytes(5_000_000), chunk=400_000)
        start(http, large)
        full = refusal(_until_refused(http, large))
        assert full.status == "RESOURCE_EXHAUSTED"
        assert "disk is full" in full.message
        raw = http.post("/upload/v1beta/files?uploadType=media", content=rng.randbytes(3_000_000))
        assert refusal(raw).status == "RESOURCE_EXHAUSTED"
        check(http, [first, filler, large], small_disk)
        server.kill()
    # The rest of the room goes too: not even a row can be written now.
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as writer, pytest.raises(OSError, match="No space"):
        while True:
            writer.write(bytes(4096))
    with forked(small_disk) as (port, _), talking(port) as make:
        http = make()
        check(http, [first, filler, large], small_disk)
        assert first.file
        prompt = {"contents": [{"parts": [{"fileData": {"fileUri": first.file["uri"]}}]}]}
        answer = http.post("/v1beta/models/echo:generateContent", json=prompt)
        assert "300x200" in answer.text
        refused = http.post("/upload/v1beta/files", json={}, headers={"x-goog-upload-command": "start"})
        if refused.status_code != 200:
            assert refusal(refused).status == "RESOURCE_EXHAUSTED"
        assert refusal(_until_refused(http, large)).status == "RESOURCE_EXHAUSTED"
        # Even so a file can be deleted, and its room be used.
        delete(http, filler)
        check(http, [first, filler, large], small_disk)
        while large.open:
            send(http, large)
        check(http, [first, filler, large], small_disk)
    with forked(small_disk) as (port, _), talking(port) as make:
        check(make(), [first, filler, large], small_disk)


def test_a_write_that_fails_otherwise_is_said_too(tmp_path: Path) -> None:
    """No root needed: the kernel lets no file of the server grow beyond a limit."""
    rng = random.Random(SEED)
    kept = Upload("kept", rng.randbytes(100_000), chunk=500_000)
    large = Upload("large", rng.randbytes(3_000_000), chunk=500_000)
    with forked(tmp_path) as (port, server), talking(port) as make:
        http = make()
        start(http, kept)
        send(http, kept)
        start(http, large)
        assert server.pid
        _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1_200_000, most))
        refused = _until_refused(http, large)
        assert refusal(refused).status == "UNAVAILABLE"
        assert refused.headers["x-goog-upload-size-received"] == str(large.received)
        check(http, [kept, large], tmp_path)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, most))
        while large.open:
            send(http, large)
        check(http, [kept, large], tmp_path)
