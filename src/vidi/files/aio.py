"""The library for callers on an event loop: nothing here waits for a disk on the loop's thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from vidi.domain.errors import InvalidImage, VidiError
from vidi.domain.prompt import Conversation, FileReference, ImageSource, MediaResolution, Request
from vidi.files.local import open_local
from vidi.files.metadata import UploadRequest, new_id
from vidi.files.service import FileService, Lease
from vidi.files.store import Clock, FileLimits, IdMaker, Storage, StoredFile
from vidi.files.uploads import Inspect, Uploads, UploadStatus, UploadWriter, trust_label

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """A `Clock` on the system's time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Library:
    """The files that are there, and those that come."""

    files: FileService
    uploads: Uploads

    def expire(self) -> None:
        """Remove files and uploads whose time is over. Cheap; meant for twice a minute.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        files, uploads = self.files.expire(), self.uploads.expire_uploads()
        if files or uploads:
            log.info("%d files expired, %d uploads given up", files, uploads)

    def reconcile(self) -> None:
        """Remove what a crash or a failed removal left. Lists everything; meant for the start and each hour.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        found = self.files.reconcile()
        if found.orphans or found.lost:
            log.info("tidied: %d blobs without a row, %d files without bytes", found.orphans, found.lost)


def make_library(
    storage: Storage,
    limits: FileLimits,
    *,
    clock: Clock = utc_now,
    ids: IdMaker = new_id,
    inspect: Inspect = trust_label,
) -> Library:
    """Put a library over any storage."""
    files = FileService(storage, limits, clock)
    return Library(files, Uploads(files, ids, inspect))


@contextmanager
def open_library(directory: Path, limits: FileLimits, *, inspect: Inspect) -> Iterator[Library]:
    """The library in a directory, swept; made if it is not there.

    Raises:
        Unavailable: Another server uses the directory, or it cannot be used.
    """
    with open_local(directory) as storage:
        library = make_library(storage, limits, inspect=inspect)
        library.expire()
        library.reconcile()
        yield library


P = ParamSpec("P")
Result = TypeVar("Result")

BLOCK_BYTES = 1 << 20
"""How much is gathered before it is stored; an upload holds two blocks, one that fills and one on its way."""

THREADS = 16
"""How many calls may wait for the disk at the same time."""

EXPIRE_EVERY = timedelta(seconds=30)
"""Files go to the minute."""

TIDY_EVERY = timedelta(hours=1)


class AsyncFiles:
    """Runs calls into a library on threads of its own, so that no other work waits behind a slow disk."""

    def __init__(self, library: Library, threads: int = THREADS) -> None:
        """Stand before `library`, which is not closed here."""
        self.library = library
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="files")

    def close(self) -> None:
        """Wait for the calls that run; no more may be made."""
        self._threads.shutdown()

    async def run(self, call: Callable[P, Result], *values: P.args, **named: P.kwargs) -> Result:
        """The result of a call of `FileService`, `Uploads` or `Lease`, made on a thread."""
        made = partial(call, *values, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, made)

    async def receive(
        self, upload_id: str, offset: int, chunk: AsyncIterable[bytes], size: int | None = None
    ) -> UploadWriter:
        """Store a chunk while it arrives; what came before an error or a hang-up stays.

        Not an acknowledgement: follow it with `Uploads.query` or `Uploads.finalize`, see `take`.

        Args:
            upload_id: Which upload.
            offset: Where the chunk belongs.
            chunk: Its bytes, in pieces of any size.
            size: How many bytes will come, if known.

        Raises:
            VidiError: As `Uploads.open` and `UploadWriter.write`, and what `chunk` raises.
        """
        intake = await self.run(self.library.uploads.open, upload_id, offset, size)
        writer = _BlockWriter(self, intake)
        try:
            async for piece in chunk:
                await writer.add(piece)
        finally:
            await writer.flush()
        return intake

    async def take(
        self,
        upload_id: str,
        offset: int,
        chunk: AsyncIterable[bytes],
        size: int | None = None,
        *,
        finalize: bool = False,
    ) -> UploadStatus:
        """The commands `upload` and `upload, finalize`: `receive`, then acknowledge.

        Raises:
            VidiError: As `receive`, `Uploads.query` and `Uploads.finalize`.
        """
        intake = await self.receive(upload_id, offset, chunk, size)
        uploads = self.library.uploads
        if finalize:
            return await self.run(uploads.finalize, upload_id, intake.position)
        return await self.run(uploads.query, upload_id)

    async def upload(self, announcement: UploadRequest, content: AsyncIterable[bytes]) -> UploadStatus:
        """A whole file in one go, as raw and multipart uploads are; leaves nothing behind if it fails.

        Raises:
            VidiError: As `Uploads.start`, `receive` and `Uploads.finalize`.
        """
        uploads = self.library.uploads
        started = await self.run(uploads.start, announcement)
        try:
            return await self.take(started.upload_id, 0, content, announcement.length, finalize=True)
        except BaseException:
            with suppress(VidiError):
                await self.run(uploads.cancel, started.upload_id)
            raise

    async def run_janitor(
        self, expire_every: timedelta = EXPIRE_EVERY, tidy_every: timedelta = TIDY_EVERY
    ) -> None:
        """Remove what has expired or is left over, again and again until cancelled."""
        rounds = max(1, tidy_every // expire_every)
        turn = 0
        while True:
            await asyncio.sleep(expire_every.total_seconds())
            turn += 1
            try:
                await self.run(self.library.expire)
                if turn % rounds == 0:
                    await self.run(self.library.reconcile)
            except VidiError as error:
                log.warning("the files could not be put in order: %s", error.message)


class _BlockWriter:
    """Gathers pieces into blocks; one block is stored while the next one fills."""

    def __init__(self, desk: AsyncFiles, intake: UploadWriter) -> None:
        self._desk = desk
        self._intake = intake
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._writing: asyncio.Future[None] | None = None

    async def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._gathered += len(piece)
        if self._gathered >= BLOCK_BYTES:
            await self._write()

    async def flush(self) -> None:
        if self._pieces:
            await self._write()
        await self._written()

    async def _write(self) -> None:
        await self._written()
        pieces, self._pieces, self._gathered = self._pieces, [], 0
        self._writing = asyncio.ensure_future(self._desk.run(_store, self._intake, pieces))

    async def _written(self) -> None:
        """Wait for the block on its way. A cancelled request does not cancel it: it keeps its order."""
        if self._writing is not None:
            await asyncio.shield(self._writing)
            self._writing = None


def _store(intake: UploadWriter, pieces: list[bytes]) -> None:
    intake.write(b"".join(pieces))


LARGEST_PICTURE_FILE = 100_000_000
"""Most bytes of an uploaded file that is used as a picture: as many as an inline request may have."""


@dataclass(frozen=True, slots=True)
class LeasedImage:
    """An uploaded picture whose bytes can be read while its lease lasts, even if it is deleted.

    Attributes:
        file: The file's row.
        read: Reads all its bytes, anew each time, so that few pictures are in memory at once.
        where: Path of the part in the request.
        resolution: The part's own media resolution.
    """

    file: StoredFile
    read: Callable[[], Awaitable[bytes]]
    where: str
    resolution: MediaResolution


ResolvedRequest = Request[ImageSource | LeasedImage]
"""A conversation whose files are leased."""


@asynccontextmanager
async def lease_files(
    files: AsyncFiles, conversation: Conversation, owner: str
) -> AsyncIterator[ResolvedRequest]:
    """Lease every file that a conversation names, until the block is left.

    Raises:
        PermissionDenied: A file is unknown, expired, deleted or not the owner's; names the part.
        InvalidImage: A file is too large for a picture; names the part.
    """
    references = [image for image in conversation.images() if isinstance(image, FileReference)]
    leases = await files.run(_lease_all, files.library.files, references, owner) if references else []
    try:
        yield conversation.with_images(_leased_images(files, conversation, leases))
    finally:
        for lease in leases:
            lease.close()


def _leased_images(
    files: AsyncFiles, conversation: Conversation, leases: Sequence[Lease]
) -> Iterator[ImageSource | LeasedImage]:
    """The conversation's images in order, each lease in the place of the reference that it was taken for."""
    left = iter(leases)
    for image in conversation.images():
        if isinstance(image, FileReference):
            lease = next(left)
            yield LeasedImage(lease.file, partial(files.run, lease.read), image.where, image.resolution)
        else:
            yield image


def _lease_all(files: FileService, references: Sequence[FileReference], owner: str) -> list[Lease]:
    """All leases, or none: one that cannot be taken gives the others back."""
    leases: list[Lease] = []
    for reference in references:
        try:
            leases.append(files.lease(owner, reference.uri))
            _check_size(leases[-1].file, reference.where)
        except VidiError as error:
            for lease in leases:
                lease.close()
            error.where = reference.where
            raise
    return leases


def _check_size(file: StoredFile, where: str) -> None:
    if file.size_bytes > LARGEST_PICTURE_FILE:
        raise InvalidImage(
            f"The File {file.id} has {file.size_bytes} bytes; a picture may have {LARGEST_PICTURE_FILE}.",
            where=where,
        )
