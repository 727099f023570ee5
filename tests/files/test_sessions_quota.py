from __future__ import annotations

import threading
import time

import pytest

from tests.files.file_server import FileServer
from tests.files.memory import MemoryBlobs, MemoryIndex
from vidi.domain.errors import QuotaExceeded, RequestTooLarge, ResourceExhausted
from vidi.files.store import FileLimits, FileStorage

SMALL = FileLimits(file_bytes=100, total_bytes=1000)


def test_quota_refuses_a_file_over_the_limit_at_start() -> None:
    server = FileServer(SMALL)
    server.start(100)
    with pytest.raises(RequestTooLarge, match="at most 100 bytes"):
        server.start(101)


@pytest.mark.parametrize("length", [2**31, 2**63, 10**30])
def test_quota_refuses_absurd_lengths(length: int) -> None:
    with pytest.raises(RequestTooLarge):
        FileServer(SMALL).start(length)


def test_quota_reserves_declared_bytes_until_cancel() -> None:
    server = FileServer(SMALL)
    uploads = [server.start(100) for _ in range(10)]
    with pytest.raises(ResourceExhausted) as caught:
        server.start(1)
    assert caught.value.retry_after is not None
    server.uploads.cancel(uploads[0])
    server.start(100)
    with pytest.raises(ResourceExhausted):
        server.start(1)
    server.start(0)


def test_quota_counts_a_file_until_it_is_deleted() -> None:
    server = FileServer(SMALL)
    files = [server.add(b"x" * 100) for _ in range(10)]
    with pytest.raises(ResourceExhausted):
        server.start(1)
    server.files.delete(files[0].owner, files[0].id)
    server.start(100)


def test_quota_expires_files_to_make_room() -> None:
    server = FileServer(SMALL)
    for _ in range(10):
        server.add(b"x" * 100)
    server.clock.turn(hours=48)
    server.start(100)
    assert server.stored() == 0


def test_quota_cancels_an_upload_of_unknown_length_without_room() -> None:
    server = FileServer(SMALL)
    for _ in range(9):
        server.add(b"x" * 100)
    upload, other = server.start(), server.start()
    server.append(upload, 0, b"x" * 60)
    with pytest.raises(ResourceExhausted):
        server.append(other, 0, b"x" * 41)
    assert server.stored() == 960
    server.append(upload, 60, b"x" * 40)
    with pytest.raises(RequestTooLarge, match="at most 100"):
        server.append(upload, 100, b"x")
    assert server.stored() == 900
    server.start(100)


def test_quota_counts_a_finalized_upload_of_unknown_length_once() -> None:
    server = FileServer(SMALL)
    upload = server.start()
    server.append(upload, 0, b"x" * 100)
    server.uploads.finalize(upload)
    for _ in range(9):
        server.start(100)
    with pytest.raises(ResourceExhausted):
        server.start(1)


def test_quota_survives_a_restart() -> None:
    server = FileServer(SMALL)
    server.start(100)
    server.append(server.start(), 0, b"x" * 50)
    server.restart()
    for _ in range(8):
        server.start(100)
    server.start(50)
    with pytest.raises(ResourceExhausted):
        server.start(1)


@pytest.mark.parametrize("declared", [True, False])
def test_quota_holds_for_racing_uploads(declared: bool) -> None:
    index = MemoryIndex(lambda call: time.sleep(0.001))
    server = FileServer(FileLimits(file_bytes=100, total_bytes=1000), FileStorage(MemoryBlobs(), index))
    barrier = threading.Barrier(16)
    done: list[int] = []

    def upload() -> None:
        barrier.wait()
        try:
            session = server.start(96 if declared else None)
            for offset in range(0, 96, 8):
                server.append(session, offset, b"12345678")
            server.uploads.finalize(session)
        except ResourceExhausted:
            return
        done.append(96)

    threads = [threading.Thread(target=upload) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.stored() == sum(done) <= 1000
    if declared:
        assert len(done) == 10
    for _ in range(10 - len(done)):
        server.add(b"x" * 96)
    server.add(b"x" * 40)
    with pytest.raises(ResourceExhausted):
        server.start(1)


def test_an_owner_may_have_a_limit_of_its_own() -> None:
    limits = FileLimits(file_bytes=100, total_bytes=1000, owner_bytes={"small": 150}.get)
    server = FileServer(limits)
    server.add(b"x" * 90, owner="small")
    growing = server.start(owner="small")
    server.append(growing, 0, b"x" * 50)
    for length in (11, 100):
        with pytest.raises(QuotaExceeded) as refused:
            server.start(length, owner="small")
        assert (refused.value.quota.limit, refused.value.retry_after) == (150, 60)
    server.start(10, owner="small")
    with pytest.raises(QuotaExceeded, match="limit: 150"):
        server.append(growing, 50, b"x")
    server.start(50, owner="small")
    server.start(100, owner="large")


def test_the_uploads_that_are_open_at_the_same_time_are_bounded_for_each_owner() -> None:
    server = FileServer(FileLimits(open_uploads=3))
    uploads = [server.start(length, owner="me") for length in (None, 0, 5)]
    with pytest.raises(QuotaExceeded) as refused:
        server.start(owner="me")
    assert (refused.value.quota.metric, refused.value.retry_after) == ("open_uploads", 60)
    server.start(owner="you")
    server.restart()
    with pytest.raises(QuotaExceeded):
        server.start(owner="me")
    server.uploads.cancel(uploads[0])
    again = server.start(owner="me")
    server.uploads.finalize(uploads[1])
    server.start(owner="me")
    server.uploads.finalize(again)
    server.start(owner="me")
