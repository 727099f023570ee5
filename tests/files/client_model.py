"""What a client knows of its uploads, and what must therefore be true of the server, whatever happened.

Of each upload the client keeps what was sent and what was acknowledged. A call that ended in an error or
with the server's death may have had its effect or not; one that was acknowledged had it for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.files.file_server import ME, FileServer, sha256
from vidi.domain.errors import NotFound, PermissionDenied, VidiError
from vidi.files.store import Phase, StoredFile


@dataclass
class UploadRecord:
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


class ClientModel:
    """Calls the server and writes down what it says. Raises what the server raises."""

    def __init__(self, server: FileServer) -> None:
        self.server = server
        self.records: list[UploadRecord] = []

    def start(self, content: bytes, *, declared: bool = True) -> UploadRecord:
        record = UploadRecord(content)
        record.upload_id = self.server.start(len(content) if declared else None)
        self.records.append(record)
        return record

    def chunk(self, record: UploadRecord, size: int, back: int = 0) -> None:
        """Send the next `size` bytes, beginning `back` bytes before what is acknowledged."""
        offset = max(0, record.acknowledged - back)
        data = record.content[offset : record.acknowledged + size]
        record.sent = max(record.sent, offset + len(data))
        with _may_fail(record):
            record.acknowledged = self.server.append(record.upload_id, offset, data).received

    def query(self, record: UploadRecord) -> None:
        with _may_fail(record):
            record.acknowledged = self.server.uploads.query(record.upload_id).received

    def finalize(self, record: UploadRecord) -> None:
        record.finalize_sent = True
        with _may_fail(record):
            record.file = self.server.uploads.finalize(record.upload_id, len(record.content)).file

    def cancel(self, record: UploadRecord) -> None:
        record.cancel_sent = True
        with _may_fail(record):
            self.server.uploads.cancel(record.upload_id)
            record.cancelled = True

    def delete(self, record: UploadRecord) -> None:
        assert record.file is not None
        record.delete_sent = True
        with _may_fail(record):
            self.server.files.delete(ME, record.file.id)
            record.deleted = True

    def check(self) -> None:
        """Everything that the clients were told is true, and nothing else is there."""
        known: set[str] = set()
        for record in self.records:
            found = self._check(record)
            if found is not None:
                known.add(found.id)
        listed = self.server.storage.index.page(ME, None, 1000, self.server.clock())
        assert {file.id for file in listed} == known

    def check_reconciled(self) -> None:
        """No bytes without a row are left after a janitor's round."""
        self.server.aio.expire()
        self.server.aio.reconcile()
        storage = self.server.storage
        assert frozenset(storage.blobs.keys()) <= storage.index.blobs()

    def finish_all(self) -> None:
        """Bring every open upload to its end, as a client does: query, then the rest, then finalize."""
        uploads = self.server.uploads
        for record in self.records:
            if (
                record.cancelled
                or record.deleted
                or uploads.query(record.upload_id).phase is not Phase.ACTIVE
            ):
                continue
            record.cancel_sent = record.failed = False
            self.query(record)
            self.chunk(record, len(record.content) - record.acknowledged)
            self.finalize(record)

    def _check(self, record: UploadRecord) -> StoredFile | None:
        try:
            state = self.server.uploads.query(record.upload_id)
        except NotFound:
            raise AssertionError("a session was lost") from None
        if state.phase is Phase.ACTIVE:
            assert record.file is None
            assert not record.cancelled
            assert state.received <= record.sent
            if not (record.failed or record.cancel_sent):
                assert state.received >= record.acknowledged
            return None
        if state.phase is Phase.CANCELLED:
            assert record.file is None
            assert record.cancel_sent or record.failed
            return None
        assert record.finalize_sent
        assert state.file is not None or record.delete_sent
        assert state.file is None or not record.deleted
        if record.file is not None and state.file is not None:
            assert state.file == record.file
        if state.file is not None:
            self._check_bytes(state.file, record.content)
        elif record.file is not None:
            self._check_gone(record.file)
        return state.file

    def _check_bytes(self, file: StoredFile, content: bytes) -> None:
        assert (file.size_bytes, file.sha256) == (len(content), sha256(content))
        with self.server.files.lease(ME, file.id) as lease:
            assert lease.read() == content

    def _check_gone(self, file: StoredFile) -> None:
        try:
            self.server.files.get(ME, file.id)
        except PermissionDenied:
            return
        raise AssertionError("a deleted file came back")


@contextmanager
def _may_fail(record: UploadRecord) -> Iterator[None]:
    """Notes that the server refused or failed; the error goes on."""
    try:
        yield
    except VidiError:
        record.failed = True
        raise
