"""What the tests of the library share: a clock to turn, ids to count, a library on any storage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.files.memory import memory_storage
from vidi.domain.errors import VidiError
from vidi.files.aio import Library, make_library
from vidi.files.metadata import UploadRequest
from vidi.files.store import FileLimits, Storage, StoredFile
from vidi.files.uploads import Inspect, trust_label

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


def counted() -> Callable[[], str]:
    """An IdMaker: 000000000001, 000000000002 and so on."""
    made = 0

    def next_id() -> str:
        nonlocal made
        made += 1
        return f"{made:012}"

    return next_id


class Shelf:
    """A library with its clock, whose server can be restarted."""

    def __init__(
        self,
        limits: FileLimits | None = None,
        storage: Storage | None = None,
        inspect: Inspect = trust_label,
        ids: Callable[[], str] | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.storage = storage or memory_storage()
        self.limits = limits or FileLimits()
        self.inspect = inspect
        self.ids = ids or counted()
        self.library = self.opened()

    def opened(self) -> Library:
        return make_library(self.storage, self.limits, clock=self.clock, ids=self.ids, inspect=self.inspect)

    def restart(self) -> None:
        self.library = self.opened()

    def start(self, length: int | None = None, name: str = "", owner: str = ME) -> str:
        wish = UploadRequest(owner, name=name, mime_type="image/png", length=length)
        return self.library.uploads.start(wish).upload_id

    def add(self, data: bytes = b"data", name: str = "", owner: str = ME) -> StoredFile:
        upload = self.start(len(data), name, owner)
        self.library.uploads.append(upload, 0, data)
        file = self.library.uploads.finalize(upload).file
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
