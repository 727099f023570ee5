"""What a client knows of its uploads, and what must therefore be true of the server, whatever happened.

Of each upload the story keeps what was sent and what was acknowledged. A call that ended in an error or
with the server's death may have had its effect or not; one that was acknowledged had it for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.files.shelf import ME, Shelf, sha256
from vidi.domain.errors import NotFound, PermissionDenied, VidiError
from vidi.files.store import Phase, StoredFile


@dataclass
class Told:
    """One upload as its client knows it."""

    content: bytes
    upload_id: str = ""
    sent: int = 0
    acknowledged: int = 0
    finalize_sent: bool = False
    file: StoredFile | None = None
    cancel_sent: bool = False
    cancelled: bool = False
    delete_sent: bool = False
    deleted: bool = False
    failed: bool = False

    @property
    def open(self) -> bool:
        """Whether the client would go on with it."""
        return bool(self.upload_id) and not (
            self.finalize_sent or self.cancel_sent or self.cancelled or self.failed
        )


class Story:
    """Calls the server and writes down what it says. Raises what the server raises."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.told: list[Told] = []

    def start(self, content: bytes, *, declared: bool = True) -> Told:
        told = Told(content)
        told.upload_id = self.shelf.start(len(content) if declared else None)
        self.told.append(told)
        return told

    def chunk(self, told: Told, size: int, back: int = 0) -> None:
        """Send the next `size` bytes, beginning `back` bytes before what is acknowledged."""
        offset = max(0, told.acknowledged - back)
        data = told.content[offset : told.acknowledged + size]
        told.sent = max(told.sent, offset + len(data))
        with _may_fail(told):
            told.acknowledged = self.shelf.library.uploads.append(told.upload_id, offset, data).received

    def query(self, told: Told) -> None:
        with _may_fail(told):
            told.acknowledged = self.shelf.library.uploads.query(told.upload_id).received

    def finalize(self, told: Told) -> None:
        told.finalize_sent = True
        with _may_fail(told):
            told.file = self.shelf.library.uploads.finalize(told.upload_id, len(told.content)).file

    def cancel(self, told: Told) -> None:
        told.cancel_sent = True
        with _may_fail(told):
            self.shelf.library.uploads.cancel(told.upload_id)
            told.cancelled = True

    def delete(self, told: Told) -> None:
        assert told.file is not None
        told.delete_sent = True
        with _may_fail(told):
            self.shelf.library.files.delete(ME, told.file.id)
            told.deleted = True

    def check(self) -> None:
        """Everything that the clients were told is true, and nothing else is there."""
        known: set[str] = set()
        for told in self.told:
            found = self._check(told)
            if found is not None:
                known.add(found.id)
        listed = self.shelf.storage.index.page(ME, None, 1000, self.shelf.clock())
        assert {file.id for file in listed} == known

    def check_tidy(self) -> None:
        """Nothing lies about after a sweep."""
        self.shelf.library.expire()
        self.shelf.library.reconcile()
        storage = self.shelf.storage
        assert frozenset(storage.blobs.keys()) <= storage.index.blobs()

    def finish_all(self) -> None:
        """Bring every open upload to its end, as a client does: query, then the rest, then finalize."""
        uploads = self.shelf.library.uploads
        for told in self.told:
            if told.cancelled or told.deleted or uploads.query(told.upload_id).phase is not Phase.ACTIVE:
                continue
            told.cancel_sent = told.failed = False
            self.query(told)
            self.chunk(told, len(told.content) - told.acknowledged)
            self.finalize(told)

    def _check(self, told: Told) -> StoredFile | None:
        try:
            state = self.shelf.library.uploads.query(told.upload_id)
        except NotFound:
            raise AssertionError("a session was lost") from None
        if state.phase is Phase.ACTIVE:
            assert told.file is None
            assert not told.cancelled
            assert state.received <= told.sent
            if not (told.failed or told.cancel_sent):
                assert state.received >= told.acknowledged
            return None
        if state.phase is Phase.CANCELLED:
            assert told.file is None
            assert told.cancel_sent or told.failed
            return None
        assert told.finalize_sent
        assert state.file is not None or told.delete_sent
        assert state.file is None or not told.deleted
        if told.file is not None and state.file is not None:
            assert state.file == told.file
        if state.file is not None:
            self._check_bytes(state.file, told.content)
        elif told.file is not None:
            self._check_gone(told.file)
        return state.file

    def _check_bytes(self, file: StoredFile, content: bytes) -> None:
        assert (file.size_bytes, file.sha256) == (len(content), sha256(content))
        with self.shelf.library.files.lease(ME, file.id) as lease:
            assert lease.read() == content

    def _check_gone(self, file: StoredFile) -> None:
        try:
            self.shelf.library.files.get(ME, file.id)
        except PermissionDenied:
            return
        raise AssertionError("a deleted file came back")


@contextmanager
def _may_fail(told: Told) -> Iterator[None]:
    """Notes that the server refused or failed; the error goes on."""
    try:
        yield
    except VidiError:
        told.failed = True
        raise
