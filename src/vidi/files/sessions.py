"""Open uploads: what of each is stored, which thread may change it, and how many bytes all may take."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from vidi.domain.errors import (
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    QuotaViolation,
    RequestTooLarge,
    ResourceExhausted,
)
from vidi.files.service import FileService
from vidi.files.store import WRONG_OFFSET, BlobStore, FileLimits, FileStorage, Full, Phase, Session
from vidi.storage.clock import END_OF_TIME
from vidi.storage.errors import RETRY_AFTER_S, storage_faults


class Quota:
    """Counts the bytes of files and uploads against the limits.

    What is stored and what is declared is counted by the index, durably. An upload of unknown length has
    declared nothing, so its bytes are counted here; after a restart they are counted anew from the blobs. One
    lock is held over each look at the total and the change that follows: two uploads that each fit alone must
    not both be let in. Several servers share no lock, so their index does all of it, each in one transaction.
    """

    def __init__(self, storage: FileStorage, limits: FileLimits) -> None:
        self._index = storage.index
        self._shared = storage.shared
        self._limits = limits
        self._lock = threading.Lock()
        self._undeclared: dict[str, tuple[str, int]] = {}

    def start(self, session: Session) -> None:
        """Start a session if there is room for it and for all its declared bytes.

        Raises:
            RequestTooLarge: No file may be so large; nothing is started.
            ResourceExhausted: There is no room now; nothing is started.
        """
        if self._shared is not None:
            self._check_size(session.length or 0)
            self._check_claim(session.owner, self._shared.claim_start(session, self._limits))
            return
        with self._lock:
            if self._index.totals(session.owner).uploads >= self._limits.open_uploads:
                raise _too_many_uploads(self._limits.open_uploads)
            self._check_size(session.length or 0)
            self._check_room(session.owner, session.length or 0)
            self._index.start(session)

    def grow(self, session: Session, size: int) -> None:
        """Let a session of unknown length grow to `size` bytes.

        Raises:
            RequestTooLarge: No file may be so large.
            ResourceExhausted: There is no room.
        """
        self._check_size(size)
        if self._shared is not None:
            self._check_claim(session.owner, self._shared.claim_growth(session, size, self._limits))
            return
        with self._lock:
            _, counted = self._undeclared.get(session.id, ("", 0))
            if size > counted:
                self._check_room(session.owner, size - counted)
                self._undeclared[session.id] = session.owner, size

    def restore(self, session: Session, size: int) -> None:
        """Count a session of unknown length that an earlier run of the server left."""
        with self._lock:
            self._undeclared[session.id] = session.owner, size

    @contextmanager
    def ending(self, upload_id: str) -> Iterator[None]:
        """Around the change of row that ends a session: nobody sees its bytes twice or not at all."""
        with self._lock:
            yield
            self._undeclared.pop(upload_id, None)

    def _check_size(self, size: int) -> None:
        if size > self._limits.file_bytes:
            raise RequestTooLarge(
                f"The file is too large: a file may have at most {self._limits.file_bytes} bytes.",
                reason="FILE_TOO_LARGE",
            )

    def _check_room(self, owner: str, more: int) -> None:
        taken = self._index.reserved() + sum(each for _, each in self._undeclared.values())
        if taken + more > self._limits.total_bytes:
            raise _storage_full(self._limits.total_bytes, taken)
        own = self._limits.owner_bytes(owner)
        if own is not None:
            taken = self._index.totals(owner).bytes
            taken += sum(each for whose, each in self._undeclared.values() if whose == owner)
            if taken + more > own:
                raise _storage_full(own, taken)

    def _check_claim(self, owner: str, full: Full | None) -> None:
        """Raises what a refused claim means."""
        if full is Full.UPLOADS:
            raise _too_many_uploads(self._limits.open_uploads)
        if full is Full.OWNER:
            raise _storage_full(self._limits.owner_bytes(owner) or 0, self._index.totals(owner).bytes)
        if full is Full.TOTAL:
            raise _storage_full(self._limits.total_bytes, self._index.reserved())


def _too_many_uploads(limit: int) -> QuotaExceeded:
    return QuotaExceeded(
        QuotaViolation("open_uploads", "OpenUploadsPerProject", limit),
        "Finalize or cancel uploads that you have begun.",
        retry_after=RETRY_AFTER_S,
        reason="TOO_MANY_UPLOADS",
    )


def _storage_full(limit: int, taken: int) -> QuotaExceeded:
    return QuotaExceeded(
        QuotaViolation("file_storage_bytes", "FileStorageBytesPerProject", limit),
        f"{taken} bytes are taken. Delete files, cancel uploads, or wait until some expire.",
        retry_after=RETRY_AFTER_S,
        reason="FILE_STORAGE_FULL",
    )


REHASHED_AT_ONCE = 1 << 20
"""Bytes per read when the digest of stored bytes has to be made anew, after a restart."""


class PartialBlob:
    """The bytes of an upload that are stored so far.

    Size and digest are kept beside the bytes only to save work: both can be computed from the blob, so they
    are forgotten whenever they might be wrong. Whoever uses it holds `lock`.
    """

    def __init__(self, blobs: BlobStore, key: str) -> None:
        self.lock = threading.Lock()
        self._blobs = blobs
        self._key = key
        self._size: int | None = None
        self._synced = 0
        self._digest = hashlib.sha256()
        self._digested = 0

    def size(self) -> int:
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
        # A write that fails may have stored a part. Until it has succeeded nothing is known of the blob, and
        # the next look asks the disk.
        self.forget()
        if stored == 0:
            self._blobs.create(self._key)
        self._blobs.append(self._key, stored, data)
        digest.update(data)
        self._size, self._synced = stored + len(data), synced
        self._digest, self._digested = digest, self._size

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
                    where=WRONG_OFFSET,
                )

    def sync(self) -> None:
        """Make all bytes survive a power cut; costs nothing if they do."""
        size = self.size()
        if size not in (0, self._synced):
            self._blobs.sync(self._key)
            self._synced = size

    def finish(self) -> None:
        if self.size() == 0:
            self._blobs.create(self._key)
        self._blobs.finish(self._key)

    def digest(self) -> str:
        return self._digest_so_far().hexdigest()

    def open(self) -> BinaryIO:
        """A reader of the bytes stored, even if there are none."""
        if self.size() == 0:
            self._blobs.create(self._key)
        return self._blobs.open(self._key)

    def forget(self) -> None:
        """Ask the blob again for all that is known of it."""
        self._size = None
        self._synced = 0
        self._digest = hashlib.sha256()
        self._digested = 0

    def look_again(self) -> None:
        """Ask the blob for its size again, to which another server may have added; what is stored stays."""
        self._size = None

    def _digest_so_far(self) -> hashlib._Hash:
        """Of `size` bytes; those that this server did not store itself are read."""
        size = self.size()
        if self._digested < size:
            with self.open() as reader:
                reader.seek(self._digested)
                while block := reader.read(min(REHASHED_AT_ONCE, size - self._digested)):
                    self._digest.update(block)
                    self._digested += len(block)
        return self._digest


class Sessions:
    """The rows of uploads, each with a lock and its partial blob.

    The row in the index decides; memory only adds a lock and what is known of the bytes. So a restart loses
    nothing, and a phase is always read under the lock: a request that waited for it may find the upload final
    or cancelled.
    """

    def __init__(self, files: FileService) -> None:
        """Take up what an earlier run left."""
        self._files = files
        self._blobs = files.storage.blobs
        self._index = files.storage.index
        self._shared = files.storage.shared is not None
        self._quota = Quota(files.storage, files.limits)
        self._partials_lock = threading.Lock()
        self._partials: dict[str, PartialBlob] = {}
        with storage_faults():
            for session in () if self._shared else self._index.idle(END_OF_TIME):
                if session.phase is Phase.ACTIVE and session.length is None:
                    self._quota.restore(session, self._blobs.size(session.blob) or 0)

    def start(self, session: Session) -> None:
        """Add a session if there is room.

        Raises:
            RequestTooLarge: No file may be so large.
            ResourceExhausted: There is none.
        """
        self._with_room(lambda: self._quota.start(session))

    @contextmanager
    def lock(
        self, upload_id: str, *, allow_cancelled: bool = False, look_again: bool = True
    ) -> Iterator[tuple[Session, PartialBlob]]:
        """A session and its bytes, no other thread's until the end of the block.

        Another server may have added bytes since the last look, may add some meanwhile, and may end the
        session: `PartialBlob.append` and `FileIndex.finish` say when that has happened.

        Args:
            upload_id: Which.
            allow_cancelled: Whether a cancelled one will do.
            look_again: Whether it matters if another server has added bytes since the last look.

        Raises:
            NotFound: No such upload.
            FailedPrecondition: It was cancelled, and that is not allowed.
            ResourceExhausted, Unavailable: The block met an OSError.
        """
        with storage_faults():
            partial = self._partial_blob(upload_id)
            with partial.lock:
                session = self._index.session(upload_id)
                if session is None or session.phase is not Phase.ACTIVE:
                    self._forget_partial(upload_id)
                if session is None:
                    raise _unknown()
                if self._shared and look_again:
                    partial.look_again()
                if session.phase is Phase.CANCELLED and not allow_cancelled:
                    raise FailedPrecondition("This upload was cancelled. Start a new one.")
                yield session, partial

    def owner(self, upload_id: str) -> str:
        """Who began a session.

        Raises:
            NotFound: No such upload.
        """
        session = self._index.session(upload_id)
        if session is None:
            raise _unknown()
        return session.owner

    def grow(self, session: Session, partial: PartialBlob, size: int) -> None:
        """Have room for `size` bytes of a locked session of unknown length.

        Raises:
            RequestTooLarge, ResourceExhausted: There is none. The session is cancelled: its bytes would take
                up the room that it waits for.
        """
        try:
            self._with_room(lambda: self._quota.grow(session, size))
        except (RequestTooLarge, ResourceExhausted):
            self.cancel(session, partial)
            raise

    @contextmanager
    def ending(self, session: Session) -> Iterator[None]:
        """Around the change of row that ends a locked session, whose quota passes on or goes back with it."""
        with self._quota.ending(session.id):
            yield
        self._forget_partial(session.id)

    def cancel(self, session: Session, partial: PartialBlob) -> None:
        """Cancel a locked session: row first, bytes after, so that no row promises bytes that are gone.

        The bytes go even if the row cannot be changed: then the upload stands at 0 bytes, which is true.
        """
        try:
            with self.ending(session):
                self._index.cancel(session.id, self._files.clock())
        finally:
            partial.forget()
            self._files.discard(session.blob)

    @contextmanager
    def cancel_on_error(self, session: Session, partial: PartialBlob) -> Iterator[None]:
        """Around a sync; if it fails, the upload is over.

        After a failed fsync the kernel may drop the pages it could not write and call them clean. A second
        sync would then succeed and acknowledge bytes that are nowhere. A store that could not be reached has
        lost nothing.
        """
        try:
            yield
        except ConnectionError:
            raise
        except OSError:
            self.cancel(session, partial)
            raise

    def expire_uploads(self) -> int:
        """Forget the sessions that nobody touched for `FileLimits.upload_ttl`; returns how many."""
        with storage_faults():
            idle = self._index.idle(self._files.clock() - self._files.limits.upload_ttl)
        expired = 0
        for listed in idle:
            with suppress(NotFound), self.lock(listed.id, allow_cancelled=True) as (session, partial):
                # Between the list and the lock its client may have come back.
                if session.touched != listed.touched:
                    continue
                if session.phase is Phase.ACTIVE:
                    self.cancel(session, partial)
                self._index.forget(session.id)
                expired += 1
        return expired

    def _with_room(self, claim: Callable[[], None]) -> None:
        """Claim room; if there is none, once more after files whose time is over have made some."""
        try:
            claim()
        except ResourceExhausted:
            if not self._files.expire():
                raise
            claim()

    def _partial_blob(self, upload_id: str) -> PartialBlob:
        """The one partial blob of an upload, and so its one lock."""
        with self._partials_lock:
            partial = self._partials.get(upload_id)
        if partial is not None:
            return partial
        # Made only for an upload that exists: whoever guesses ids must not fill the memory.
        session = self._index.session(upload_id)
        if session is None:
            raise _unknown()
        with self._partials_lock:
            return self._partials.setdefault(upload_id, PartialBlob(self._blobs, session.blob))

    def _forget_partial(self, upload_id: str) -> None:
        """The session has ended and will never be active again, so it needs no lock any more."""
        with self._partials_lock:
            self._partials.pop(upload_id, None)


def _unknown() -> NotFound:
    return NotFound("No such upload: it is unknown or was given up. Start a new one.")
