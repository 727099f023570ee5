"""The uploads that are open: who holds which, how they are let in and how they end; quotas and what came."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound, ResourceExhausted
from vidi.files.service import FileService
from vidi.files.store import BlobStore, FileIndex, FileLimits, Phase, Session
from vidi.storage.clock import END_OF_TIME
from vidi.storage.errors import RETRY_AFTER_S, storage_faults


class Quota:
    """Lets bytes in, or not. Its lock is held over each look at the total and the change that follows."""

    def __init__(self, index: FileIndex, limits: FileLimits) -> None:
        """Count over `index`."""
        self._index = index
        self._limits = limits
        self._lock = threading.Lock()
        self._open_ended: dict[str, int] = {}

    def admit(self, session: Session) -> None:
        """Start a session if all its declared bytes have room.

        Raises:
            ResourceExhausted: They do not; nothing is started.
        """
        with self._lock:
            self._check(session.length or 0, session.length or 0)
            self._index.start(session)

    def grow(self, upload_id: str, size: int) -> None:
        """Let a session of unknown length grow to `size` bytes.

        Raises:
            ResourceExhausted: There is no room.
        """
        with self._lock:
            held = self._open_ended.get(upload_id, 0)
            if size > held:
                self._check(size, size - held)
                self._open_ended[upload_id] = size

    def restore(self, upload_id: str, size: int) -> None:
        """Count a session of unknown length that an earlier run of the server left."""
        with self._lock:
            self._open_ended[upload_id] = size

    @contextmanager
    def settling(self, upload_id: str) -> Iterator[None]:
        """Around the change of row that ends a session: nobody sees its bytes twice or not at all."""
        with self._lock:
            yield
            self._open_ended.pop(upload_id, None)

    def _check(self, size: int, more: int) -> None:
        if size > self._limits.file_bytes:
            raise ResourceExhausted(
                f"The file is too large: a file may have at most {self._limits.file_bytes} bytes.",
                reason="FILE_TOO_LARGE",
            )
        taken = self._index.reserved() + sum(self._open_ended.values())
        if taken + more > self._limits.total_bytes:
            raise ResourceExhausted(
                "You exceeded your current quota. Quota exceeded for metric: file_storage_bytes, "
                f"limit: {self._limits.total_bytes}, taken: {taken}. "
                "Delete files, cancel uploads, or wait until some expire.",
                reason="FILE_STORAGE_FULL",
                retry_after=RETRY_AFTER_S,
            )


REHASHED_AT_ONCE = 1 << 20
"""Bytes per read when the digest of stored bytes has to be made anew, after a restart."""


class PartialBlob:
    """What is stored of an upload.

    Everything here can be had again from the stored bytes, so it may be dropped at any time. Whoever uses
    it holds `lock`.
    """

    def __init__(self, blobs: BlobStore, key: str) -> None:
        """The bytes under `key`, of which there may be none yet."""
        self.lock = threading.Lock()
        self._blobs = blobs
        self._key = key
        self._size: int | None = None
        self._synced = 0
        self._digest: hashlib._Hash | None = None

    def size(self) -> int:
        """How many bytes are stored."""
        if self._size is None:
            self._size = self._blobs.size(self._key) or 0
        return self._size

    def fresh(self, position: int, data: bytes) -> bytes:
        """Those of `data` that are not stored yet.

        Args:
            position: Where the first of `data` belongs; at most `size`.
            data: Any bytes.

        Raises:
            InvalidRequest: Other bytes are stored at that place.
        """
        repeated = self.size() - position
        self.compare(position, data[:repeated])
        return data[repeated:]

    def append(self, data: bytes) -> None:
        """Store bytes behind those that are stored.

        Raises:
            OSError: Not all was stored; `size` tells how much is.
        """
        if not data:
            return
        stored, synced, digest = self.size(), self._synced, self._digest_so_far()
        self.forget()
        if stored == 0:
            self._blobs.create(self._key)
        self._blobs.append(self._key, stored, data)
        digest.update(data)
        self._size, self._synced, self._digest = stored + len(data), synced, digest

    def compare(self, position: int, data: bytes) -> None:
        """Check that `data` is what is stored from `position` on.

        Raises:
            InvalidRequest: It is not.
            FileNotFoundError: Nothing is stored any more.
        """
        if not data:
            return
        with self._blobs.open(self._key) as reader:
            reader.seek(position)
            if reader.read(len(data)) != data:
                raise InvalidRequest(
                    f"Other bytes are received already at upload offset {position}. A chunk may be repeated, "
                    "not changed; cancel the upload and start a new one.",
                    where="X-Goog-Upload-Offset",
                )

    def sync(self) -> None:
        """Make all bytes survive a power cut; costs nothing if they do."""
        size = self.size()
        if size not in (0, self._synced):
            self._blobs.sync(self._key)
            self._synced = size

    def finish(self) -> None:
        """Make the blob whole."""
        if self.size() == 0:
            self._blobs.create(self._key)
        self._blobs.finish(self._key)

    def digest(self) -> str:
        """SHA-256 of all bytes in hex."""
        return self._digest_so_far().hexdigest()

    def open(self) -> BinaryIO:
        """A reader of the bytes stored. There is one for an upload of no bytes too."""
        if self.size() == 0:
            self._blobs.create(self._key)
        return self._blobs.open(self._key)

    def forget(self) -> None:
        """Know no more than what is stored."""
        self._size = None
        self._synced = 0
        self._digest = None

    def _digest_so_far(self) -> hashlib._Hash:
        if self._digest is None:
            self._digest = hashlib.sha256()
            if self.size():
                with self.open() as reader:
                    while block := reader.read(REHASHED_AT_ONCE):
                        self._digest.update(block)
        return self._digest


class Sessions:
    """The rows of uploads, each with a lock and what is known of its bytes."""

    def __init__(self, files: FileService) -> None:
        """Take up what an earlier run left."""
        self._files = files
        self._blobs = files.storage.blobs
        self._index = files.storage.index
        self._quota = Quota(files.storage.index, files.limits)
        self._guard = threading.Lock()
        self._received: dict[str, PartialBlob] = {}
        with storage_faults():
            for session in self._index.idle(END_OF_TIME):
                if session.phase is Phase.ACTIVE and session.length is None:
                    self._quota.restore(session.id, self._blobs.size(session.blob) or 0)

    def admit(self, session: Session) -> None:
        """Add a session if there is room.

        Raises:
            ResourceExhausted: There is none.
        """
        self._with_room(lambda: self._quota.admit(session))

    @contextmanager
    def held(self, upload_id: str, *, cancelled: bool = False) -> Iterator[tuple[Session, PartialBlob]]:
        """A session and its bytes, nobody else's until the end of the block.

        Args:
            upload_id: Which.
            cancelled: Whether a cancelled one will do.

        Raises:
            NotFound: No such upload.
            FailedPrecondition: It was cancelled.
            ResourceExhausted, Unavailable: The block met an OSError.
        """
        with storage_faults():
            received = self._received_of(upload_id)
            with received.lock:
                session = self._index.session(upload_id)
                if session is None or session.phase is not Phase.ACTIVE:
                    self._let_go(upload_id)
                if session is None:
                    raise _unknown()
                if session.phase is Phase.CANCELLED and not cancelled:
                    raise FailedPrecondition("This upload was cancelled. Start a new one.")
                yield session, received

    def grow(self, session: Session, received: PartialBlob, size: int) -> None:
        """Have room for `size` bytes of a held session of unknown length.

        Raises:
            ResourceExhausted: There is none; the session is cancelled, so that nothing half-stored stays.
        """
        try:
            self._with_room(lambda: self._quota.grow(session.id, size))
        except ResourceExhausted:
            self.drop(session, received)
            raise

    @contextmanager
    def ending(self, session: Session) -> Iterator[None]:
        """Around the change of row that ends a held session, whose quota passes on or goes back with it."""
        with self._quota.settling(session.id):
            yield
        self._let_go(session.id)

    def drop(self, session: Session, received: PartialBlob) -> None:
        """Cancel a held session: row first, bytes after; the bytes even if the row cannot be changed."""
        try:
            with self.ending(session):
                self._index.cancel(session.id, self._files.clock())
        finally:
            received.forget()
            self._files.discard(session.blob)

    @contextmanager
    def cancel_on_error(self, session: Session, received: PartialBlob) -> Iterator[None]:
        """Around a sync. After one failed nothing can be trusted, not even one that succeeds: it is over."""
        try:
            yield
        except OSError:
            self.drop(session, received)
            raise

    def expire_uploads(self) -> int:
        """Forget the sessions that nobody touched for `FileLimits.patience`; returns how many."""
        with storage_faults():
            idle = self._index.idle(self._files.clock() - self._files.limits.upload_ttl)
        gone = 0
        for seen in idle:
            with suppress(NotFound), self.held(seen.id, cancelled=True) as (session, received):
                if session.touched != seen.touched:
                    continue
                if session.phase is Phase.ACTIVE:
                    self.drop(session, received)
                self._index.forget(session.id)
                gone += 1
        return gone

    def _with_room(self, claim: Callable[[], None]) -> None:
        """Claim room; if there is none, once more after files whose time is over have made some."""
        try:
            claim()
        except ResourceExhausted:
            if not self._files.expire():
                raise
            claim()

    def _received_of(self, upload_id: str) -> PartialBlob:
        with self._guard:
            received = self._received.get(upload_id)
        if received is not None:
            return received
        session = self._index.session(upload_id)
        if session is None:
            raise _unknown()
        with self._guard:
            return self._received.setdefault(upload_id, PartialBlob(self._blobs, session.blob))

    def _let_go(self, upload_id: str) -> None:
        """The session has ended and will never be active again, so its lock is not needed any more."""
        with self._guard:
            self._received.pop(upload_id, None)


def _unknown() -> NotFound:
    return NotFound("No such upload: it is unknown or was given up. Start a new one.")
