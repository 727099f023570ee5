from __future__ import annotations

from pathlib import Path

import pytest

from tests.files.file_server import ME, YOU, FileServer, sha256
from tests.files.memory import MemoryIndex
from tests.storage.simulated_disk import SimulatedDisk
from vidi.domain.errors import FailedPrecondition, InvalidImage, InvalidRequest, PermissionDenied, Unavailable
from vidi.files.local import LocalBlobs
from vidi.files.store import FileState, FileStorage, StoredFile


def test_get_by_any_spelling() -> None:
    server = FileServer()
    file = server.add()
    for name in (file.id, file.name, f"files/{file.name}", f"http://h/v1beta/{file.name}"):
        assert server.files.get(ME, name) == file


@pytest.mark.parametrize("name", ["000000000099", "files/../x", "", "A" * 100_000])
def test_get_of_an_unknown_file_is_denied(name: str) -> None:
    with pytest.raises(PermissionDenied, match="or it may not exist") as caught:
        FileServer().files.get(ME, name)
    assert len(caught.value.message) < 300


def test_unknown_foreign_deleted_and_expired_files_get_the_same_error() -> None:
    def said(server: FileServer, owner: str = ME) -> str:
        with pytest.raises(PermissionDenied) as caught:
            server.files.get(owner, "files/a")
        with pytest.raises(PermissionDenied) as again:
            server.files.delete(owner, "files/a")
        with pytest.raises(PermissionDenied) as used:
            server.files.lease(owner, "files/a")
        assert caught.value.message == again.value.message == used.value.message
        return caught.value.message

    server = FileServer()
    unknown = said(server)
    server.add(name="a")
    assert said(server, YOU) == unknown
    server.files.delete(ME, "a")
    assert said(server) == unknown
    server.add(name="a")
    server.clock.turn(hours=48)
    assert said(server) == unknown


def test_owners_do_not_share_names_or_listings() -> None:
    server = FileServer()
    mine, yours = server.add(b"mine", "a"), server.add(b"yours", "a", YOU)
    assert server.files.page(ME).files == (mine,)
    server.files.delete(ME, "a")
    assert server.files.get(YOU, "a") == yours


def test_pages_are_stable_while_files_come_and_go() -> None:
    server = FileServer()
    files: list[StoredFile] = []
    for _ in range(25):
        files.append(server.add())
        server.clock.turn(seconds=1)
    listing = server.files
    first = listing.page(ME)
    server.add()
    listing.delete(ME, files[20].id)
    listing.delete(ME, files[3].id)
    second = listing.page(ME, 10, first.next_token)
    third = listing.page(ME, 10, second.next_token)
    assert third.next_token == ""
    seen = [file.id for page in (first, second, third) for file in page.files]
    assert seen == [file.id for file in reversed(files) if file is not files[3]]


def test_a_full_last_page_has_no_next_token() -> None:
    server = FileServer()
    for _ in range(10):
        server.add()
    page = server.files.page(ME)
    assert len(page.files) == 10
    assert page.next_token == ""


def test_files_expire_to_the_moment() -> None:
    server = FileServer()
    file = server.add(b"bytes")
    server.clock.turn(hours=47, minutes=59, seconds=59)
    server.aio.expire()
    assert server.files.get(ME, file.id) == file
    server.clock.turn(seconds=1)
    assert server.files.page(ME).files == ()
    with pytest.raises(PermissionDenied):
        server.files.lease(ME, file.id)
    server.aio.expire()
    assert server.stored() == 0
    assert server.storage.index.file(ME, file.id) is None


def test_expire_takes_more_files_than_one_transaction() -> None:
    server = FileServer()
    for _ in range(1001):
        server.add(b"")
    server.clock.turn(hours=48)
    assert server.files.expire() == 1001


def test_a_lease_reads_the_bytes() -> None:
    server = FileServer()
    file = server.add(b"bytes")
    with server.files.lease(ME, file.name) as lease:
        assert lease.read() == b"bytes"
        assert sha256(lease.read()) == lease.file.sha256
        with lease.open() as reader:
            assert reader.read(3) == b"byt"


@pytest.mark.parametrize("by", ["delete", "expire"])
def test_a_leased_file_is_read_to_the_end_and_then_removed(by: str) -> None:
    server = FileServer()
    file = server.add(b"bytes")
    first, second = (server.files.lease(ME, file.id) for _ in range(2))
    if by == "delete":
        server.files.delete(ME, file.id)
    else:
        server.clock.turn(hours=48)
        server.aio.expire()
    server.aio.reconcile()
    with pytest.raises(PermissionDenied):
        server.files.lease(ME, file.id)
    assert first.read() == b"bytes"
    first.close()
    first.close()
    assert second.read() == b"bytes"
    second.close()
    assert server.stored() == 0


def test_closing_a_lease_keeps_the_file() -> None:
    server = FileServer()
    file = server.add(b"bytes")
    server.files.lease(ME, file.id).close()
    server.aio.reconcile()
    with server.files.lease(ME, file.id) as lease:
        assert lease.read() == b"bytes"


def test_a_name_can_be_reused_while_its_old_file_is_leased() -> None:
    server = FileServer()
    server.add(b"old", "a")
    with server.files.lease(ME, "a") as old:
        server.files.delete(ME, "a")
        server.add(b"new", "a")
        assert old.read() == b"old"
    with server.files.lease(ME, "a") as new:
        assert new.read() == b"new"


def test_lease_refuses_a_uri_of_no_file() -> None:
    with pytest.raises(InvalidRequest, match="Unsupported file URI type: gs://bucket/x"):
        FileServer().files.lease(ME, "gs://bucket/x")


def test_a_failed_file_can_be_listed_but_not_leased() -> None:
    def refuse(reader: object, declared: str) -> tuple[str, None]:
        raise InvalidImage("This is no picture.")

    server = FileServer(inspect=refuse)
    file = server.add()
    assert file.state is FileState.FAILED
    assert server.files.get(ME, file.id).error == "This is no picture."
    with pytest.raises(FailedPrecondition, match=r"is not in an ACTIVE state .* This is no picture\."):
        server.files.lease(ME, file.id)
    server.files.delete(ME, file.id)


def test_reconcile_removes_blobs_without_a_row_and_rows_without_a_blob() -> None:
    server = FileServer()
    kept, lost = server.add(b"kept"), server.add(b"lost")
    open_upload, untouched = server.start(10), server.start(10)
    server.append(open_upload, 0, b"half")
    server.storage.blobs.create("orphan")
    server.storage.blobs.append("orphan", 0, b"orphan")
    server.storage.blobs.delete(lost.blob)
    found = server.files.reconcile()
    assert (found.orphans, found.lost) == (1, 1)
    assert server.stored() == len(b"kept" + b"half")
    assert server.files.page(ME).files == (kept,)
    assert server.uploads.query(open_upload).received == 4
    assert server.uploads.query(untouched).received == 0
    found = server.files.reconcile()
    assert (found.orphans, found.lost) == (0, 0)


def test_delete_holds_even_if_the_blob_cannot_be_removed() -> None:
    disk = SimulatedDisk()
    server = FileServer(storage=FileStorage(LocalBlobs(Path("store"), disk, spare_bytes=8), MemoryIndex()))
    file = server.add(b"bytes")

    def fail(call: str) -> None:
        if call.startswith("remove"):
            raise OSError(5, "the disk is broken")

    disk.fault = fail
    server.files.delete(ME, file.id)
    with pytest.raises(PermissionDenied):
        server.files.get(ME, file.id)
    assert server.stored() == 5
    disk.fault = lambda call: None
    assert server.files.reconcile().orphans == 1
    assert server.stored() == 0


def test_a_storage_error_hides_internals() -> None:
    index = MemoryIndex()
    server = FileServer(storage=FileStorage(FileServer().storage.blobs, index))
    file = server.add()

    def fail(call: str) -> None:
        raise OSError(5, "/secret/path is broken")

    index.fault = fail
    with pytest.raises(Unavailable) as caught:
        server.files.delete(ME, file.id)
    assert "secret" not in caught.value.message
