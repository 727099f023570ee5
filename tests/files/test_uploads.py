from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.files.memory import MemoryBlobs, MemoryIndex
from tests.files.shelf import ME, NOON, YOU, Shelf, sha256
from tests.files.simulated import Fuse, SimulatedDisk
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
from vidi.files.store import FileLimits, FileState, Phase, Session, Storage
from vidi.files.uploads import ANY_TYPE


def on_disk(disk: SimulatedDisk, limits: FileLimits | None = None) -> Shelf:
    return Shelf(limits, Storage(LocalBlobs(Path("store"), disk, reserved_bytes=8), MemoryIndex()))


def test_a_file_as_it_was_sent() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = uploads.start(UploadRequest(ME, "files/cat", "Cat", "image/png", 7)).upload_id
    assert uploads.append(upload, 0, b"one ").received == 4
    shelf.clock.turn(minutes=1)
    assert uploads.append(upload, 4, b"two").received == 7
    done = uploads.finalize(upload)
    file = done.file
    assert file is not None
    assert (done.phase, done.received) == (Phase.FINAL, 7)
    assert (file.id, file.display_name, file.mime_type, file.size_bytes) == ("cat", "Cat", "image/png", 7)
    assert file.sha256 == sha256(b"one two")
    assert file.created == file.updated == shelf.clock.now
    assert file.expires == file.created + shelf.limits.lifetime
    assert (file.state, file.error) == (FileState.ACTIVE, None)
    with shelf.library.files.lease(ME, "cat") as lease:
        assert lease.read() == b"one two"


def test_files_get_names_of_their_own() -> None:
    shelf = Shelf()
    assert len({shelf.add().id for _ in range(20)}) == 20


@pytest.mark.parametrize("length", [None, 0])
def test_an_empty_file(length: int | None) -> None:
    shelf = Shelf()
    file = shelf.library.uploads.finalize(shelf.start(length)).file
    assert file is not None
    assert (file.size_bytes, file.sha256) == (0, sha256(b""))
    with shelf.library.files.lease(ME, file.id) as lease:
        assert lease.read() == b""


def test_an_unknown_length_ends_with_an_empty_finalize() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start()
    uploads.append(upload, 0, b"abc")
    uploads.append(upload, 3, b"")
    assert uploads.finalize(upload, 3).received == 3


@pytest.mark.parametrize("offset", [-1, 4, 10**30])
def test_a_wrong_offset_is_refused_with_the_size_received(offset: int) -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start(10)
    uploads.append(upload, 0, b"abc")
    with pytest.raises(InvalidRequest, match="continue at 3"):
        uploads.append(upload, offset, b"x")
    assert uploads.query(upload).received == 3


def test_a_repeated_chunk_is_harmless() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start(6)
    for _ in range(3):
        assert uploads.append(upload, 0, b"abc").received == 3
    assert uploads.append(upload, 1, b"bcdef").received == 6
    assert uploads.append(upload, 6, b"").received == 6
    file = uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"abcdef")
    assert shelf.stored() == 6


def test_a_chunk_that_changes_stored_bytes_is_refused() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start(6)
    uploads.append(upload, 0, b"abc")
    with pytest.raises(InvalidRequest, match="repeated, not changed"):
        uploads.append(upload, 0, b"abXdef")
    assert uploads.query(upload).received == 3
    uploads.append(upload, 3, b"def")
    file = uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"abcdef")


def test_more_bytes_than_declared_are_refused_before_the_first() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start(5)
    uploads.append(upload, 0, b"abc")
    with pytest.raises(InvalidRequest, match="More bytes than declared"):
        uploads.append(upload, 3, b"def")
    assert uploads.query(upload).received == 3
    intake = uploads.open(upload, 3)
    intake.write(b"de")
    with pytest.raises(InvalidRequest, match="More bytes than declared"):
        intake.write(b"f")
    assert uploads.finalize(upload).received == 5


def test_fewer_bytes_than_declared_are_refused_at_finalize_and_the_upload_goes_on() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start(5)
    uploads.append(upload, 0, b"abc")
    with pytest.raises(InvalidRequest, match="3 of 5 bytes are received; continue at 3"):
        uploads.finalize(upload)
    uploads.append(upload, 3, b"de")
    assert uploads.finalize(upload).received == 5


def test_a_client_that_knows_less_than_is_stored_does_not_finalize() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start()
    uploads.append(upload, 0, b"abcdef")
    with pytest.raises(InvalidRequest):
        uploads.finalize(upload, 3)
    assert uploads.query(upload).phase is Phase.ACTIVE


def test_finalizing_again_gives_the_same_file() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start(3)
    uploads.append(upload, 0, b"abc")
    first = uploads.finalize(upload)
    assert uploads.finalize(upload) == uploads.finalize(upload, 3) == uploads.query(upload) == first
    assert uploads.append(upload, 0, b"abc") == first
    shelf.restart()
    assert shelf.library.uploads.finalize(upload) == first
    assert len(shelf.library.files.page(ME).files) == 1


def test_a_final_upload_takes_nothing_new() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start()
    uploads.append(upload, 0, b"abc")
    uploads.finalize(upload)
    with pytest.raises(FailedPrecondition, match="final"):
        uploads.append(upload, 3, b"d")
    with pytest.raises(FailedPrecondition, match="final"):
        uploads.open(upload, 0).write(b"abcd")
    with pytest.raises(InvalidRequest):
        uploads.append(upload, 0, b"abX")
    with pytest.raises(InvalidRequest):
        uploads.finalize(upload, 4)
    with pytest.raises(FailedPrecondition, match="Delete its file"):
        uploads.cancel(upload)


@pytest.mark.parametrize("way", ["delete", "expire", "expire unswept"])
def test_a_final_upload_whose_file_is_gone(way: str) -> None:
    shelf = Shelf(FileLimits(upload_ttl=FileLimits().upload_ttl * 9))
    uploads = shelf.library.uploads
    upload = shelf.start(3, "a")
    uploads.append(upload, 0, b"abc")
    uploads.finalize(upload)
    if way == "delete":
        shelf.library.files.delete(ME, "a")
        shelf.add(b"other", "a")
    else:
        shelf.clock.turn(hours=48)
        if way == "expire":
            shelf.library.expire()
    told = uploads.query(upload)
    assert (told.phase, told.received, told.file) == (Phase.FINAL, 3, None)
    assert uploads.append(upload, 0, b"abc") == told
    with pytest.raises(FailedPrecondition, match="its file is gone"):
        uploads.finalize(upload)
    shelf.library.reconcile()
    assert shelf.stored() == {"delete": 5, "expire": 0, "expire unswept": 3}[way]


def test_a_cancelled_upload_leaves_nothing_and_takes_nothing() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start(3)
    uploads.append(upload, 0, b"ab")
    intake = uploads.open(upload, 2)
    assert uploads.cancel(upload).phase is Phase.CANCELLED
    assert uploads.cancel(upload).phase is Phase.CANCELLED
    assert uploads.query(upload).phase is Phase.CANCELLED
    assert shelf.stored() == 0
    calls: list[Callable[[], object]] = [
        lambda: uploads.append(upload, 0, b"a"),
        lambda: uploads.finalize(upload),
    ]
    for call in calls:
        with pytest.raises(FailedPrecondition, match="cancelled"):
            call()
    with pytest.raises(FailedPrecondition, match="cancelled"):
        intake.write(b"c")
    assert shelf.stored() == 0


@pytest.mark.parametrize("upload", ["", "x", "../x", "0" * 36, "a" * 100_000, "\0"])
def test_an_unknown_upload(upload: str) -> None:
    uploads = Shelf().library.uploads
    calls: list[Callable[[], object]] = [
        lambda: uploads.append(upload, 0, b"a"),
        lambda: uploads.query(upload),
        lambda: uploads.finalize(upload),
        lambda: uploads.cancel(upload),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_a_name_that_is_taken_is_refused_at_start() -> None:
    shelf = Shelf()
    shelf.add(name="a")
    with pytest.raises(InvalidRequest, match="files/a is taken") as caught:
        shelf.start(1, "files/a")
    assert caught.value.reason == "ALREADY_EXISTS"
    shelf.start(1, "files/a", YOU)


def test_a_name_goes_to_the_first_finalize() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    first, second = shelf.start(1, "a"), shelf.start(1, "a")
    uploads.append(first, 0, b"1")
    uploads.append(second, 0, b"2")
    uploads.finalize(second)
    with pytest.raises(InvalidRequest, match="is taken"):
        uploads.finalize(first)
    assert uploads.query(first).received == 1
    shelf.library.files.delete(ME, "a")
    file = uploads.finalize(first).file
    assert file is not None
    assert file.sha256 == sha256(b"1")


def test_the_name_of_an_expired_file_is_free() -> None:
    shelf = Shelf()
    shelf.add(b"old", "a")
    waiting = shelf.start(3, "b")
    shelf.add(b"old", "b")
    shelf.clock.turn(hours=48)
    shelf.add(b"new", "a")
    shelf.library.uploads.append(waiting, 0, b"new")
    shelf.library.uploads.finalize(waiting)
    assert shelf.stored() == 6


def test_uploads_go_on_after_a_restart() -> None:
    shelf = Shelf()
    upload = shelf.start(9)
    shelf.library.uploads.append(upload, 0, b"abc")
    shelf.restart()
    assert shelf.library.uploads.query(upload).received == 3
    shelf.library.uploads.append(upload, 3, b"def")
    shelf.restart()
    shelf.library.uploads.append(upload, 2, b"cdefghi")
    file = shelf.library.uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"abcdefghi")


def test_the_digest_is_made_anew_when_the_last_byte_came_before_a_restart() -> None:
    shelf = Shelf()
    upload = shelf.start(3)
    shelf.library.uploads.append(upload, 0, b"abc")
    shelf.restart()
    file = shelf.library.uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"abc")


def test_uploads_are_given_up_after_a_while_without_bytes() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    idle, busy, ended = shelf.start(100), shelf.start(100), shelf.start(0)
    uploads.append(idle, 0, b"x")
    uploads.finalize(ended)
    uploads.cancel(shelf.start(1))
    for hour in range(47):
        shelf.clock.turn(hours=1)
        uploads.append(busy, hour, b"x")
        assert uploads.expire_uploads() == 0
    assert uploads.query(ended).phase is Phase.FINAL
    shelf.clock.turn(hours=1, seconds=1)
    assert uploads.expire_uploads() == 3
    for gone in (idle, ended):
        with pytest.raises(NotFound):
            uploads.query(gone)
    assert uploads.query(busy).received == 47
    assert shelf.stored() == 47


def test_an_upload_that_wakes_up_while_it_is_given_up_stays() -> None:
    class Slow(MemoryIndex):
        def idle(self, before: datetime) -> Sequence[Session]:
            idle = super().idle(before)
            for session in idle:
                self.touch(session.id, before + timedelta(days=9))
            return idle

    shelf = Shelf(storage=Storage(MemoryBlobs(), Slow()))
    upload = shelf.start(1)
    shelf.clock.turn(days=3)
    assert shelf.library.uploads.expire_uploads() == 0
    assert shelf.library.uploads.query(upload).phase is Phase.ACTIVE


def test_the_inspector_reads_the_bytes_and_says_the_type_and_the_header() -> None:
    seen: list[tuple[bytes, str]] = []
    header = ImageHeader(ImageFormat.JPEG, 640, 480, orientation=6)

    def inspect(reader: BinaryIO, declared: str) -> tuple[str, ImageHeader]:
        seen.append((reader.read(), declared))
        return "image/jpeg", header

    file = Shelf(inspect=inspect).add(b"bytes")
    assert (file.mime_type, file.header) == ("image/jpeg", header)
    assert seen == [(b"bytes", "image/png")]


def test_a_type_that_nobody_said() -> None:
    uploads = Shelf().library.uploads
    file = uploads.finalize(uploads.start(UploadRequest(ME)).upload_id).file
    assert file is not None
    assert file.mime_type == ANY_TYPE


def test_a_picture_that_cannot_be_used_becomes_a_failed_file() -> None:
    def refuse(reader: object, declared: str) -> tuple[str, None]:
        raise InvalidImage("This is no picture.")

    file = Shelf(inspect=refuse).add(b"bytes")
    assert (file.state, file.error) == (FileState.FAILED, "This is no picture.")
    assert (file.mime_type, file.sha256, file.header) == ("image/png", sha256(b"bytes"), None)


def test_an_inspector_that_is_busy_leaves_the_upload_open() -> None:
    answers = [Unavailable("Busy."), None]

    def inspect(reader: object, declared: str) -> tuple[str, None]:
        trouble = answers.pop(0)
        if trouble is not None:
            raise trouble
        return declared, None

    shelf = Shelf(inspect=inspect)
    upload = shelf.start(1)
    shelf.library.uploads.append(upload, 0, b"x")
    with pytest.raises(Unavailable):
        shelf.library.uploads.finalize(upload)
    assert shelf.library.uploads.finalize(upload).file is not None


def test_two_clients_with_the_same_bytes_make_one_file() -> None:
    shelf = on_disk(SimulatedDisk(lambda call: time.sleep(0.0001)))
    uploads = shelf.library.uploads
    content = bytes(range(256)) * 40
    upload = shelf.start(len(content))
    barrier = threading.Barrier(4)
    files: list[object] = []

    def send() -> None:
        barrier.wait()
        for offset in range(0, len(content), 512):
            uploads.append(upload, offset, content[offset : offset + 512])
        files.append(uploads.finalize(upload).file)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = shelf.library.files.page(ME).files
    assert files == [listed[0]] * 4
    assert len(listed) == 1
    assert listed[0].sha256 == sha256(content)


def test_of_two_clients_with_different_bytes_one_goes_on() -> None:
    shelf = Shelf()
    uploads = shelf.library.uploads
    upload = shelf.start(8)
    one, two = uploads.open(upload, 0), uploads.open(upload, 0)
    two.write(b"2222")
    with pytest.raises(InvalidRequest, match="Other bytes"):
        one.write(b"1111")
    two.write(b"2222")
    file = uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"22222222")


def test_a_disk_full_while_bytes_come_keeps_the_upload() -> None:
    disk = SimulatedDisk()
    shelf = on_disk(disk)
    kept = shelf.add(b"kept")
    upload = shelf.start(20)
    shelf.library.uploads.append(upload, 0, b"0123456789")
    disk.fault = Fuse(1, OSError(28, "No space left on device"))
    with pytest.raises(ResourceExhausted, match="disk is full"):
        shelf.library.uploads.append(upload, 10, b"0123456789")
    disk.fault = lambda call: None
    received = shelf.library.uploads.query(upload).received
    assert received == 15
    shelf.library.uploads.append(upload, received, b"56789")
    file = shelf.library.uploads.finalize(upload).file
    assert file is not None
    assert file.sha256 == sha256(b"0123456789" * 2)
    with shelf.library.files.lease(ME, kept.id) as lease:
        assert lease.read() == b"kept"


@pytest.mark.parametrize("number", [5, 28, 122])
def test_a_failed_sync_ends_the_upload_for_good(number: int) -> None:
    disk = SimulatedDisk()
    shelf = on_disk(disk)
    upload = shelf.start(20)
    shelf.library.uploads.append(upload, 0, b"0123456789")

    def fail(call: str) -> None:
        if call == "sync before":
            raise OSError(number, "sync")

    disk.fault = fail
    with pytest.raises(Unavailable if number == 5 else ResourceExhausted):
        shelf.library.uploads.append(upload, 10, b"x")
    disk.fault = lambda call: None
    assert shelf.library.uploads.query(upload).phase is Phase.CANCELLED
    assert shelf.stored() == 0


def test_a_row_that_cannot_be_written_leaves_the_upload_to_be_finalized_later() -> None:
    index = MemoryIndex()
    shelf = Shelf(storage=Storage(LocalBlobs(Path("store"), SimulatedDisk(), reserved_bytes=8), index))
    upload = shelf.start(3)
    shelf.library.uploads.append(upload, 0, b"abc")
    index.fault = Fuse(0, OSError(28, "database or disk is full"))
    with pytest.raises(ResourceExhausted):
        shelf.library.uploads.finalize(upload)
    index.fault = lambda call: None
    assert shelf.library.files.page(ME).files == ()
    shelf.library.reconcile()
    assert shelf.library.uploads.query(upload).received == 3
    assert shelf.library.uploads.finalize(upload).file is not None


def test_bytes_that_went_missing_are_asked_for_again() -> None:
    shelf = Shelf()
    upload = shelf.start(6)
    shelf.library.uploads.append(upload, 0, b"abc")
    for key in sorted(shelf.storage.blobs.keys()):
        shelf.storage.blobs.delete(key)
    with pytest.raises(Unavailable):
        shelf.library.uploads.append(upload, 3, b"def")
    assert shelf.library.uploads.query(upload).received == 0
    shelf.library.uploads.append(upload, 0, b"abcdef")
    assert shelf.library.uploads.finalize(upload).file is not None


def test_created_times_are_those_of_the_clock() -> None:
    assert Shelf().add().created == NOON
