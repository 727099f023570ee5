"""The default store: a directory with one file a blob, and a SQLite database for the rows.

<directory>/lock             held while a server uses the directory
<directory>/parts/<key>      blobs that still grow
<directory>/blobs/<key>      finished blobs
<directory>/index.sqlite3    rows (and its -wal and -shm)
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vidi.domain.errors import Unavailable
from vidi.files.sqlite import SqliteIndex
from vidi.files.store import FileStorage
from vidi.storage.disk import SPARE_BYTES, Disk, PosixDisk, SpareSpace
from vidi.storage.errors import opening

_KEY = re.compile(r"[a-z0-9]{1,64}")


class LocalBlobs:
    """A `BlobStore` on a directory.

    A blob is finished by the sequence that survives any crash: sync the bytes, rename, sync the directory.
    A blob that was finished but whose row was never written is still found under its key.
    """

    def __init__(self, directory: Path, disk: Disk | None = None, spare_bytes: int = SPARE_BYTES) -> None:
        """Use `directory`, made if it is not there.

        Raises:
            OSError: The directory cannot be made.
        """
        self._disk = disk or PosixDisk()
        self.spare = SpareSpace(directory / "reserve", self._disk, spare_bytes)
        self._parts = directory / "parts"
        self._whole = directory / "blobs"
        for path in (directory, self._parts, self._whole):
            self._disk.make_directory(path)
        self._disk.sync(directory)

    def create(self, key: str) -> None:
        if self.size(key) is None:
            self._disk.create(self._parts / key)

    def append(self, key: str, offset: int, data: bytes) -> None:
        self.spare.ensure()
        self._disk.write(self._find(key), offset, data)

    def sync(self, key: str) -> None:
        path = self._find(key)
        self._disk.sync(path)
        self._disk.sync(path.parent)

    def finish(self, key: str) -> None:
        path = self._find(key)
        self._disk.sync(path)
        if path.parent == self._parts:
            self._disk.rename(path, self._whole / key)
        self._disk.sync(self._whole)

    def size(self, key: str) -> int | None:
        for path in self._places(key):
            size = self._disk.size(path)
            if size is not None:
                return size
        return None

    def open(self, key: str, size: int | None = None) -> BinaryIO:
        """A file that has lost bytes is not read."""
        if size not in (None, self.size(key)):
            raise FileNotFoundError(errno.ENOENT, "a file's blob is not what it was", key)
        whole, part = self._places(key)
        try:
            return self._disk.open(whole)
        except FileNotFoundError:
            return self._disk.open(part)

    def delete(self, key: str) -> None:
        """Not synced: the row went before, and `reconcile` finds what comes back."""
        for path in self._places(key):
            self._disk.remove(path)

    def keys(self) -> Iterator[str]:
        """Names that are no keys are not ours and are left alone."""
        found = {*self._disk.names(self._parts), *self._disk.names(self._whole)}
        return (name for name in found if _KEY.fullmatch(name))

    def _places(self, key: str) -> tuple[Path, Path]:
        if not _KEY.fullmatch(key):
            raise ValueError("a blob key is 1 to 64 characters of [a-z0-9]")
        return (self._whole / key, self._parts / key)

    def _find(self, key: str) -> Path:
        for path in self._places(key):
            if self._disk.size(path) is not None:
                return path
        raise FileNotFoundError(key)


@contextmanager
def open_local(directory: Path) -> Iterator[FileStorage]:
    """Open the store in `directory`, made if it is not there, for one server alone.

    Raises:
        Unavailable: Another server uses the directory, or it cannot be used.
    """
    with opening(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock, directory)
        with opening(directory):
            blobs = LocalBlobs(directory)
            index = _open_index(directory / "index.sqlite3", blobs.spare)
            for changed in (directory, directory.parent):
                PosixDisk().sync(changed)
        try:
            yield FileStorage(blobs, index)
        finally:
            index.close()
    finally:
        os.close(lock)


def _open_index(path: Path, spare: SpareSpace) -> SqliteIndex:
    """The database, which only the owner may read. Even to be opened it needs a little space."""
    try:
        PosixDisk().create(path)
        return SqliteIndex(path, spare.release)
    except OSError:
        spare.release()
        return SqliteIndex(path, spare.release)


def _lock(descriptor: int, directory: Path) -> None:
    """Take the lock; the kernel gives it back when the process ends, however it ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Unavailable(
            f"Another server uses the data directory {directory}. Stop it, or choose another directory with "
            "--data-dir or VIDI_DATA_DIR."
        ) from error
