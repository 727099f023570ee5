"""Files on a disk, and a reserve of space on it; both seams hide behind what a test can replace."""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path
from typing import BinaryIO, Protocol


class Disk(Protocol):
    """Files in directories. Every method may raise OSError."""

    def make_directory(self, path: Path) -> None:
        """Make a directory and its parents; only the owner may enter. One that is there is kept."""
        ...

    def create(self, path: Path) -> None:
        """Make an empty file; one that is there is kept as it is."""
        ...

    def write(self, path: Path, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset` of an existing file."""
        ...

    def sync(self, path: Path) -> None:
        """Bring a file's bytes, or a directory's entries, to the platter."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Move a file, replacing `target`, all at once."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def size(self, path: Path) -> int | None:
        """Length of a file; None if there is none."""
        ...

    def open(self, path: Path) -> BinaryIO:
        """Open a file for reading; it can be read to its end even after it is removed."""
        ...

    def names(self, directory: Path) -> list[str]:
        """Names of what lies in a directory."""
        ...


class PosixDisk:
    """The real one."""

    def make_directory(self, path: Path) -> None:
        """Make a directory and its parents; only the owner may enter."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, path: Path) -> None:
        """Make an empty file that only the owner may read."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def write(self, path: Path, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            left = memoryview(data)
            while left:
                written = os.pwrite(descriptor, left, offset)
                left = left[written:]
                offset += written
        finally:
            os.close(descriptor)

    def sync(self, path: Path) -> None:
        """fsync. Works on a descriptor of its own: the kernel flushes the file, whoever wrote it."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Move a file, replacing `target`, all at once."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink(missing_ok=True)

    def size(self, path: Path) -> int | None:
        """Length of a file; None if there is none."""
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None

    def open(self, path: Path) -> BinaryIO:
        """Open a file for reading, unbuffered reads left to the caller's sizes."""
        return path.open("rb")

    def names(self, directory: Path) -> list[str]:
        """Names of what lies in a directory."""
        return [path.name for path in directory.iterdir()]


RESERVED_BYTES = 1 << 20
"""Twice what the database's log grows to before it is emptied."""


class SpareSpace:
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
