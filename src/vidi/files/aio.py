"""The files for callers on an event loop: nothing here waits for a disk on the loop's thread.

The way of a chunk's bytes, from the connection to the disk:

    AsyncFiles.receive_chunk   gathers what arrives into blocks
    Uploads.write_block        checks the place of each block against the session, under the session's lock
    PartialBlob                compares what repeats, digests and stores what is new
    BlobStore.append           writes it
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from vidi.domain.errors import InvalidImage, VidiError
from vidi.domain.prompt import Conversation, FileReference, ImageDetail, ImageSource, Request
from vidi.files.local import open_local
from vidi.files.metadata import UploadRequest, new_id
from vidi.files.service import FileService, Lease
from vidi.files.store import FileLimits, StoredFile
from vidi.files.uploads import Inspect, Uploads, UploadStatus
from vidi.storage.clock import utc_now
from vidi.storage.errors import opening, storage_faults
from vidi.storage.threads import StorageThreads

log = logging.getLogger(__name__)

EXPIRE_EVERY = timedelta(seconds=30)
"""Files go to the minute."""

RECONCILE_EVERY = timedelta(hours=1)

ASK_EVERY = timedelta(minutes=5)
"""How often one of several servers asks whether it is the one that tidies up this hour."""


class AsyncFiles:
    """The files that are there and the uploads that come, over one storage."""

    def __init__(self, service: FileService, uploads: Uploads, threads: StorageThreads) -> None:
        """Call `service` and `uploads` on `threads`, which are not closed here."""
        self.service = service
        self.uploads = uploads
        self.run_in_thread = threads.run_in_thread
        self._threads = threads

    async def receive_chunk(
        self,
        upload_id: str,
        offset: int,
        chunk: AsyncIterable[bytes],
        size: int | None = None,
        *,
        finalize: bool = False,
    ) -> UploadStatus:
        """The commands `upload` and `upload, finalize`: store a chunk while it arrives, then acknowledge.

        What came before an error or a hang-up stays.

        Args:
            upload_id: Which upload.
            offset: Where the chunk belongs.
            chunk: Its bytes, in pieces of any size.
            size: How many bytes will come, if known.
            finalize: Whether the chunk is the last one.

        Raises:
            VidiError: As the methods of `Uploads`, and what `chunk` raises.
        """
        await self.run_in_thread(self.uploads.begin_chunk, upload_id, offset, size)
        writer = UploadWriter(self, upload_id, offset)
        try:
            async for piece in chunk:
                await writer.write(piece)
        finally:
            await writer.flush()
        if finalize:
            return await self.run_in_thread(self.uploads.finalize, upload_id, writer.position)
        return await self.run_in_thread(self.uploads.query, upload_id)

    async def receive_file(self, request: UploadRequest, content: AsyncIterable[bytes]) -> UploadStatus:
        """A whole file in one go, as raw and multipart uploads are; leaves nothing behind if it fails.

        Raises:
            VidiError: As `Uploads.start` and `receive_chunk`.
        """
        started = await self.run_in_thread(self.uploads.start, request)
        try:
            return await self.receive_chunk(started.upload_id, 0, content, request.length, finalize=True)
        except BaseException:
            with suppress(VidiError):
                await self.run_in_thread(self.uploads.cancel, started.upload_id)
            raise

    def expire(self) -> None:
        """Remove files and uploads whose time is over. Cheap; meant for twice a minute. Waits for the disk.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        files, uploads = self.service.expire(), self.uploads.expire_uploads()
        if self._is_due("discarded", EXPIRE_EVERY):
            self.service.remove_discarded()
        if files or uploads:
            log.info("%d files and %d uploads expired", files, uploads)

    def reconcile(self) -> None:
        """Remove what a crash or a failed removal left. Lists everything; meant for the start and each hour.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        if not self._is_due("reconcile", RECONCILE_EVERY):
            return
        found = self.service.reconcile()
        if found.orphans or found.lost:
            log.info("removed %d blobs without a row and %d files without bytes", found.orphans, found.lost)

    def _is_due(self, job: str, every: timedelta) -> bool:
        """Whether a job is this server's: one server alone does each whenever it thinks of it."""
        shared = self.service.storage.shared
        with storage_faults():
            return shared is None or shared.is_due(job, every)

    async def run_janitor(
        self, expire_every: timedelta = EXPIRE_EVERY, reconcile_every: timedelta = RECONCILE_EVERY
    ) -> None:
        """Remove what has expired or is left over, again and again until cancelled."""
        if self.service.storage.shared is not None:
            reconcile_every = min(reconcile_every, ASK_EVERY)
        await asyncio.gather(
            self._threads.run_every(expire_every, self.expire, "files could not be expired"),
            self._threads.run_every(reconcile_every, self.reconcile, "files could not be reconciled"),
        )


@contextmanager
def open_files(
    directory: Path, limits: FileLimits, threads: StorageThreads, *, inspect: Inspect
) -> Iterator[AsyncFiles]:
    """The files in a directory, in order; made if it is not there.

    Raises:
        Unavailable: Another server uses the directory, or it cannot be used.
    """
    with open_local(directory) as storage:
        with opening(directory):
            files = files_over(FileService(storage, limits, utc_now), threads, inspect)
            files.reconcile()
        yield files


def files_over(service: FileService, threads: StorageThreads, inspect: Inspect) -> AsyncFiles:
    """The files of a service, those taken away whose time is over."""
    files = AsyncFiles(service, Uploads(service, new_id, inspect), threads)
    files.expire()
    return files


class UploadWriter:
    """Gathers the pieces of one request into blocks; one block is stored while the next one fills.

    So an upload holds two blocks in memory, whose size is the storage's choice. A client that is silent costs
    no thread, and one that is fast sends on while the disk works.
    """

    def __init__(self, files: AsyncFiles, upload_id: str, position: int) -> None:
        """Write to an upload from `position` on, which is where the next stored byte belongs."""
        self.position = position
        self._files = files
        self._upload_id = upload_id
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._writing: asyncio.Future[None] | None = None

    async def write(self, piece: bytes) -> None:
        """Take bytes; they are stored with their block.

        Raises:
            VidiError: As `Uploads.write_block`, for the block before.
        """
        self._pieces.append(piece)
        self._gathered += len(piece)
        if self._gathered >= self._files.service.storage.block_bytes:
            await self._start_block()

    async def flush(self) -> None:
        """Store what was taken.

        Raises:
            VidiError: As `Uploads.write_block`.
        """
        if self._pieces:
            await self._start_block()
        await self._finish_block()

    async def _start_block(self) -> None:
        await self._finish_block()
        pieces, self._pieces, self._gathered = self._pieces, [], 0
        self._writing = asyncio.ensure_future(self._files.run_in_thread(self._store, pieces))

    async def _finish_block(self) -> None:
        """Wait for the block on its way.

        A cancelled request does not cancel it: its thread could not be stopped, and would write beside the
        next request of the same client.
        """
        if self._writing is not None:
            await asyncio.shield(self._writing)
            self._writing = None

    def _store(self, pieces: list[bytes]) -> None:
        """On a thread. The position moves only with bytes that are stored: `finalize` is told it."""
        block = b"".join(pieces)
        self._files.uploads.write_block(self._upload_id, self.position, block)
        self.position += len(block)


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
    resolution: ImageDetail


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
    leases = await files.run_in_thread(_lease_all, files.service, references, owner) if references else []
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
            yield LeasedImage(
                lease.file, partial(files.run_in_thread, lease.read), image.where, image.resolution
            )
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
