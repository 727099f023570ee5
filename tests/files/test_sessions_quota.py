from __future__ import annotations

import threading
import time

import pytest

from tests.files.memory import MemoryBlobs, MemoryIndex
from tests.files.shelf import Shelf
from vidi.domain.errors import ResourceExhausted
from vidi.files.store import FileLimits, Storage

SMALL = FileLimits(file_bytes=100, total_bytes=1000)


def test_a_file_over_the_limit_is_refused_before_its_first_byte() -> None:
    shelf = Shelf(SMALL)
    shelf.start(100)
    with pytest.raises(ResourceExhausted, match="at most 100 bytes"):
        shelf.start(101)


@pytest.mark.parametrize("length", [2**31, 2**63, 10**30])
def test_absurd_lengths_are_refused(length: int) -> None:
    with pytest.raises(ResourceExhausted):
        Shelf(SMALL).start(length)


def test_declared_bytes_are_reserved_to_the_byte_and_given_back() -> None:
    shelf = Shelf(SMALL)
    uploads = [shelf.start(100) for _ in range(10)]
    with pytest.raises(ResourceExhausted) as caught:
        shelf.start(1)
    assert caught.value.retry_after is not None
    shelf.library.uploads.cancel(uploads[0])
    shelf.start(100)
    with pytest.raises(ResourceExhausted):
        shelf.start(1)
    shelf.start(0)


def test_a_finalized_file_counts_until_it_is_deleted() -> None:
    shelf = Shelf(SMALL)
    files = [shelf.add(b"x" * 100) for _ in range(10)]
    with pytest.raises(ResourceExhausted):
        shelf.start(1)
    shelf.library.files.delete(files[0].owner, files[0].id)
    shelf.start(100)


def test_expired_files_make_room_at_once() -> None:
    shelf = Shelf(SMALL)
    for _ in range(10):
        shelf.add(b"x" * 100)
    shelf.clock.turn(hours=48)
    shelf.start(100)
    assert shelf.stored() == 0


def test_an_upload_of_unknown_length_that_finds_no_room_leaves_nothing() -> None:
    shelf = Shelf(SMALL)
    for _ in range(9):
        shelf.add(b"x" * 100)
    upload, other = shelf.start(), shelf.start()
    shelf.library.uploads.append(upload, 0, b"x" * 60)
    with pytest.raises(ResourceExhausted):
        shelf.library.uploads.append(other, 0, b"x" * 41)
    assert shelf.stored() == 960
    shelf.library.uploads.append(upload, 60, b"x" * 40)
    with pytest.raises(ResourceExhausted, match="at most 100"):
        shelf.library.uploads.append(upload, 100, b"x")
    assert shelf.stored() == 900
    shelf.start(100)


def test_a_finalized_upload_of_unknown_length_counts_once() -> None:
    shelf = Shelf(SMALL)
    upload = shelf.start()
    shelf.library.uploads.append(upload, 0, b"x" * 100)
    shelf.library.uploads.finalize(upload)
    for _ in range(9):
        shelf.start(100)
    with pytest.raises(ResourceExhausted):
        shelf.start(1)


def test_reservations_outlive_a_restart() -> None:
    shelf = Shelf(SMALL)
    shelf.start(100)
    shelf.library.uploads.append(shelf.start(), 0, b"x" * 50)
    shelf.restart()
    for _ in range(8):
        shelf.start(100)
    shelf.start(50)
    with pytest.raises(ResourceExhausted):
        shelf.start(1)


@pytest.mark.parametrize("declared", [True, False])
def test_racing_uploads_do_not_exceed_the_quota_by_a_byte(declared: bool) -> None:
    index = MemoryIndex(lambda call: time.sleep(0.001))
    shelf = Shelf(FileLimits(file_bytes=100, total_bytes=1000), Storage(MemoryBlobs(), index))
    barrier = threading.Barrier(16)
    done: list[int] = []

    def upload() -> None:
        barrier.wait()
        try:
            session = shelf.start(96 if declared else None)
            for offset in range(0, 96, 8):
                shelf.library.uploads.append(session, offset, b"12345678")
            shelf.library.uploads.finalize(session)
        except ResourceExhausted:
            return
        done.append(96)

    threads = [threading.Thread(target=upload) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shelf.stored() == sum(done) <= 1000
    if declared:
        assert len(done) == 10
    for _ in range(10 - len(done)):
        shelf.add(b"x" * 96)
    shelf.add(b"x" * 40)
    with pytest.raises(ResourceExhausted):
        shelf.start(1)
