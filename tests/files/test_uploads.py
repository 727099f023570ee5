from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.files.file_server import ME, NOON, YOU, FileServer, sha256
from tests.files.memory import MemoryBlobs, MemoryIndex
from tests.storage.simulated_disk import Fuse, SimulatedDisk
from vidi.domain.errors import (
    FailedPrecondition,
    InvalidImage,
    InvalidRequest,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from vidi.domain.prompt import ImageFormat, ImageHeader
from vidi.files.local import LocalBlobs
from vidi.files.metadata import UploadRequest
from vidi.files.store import FileLimits, FileState, FileStorage, Phase, Session
from vidi.files.uploads import ANY_TYPE


def on_disk(disk: SimulatedDisk, limits: FileLimits | None = None) -> FileServer:
    return FileServer(limits, FileStorage(LocalBlobs(Path("store"), disk, spare_bytes=8), MemoryIndex()))


def test_upload_in_chunks_becomes_a_file() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = uploads.start(UploadRequest(ME, "files/cat", "Cat", "image/png", 7)).upload_id
    assert server.append(upload, 0, b"one ").received == 4
    server.clock.turn(minutes=1)
    assert server.append(upload, 4, b"two").received == 7
    done = uploads.finalize(upload)
    file = done.file
    assert file is not None
    assert (done.phase, done.received) == (Phase.FINAL, 7)
    assert (file.id, file.display_name, file.mime_type, file.size_bytes) == ("cat", "Cat", "image/png", 7)
    assert file.sha256 == sha256(b"one two")
    assert file.created == file.updated == server.clock.now
    assert file.expires == file.created + server.limits.lifetime
    assert (file.state, file.error) == (FileState.ACTIVE, None)
    with server.files.lease(ME, "cat") as lease:
        assert lease.read() == b"one two"


def test_files_without_a_wanted_name_get_different_ids() -> None:
    server = FileServer()
    assert len({server.add().id for _ in range(20)}) == 20


@pytest.mark.parametrize("length", [None, 0])
def test_upload_of_an_empty_file(length: int | None) -> None:
    server = FileServer()
    file = server.uploads.finalize(server.start(length)).file
    assert file is not None
    assert (file.size_bytes, file.sha256) == (0, sha256(b""))
    with server.files.lease(ME, file.id) as lease:
        assert lease.read() == b""


def test_upload_of_unknown_length() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start()
    server.append(upload, 0, b"abc")
    server.append(upload, 3, b"")
    assert uploads.finalize(upload, 3).received == 3


@pytest.mark.parametrize("offset", [-1, 4, 10**30])
def test_chunk_at_a_wrong_offset_is_told_the_size_received(offset: int) -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start(10)
    server.append(upload, 0, b"abc")
    with pytest.raises(InvalidRequest, match="continue at 3"):
        server.append(upload, offset, b"x")
    assert uploads.query(upload).received == 3


def test_repeated_chunk_is_not_stored_again() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start(6)
    for _ in range(3):
        assert server.append(upload, 0, b"abc").received == 3
    assert server.append(upload, 1, b"bcdef").received == 6
    assert server.append(upload, 6, b"").received == 6
    file = uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"abcdef")
    assert server.stored() == 6


def test_repeated_chunk_with_other_bytes_is_refused() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start(6)
    server.append(upload, 0, b"abc")
    with pytest.raises(InvalidRequest, match="repeated, not changed"):
        server.append(upload, 0, b"abXdef")
    assert uploads.query(upload).received == 3
    server.append(upload, 3, b"def")
    file = uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"abcdef")


def test_chunk_beyond_the_declared_length_is_refused() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start(5)
    server.append(upload, 0, b"abc")
    with pytest.raises(InvalidRequest, match="More bytes than declared"):
        server.append(upload, 3, b"def")
    assert uploads.query(upload).received == 3
    uploads.begin_chunk(upload, 3)
    uploads.write_block(upload, 3, b"de")
    with pytest.raises(InvalidRequest, match="More bytes than declared"):
        uploads.write_block(upload, 5, b"f")
    assert uploads.finalize(upload).received == 5


def test_finalize_of_an_incomplete_upload_is_refused() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start(5)
    server.append(upload, 0, b"abc")
    with pytest.raises(InvalidRequest, match="3 of 5 bytes are received; continue at 3"):
        uploads.finalize(upload)
    server.append(upload, 3, b"de")
    assert uploads.finalize(upload).received == 5


def test_finalize_with_another_size_is_refused() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start()
    server.append(upload, 0, b"abcdef")
    with pytest.raises(InvalidRequest):
        uploads.finalize(upload, 3)
    assert uploads.query(upload).phase is Phase.ACTIVE


def test_finalize_again_gives_the_same_file() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start(3)
    server.append(upload, 0, b"abc")
    first = uploads.finalize(upload)
    assert uploads.finalize(upload) == uploads.finalize(upload, 3) == uploads.query(upload) == first
    assert server.append(upload, 0, b"abc") == first
    server.restart()
    assert server.uploads.finalize(upload) == first
    assert len(server.files.page(ME).files) == 1


def test_final_upload_takes_nothing_new() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start()
    server.append(upload, 0, b"abc")
    uploads.finalize(upload)
    with pytest.raises(FailedPrecondition, match="final"):
        server.append(upload, 3, b"d")
    with pytest.raises(FailedPrecondition, match="final"):
        uploads.write_block(upload, 0, b"abcd")
    with pytest.raises(InvalidRequest):
        server.append(upload, 0, b"abX")
    with pytest.raises(InvalidRequest):
        uploads.finalize(upload, 4)
    with pytest.raises(FailedPrecondition, match="Delete its file"):
        uploads.cancel(upload)


@pytest.mark.parametrize("way", ["delete", "expire", "expire unswept"])
def test_final_upload_whose_file_is_gone(way: str) -> None:
    server = FileServer(FileLimits(upload_ttl=FileLimits().upload_ttl * 9))
    uploads = server.uploads
    upload = server.start(3, "a")
    server.append(upload, 0, b"abc")
    uploads.finalize(upload)
    if way == "delete":
        server.files.delete(ME, "a")
        server.add(b"other", "a")
    else:
        server.clock.turn(hours=48)
        if way == "expire":
            server.aio.expire()
    status = uploads.query(upload)
    assert (status.phase, status.received, status.file) == (Phase.FINAL, 3, None)
    assert server.append(upload, 0, b"abc") == status
    with pytest.raises(FailedPrecondition, match="its file is gone"):
        uploads.finalize(upload)
    server.aio.reconcile()
    assert server.stored() == {"delete": 5, "expire": 0, "expire unswept": 3}[way]


def test_cancelled_upload_leaves_nothing_and_takes_nothing() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start(3)
    server.append(upload, 0, b"ab")
    uploads.begin_chunk(upload, 2)
    assert uploads.cancel(upload).phase is Phase.CANCELLED
    assert uploads.cancel(upload).phase is Phase.CANCELLED
    assert uploads.query(upload).phase is Phase.CANCELLED
    assert server.stored() == 0
    calls: list[Callable[[], object]] = [
        lambda: server.append(upload, 0, b"a"),
        lambda: uploads.finalize(upload),
    ]
    for call in calls:
        with pytest.raises(FailedPrecondition, match="cancelled"):
            call()
    with pytest.raises(FailedPrecondition, match="cancelled"):
        uploads.write_block(upload, 2, b"c")
    assert server.stored() == 0


@pytest.mark.parametrize("upload", ["", "x", "../x", "0" * 36, "a" * 100_000, "\0"])
def test_unknown_upload_is_not_found(upload: str) -> None:
    server = FileServer()
    uploads = server.uploads
    calls: list[Callable[[], object]] = [
        lambda: server.append(upload, 0, b"a"),
        lambda: uploads.query(upload),
        lambda: uploads.finalize(upload),
        lambda: uploads.cancel(upload),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_start_with_a_taken_name_is_refused() -> None:
    server = FileServer()
    server.add(name="a")
    with pytest.raises(InvalidRequest, match="files/a is taken") as caught:
        server.start(1, "files/a")
    assert caught.value.reason == "ALREADY_EXISTS"
    server.start(1, "files/a", YOU)


def test_finalize_first_wins_the_wanted_name() -> None:
    server = FileServer()
    uploads = server.uploads
    first, second = server.start(1, "a"), server.start(1, "a")
    server.append(first, 0, b"1")
    server.append(second, 0, b"2")
    uploads.finalize(second)
    with pytest.raises(InvalidRequest, match="is taken"):
        uploads.finalize(first)
    assert uploads.query(first).received == 1
    server.files.delete(ME, "a")
    file = uploads.finalize(first).file
    assert file is not None
    assert file.sha256 == sha256(b"1")


def test_start_with_the_name_of_an_expired_file() -> None:
    server = FileServer()
    server.add(b"old", "a")
    waiting = server.start(3, "b")
    server.add(b"old", "b")
    server.clock.turn(hours=48)
    server.add(b"new", "a")
    server.append(waiting, 0, b"new")
    server.uploads.finalize(waiting)
    assert server.stored() == 6


def test_upload_continues_after_a_restart() -> None:
    server = FileServer()
    upload = server.start(9)
    server.append(upload, 0, b"abc")
    server.restart()
    assert server.uploads.query(upload).received == 3
    server.append(upload, 3, b"def")
    server.restart()
    server.append(upload, 2, b"cdefghi")
    file = server.uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"abcdefghi")


def test_finalize_after_a_restart_recomputes_the_digest() -> None:
    server = FileServer()
    upload = server.start(3)
    server.append(upload, 0, b"abc")
    server.restart()
    file = server.uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"abc")


def test_expire_uploads_forgets_idle_ones() -> None:
    server = FileServer()
    uploads = server.uploads
    idle, busy, ended = server.start(100), server.start(100), server.start(0)
    server.append(idle, 0, b"x")
    uploads.finalize(ended)
    uploads.cancel(server.start(1))
    for hour in range(47):
        server.clock.turn(hours=1)
        server.append(busy, hour, b"x")
        assert uploads.expire_uploads() == 0
    assert uploads.query(ended).phase is Phase.FINAL
    server.clock.turn(hours=1, seconds=1)
    assert uploads.expire_uploads() == 3
    for gone in (idle, ended):
        with pytest.raises(NotFound):
            uploads.query(gone)
    assert uploads.query(busy).received == 47
    assert server.stored() == 47


def test_expire_uploads_spares_one_that_was_touched_meanwhile() -> None:
    class Slow(MemoryIndex):
        def idle(self, before: datetime) -> Sequence[Session]:
            idle = super().idle(before)
            for session in idle:
                self.touch(session.id, before + timedelta(days=9))
            return idle

    server = FileServer(storage=FileStorage(MemoryBlobs(), Slow()))
    upload = server.start(1)
    server.clock.turn(days=3)
    assert server.uploads.expire_uploads() == 0
    assert server.uploads.query(upload).phase is Phase.ACTIVE


def test_inspect_reads_the_bytes_and_tells_the_type_and_the_header() -> None:
    seen: list[tuple[bytes, str]] = []
    header = ImageHeader(ImageFormat.JPEG, 640, 480, orientation=6)

    def inspect(reader: BinaryIO, declared: str) -> tuple[str, ImageHeader]:
        seen.append((reader.read(), declared))
        return "image/jpeg", header

    file = FileServer(inspect=inspect).add(b"bytes")
    assert (file.mime_type, file.header) == ("image/jpeg", header)
    assert seen == [(b"bytes", "image/png")]


def test_file_without_a_declared_type() -> None:
    uploads = FileServer().uploads
    file = uploads.finalize(uploads.start(UploadRequest(ME)).upload_id).file
    assert file is not None
    assert file.mime_type == ANY_TYPE


def test_inspect_refusal_makes_a_failed_file() -> None:
    def refuse(reader: object, declared: str) -> tuple[str, None]:
        raise InvalidImage("This is no picture.")

    file = FileServer(inspect=refuse).add(b"bytes")
    assert (file.state, file.error) == (FileState.FAILED, "This is no picture.")
    assert (file.mime_type, file.sha256, file.header) == ("image/png", sha256(b"bytes"), None)


def test_inspect_failure_leaves_the_upload_open() -> None:
    answers = [Unavailable("Busy."), None]

    def inspect(reader: object, declared: str) -> tuple[str, None]:
        trouble = answers.pop(0)
        if trouble is not None:
            raise trouble
        return declared, None

    server = FileServer(inspect=inspect)
    upload = server.start(1)
    server.append(upload, 0, b"x")
    with pytest.raises(Unavailable):
        server.uploads.finalize(upload)
    assert server.uploads.finalize(upload).file is not None


def test_parallel_clients_with_the_same_bytes_make_one_file() -> None:
    server = on_disk(SimulatedDisk(lambda call: time.sleep(0.0001)))
    uploads = server.uploads
    content = bytes(range(256)) * 40
    upload = server.start(len(content))
    barrier = threading.Barrier(4)
    files: list[object] = []

    def send() -> None:
        barrier.wait()
        for offset in range(0, len(content), 512):
            server.append(upload, offset, content[offset : offset + 512])
        files.append(uploads.finalize(upload).file)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = server.files.page(ME).files
    assert files == [listed[0]] * 4
    assert len(listed) == 1
    assert listed[0].sha256 == sha256(content)


def test_parallel_clients_with_different_bytes_only_one_goes_on() -> None:
    server = FileServer()
    uploads = server.uploads
    upload = server.start(8)
    uploads.begin_chunk(upload, 0)
    uploads.begin_chunk(upload, 0)
    uploads.write_block(upload, 0, b"2222")
    with pytest.raises(InvalidRequest, match="Other bytes"):
        uploads.write_block(upload, 0, b"1111")
    uploads.write_block(upload, 4, b"2222")
    file = uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"22222222")


def test_full_disk_during_a_chunk_keeps_the_upload() -> None:
    disk = SimulatedDisk()
    server = on_disk(disk)
    kept = server.add(b"kept")
    upload = server.start(20)
    server.append(upload, 0, b"0123456789")
    disk.fault = Fuse(1, OSError(28, "No space left on device"))
    with pytest.raises(ResourceExhausted, match="disk is full"):
        server.append(upload, 10, b"0123456789")
    disk.fault = lambda call: None
    received = server.uploads.query(upload).received
    assert received == 15
    server.append(upload, received, b"56789")
    file = server.uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"0123456789" * 2)
    with server.files.lease(ME, kept.id) as lease:
        assert lease.read() == b"kept"


@pytest.mark.parametrize("number", [5, 28, 122])
def test_failed_sync_cancels_the_upload(number: int) -> None:
    disk = SimulatedDisk()
    server = on_disk(disk)
    upload = server.start(20)
    server.append(upload, 0, b"0123456789")

    def fail(call: str) -> None:
        if call == "sync before":
            raise OSError(number, "sync")

    disk.fault = fail
    with pytest.raises(Unavailable if number == 5 else ResourceExhausted):
        server.append(upload, 10, b"x")
    disk.fault = lambda call: None
    assert server.uploads.query(upload).phase is Phase.CANCELLED
    assert server.stored() == 0


def test_finalize_whose_row_cannot_be_written_can_be_repeated() -> None:
    index = MemoryIndex()
    server = FileServer(storage=FileStorage(LocalBlobs(Path("store"), SimulatedDisk(), spare_bytes=8), index))
    upload = server.start(3)
    server.append(upload, 0, b"abc")
    index.fault = Fuse(0, OSError(28, "database or disk is full"))
    with pytest.raises(ResourceExhausted):
        server.uploads.finalize(upload)
    index.fault = lambda call: None
    assert server.files.page(ME).files == ()
    server.aio.reconcile()
    assert server.uploads.query(upload).received == 3
    assert server.uploads.finalize(upload).file is not None


def test_upload_whose_bytes_are_lost_starts_at_zero() -> None:
    server = FileServer()
    upload = server.start(6)
    server.append(upload, 0, b"abc")
    for key in sorted(server.storage.blobs.keys()):
        server.storage.blobs.delete(key)
    with pytest.raises(Unavailable):
        server.append(upload, 3, b"def")
    assert server.uploads.query(upload).received == 0
    server.append(upload, 0, b"abcdef")
    assert server.uploads.finalize(upload).file is not None


def test_file_is_created_at_the_time_of_the_clock() -> None:
    assert FileServer().add().created == NOON
