"""The files that are there: look up, list, delete, expire, and read while others delete."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import secrets
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import BinaryIO, Self

from vidi.domain.errors import FailedPrecondition, InvalidRequest, PermissionDenied
from vidi.files.metadata import find_id, parse_name
from vidi.files.store import BlobStore, FileLimits, FileState, FileStorage, Phase, Position, StoredFile
from vidi.storage.clock import END_OF_TIME, Clock, from_micros, to_micros
from vidi.storage.errors import storage_faults

log = logging.getLogger(__name__)

EXPIRED_AT_ONCE = 500
"""Rows that one transaction removes: a few milliseconds in which no upload can be started."""

ALL = 2**31

REMOVED_AT_ONCE = 50
"""Blobs that are removed before their rows go."""

DEFAULT_PAGE = 10
MAX_PAGE = 100

_SEAL_BYTES = 8
_MAX_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing; a non-empty token leads to the next part."""

    files: tuple[StoredFile, ...]
    next_token: str = ""


class FileService:
    """All files of a server. Every method is safe in any thread; reads take well under a millisecond."""

    def __init__(self, storage: FileStorage, limits: FileLimits, clock: Clock) -> None:
        self.storage = storage
        self.limits = limits
        self.clock = clock
        self._blobs = storage.blobs
        self._index = storage.index
        self._shared = storage.shared
        self._pins = _Pins(storage.blobs)

    def get(self, owner: str, name: str) -> StoredFile:
        """One file, by any spelling of its name.

        Raises:
            PermissionDenied: It is unknown, expired, deleted or somebody else's: all alike.
        """
        file_id = find_id(name)
        with storage_faults():
            file = self._index.file(owner, file_id) if file_id else None
        if file is None or file.expires <= self.clock():
            raise denied(file_id or name)
        return file

    def page(self, owner: str, size: int = 0, token: str = "") -> Page:
        """The owner's files, newest first.

        Args:
            owner: Whose.
            size: Most files on the page; 0 means 10, more than 100 means 100.
            token: Of the page before; "" starts.

        Raises:
            InvalidRequest: A negative size, or a token of another listing.
        """
        count = page_size(size)
        with storage_faults():
            files = self._index.page(owner, parse_page_token(owner, token), count + 1, self.clock())
        more = len(files) > count
        shown = tuple(files[:count])
        return Page(shown, page_token(owner, shown[-1]) if more else "")

    def delete(self, owner: str, name: str) -> None:
        """Remove a file. Who reads it at the moment reads on to the end.

        Raises:
            PermissionDenied: As `get`.
        """
        file = self.get(owner, name)
        with storage_faults():
            removed = self._index.delete(owner, file.id)
            if removed is None:
                raise denied(file.id)
            self.discard(removed.blob)

    def lease(self, owner: str, uri: str) -> Lease:
        """Hold a file for use in a prompt: until the lease is closed its bytes stay, even if it is deleted.

        Args:
            owner: Who asks.
            uri: Any spelling of the file's uri or name.

        Raises:
            InvalidRequest: The uri names no file of this API.
            PermissionDenied: As `get`.
            FailedPrecondition: The file is there but cannot be used.
        """
        file_id = parse_name(uri)
        file = self.get(owner, file_id)
        if file.state is not FileState.ACTIVE:
            why = f" {file.error}" if file.error else ""
            raise FailedPrecondition(
                f"The File {file.id} is not in an ACTIVE state and usage is not allowed.{why}"
            )
        lease = Lease(file, self._blobs, self._pins)
        try:
            # Whoever deleted the file before the lease took hold may have removed its bytes already.
            if self.get(owner, file_id).blob != file.blob:
                raise denied(file_id)
        except BaseException:
            lease.close()
            raise
        return lease

    def expire(self) -> int:
        """Remove all files whose time is over; returns how many."""
        gone = 0
        with storage_faults():
            while expired := self._index.expire(self.clock(), EXPIRED_AT_ONCE):
                gone += len(expired)
                for file in expired:
                    self.discard(file.blob)
        return gone

    def check(self) -> StoreState:
        """Write a little and remove it again, and count what is there; of a shared storage, only look.

        Raises:
            ResourceExhausted, Unavailable: The storage failed; nothing can be uploaded.
        """
        if self._shared is not None:
            with storage_faults():
                self._blobs.size("probe")
                return StoreState(self._index.reserved(), self._shared.open_uploads())
        blob = secrets.token_hex(16)
        with storage_faults():
            self._blobs.create(blob)
            self._blobs.append(blob, 0, b"\0")
            self._blobs.delete(blob)
            self._index.touch("", self.clock())
            sessions = self._index.idle(self.clock() + timedelta(days=1))
            active = sum(session.phase is Phase.ACTIVE for session in sessions)
            return StoreState(self._index.reserved(), active)

    def discard(self, blob: str) -> None:
        """Remove bytes that no row names any more: now, or when their last reader is done.

        Of several servers none knows the readers of the others: there `remove_discarded` does it.
        """
        if self._shared is None:
            self._pins.discard(blob)

    def remove_discarded(self) -> None:
        """Remove the bytes of files and uploads that went so long ago that no server reads them any more."""
        if self._shared is None:
            return
        with storage_faults():
            before = self.clock() - self.limits.readers_ttl
            while blobs := self._shared.discarded(before, REMOVED_AT_ONCE):
                for blob in blobs:
                    self._blobs.delete(blob)
                self._shared.removed(blobs)

    def reconcile(self) -> Reconciled:
        """Remove bytes without a row and rows without bytes: what a crash may leave. Safe beside everything.

        An upload's row comes before its bytes, so bytes whose row is not there *afterwards* have none; a
        file's bytes come before its row, so a file without bytes *after* its row was read has lost them.
        """
        with storage_faults():
            named_before = self._index.blobs()
            present = frozenset(self._blobs.keys())
            orphans = present - self._index.blobs()
            if self._shared is not None:
                orphans -= frozenset(self._shared.discarded(END_OF_TIME, ALL))
            for blob in orphans:
                self._pins.discard(blob)
            lost = [self._index.holder(blob) for blob in named_before - present]
            gone = [file for file in lost if file is not None and self._blobs.size(file.blob) is None]
            for file in gone:
                self._index.delete(file.owner, file.id)
        return Reconciled(orphans=len(orphans), lost=len(gone))


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was found out of place: blobs without a row, and files without bytes."""

    orphans: int
    lost: int


@dataclass(frozen=True, slots=True)
class StoreState:
    """What is in the store: bytes, those announced for open uploads too, and open uploads."""

    reserved: int
    uploads: int


class Lease:
    """A file that stays readable until the lease is closed. Use it as a context manager.

        with files.lease(owner, uri) as lease:
            data = lease.read()

    It holds no file descriptor, so that a prompt may hold thousands of leases.
    """

    def __init__(self, file: StoredFile, blobs: BlobStore, pins: _Pins) -> None:
        self.file = file
        self._blobs = blobs
        self._pins = pins
        self._open = True
        pins.pin(file.blob)

    def open(self) -> BinaryIO:
        """The bytes as a stream, from the first on; close it after use.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        with storage_faults():
            return self._blobs.open(self.file.blob, self.file.size_bytes)

    def read(self) -> bytes:
        """All the bytes; look at `file.size_bytes` first.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        with self.open() as reader, storage_faults():
            return reader.read()

    def close(self) -> None:
        """Let go; a second time does nothing."""
        if self._open:
            self._open = False
            self._pins.unpin(self.file.blob)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Pins:
    """Counts who uses each blob and puts off its removal until nobody does."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._users: Counter[str] = Counter()
        self._doomed: set[str] = set()

    def pin(self, blob: str) -> None:
        with self._lock:
            self._users[blob] += 1

    def unpin(self, blob: str) -> None:
        with self._lock:
            self._users[blob] -= 1
            if self._users[blob] > 0:
                return
            del self._users[blob]
            doomed = blob in self._doomed
            self._doomed.discard(blob)
        if doomed:
            self._remove(blob)

    def discard(self, blob: str) -> None:
        with self._lock:
            if blob in self._users:
                self._doomed.add(blob)
                return
        self._remove(blob)

    def _remove(self, blob: str) -> None:
        """The row is gone, so the removal is done; bytes that stay behind are for `FileService.reconcile`."""
        try:
            self._blobs.delete(blob)
        except OSError as error:
            log.warning("file storage: a blob could not be removed: %s", error)


def denied(file_id: str) -> PermissionDenied:
    """What is said of a file that is not there for the caller, whatever the reason."""
    return PermissionDenied(
        f"You do not have permission to access the File {file_id[:100]} or it may not exist."
    )


def page_size(requested: int) -> int:
    """How many files a page has: 10 for 0, never more than 100.

    Raises:
        InvalidRequest: A negative size.
    """
    if requested < 0:
        raise InvalidRequest("page_size must not be negative.", where="page_size")
    return min(requested or DEFAULT_PAGE, MAX_PAGE)


def page_token(owner: str, file: StoredFile) -> str:
    """The token of the page that follows `file`."""
    place = f"{to_micros(file.created)}.{file.id}".encode()
    return base64.urlsafe_b64encode(_seal(owner, place) + place).rstrip(b"=").decode()


def parse_page_token(owner: str, token: str) -> Position | None:
    """Where the page of `token` begins; None for an empty token.

    Raises:
        InvalidRequest: The token was not made for this listing.
    """
    if not token:
        return None
    try:
        if len(token) > _MAX_TOKEN:
            raise ValueError
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        seal, place = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if seal != _seal(owner, place):
            raise ValueError
        micros, _, file_id = place.decode().partition(".")
        return Position(from_micros(int(micros)), file_id)
    except (ValueError, binascii.Error, OverflowError):
        raise InvalidRequest(
            "Invalid page token. Use the nextPageToken of the same listing, or none to start over.",
            where="page_token",
        ) from None


def _seal(owner: str, place: bytes) -> bytes:
    return hashlib.sha256(b"files\0" + owner.encode() + b"\0" + place).digest()[:_SEAL_BYTES]
