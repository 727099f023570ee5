"""Space that is kept for removals, so that a full disk never keeps anyone from making room.

To remove a row the database has to write a little first. On a disk that uploads have filled that would
fail, and nothing could ever be deleted. So a file of a megabyte lies ready to be given up, and uploads
get no more bytes while it is not there.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

from vidi.files.disk import Disk

RESERVED_BYTES = 1 << 20
"""Twice what the database's log grows to before it is emptied."""


class Reserve:
    """A file that only takes up space."""

    def __init__(self, path: Path, disk: Disk, size: int = RESERVED_BYTES) -> None:
        """The reserve at `path`, `size` bytes; it may be there or not."""
        self._path = path
        self._disk = disk
        self._size = size
        self._lock = threading.Lock()
        self._stands = disk.size(path) == size

    def ensure(self) -> None:
        """Have the space set aside; costs nothing while it is.

        Raises:
            OSError: There is no room for it.
        """
        with self._lock:
            if self._stands:
                return
            try:
                self._disk.remove(self._path)
                self._disk.create(self._path)
                # Random, because some file systems keep zeros in no space at all.
                self._disk.write(self._path, 0, secrets.token_bytes(self._size))
            except OSError:
                self._disk.remove(self._path)
                raise
            self._stands = True

    def release(self) -> None:
        """Give the space up for a removal."""
        with self._lock:
            self._stands = False
            self._disk.remove(self._path)
