"""Three gateways over one storage, behind haproxy, one of them killed each second while files are uploaded.

Counted are files that were acknowledged and are not there (lost), that are not the bytes that were sent
(torn) and that are there twice (doubled). How long a client takes to go on after a leg of its upload has
failed is timed from the failure to the next answer that takes the upload on.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench import backing, pictures
from bench.backing import Program, free_port, new_database
from bench.load import busy
from bench.servers import GENERATE, Broken, Server, post
from bench.servers import Connection as ServerConnection
from bench.table import Row
from vidi.files.postgres import PostgresIndex
from vidi.files.s3 import BlobCache, S3Blobs, open_bucket
from vidi.storage.postgres import PostgresDatabase

Result = TypeVar("Result")

UPLOADS = 1000
GATEWAYS = 3
CLIENTS = 8
KILL_EVERY = 1.0
FEWEST_KILLS = 3
GIVE_UP_SECONDS = 300.0
"""An upload that does not get on for so long is lost."""

WARM_UP = 20
COSTED = 200
"""Calls that are timed, after so many that are not."""

PAUSE_SECONDS = 0.05
"""How long a client waits after a failed call."""

CHUNKS = (1, 1, 1, 2, 3, 5)
CHUNK_BYTES = (1, 262_144)

PROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    retries 3
    option redispatch 1
listen gateways
    bind 127.0.0.1:{port}
    balance roundrobin
    default-server check inter 100ms fall 1 rise 1 observe layer4 error-limit 1 on-error mark-down
{servers}
"""


@dataclass
class Storage:
    """What the gateways share, and how a gateway is told of it."""

    database: str
    bucket: str
    variables: Mapping[str, str]


@dataclass
class Client:
    """Uploads as a client does that takes no failure for an end."""

    port: int
    resumes: list[float] = field(default_factory=list)
    failed_since: float = 0.0

    def upload(self, content: bytes, chunks: int) -> str:
        """The name of the file that the bytes became.

        Raises:
            Broken: It did not get on.
        """
        url = self._again(lambda: self._start(len(content)))
        size = max(1, -(-len(content) // chunks))
        while True:
            status, received, file = self._again(lambda: self._call(url, "query"))
            if status == "final":
                return file
            chunk = content[received : received + size]
            command = "upload, finalize" if received + len(chunk) == len(content) else "upload"
            done = self._once(partial(self._call, url, command, received, chunk))
            if done is not None and done[0] == "final":
                return done[2]

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._again(lambda: self._ask("DELETE", f"/v1beta/{name}", {}, b""))

    def get(self, name: str) -> tuple[int, str]:
        """Size and digest of a file, as the API tells them; no file is (-1, "")."""
        status, _, body = self._again(lambda: self._ask("GET", f"/v1beta/{name}", {}, b""))
        if status != 200:
            return -1, ""
        told = json.loads(body)
        return int(told["sizeBytes"]), str(told["sha256Hash"])

    def _start(self, length: int) -> str:
        headers = {
            "x-goog-upload-command": "start",
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-header-content-length": str(length),
            "x-goog-upload-header-content-type": "application/octet-stream",
        }
        _, told, _ = self._ask("POST", "/upload/v1beta/files", headers, b"{}")
        return told["x-goog-upload-url"].partition(f":{self.port}")[2]

    def _call(self, url: str, command: str, offset: int = 0, chunk: bytes = b"") -> tuple[str, int, str]:
        """One leg: the upload's status, the bytes received, and the file's name once it is final."""
        headers = {"x-goog-upload-command": command, "x-goog-upload-offset": str(offset)}
        status, told, body = self._ask("POST", url, headers, chunk)
        if status != 200:
            raise Broken(f"{command} at {offset}: {status} {body[:300]!r}")
        state = told["x-goog-upload-status"]
        if state != "final":
            return state, int(told.get("x-goog-upload-size-received", 0)), ""
        # A query of a final upload names no file: the repeated finalize does.
        return (
            self._call(url, "finalize")
            if command == "query"
            else (state, 0, json.loads(body)["file"]["name"])
        )

    def _again(self, call: Callable[[], Result]) -> Result:
        """The result of a call that is made until it succeeds."""
        end = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < end:
            result = self._once(call)
            if result is not None:
                return result
            time.sleep(PAUSE_SECONDS)
        raise Broken("an upload did not get on")

    def _once(self, call: Callable[[], Result]) -> Result | None:
        """The result of a call; None if the connection or the server failed."""
        try:
            result = call()
        except (OSError, http.client.HTTPException):
            self.failed_since = self.failed_since or time.monotonic()
            return None
        if self.failed_since:
            self.resumes.append(time.monotonic() - self.failed_since)
            self.failed_since = 0.0
        return result

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """An answer that is no server's failure: a status below 500."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            data = answer.read()
            if answer.status >= 500:
                raise ConnectionError(f"{answer.status}")
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data


class Gateways:
    """The servers behind the proxy, and the hand that kills them."""

    def __init__(self, folder: Path, storage: Storage, count: int) -> None:
        self.kills = 0
        self._stop = threading.Event()
        variables = {name: value for name, value in os.environ.items() if not name.startswith("VIDI_")}
        self._variables = {**variables, **storage.variables}
        self.programs: list[Program] = []
        for number in range(count):
            place = folder / f"gateway{number}"
            place.mkdir()
            port = free_port()
            words = ["-m", "vidi.cli.main", "serve", "--model", "echo", "--port", str(port)]
            command = [sys.executable, *words, "--data-dir", str(place)]
            self.programs.append(Program(command, port, place, variables=self._variables))

    def start(self) -> None:
        """Start all, and wait until they answer."""
        for program in self.programs:
            program.start()

    def kill_and_start(self) -> None:
        """Each second kill the one that has been up for longest, and start it again; until `stop`.

        The last one that answers is spared: where all are starting, nothing is tried.
        """
        turn = list(self.programs)
        while not self._stop.wait(KILL_EVERY):
            up = [program for program in turn if program.answers()]
            if len(up) > 1:
                victim = up[0]
                victim.stop(signal.SIGKILL)
                self.kills += 1
                victim.launch()
                turn.remove(victim)
                turn.append(victim)

    def stop(self) -> None:
        """Kill no more."""
        self._stop.set()


@contextmanager
def storage(folder: Path) -> Iterator[Storage]:
    """A PostgreSQL, an S3 server, and an empty database and bucket in them."""
    with backing.postgres() as database, backing.s3() as bucket:
        variables = {
            "VIDI_DATABASE_URL": new_database(database),
            "VIDI_BLOB_URL": "s3://vidi/bench",
            "VIDI_CACHE_DIR": str(folder / "cache"),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{bucket.port}",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(8),
            "AWS_REGION": "us-east-1",
        }
        yield Storage(variables["VIDI_DATABASE_URL"], variables["VIDI_BLOB_URL"], variables)


@contextmanager
def proxy(folder: Path, gateways: Gateways) -> Iterator[int]:
    """haproxy before the gateways; yields its port."""
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        raise Broken("needs haproxy: apt-get install haproxy")
    port = free_port()
    lines = [
        f"    server gateway{number} 127.0.0.1:{program.port}"
        for number, program in enumerate(gateways.programs)
    ]
    place = folder / "proxy"
    place.mkdir()
    (place / "haproxy.cfg").write_text(PROXY.format(port=port, servers="\n".join(lines)))
    program = Program([haproxy, "-db", "-f", "haproxy.cfg"], port, place)
    program.start()
    try:
        yield port
    finally:
        program.stop()


@dataclass
class Ledger:
    """What clients were told."""

    files: dict[str, bytes] = field(default_factory=dict)
    resumes: list[float] = field(default_factory=list)
    given_up: int = 0


def upload_all(port: int, count: int, gateways: Gateways) -> Ledger:
    """Upload `count` files or more, until enough gateways were killed."""
    ledger = Ledger()
    lock = threading.Lock()
    numbers = iter(range(sys.maxsize))

    def work() -> None:
        client = Client(port)
        while True:
            with lock:
                number = next(numbers)
            if number >= count and gateways.kills >= FEWEST_KILLS:
                break
            rng = random.Random(number)
            chunks = rng.choice(CHUNKS)
            content = rng.randbytes(chunks * rng.randint(*CHUNK_BYTES))
            try:
                name = client.upload(content, chunks)
            except Broken as error:
                print(error, file=sys.stderr)
                with lock:
                    ledger.given_up += 1
            else:
                with lock:
                    ledger.files[name] = hashlib.sha256(content).digest() + len(content).to_bytes(8)
        with lock:
            ledger.resumes += client.resumes

    with ThreadPoolExecutor(CLIENTS) as clients:
        for done in [clients.submit(work) for _ in range(CLIENTS)]:
            done.result()
    return ledger


def damage(port: int, shared: Storage, ledger: Ledger, folder: Path) -> tuple[int, int, int]:
    """How many files are lost, torn and doubled: by what the API says, and by the bytes in the bucket."""
    lost = ledger.given_up
    torn = 0
    client = Client(port)
    bucket = open_bucket(
        shared.bucket,
        endpoint=shared.variables["AWS_ENDPOINT_URL"],
        access_key_id=shared.variables["AWS_ACCESS_KEY_ID"],
        secret_access_key=shared.variables["AWS_SECRET_ACCESS_KEY"],
        region=shared.variables["AWS_REGION"],
    )
    blobs = S3Blobs(bucket, BlobCache(folder, 0))
    with closing(PostgresDatabase(shared.database)) as database:
        index = PostgresIndex(database)
        for name, digest in ledger.files.items():
            size, _ = client.get(name)
            file = index.file("", name.removeprefix("files/"))
            if size < 0 or file is None:
                lost += 1
                continue
            with blobs.open(file.blob, file.size_bytes) as reader:
                stored = reader.read(file.size_bytes)
            found = hashlib.sha256(stored).digest() + len(stored).to_bytes(8)
            torn += not (found == digest and file.sha256 == digest[:32].hex() and size == len(stored))
        ((there,),) = database.read("SELECT count(*) FROM vidi.files")
    return lost, torn, int(there) - len(ledger.files) + lost


def costs(gateway: Program) -> Iterator[Row]:
    """Processor time of one gateway a request, decoders included, which is what its cores are bought for.

    Each picture is new to it. Of the client nothing is counted.
    """
    server = Server(gateway.port, gateway.running())
    picture = pictures.jpeg(1000, 750, noise=11.5)
    with closing(ServerConnection(server)) as connection:
        for named, sent in (("without pictures", None), ("with a new 1000 x 750 JPEG inline", picture)):
            body = bytearray(pictures.request([pictures.stamped(sent, 0)] if sent else []))

            def ask(number: int, body: bytearray = body, fresh: bool = sent is not None) -> None:
                if fresh:
                    pictures.restamp(body, number)
                connection.ask(post(GENERATE, bytes(body)))

            yield Row(f"processor time of a prompt {named}", _cost(server, ask), unit="ms")
    client = Client(gateway.port)
    yield Row(
        f"  of an upload of {len(picture) // 1000} kB and its removal",
        _cost(server, lambda number: client.delete(client.upload(pictures.stamped(picture, number), 1))),
        unit="ms",
    )


def _cost(server: Server, ask: Callable[[int], None]) -> float:
    """Milliseconds of processor time that a call costs the server's processes."""
    for number in range(WARM_UP):
        ask(number)
    before = busy(server.tree())
    for number in range(WARM_UP, WARM_UP + COSTED):
        ask(number)
    return 1000 * (busy(server.tree()) - before) / COSTED


def kill_while_uploading(port: int, count: int, gateways: Gateways) -> tuple[Ledger, float]:
    """What clients were told, and how long it took; all gateways are up again."""
    killer = threading.Thread(target=gateways.kill_and_start)
    killer.start()
    began = time.monotonic()
    try:
        ledger = upload_all(port, count, gateways)
    finally:
        gateways.stop()
        killer.join()
    seconds = time.monotonic() - began
    for program in gateways.programs:
        program.wait()
    return ledger, seconds


def run(scale: float = 1.0) -> Iterator[Row]:
    """Every figure, of `UPLOADS` times `scale` uploads. Raises Broken if something does not start."""
    count = max(1, round(UPLOADS * scale))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shared = stack.enter_context(storage(folder))
        gateways = Gateways(folder, shared, GATEWAYS)
        for program in gateways.programs:
            stack.callback(program.stop, signal.SIGKILL)
        gateways.start()
        port = stack.enter_context(proxy(folder, gateways))
        ledger, seconds = kill_while_uploading(port, count, gateways)
        lost, torn, doubled = damage(port, shared, ledger, folder)
        costed = list(costs(gateways.programs[0]))
    named = f"{len(ledger.files)} uploads, {gateways.kills} kills of {GATEWAYS} gateways in {seconds:.0f} s"
    yield Row(f"{named}: lost", lost, most=0, unit="files")
    yield Row("  torn", torn, most=0, unit="files")
    yield Row("  doubled", doubled, most=0, unit="files")
    resumes = sorted(ledger.resumes)
    if resumes:
        yield Row(f"  {len(resumes)} resumes, p50", 1000 * resumes[len(resumes) // 2])
        yield Row("  resumes, p99", 1000 * resumes[len(resumes) * 99 // 100], most=2000)
    yield Row("  uploads", len(ledger.files) / seconds, unit="/s")
    yield from costed
