"""The bytes of one upload: how many there are, their digest while they come, and what repeats them."""

from __future__ import annotations

import hashlib
import threading
from typing import BinaryIO

from vidi.domain.errors import InvalidRequest
from vidi.files.store import BlobStore

REHASHED_AT_ONCE = 1 << 20
"""Bytes per read when the digest of stored bytes has to be made anew, after a restart."""


class Received:
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
