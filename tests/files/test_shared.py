"""Several servers over one PostgreSQL and one S3 store: what each client is told is true on all of them."""

from __future__ import annotations

import http.client
import itertools
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.backing import Program, new_database
from tests.files import cluster
from tests.files.client_model import ClientModel, UploadRecord
from tests.files.file_server import ME, FileServer, sha256
from tests.waiting import until
from vidi.domain.errors import FailedPrecondition, InvalidRequest, ResourceExhausted, Unavailable, VidiError
from vidi.files.metadata import new_id
from vidi.files.postgres import PostgresIndex
from vidi.files.s3 import BlobCache, S3Blobs, open_bucket
from vidi.files.store import FileLimits, FileStorage, Phase, SharedPlace, StoredFile
from vidi.interactions.postgres import open_shared
from vidi.storage import postgres as database_module
from vidi.storage.clock import EPOCH
from vidi.storage.postgres import PostgresDatabase

pytestmark = pytest.mark.slow

LIMITS = FileLimits(file_bytes=1 << 20, total_bytes=1 << 22, readers_ttl=timedelta(minutes=5))
SEED = 12


class Faults:
    """A way to an S3 server that can lose answers: the request is carried out, and answered with a 500."""

    def __init__(self, port: int) -> None:
        self.fails: Callable[[str], bool] = lambda method: False
        faults = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                there = http.client.HTTPConnection("127.0.0.1", port)
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                data = answer.read()
                failed = faults.fails(self.command)
                self.send_response(500 if failed else answer.status)
                for name, value in () if failed else answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "date", "server"):
                        self.send_header(name, value)
                self.send_header("content-length", str(0 if failed else len(data)))
                self.end_headers()
                self.wfile.write(b"" if failed else data)
                there.close()

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = forward

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Cluster:
    """Servers that share everything that is stored, each with a memory of its own."""

    def __init__(self, postgres: Program, s3: Program, folder: Path) -> None:
        self.postgres = postgres
        self.stack = ExitStack()
        self.faults = self.stack.enter_context(closing(Faults(s3.port)))
        self.url = new_database(postgres)
        self.bucket = open_bucket(f"s3://vidi/{new_id()}", **cluster.s3_config(self.faults.port))
        self.folder = folder
        self.servers: list[FileServer] = []
        self.databases: list[PostgresDatabase] = []

    def add(self, limits: FileLimits = LIMITS) -> FileServer:
        database = self.stack.enter_context(closing(PostgresDatabase(self.url)))
        self.databases.append(database)
        index = PostgresIndex(database)
        blobs = S3Blobs(self.bucket, BlobCache(self.folder, 1 << 22))
        server = FileServer(limits, FileStorage(blobs, index, index, 1 << 16), ids=new_id)
        if self.servers:
            server.clock = self.servers[0].clock
        server.clock.now = max(server.clock.now, database.now())
        server.restart()
        self.servers.append(server)
        return server

    def read(self, file: StoredFile) -> list[bytes]:
        """A file's bytes, as each server gives them."""
        found = []
        for server in self.servers:
            with server.files.lease(ME, file.id) as lease:
                found.append(lease.read())
        return found


@pytest.fixture
def servers(postgres: Program, s3: Program, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(postgres, s3, tmp_path)
    with made.stack:
        yield made


def together(*calls: Callable[[], object]) -> list[object]:
    """The results of calls that are made at once; an error of ours is a result."""
    results: list[object] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(place: int, call: Callable[[], object]) -> None:
        start.wait()
        try:
            results[place] = call()
        except VidiError as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def step(rng: random.Random, client: ClientModel, record: UploadRecord) -> None:
    """What a client may do next with an upload."""
    if record.file is not None and not record.delete_sent and rng.random() < 0.2:
        client.delete(record)
    if not record.open:
        return
    kind = rng.random()
    if record.acknowledged == len(record.content):
        client.finalize(record)
    elif kind < 0.05:
        client.cancel(record)
    elif kind < 0.2:
        client.query(record)
    else:
        client.chunk(record, rng.randint(1, 70_000), back=rng.choice((0, 0, 3000)))


def test_any_server_takes_any_leg(servers: Cluster) -> None:
    """Random histories, each call to a random server; then every server agrees with what clients know."""
    rng = random.Random(SEED)
    clients = [ClientModel(servers.add()) for _ in range(3)]
    records = clients[0].records
    for client in clients:
        client.records = records
    for _ in range(20):
        rng.choice(clients).start(rng.randbytes(rng.randrange(200_000)), declared=rng.random() < 0.7)
    for _ in range(150):
        step(rng, rng.choice(clients), rng.choice(records))
    for client in clients:
        client.check()
    clients[1].finish_all()
    for client in clients:
        client.check()
    assert sum(record.file is not None for record in records) >= 10


def send(server: FileServer, upload: str, chunks: list[bytes]) -> bool:
    """Send chunks, each acknowledged before the next."""
    offset = 0
    for chunk in chunks:
        server.append(upload, offset, chunk)
        offset += len(chunk)
    return True


@pytest.mark.parametrize("equal", [True, False])
def test_two_clients_of_one_upload_go_on_with_equal_bytes_only(servers: Cluster, equal: bool) -> None:
    """Each upload is sent twice at once, by way of two servers: the file is one client's, whole."""
    rng = random.Random(SEED)
    first, second = servers.add(), servers.add()
    for _ in range(15):
        ours = [rng.randbytes(rng.randint(1, 3000)) for _ in range(4)]
        theirs = ours if equal else [rng.randbytes(len(chunk)) for chunk in ours]
        upload = first.start()
        results = together(partial(send, first, upload, ours), partial(send, second, upload, theirs))
        assert all(result is True or isinstance(result, InvalidRequest) for result in results), results
        assert results == [True, True] or not equal
        ended = together(partial(first.uploads.finalize, upload), partial(second.uploads.finalize, upload))
        assert ended[0] == ended[1]
        file = first.uploads.query(upload).file
        assert file is not None
        (stored,) = set(servers.read(file))
        assert file.sha256 == sha256(stored)
        if True in results:
            assert stored in (b"".join(ours), b"".join(theirs))


def test_what_comes_behind_a_finalized_file_is_not_part_of_it(servers: Cluster) -> None:
    """A chunk that another server was storing while the upload was finalized."""
    first, second = servers.add(), servers.add()
    upload = first.start()
    first.append(upload, 0, b"whole")
    second.uploads.begin_chunk(upload, 5)
    file = first.uploads.finalize(upload).file
    assert file is not None
    second.storage.blobs.append(file.blob, 5, b" and late")
    assert servers.read(file) == [b"whole", b"whole"]
    assert second.uploads.query(upload).received == 5


def test_a_file_that_was_finished_by_a_lost_commit_is_answered(
    servers: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost after the commit: the client asks again, elsewhere, and gets the one file."""
    first, second = servers.add(), servers.add()
    upload = first.start(4)
    first.append(upload, 0, b"data")
    finish = PostgresIndex.finish

    def lose(index: PostgresIndex, upload_id: str, file: StoredFile) -> bool:
        finish(index, upload_id, file)
        raise ConnectionError("gone")

    monkeypatch.setattr(PostgresIndex, "finish", lose)
    with pytest.raises(Unavailable):
        first.uploads.finalize(upload)
    monkeypatch.undo()
    done = second.uploads.finalize(upload)
    assert done.file is not None
    assert first.uploads.finalize(upload) == done
    assert [file.id for file in second.files.page(ME).files] == [done.file.id]


def test_the_quota_holds_to_the_byte_over_all_servers(servers: Cluster) -> None:
    limits = replace(LIMITS, total_bytes=10 * 1000)
    both = [servers.add(limits), servers.add(limits)]
    started = together(*(lambda server=server: server.start(1000) for server in both * 8))
    assert sum(isinstance(one, str) for one in started) == 10
    assert all(isinstance(one, str | ResourceExhausted) for one in started)
    for upload in started[:2]:
        if isinstance(upload, str):
            both[0].uploads.cancel(upload)
    assert both[1].storage.index.reserved() <= 10_000
    for upload in started:
        if isinstance(upload, str):
            both[1].uploads.cancel(upload)
    assert both[0].storage.index.reserved() == 0
    uploads = [both[0].start() for _ in range(12)]
    grown = together(
        *(
            lambda server=server, upload=upload: server.append(upload, 0, b"x" * 1000)
            for server, upload in zip(both * 6, uploads, strict=True)
        )
    )
    assert sum(isinstance(one, ResourceExhausted) for one in grown) == 2
    assert both[0].storage.index.reserved() == 10_000
    with pytest.raises(ResourceExhausted):
        both[1].start(1)


def test_a_file_is_read_to_its_end_while_another_server_deletes_it(servers: Cluster) -> None:
    first, second = servers.add(), servers.add()
    content = bytes(range(256)) * 1024
    upload = first.start(len(content))
    for offset in range(0, len(content), 1 << 16):
        first.append(upload, offset, content[offset : offset + (1 << 16)])
    file = first.uploads.finalize(upload).file
    assert file is not None
    with first.files.lease(ME, file.id) as lease:
        second.files.delete(ME, file.id)
        second.aio.reconcile()
        second.files.remove_discarded()
        assert lease.read() == content
    second.clock.turn(minutes=6)
    second.files.remove_discarded()
    assert list(first.storage.blobs.keys()) == []


def test_bytes_that_come_after_a_cancel_are_removed(servers: Cluster) -> None:
    first, second = servers.add(), servers.add()
    upload = first.start(10)
    first.append(upload, 0, b"begun")
    session = second.storage.index.session(upload)
    assert session is not None
    first.uploads.cancel(upload)
    with pytest.raises(FailedPrecondition):
        second.uploads.write_block(upload, 5, b"later")
    # On their way when the upload was cancelled.
    second.storage.blobs.append(session.blob, 5, b"later")
    assert second.uploads.query(upload).phase is Phase.CANCELLED
    second.clock.turn(minutes=6)
    second.files.remove_discarded()
    second.storage.blobs.append(session.blob, 5, b"later")
    second.files.reconcile()
    assert list(first.storage.blobs.keys()) == []


def test_one_server_tidies_up_and_each_file_expires_once(servers: Cluster) -> None:
    both = [servers.add(), servers.add()]
    for number in range(20):
        both[number % 2].add(b"%d" % number)
    assert sum(server.storage.shared.is_due("a", timedelta(hours=1)) for server in both * 3) == 1  # type: ignore[union-attr]
    both[0].clock.turn(hours=48)
    assert sum(int(str(each)) for each in together(both[0].files.expire, both[1].files.expire)) == 20
    assert both[0].storage.index.reserved() == 0


def test_an_answer_that_the_store_lost_costs_nothing(servers: Cluster) -> None:
    """Every third request is carried out and answered with a 500, so that its repetition meets itself."""
    server = servers.add()
    turn = itertools.count()
    servers.faults.fails = lambda method: next(turn) % 3 == 1
    content = random.Random(SEED).randbytes(300_000)
    upload = server.start(len(content))
    for offset in range(0, len(content), 50_000):
        server.append(upload, offset, content[offset : offset + 50_000])
    file = server.uploads.finalize(upload).file
    assert file is not None
    assert servers.read(file) == [content]
    assert file.sha256 == sha256(content)


def test_an_upload_outlives_a_store_that_is_away(servers: Cluster) -> None:
    server = servers.add()
    upload = server.start(9)
    server.append(upload, 0, b"before")
    servers.faults.fails = lambda method: True
    calls: list[Callable[[], object]] = [
        partial(server.append, upload, 6, b"aft"),
        partial(server.uploads.query, upload),
        partial(server.uploads.finalize, upload),
    ]
    for call in calls:
        with pytest.raises(Unavailable) as error:
            call()
        assert error.value.retry_after
    servers.faults.fails = lambda method: False
    assert server.uploads.query(upload).received in (6, 9)
    server.append(upload, 6, b"aft")
    file = server.uploads.finalize(upload).file
    assert file is not None
    assert servers.read(file) == [b"beforeaft"]


@pytest.mark.parametrize("frozen", [False, True])
def test_an_upload_outlives_a_database_that_is_away(
    servers: Cluster, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "ANSWER_SECONDS", 1.0)
    server = servers.add()
    upload = server.start(9)
    server.append(upload, 0, b"before")
    if frozen:
        with servers.postgres.frozen():
            for _ in range(2):
                with pytest.raises(Unavailable):
                    server.append(upload, 6, b"aft")
    else:
        servers.postgres.stop(signal.SIGQUIT)
        try:
            for _ in range(2):
                with pytest.raises(Unavailable):
                    server.append(upload, 6, b"aft")
            assert server.storage.shared
            now = servers.databases[0].now()
            assert servers.databases[0].now() >= now
        finally:
            servers.postgres.start()
    until(lambda: _works(lambda: server.append(upload, 6, b"aft")))
    assert server.uploads.finalize(upload).file is not None


def _works(call: Callable[[], object]) -> bool:
    with suppress(Unavailable):
        call()
        return True
    return False


def test_the_clock_is_the_databases(servers: Cluster) -> None:
    servers.add()
    (database,) = servers.databases

    def asked() -> int:
        ((micros,),) = database.read("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int(micros)

    from_there = timedelta(microseconds=asked())
    here = database.now()
    assert abs((here - EPOCH) - from_there) < timedelta(minutes=1)
    assert database.now() > here


def test_servers_that_start_together_make_the_tables_once(servers: Cluster) -> None:
    databases = [servers.stack.enter_context(closing(PostgresDatabase(servers.url))) for _ in range(6)]
    made = together(*(lambda each=each: PostgresIndex(each) for each in databases))
    assert all(isinstance(one, PostgresIndex) for one in made)
    databases[0].change("UPDATE vidi.versions SET version = version + 1")
    with pytest.raises(OSError, match="newer version"):
        PostgresIndex(databases[1])


def place(servers: Cluster, s3: Program, bucket: str, url: str = "") -> SharedPlace:
    return SharedPlace(url or servers.url, bucket, servers.folder / "cache", 1 << 20)


@pytest.fixture
def aws(s3: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def test_a_database_and_a_bucket_belong_together(servers: Cluster, s3: Program, aws: None) -> None:
    mine = f"s3://vidi/{new_id()}"
    for _ in range(2):
        with open_shared(place(servers, s3, mine)) as shared:
            assert shared.files.index.reserved() == 0
    with (
        pytest.raises(Unavailable, match="another place"),
        open_shared(place(servers, s3, f"s3://vidi/{new_id()}")),
    ):
        pass


@pytest.mark.parametrize(
    "url", ["postgresql://vidi:hush@127.0.0.1:1/x", "postgresql://vidi:hush@[broken", "hush=hush"]
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    servers: Cluster, s3: Program, aws: None, url: str
) -> None:
    with (
        pytest.raises(Unavailable) as error,
        open_shared(place(servers, s3, "s3://vidi/x", url)),
    ):
        pass
    assert "VIDI_DATABASE_URL" in error.value.message
    assert "hush" not in error.value.message
    assert "hush" not in repr(place(servers, s3, "s3://vidi/x", url))


@pytest.mark.parametrize("url", ["vidi", "http://vidi/x", "s3://", "s3://k:hush@vidi/x"])
def test_a_bucket_url_of_another_form_is_refused(servers: Cluster, s3: Program, aws: None, url: str) -> None:
    with pytest.raises(Unavailable, match="VIDI_BLOB_URL") as error, open_shared(place(servers, s3, url)):
        pass
    assert "hush" not in error.value.message
