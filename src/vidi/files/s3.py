"""Blobs in an S3-compatible store, for several servers at once, without a lock between them.

<prefix>/blobs/<key>/<offset>    a piece of a blob, named by its place with 20 digits
<prefix>/blobs/<key>/empty       a blob that was finished without a byte
<prefix>/bucket                  which database this store belongs to

A blob is a run of pieces, each beginning where the one before ends. A piece is made by a create-only PUT and
never changed. So the store itself decides which of two servers has written at a place: the other one is told
that something is there, and finds either its own bytes, which is a harmless repeat, or other ones. What is
read once up to some length will read the same for ever, whatever is added behind it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import re
import secrets
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Unpack
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore, S3Store

from vidi.domain.errors import Unavailable
from vidi.lru import LruCache

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore.store import S3Config

PIECE_BYTES = 1 << 23
"""Length of the pieces that an upload is stored in: the chunk of the SDKs."""

_KEY = re.compile(r"[a-z0-9]{1,64}")
_EMPTY = "empty"
_BUCKET = "bucket"

LARGEST_PART = 4
"""A blob of more than this part of the cache is not kept: it would put out too many others."""

DELETED_AT_ONCE = 500

WRITTEN_KEPT = 10_000
"""Keys of blobs that this server has written to, which need not be looked for again."""

_COPIED_AT_ONCE = 1 << 20

_COPY_BYTES = 1 << 16
"""What a copy counts for beside its bytes, so that many small ones do not take up all descriptors."""

log = logging.getLogger(__name__)


def open_bucket(url: str, **given: Unpack[S3Config]) -> S3Store:
    """A store for `s3://bucket/prefix`.

    Args:
        url: Bucket and prefix.
        given: What is not to be found as the AWS tools find it: in AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL,
            AWS_REGION and so on, or from the machine's role.

    Raises:
        Unavailable: The URL is of another form.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or "@" in parts.netloc:
        raise Unavailable("VIDI_BLOB_URL must be s3://bucket or s3://bucket/prefix.")
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        config=given,
        client_options={
            # An endpoint without TLS is the owner's choice; Amazon's is always https.
            "allow_http": True,
            "connect_timeout": timedelta(seconds=3),
            "timeout": timedelta(seconds=20),
        },
        retry_config={
            "max_retries": 3,
            "retry_timeout": timedelta(seconds=10),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1)},
        },
    )


class S3Blobs:
    """A `BlobStore` on an object store.

    `append` is durable when it returns, so `sync` has nothing to do. A blob that was created and has no bytes
    yet is known to this server only.
    """

    def __init__(self, store: ObjectStore, cache: BlobCache) -> None:
        self._store = store
        self._cache = cache
        self._lock = threading.Lock()
        self._created: set[str] = set()
        self._written: LruCache[str, bool] = LruCache(WRITTEN_KEPT)

    def bucket(self) -> str:
        """The id of this store, made by whoever asks first.

        Raises:
            ConnectionError: It cannot be reached, or refuses.
            Unavailable: It cannot keep two servers from writing over each other.
        """
        with contextlib.suppress(AlreadyExistsError), store_faults():
            obstore.put(self._store, _BUCKET, secrets.token_hex(16).encode(), mode="create")
        found = self._get(_BUCKET)
        try:
            with store_faults():
                obstore.put(self._store, _BUCKET, found, mode="create")
        except AlreadyExistsError:
            return found.decode(errors="replace")
        raise Unavailable(
            "The store of VIDI_BLOB_URL overwrites an object that a PUT with `If-None-Match: *` must not. "
            "Two servers would tear each other's uploads; use a store that knows conditional writes."
        )

    def create(self, key: str) -> None:
        with self._lock:
            self._created.add(_checked(key))

    def append(self, key: str, offset: int, data: bytes) -> None:
        if offset == 0 and self.size(key) is None:
            raise FileNotFoundError(key)
        name = _piece(key, offset)
        try:
            with store_faults():
                obstore.put(self._store, name, data, mode="create")
        except AlreadyExistsError:
            # Also after an answer that was lost: the request is repeated, and meets itself.
            if self._get(name) != data:
                raise FileExistsError(key) from None
        with self._lock:
            self._created.discard(key)
            self._written.put(key, True)

    def sync(self, key: str) -> None:
        with self._lock:
            if self._written.get(_checked(key)):
                return
        if self._run(key) is None:
            if not self._is_new(key):
                raise FileNotFoundError(key)
            with store_faults():
                obstore.put(self._store, f"{_folder(key)}{_EMPTY}", b"")

    def finish(self, key: str) -> None:
        self.sync(key)

    def size(self, key: str) -> int | None:
        run = self._run(key)
        if run is None and not self._is_new(key):
            return None
        return sum(piece.size for piece in run or ())

    def open(self, key: str, size: int | None = None) -> BinaryIO:
        """Its first piece is read at once, the others when they are needed; what is kept is kept whole."""
        if size is not None and (kept := self._cache.open(_checked(key))) is not None:
            return kept
        run = self._run(key)
        if run is None:
            if self._is_new(key):
                return io.BytesIO()
            raise FileNotFoundError(key)
        reader = _PieceReader(self._get, run, sum(piece.size for piece in run) if size is None else size)
        if size is not None and self._cache.keeps(size):
            return self._cache.keep(key, size, reader)
        return io.BufferedReader(reader)

    def delete(self, key: str) -> None:
        with self._lock:
            self._created.discard(_checked(key))
            self._written.discard(key)
        self._cache.discard(key)
        with store_faults():
            names = [
                meta["path"] for batch in obstore.list(self._store, prefix=_folder(key)) for meta in batch
            ]
            for start in range(0, len(names), DELETED_AT_ONCE):
                obstore.delete(self._store, names[start : start + DELETED_AT_ONCE])

    def keys(self) -> Iterator[str]:
        with store_faults():
            found = obstore.list_with_delimiter(self._store, prefix="blobs/")["common_prefixes"]
        with self._lock:
            names = {*(path.rstrip("/").rpartition("/")[2] for path in found), *self._created}
        return (name for name in names if _KEY.fullmatch(name))

    def _is_new(self, key: str) -> bool:
        with self._lock:
            return _checked(key) in self._created

    def _run(self, key: str) -> tuple[_Object, ...] | None:
        """The pieces of a blob, in order and without a gap; None if there is no such blob."""
        with store_faults():
            metas = [meta for batch in obstore.list(self._store, prefix=_folder(key)) for meta in batch]
        run: list[_Object] = []
        end = 0
        for meta in sorted(metas, key=lambda meta: meta["path"]):
            if meta["path"].rpartition("/")[2] == f"{end:020d}":
                run.append(_Object(_piece(key, end), end, meta["size"]))
                end += meta["size"]
        empty = any(meta["path"].endswith(f"/{_EMPTY}") for meta in metas)
        return tuple(run) if run or empty else None

    def _get(self, name: str) -> bytes:
        with store_faults():
            return bytes(obstore.get(self._store, name).bytes())


@dataclass(frozen=True, slots=True)
class _Object:
    """A part of a blob: its object's name, its place and its length in bytes."""

    name: str
    offset: int
    size: int


class _RawReader(io.RawIOBase):
    """Bytes that can be had from any place on."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._end = size
        self._position = 0

    def bytes_at(self, position: int, count: int) -> bytes | memoryview:
        """At most `count` of the bytes from `position` on, at least one; `position` is before the end."""
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer).cast("B")
        wanted = min(len(into), self._end - self._position)
        if wanted <= 0:
            return 0
        found = self.bytes_at(self._position, wanted)
        into[: len(found)] = found
        self._position += len(found)
        return len(found)


class _PieceReader(_RawReader):
    """A blob in its pieces; one of them is in memory."""

    def __init__(self, get: Callable[[str], bytes], run: tuple[_Object, ...], size: int) -> None:
        """Get the first piece.

        Raises:
            OSError: There are not `size` bytes.
        """
        super().__init__(size)
        if sum(piece.size for piece in run) < size:
            raise OSError(errno.EIO, "a file's blob has lost bytes")
        self._get = get
        self._run = run
        self._loaded = (-1, b"")
        if size:
            self.bytes_at(0, 1)

    def bytes_at(self, position: int, count: int) -> memoryview:
        number = bisect_right(self._run, position, key=lambda piece: piece.offset) - 1
        piece = self._run[number]
        if self._loaded[0] != number:
            self._loaded = (number, self._get(piece.name))
        start = position - piece.offset
        return memoryview(self._loaded[1])[start : start + count]


class _Copy:
    """A file on this machine without a name: it is gone with its last reader, or with the process."""

    def __init__(self, directory: Path) -> None:
        self.descriptor = -1
        with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
            self.descriptor = os.dup(file.fileno())
        self.size = 0

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self.descriptor, left) :]
        self.size += len(data)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


class _CopyReader(_RawReader):
    """Reads a copy, beside others who read it."""

    def __init__(self, copy: _Copy) -> None:
        super().__init__(copy.size)
        self._copy = copy

    def bytes_at(self, position: int, count: int) -> bytes:
        return os.pread(self._copy.descriptor, count, position)


class BlobCache:
    """Copies of the blobs of files on this machine's disk, the least recently read put out first.

    A file's bytes never change, so no copy is ever stale.
    """

    def __init__(self, directory: Path, room: int) -> None:
        """Keep copies in `directory`, up to `room` bytes together; 0 keeps none."""
        self._directory = directory
        self._room = room
        self._lock = threading.Lock()
        self._copies: LruCache[str, _Copy] = LruCache(room, lambda _, copy: copy.size + _COPY_BYTES)

    def open(self, key: str) -> BinaryIO | None:
        """A reader of the copy, if there is one."""
        with self._lock:
            copy = self._copies.get(key)
        return None if copy is None else io.BufferedReader(_CopyReader(copy))

    def keeps(self, size: int) -> bool:
        """Whether a blob of this size would be kept."""
        return size + _COPY_BYTES <= self._room // LARGEST_PART

    def keep(self, key: str, size: int, reader: io.RawIOBase) -> BinaryIO:
        """Copy `size` bytes and keep them; returns a reader of the same bytes, kept or not."""
        buffered = io.BufferedReader(reader)
        try:
            copy = _Copy(self._directory)
            while block := buffered.read(min(_COPIED_AT_ONCE, size - copy.size)):
                copy.write(block)
        except ConnectionError:
            raise
        except OSError as error:
            log.warning("file storage: no copy could be kept: %s", error)
            buffered.seek(0)
            return buffered
        with self._lock:
            self._copies.put(key, copy)
        return io.BufferedReader(_CopyReader(copy))

    def discard(self, key: str) -> None:
        """Keep no copy of this blob."""
        with self._lock:
            self._copies.discard(key)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("a blob key is 1 to 64 characters of [a-z0-9]")
    return key


def _folder(key: str) -> str:
    return f"blobs/{_checked(key)}/"


def _piece(key: str, offset: int) -> str:
    return f"{_folder(key)}{offset:020d}"


@contextlib.contextmanager
def store_faults() -> Iterator[None]:
    """Turn what the store raises in the block into the OSError that the seam promises.

    `AlreadyExistsError` passes. Of the store's own words only the first line is repeated: the rest holds the
    request and its answer.
    """
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "the object store has no such object") from None
    except AlreadyExistsError:
        raise
    except BaseError as error:
        said = next(iter(str(error).splitlines()), "").partition("<")[0]
        raise ConnectionError(errno.EIO, f"the object store failed: {said}") from None
