"""The seams of the Files API: where bytes lie, where rows lie, and the values that both speak of.

Three parts share the work. A `BlobStore` moves bytes and knows nothing of files or uploads; a `FileIndex`
keeps rows in transactions; `uploads.py` and `service.py` own the offsets and the order in which the two
are told things:

* an upload: session row -> bytes, synced before each chunk is acknowledged -> `finish` -> file row -> answer;
* a removal, in reverse: row first, blob after.

So whatever a crash interrupts, a row never promises bytes that are not there, and what is left over is a
blob that no row names, which `FileService.reconcile` removes. A file's life over both seams:

    index.start(session)                          # a row that promises nothing yet
    blobs.create(session.blob)
    blobs.append(session.blob, 0, data)
    blobs.sync(session.blob)                      # from here on the chunk may be acknowledged
    blobs.finish(session.blob)                    # whole, synced, under its final name
    index.finish(session.id, file)                # True: from here on the file exists
    with blobs.open(file.blob) as reader:
        reader.read()
    index.delete(file.owner, file.id)             # from here on it does not
    blobs.delete(file.blob)

Both seams are called from several threads at once. They report trouble as OSError; ENOSPC or EDQUOT
means that the disk is full, ConnectionError that what holds the bytes or rows cannot be reached: what it has
acknowledged it still has. `tests/contract/` holds the suite that an implementation must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import BinaryIO, Protocol

from vidi.domain.prompt import ImageHeader

GIBIBYTE = 1 << 30

BLOCK_BYTES = 1 << 20
"""How much of an upload is gathered before it goes to a disk."""


class FileState(Enum):
    """What can be done with a file, under the API's own names."""

    PROCESSING = "PROCESSING"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"


class FileSource(Enum):
    """Where a file came from, under the API's own names."""

    UPLOADED = "UPLOADED"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was received in full.

    Attributes:
        id: 1 to 40 characters of [a-z0-9-], unique for its owner.
        owner: Id of the key that uploaded it; "" on an open server.
        blob: Key of its bytes in the `BlobStore`.
        display_name: The uploader's own name for it, at most 512 characters.
        mime_type: What the picture check found, or what the uploader declared.
        size_bytes: Length.
        sha256: Digest of the bytes in hex.
        created: When the upload was finalized (aware).
        updated: When this row changed last (aware).
        expires: From this moment on the file does not exist (aware).
        state: FAILED files are listed but cannot be used.
        error: Why the state is FAILED; None otherwise.
        source: How it came here.
        header: What the picture check read in it, without a request's resolution; None for what is no
            picture, and for a file that an older version stored.
    """

    id: str
    owner: str
    blob: str
    display_name: str
    mime_type: str
    size_bytes: int
    sha256: str
    created: datetime
    updated: datetime
    expires: datetime
    state: FileState = FileState.ACTIVE
    error: str | None = None
    source: FileSource = FileSource.UPLOADED
    header: ImageHeader | None = None

    @property
    def name(self) -> str:
        """The resource name: `files/<id>`."""
        return f"files/{self.id}"


class Phase(Enum):
    """Where an upload stands, under the API's own names."""

    ACTIVE = "active"
    FINAL = "final"
    CANCELLED = "cancelled"


WRONG_OFFSET = "upload.offset"
"""`where` of errors about the place of a chunk; the protocol's edge knows how a client writes it."""

WRONG_SIZE = "upload.size"
"""`where` of errors about the size at the end of an upload."""


@dataclass(frozen=True, slots=True)
class Session:
    """The row of an upload.

    Attributes:
        id: Secret; whoever knows it may send bytes.
        owner: Who will own the file.
        blob: Key of the bytes.
        file_id: Wanted id; once FINAL the id that the file got; "" means that any will do.
        display_name: As declared.
        mime_type: As declared; "" leaves it to the bytes.
        length: Declared length in bytes, once FINAL the real one; None if not known.
        touched: When the session was last seen alive, to the hour or so (aware).
        phase: Only ACTIVE sessions take bytes.
    """

    id: str
    owner: str
    blob: str
    file_id: str
    display_name: str
    mime_type: str
    length: int | None
    touched: datetime
    phase: Phase = Phase.ACTIVE


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a listing: just after the file with this creation time and id."""

    created: datetime
    id: str


@dataclass(frozen=True, slots=True)
class OwnerTotals:
    """What one owner has.

    Attributes:
        bytes: Of all its files and what its ACTIVE sessions have declared, together.
        uploads: How many of its sessions are ACTIVE.
    """

    bytes: int = 0
    uploads: int = 0


def unlimited(_owner: str) -> None:
    """An owner's own limit where there is none."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """How much is kept and for how long. The defaults are Google's.

    Attributes:
        file_bytes: Largest file.
        total_bytes: All files and all that open uploads have declared, together.
        owner_bytes: The same for one owner; None: only `total_bytes` counts. Asked anew each time.
        open_uploads: How many uploads of one owner may be open at the same time.
        lifetime: How long a file is kept after its creation.
        upload_ttl: How long an upload may lie still before it is forgotten.
        readers_ttl: How long a request of another server may be reading a file that was removed.
    """

    file_bytes: int = 2 * GIBIBYTE
    total_bytes: int = 20 * GIBIBYTE
    owner_bytes: Callable[[str], int | None] = unlimited
    open_uploads: int = 10_000
    lifetime: timedelta = timedelta(hours=48)
    upload_ttl: timedelta = timedelta(hours=48)
    readers_ttl: timedelta = timedelta(minutes=15)


class BlobStore(Protocol):
    """Keeps bytes under keys of [a-z0-9], 1 to 64 characters; other keys are refused with ValueError.

    A blob grows by `append` and becomes whole with `finish`. One key is written by one thread at a time.
    """

    def create(self, key: str) -> None:
        """Make an empty blob; one that is there already, finished or not, is left as it is."""
        ...

    def append(self, key: str, offset: int, data: bytes) -> None:
        """Write at `offset`, which is the blob's size.

        After an OSError some of `data` may have been written: ask `size`.

        Raises:
            FileNotFoundError: No such blob.
            FileExistsError: Another server has written there; nothing is changed.
        """
        ...

    def sync(self, key: str) -> None:
        """Make all bytes survive a power cut.

        After an OSError the bytes cannot be trusted, whatever a second call says: delete the blob.

        Raises:
            FileNotFoundError: No such blob.
        """
        ...

    def finish(self, key: str) -> None:
        """Make the blob whole: `sync`, and mark it as finished. Finishing again changes nothing.

        Raises:
            FileNotFoundError: No such blob.
        """
        ...

    def size(self, key: str) -> int | None:
        """How many bytes the blob has; None if there is none."""
        ...

    def open(self, key: str, size: int | None = None) -> BinaryIO:
        """Open a blob, finished or not; the reader reads on to the end even if the blob is deleted.

        Args:
            key: Of the blob.
            size: Its length if it is a file's, and so will never change; then a copy may be kept.

        Raises:
            FileNotFoundError: No such blob.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove a blob, finished or not; one that is not there is no error."""
        ...

    def keys(self) -> Iterator[str]:
        """The keys of all blobs, finished or not, in any order."""
        ...


class FileIndex(Protocol):
    """Keeps the rows. Every method is one transaction, durable before it returns, and linearizable."""

    def start(self, session: Session) -> None:
        """Add a session."""
        ...

    def session(self, upload_id: str) -> Session | None:
        """One session, whatever its phase."""
        ...

    def touch(self, upload_id: str, now: datetime) -> None:
        """Note that a session is alive."""
        ...

    def cancel(self, upload_id: str, now: datetime) -> None:
        """Make an ACTIVE session CANCELLED."""
        ...

    def finish(self, upload_id: str, file: StoredFile) -> bool:
        """Add the file and make its session FINAL, both or neither.

        Returns:
            False, with nothing changed, if the owner has a file of that id, or the session is not ACTIVE.
        """
        ...

    def idle(self, before: datetime) -> Sequence[Session]:
        """Sessions of any phase not touched since `before`."""
        ...

    def forget(self, upload_id: str) -> None:
        """Remove a session."""
        ...

    def file(self, owner: str, file_id: str) -> StoredFile | None:
        """One file, expired or not."""
        ...

    def holder(self, blob: str) -> StoredFile | None:
        """The file whose bytes are under this blob key."""
        ...

    def page(self, owner: str, after: Position | None, limit: int, now: datetime) -> Sequence[StoredFile]:
        """The owner's next `limit` files that have not expired, by (created, id), newest first."""
        ...

    def delete(self, owner: str, file_id: str) -> StoredFile | None:
        """Remove a file and return it; None if there is none."""
        ...

    def expire(self, now: datetime, limit: int) -> Sequence[StoredFile]:
        """Remove up to `limit` files that have expired, the oldest first, and return them."""
        ...

    def blobs(self) -> frozenset[str]:
        """The blob keys of all files and all ACTIVE sessions."""
        ...

    def reserved(self) -> int:
        """Bytes of all files and declared bytes of all ACTIVE sessions, together."""
        ...

    def totals(self, owner: str) -> OwnerTotals:
        """What one owner has, files that have expired but are still there included."""
        ...


class Full(Enum):
    """Of what there is no more room: an owner's open uploads, an owner's bytes, everybody's bytes."""

    UPLOADS = auto()
    OWNER = auto()
    TOTAL = auto()


class SharedIndex(FileIndex, Protocol):
    """An index of several servers: what one server alone knows in its memory is a row here.

    A blob whose row goes is noted as discarded in the same transaction, and removed when nobody can be
    reading it any more: no server knows the readers of another.
    """

    def claim_start(self, session: Session, limits: FileLimits) -> Full | None:
        """Add a session if the limits allow it; else say which does not, with nothing changed."""
        ...

    def claim_growth(self, session: Session, size: int, limits: FileLimits) -> Full | None:
        """Reserve `size` bytes for an ACTIVE session of unknown length, in place of what it had, or say which
        limit does not allow it."""
        ...

    def open_uploads(self) -> int:
        """How many sessions of all owners are ACTIVE."""
        ...

    def discarded(self, before: datetime, limit: int) -> Sequence[str]:
        """Up to `limit` keys of blobs whose rows went before this moment, the oldest first."""
        ...

    def removed(self, blobs: Sequence[str]) -> None:
        """Forget discarded blobs: their bytes are gone."""
        ...

    def is_due(self, job: str, every: timedelta) -> bool:
        """Whether a job is due, to one server only each time; it is due again after `every`."""
        ...


@dataclass(frozen=True, slots=True)
class FileStorage:
    """Both halves of a store.

    Attributes:
        blobs: The bytes.
        index: The rows.
        shared: The rows again, if other servers use them too.
        block_bytes: How much of an upload is gathered before it is stored.
    """

    blobs: BlobStore
    index: FileIndex
    shared: SharedIndex | None = None
    block_bytes: int = BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """Where several servers keep their files and interactions.

    Attributes:
        database: URL of a PostgreSQL database; may hold a password.
        blobs: `s3://bucket/prefix`.
        cache: This server's own directory for copies of blobs.
        cache_bytes: Most bytes of all copies.
    """

    database: str = field(repr=False)
    blobs: str
    cache: Path
    cache_bytes: int
