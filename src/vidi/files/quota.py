"""How many bytes may be kept, to the byte, however many uploads race.

What is taken is read from the index, where a session with a declared length counts from its start and a
file from its finalization on. Only sessions of unknown length are counted here, as their bytes come.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vidi.domain.errors import ResourceExhausted
from vidi.files.faults import RETRY_AFTER_S
from vidi.files.store import FileIndex, Limits, Session


class Quota:
    """Lets bytes in, or not. Its lock is held over each look at the total and the change that follows."""

    def __init__(self, index: FileIndex, limits: Limits) -> None:
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
