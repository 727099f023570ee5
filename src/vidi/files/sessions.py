"""The uploads that are open: who holds which, how they are let in and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from vidi.domain.errors import FailedPrecondition, NotFound, ResourceExhausted
from vidi.files.catalogue import Files
from vidi.files.faults import storage_faults
from vidi.files.quota import Quota
from vidi.files.received import Received
from vidi.files.store import Phase, Session

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class Sessions:
    """The rows of uploads, each with a lock and what is known of its bytes."""

    def __init__(self, files: Files) -> None:
        """Take up what an earlier run left."""
        self._files = files
        self._blobs = files.storage.blobs
        self._index = files.storage.index
        self._quota = Quota(files.storage.index, files.limits)
        self._guard = threading.Lock()
        self._received: dict[str, Received] = {}
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
    def held(self, upload_id: str, *, cancelled: bool = False) -> Iterator[tuple[Session, Received]]:
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

    def grow(self, session: Session, received: Received, size: int) -> None:
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

    def drop(self, session: Session, received: Received) -> None:
        """Cancel a held session: row first, bytes after; the bytes even if the row cannot be changed."""
        try:
            with self.ending(session):
                self._index.cancel(session.id, self._files.clock())
        finally:
            received.forget()
            self._files.discard(session.blob)

    @contextmanager
    def or_drop(self, session: Session, received: Received) -> Iterator[None]:
        """Around a sync. After one failed nothing can be trusted, not even one that succeeds: it is over."""
        try:
            yield
        except OSError:
            self.drop(session, received)
            raise

    def give_up(self) -> int:
        """Forget the sessions that nobody touched for `Limits.patience`; returns how many."""
        with storage_faults():
            idle = self._index.idle(self._files.clock() - self._files.limits.patience)
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

    def _received_of(self, upload_id: str) -> Received:
        with self._guard:
            received = self._received.get(upload_id)
        if received is not None:
            return received
        session = self._index.session(upload_id)
        if session is None:
            raise _unknown()
        with self._guard:
            return self._received.setdefault(upload_id, Received(self._blobs, session.blob))

    def _let_go(self, upload_id: str) -> None:
        """The session has ended and will never be active again, so its lock is not needed any more."""
        with self._guard:
            self._received.pop(upload_id, None)


def _unknown() -> NotFound:
    return NotFound("No such upload: it is unknown or was given up. Start a new one.")
