"""The library for callers on an event loop: nothing here waits for a disk on the loop's thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import ParamSpec, TypeVar

from vidi.domain.errors import VidiError
from vidi.files.announcement import Announcement
from vidi.files.library import Library
from vidi.files.uploads import Intake, Progress

log = logging.getLogger(__name__)

P = ParamSpec("P")
Result = TypeVar("Result")

BLOCK_BYTES = 1 << 20
"""How much is gathered before it is stored; an upload holds two blocks, one that fills and one on its way."""

THREADS = 16
"""How many calls may wait for the disk at the same time."""

EXPIRE_EVERY = timedelta(seconds=30)
"""Files go to the minute."""

TIDY_EVERY = timedelta(hours=1)


class Desk:
    """Runs calls into a library on threads of its own, so that no other work waits behind a slow disk."""

    def __init__(self, library: Library, threads: int = THREADS) -> None:
        """Stand before `library`, which is not closed here."""
        self.library = library
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="files")

    def close(self) -> None:
        """Wait for the calls that run; no more may be made."""
        self._threads.shutdown()

    async def run(self, call: Callable[P, Result], *values: P.args, **named: P.kwargs) -> Result:
        """The result of `call(*values, **named)`, made on a thread: for `Files`, `Uploads` and `Lease`."""
        made = partial(call, *values, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, made)

    async def receive(
        self, upload_id: str, offset: int, chunk: AsyncIterable[bytes], size: int | None = None
    ) -> Intake:
        """Store a chunk while it arrives; what came before an error or a hang-up stays.

        Not an acknowledgement: follow it with `Uploads.query` or `Uploads.finalize`, see `take`.

        Args:
            upload_id: Which upload.
            offset: Where the chunk belongs.
            chunk: Its bytes, in pieces of any size.
            size: How many bytes will come, if known.

        Raises:
            VidiError: As `Uploads.open` and `Intake.write`, and what `chunk` raises.
        """
        intake = await self.run(self.library.uploads.open, upload_id, offset, size)
        writer = _Writer(self, intake)
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
    ) -> Progress:
        """The commands `upload` and `upload, finalize`: `receive`, then acknowledge.

        Raises:
            VidiError: As `receive`, `Uploads.query` and `Uploads.finalize`.
        """
        intake = await self.receive(upload_id, offset, chunk, size)
        uploads = self.library.uploads
        if finalize:
            return await self.run(uploads.finalize, upload_id, intake.position)
        return await self.run(uploads.query, upload_id)

    async def upload(self, announcement: Announcement, content: AsyncIterable[bytes]) -> Progress:
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

    async def keep_in_order(
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
                    await self.run(self.library.tidy)
            except VidiError as error:
                log.warning("the files could not be put in order: %s", error.message)


class _Writer:
    """Gathers pieces into blocks; one block is stored while the next one fills."""

    def __init__(self, desk: Desk, intake: Intake) -> None:
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


def _store(intake: Intake, pieces: list[bytes]) -> None:
    intake.write(b"".join(pieces))
