from __future__ import annotations

from pathlib import Path

import pytest

from tests.files.memory import MemoryIndex
from tests.files.shelf import ME, YOU, Shelf, sha256
from tests.files.simulated import SimulatedDisk
from vidi.domain.errors import FailedPrecondition, InvalidImage, InvalidRequest, PermissionDenied, Unavailable
from vidi.files.local import LocalBlobs
from vidi.files.store import FileState, Storage, StoredFile


def test_a_file_is_found_by_any_spelling() -> None:
    shelf = Shelf()
    file = shelf.add()
    for name in (file.id, file.name, f"files/{file.name}", f"http://h/v1beta/{file.name}"):
        assert shelf.library.files.get(ME, name) == file


@pytest.mark.parametrize("name", ["000000000099", "files/../x", "", "A" * 100_000])
def test_an_unknown_file_is_denied(name: str) -> None:
    with pytest.raises(PermissionDenied, match="or it may not exist") as caught:
        Shelf().library.files.get(ME, name)
    assert len(caught.value.message) < 300


def test_unknown_foreign_deleted_and_expired_files_read_alike() -> None:
    def said(shelf: Shelf, owner: str = ME) -> str:
        with pytest.raises(PermissionDenied) as caught:
            shelf.library.files.get(owner, "files/a")
        with pytest.raises(PermissionDenied) as again:
            shelf.library.files.delete(owner, "files/a")
        with pytest.raises(PermissionDenied) as used:
            shelf.library.files.lease(owner, "files/a")
        assert caught.value.message == again.value.message == used.value.message
        return caught.value.message

    shelf = Shelf()
    unknown = said(shelf)
    shelf.add(name="a")
    assert said(shelf, YOU) == unknown
    shelf.library.files.delete(ME, "a")
    assert said(shelf) == unknown
    shelf.add(name="a")
    shelf.clock.turn(hours=48)
    assert said(shelf) == unknown


def test_owners_do_not_share_names_or_listings() -> None:
    shelf = Shelf()
    mine, yours = shelf.add(b"mine", "a"), shelf.add(b"yours", "a", YOU)
    assert shelf.library.files.page(ME).files == (mine,)
    shelf.library.files.delete(ME, "a")
    assert shelf.library.files.get(YOU, "a") == yours


def test_pages_hold_while_files_come_and_go() -> None:
    shelf = Shelf()
    files: list[StoredFile] = []
    for _ in range(25):
        files.append(shelf.add())
        shelf.clock.turn(seconds=1)
    listing = shelf.library.files
    first = listing.page(ME)
    shelf.add()
    listing.delete(ME, files[20].id)
    listing.delete(ME, files[3].id)
    second = listing.page(ME, 10, first.next_token)
    third = listing.page(ME, 10, second.next_token)
    assert third.next_token == ""
    seen = [file.id for page in (first, second, third) for file in page.files]
    assert seen == [file.id for file in reversed(files) if file is not files[3]]


def test_the_last_full_page_leads_nowhere() -> None:
    shelf = Shelf()
    for _ in range(10):
        shelf.add()
    page = shelf.library.files.page(ME)
    assert len(page.files) == 10
    assert page.next_token == ""


def test_files_expire_to_the_moment_in_get_list_use_and_on_disk() -> None:
    shelf = Shelf()
    file = shelf.add(b"bytes")
    shelf.clock.turn(hours=47, minutes=59, seconds=59)
    shelf.library.expire()
    assert shelf.library.files.get(ME, file.id) == file
    shelf.clock.turn(seconds=1)
    assert shelf.library.files.page(ME).files == ()
    with pytest.raises(PermissionDenied):
        shelf.library.files.lease(ME, file.id)
    shelf.library.expire()
    assert shelf.stored() == 0
    assert shelf.storage.index.file(ME, file.id) is None


def test_more_files_expire_than_one_transaction_takes() -> None:
    shelf = Shelf()
    for _ in range(1001):
        shelf.add(b"")
    shelf.clock.turn(hours=48)
    assert shelf.library.files.expire() == 1001


def test_a_lease_reads_the_bytes() -> None:
    shelf = Shelf()
    file = shelf.add(b"bytes")
    with shelf.library.files.lease(ME, file.name) as lease:
        assert lease.read() == b"bytes"
        assert sha256(lease.read()) == lease.file.sha256
        with lease.open() as reader:
            assert reader.read(3) == b"byt"


@pytest.mark.parametrize("by", ["delete", "expire"])
def test_a_leased_file_is_read_to_the_end_and_then_removed(by: str) -> None:
    shelf = Shelf()
    file = shelf.add(b"bytes")
    first, second = (shelf.library.files.lease(ME, file.id) for _ in range(2))
    if by == "delete":
        shelf.library.files.delete(ME, file.id)
    else:
        shelf.clock.turn(hours=48)
        shelf.library.expire()
    shelf.library.reconcile()
    with pytest.raises(PermissionDenied):
        shelf.library.files.lease(ME, file.id)
    assert first.read() == b"bytes"
    first.close()
    first.close()
    assert second.read() == b"bytes"
    second.close()
    assert shelf.stored() == 0


def test_a_lease_alone_removes_nothing() -> None:
    shelf = Shelf()
    file = shelf.add(b"bytes")
    shelf.library.files.lease(ME, file.id).close()
    shelf.library.reconcile()
    with shelf.library.files.lease(ME, file.id) as lease:
        assert lease.read() == b"bytes"


def test_a_name_can_be_used_again_while_its_old_file_is_read() -> None:
    shelf = Shelf()
    shelf.add(b"old", "a")
    with shelf.library.files.lease(ME, "a") as old:
        shelf.library.files.delete(ME, "a")
        shelf.add(b"new", "a")
        assert old.read() == b"old"
    with shelf.library.files.lease(ME, "a") as new:
        assert new.read() == b"new"


def test_a_uri_of_no_file_is_refused_in_a_prompt() -> None:
    with pytest.raises(InvalidRequest, match="Unsupported file URI type: gs://bucket/x"):
        Shelf().library.files.lease(ME, "gs://bucket/x")


def test_a_failed_file_is_shown_but_not_used() -> None:
    def refuse(reader: object, declared: str) -> tuple[str, None]:
        raise InvalidImage("This is no picture.")

    shelf = Shelf(inspect=refuse)
    file = shelf.add()
    assert file.state is FileState.FAILED
    assert shelf.library.files.get(ME, file.id).error == "This is no picture."
    with pytest.raises(FailedPrecondition, match=r"is not in an ACTIVE state .* This is no picture\."):
        shelf.library.files.lease(ME, file.id)
    shelf.library.files.delete(ME, file.id)


def test_tidy_removes_bytes_without_a_row_and_rows_without_bytes() -> None:
    shelf = Shelf()
    kept, lost = shelf.add(b"kept"), shelf.add(b"lost")
    open_upload, untouched = shelf.start(10), shelf.start(10)
    shelf.library.uploads.append(open_upload, 0, b"half")
    shelf.storage.blobs.create("orphan")
    shelf.storage.blobs.append("orphan", 0, b"orphan")
    shelf.storage.blobs.delete(lost.blob)
    found = shelf.library.files.reconcile()
    assert (found.orphans, found.lost) == (1, 1)
    assert shelf.stored() == len(b"kept" + b"half")
    assert shelf.library.files.page(ME).files == (kept,)
    assert shelf.library.uploads.query(open_upload).received == 4
    assert shelf.library.uploads.query(untouched).received == 0
    found = shelf.library.files.reconcile()
    assert (found.orphans, found.lost) == (0, 0)


def test_an_acknowledged_delete_is_done_even_if_the_bytes_stay_behind() -> None:
    disk = SimulatedDisk()
    shelf = Shelf(storage=Storage(LocalBlobs(Path("store"), disk, reserved_bytes=8), MemoryIndex()))
    file = shelf.add(b"bytes")

    def fail(call: str) -> None:
        if call.startswith("remove"):
            raise OSError(5, "the disk is broken")

    disk.fault = fail
    shelf.library.files.delete(ME, file.id)
    with pytest.raises(PermissionDenied):
        shelf.library.files.get(ME, file.id)
    assert shelf.stored() == 5
    disk.fault = lambda call: None
    assert shelf.library.files.reconcile().orphans == 1
    assert shelf.stored() == 0


def test_a_storage_that_fails_is_said_without_internals() -> None:
    index = MemoryIndex()
    shelf = Shelf(storage=Storage(Shelf().storage.blobs, index))
    file = shelf.add()

    def fail(call: str) -> None:
        raise OSError(5, "/secret/path is broken")

    index.fault = fail
    with pytest.raises(Unavailable) as caught:
        shelf.library.files.delete(ME, file.id)
    assert "secret" not in caught.value.message
