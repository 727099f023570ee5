"""Files on a disk, behind a seam that tests replace, and space that is kept free for removals."""

from __future__ import annotations

import errno
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


def refuse_other_than_file(path: Path) -> None:
    """Raise OSError if there is a pipe, a device or a folder: to open a pipe waits for its other end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EIO, "it is no file", str(path))


class PosixDisk:
    """A `Disk` that is real. Only the owner may enter its directories and read its files."""

    def make_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, path: Path) -> None:
        refuse_other_than_file(path)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def write(self, path: Path, offset: int, data: bytes) -> None:
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
        """Works on a descriptor of its own: the kernel flushes the file, whoever wrote it."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def size(self, path: Path) -> int | None:
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None

    def open(self, path: Path) -> BinaryIO:
        return path.open("rb")

    def names(self, directory: Path) -> list[str]:
        return [path.name for path in directory.iterdir()]


SPARE_BYTES = 1 << 20
"""Twice what the database's log grows to before it is emptied."""


class SpareSpace:
    """A file that only takes up space.

    On a full disk even a removal fails: the database writes to its log first. Then this file is given up, the
    removal goes through, and new bytes are refused until there is room for the file again.
    """

    def __init__(self, path: Path, disk: Disk, size: int = SPARE_BYTES) -> None:
        """Space at `path`, `size` bytes; it may be allocated already."""
        self._path = path
        self._disk = disk
        self._size = size
        self._lock = threading.Lock()
        self._allocated = disk.size(path) == size

    def ensure(self) -> None:
        """Allocate the space; costs nothing while it is allocated.

        Raises:
            OSError: There is no room for it.
        """
        with self._lock:
            if self._allocated:
                return
            try:
                self._disk.remove(self._path)
                self._disk.create(self._path)
                # Random, because some file systems keep zeros in no space at all.
                self._disk.write(self._path, 0, secrets.token_bytes(self._size))
            except OSError:
                self._disk.remove(self._path)
                raise
            self._allocated = True

    def release(self) -> None:
        """Give the space up for a removal."""
        with self._lock:
            self._allocated = False
            self._disk.remove(self._path)
