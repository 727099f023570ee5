"""What the tests of files share: a clock to turn, ids that count, files and uploads on any storage."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta

from tests.files.memory import memory_storage
from vidi.domain.errors import VidiError
from vidi.files.aio import AsyncFiles
from vidi.files.metadata import UploadRequest
from vidi.files.service import FileService
from vidi.files.store import FileLimits, FileStorage, StoredFile
from vidi.files.uploads import Inspect, Uploads, UploadStatus, trust_label
from vidi.storage.clock import IdMaker
from vidi.storage.threads import StorageThreads

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ME, YOU = "key-me", "key-you"


class FakeClock:
    """Stands until it is turned."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


def counted() -> IdMaker:
    """An IdMaker: 000000000001, 000000000002 and so on."""
    made = 0

    def next_id() -> str:
        nonlocal made
        made += 1
        return f"{made:012}"

    return next_id


class FileServer:
    """Files and uploads over one storage, with a clock to turn, and restarted at will."""

    def __init__(
        self,
        limits: FileLimits | None = None,
        storage: FileStorage | None = None,
        inspect: Inspect = trust_label,
        ids: IdMaker | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.storage = storage or memory_storage()
        self.limits = limits or FileLimits()
        self.inspect = inspect
        self.ids = ids or counted()
        self.threads = StorageThreads(4)
        self.restart()

    def restart(self) -> None:
        """Forget everything but the storage."""
        self.files = FileService(self.storage, self.limits, self.clock)
        self.uploads = Uploads(self.files, self.ids, self.inspect)
        self.aio = AsyncFiles(self.files, self.uploads, self.threads)

    def run(self, work: Callable[[AsyncFiles], Coroutine[None, None, None]]) -> None:
        """Run `work` on an event loop."""
        asyncio.run(work(self.aio))

    def start(self, length: int | None = None, name: str = "", owner: str = ME) -> str:
        request = UploadRequest(owner, name=name, mime_type="image/png", length=length)
        return self.uploads.start(request).upload_id

    def append(self, upload: str, offset: int, data: bytes) -> UploadStatus:
        """Send one chunk, and have it acknowledged."""
        self.uploads.begin_chunk(upload, offset, len(data))
        self.uploads.write_block(upload, offset, data)
        return self.uploads.query(upload)

    def add(self, data: bytes = b"data", name: str = "", owner: str = ME) -> StoredFile:
        upload = self.start(len(data), name, owner)
        self.append(upload, 0, data)
        file = self.uploads.finalize(upload).file
        assert file is not None
        return file

    def stored(self) -> int:
        """Bytes on the disk, whoever they belong to."""
        return sum(self.storage.blobs.size(key) or 0 for key in sorted(self.storage.blobs.keys()))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def message(error: BaseException) -> str:
    assert isinstance(error, VidiError)
    return error.message
