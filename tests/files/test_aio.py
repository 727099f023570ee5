from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from tests.files.shelf import ME, Shelf, sha256
from tests.waiting import HANG_SECONDS
from vidi.domain.errors import Cancelled, InvalidRequest
from vidi.files.aio import BLOCK_BYTES, AsyncFiles
from vidi.files.metadata import UploadRequest
from vidi.files.store import Phase

CONTENT = bytes(range(256)) * (BLOCK_BYTES // 64) + b"rest"
"""Four blocks and a little."""


async def pieces(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]


def on_desk(shelf: Shelf, work: Callable[[AsyncFiles], Awaitable[None]]) -> None:
    async def run() -> None:
        desk = AsyncFiles(shelf.library, threads=4)
        try:
            await work(desk)
        finally:
            desk.close()

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 4096, 65_536, BLOCK_BYTES, 10 * BLOCK_BYTES])
def test_a_chunk_is_stored_as_it_comes(size: int) -> None:
    content = CONTENT if size > 1 else CONTENT[:5000]
    shelf = Shelf()
    upload = shelf.start(len(content))

    async def work(desk: AsyncFiles) -> None:
        done = await desk.take(upload, 0, pieces(content, size), len(content), finalize=True)
        assert done.file is not None
        assert done.file.sha256 == sha256(content)

    on_desk(shelf, work)


def test_chunks_one_after_another_and_an_empty_finalize() -> None:
    shelf = Shelf()
    upload = shelf.start()
    half = len(CONTENT) // 2

    async def work(desk: AsyncFiles) -> None:
        assert (await desk.take(upload, 0, pieces(CONTENT[:half]))).received == half
        assert (await desk.take(upload, half, pieces(CONTENT[half:]))).received == len(CONTENT)
        done = await desk.take(upload, len(CONTENT), pieces(b""), 0, finalize=True)
        assert done.phase is Phase.FINAL
        again = await desk.take(upload, half, pieces(CONTENT[half:]), finalize=True)
        assert again == done

    on_desk(shelf, work)


def test_what_came_before_a_hang_up_stays() -> None:
    shelf = Shelf()
    upload = shelf.start(len(CONTENT))

    async def hanging_up() -> AsyncIterator[bytes]:
        async for piece in pieces(CONTENT[: BLOCK_BYTES * 2 + 100]):
            yield piece
        raise Cancelled("The client went away.")

    async def work(desk: AsyncFiles) -> None:
        with pytest.raises(Cancelled):
            await desk.take(upload, 0, hanging_up(), len(CONTENT), finalize=True)
        told = await desk.run(desk.library.uploads.query, upload)
        assert told.received == BLOCK_BYTES * 2 + 100
        done = await desk.take(upload, told.received, pieces(CONTENT[told.received :]), finalize=True)
        assert done.file is not None
        assert done.file.sha256 == sha256(CONTENT)

    on_desk(shelf, work)


def test_a_cancelled_request_leaves_the_upload_in_order() -> None:
    shelf = Shelf()
    upload = shelf.start(len(CONTENT))

    async def work(desk: AsyncFiles) -> None:
        silent = asyncio.Event()

        async def falling_silent() -> AsyncIterator[bytes]:
            async for piece in pieces(CONTENT[: BLOCK_BYTES + 1]):
                yield piece
            silent.set()
            await asyncio.Event().wait()

        request = asyncio.create_task(desk.take(upload, 0, falling_silent()))
        await silent.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        told = await desk.run(desk.library.uploads.query, upload)
        done = await desk.take(upload, told.received, pieces(CONTENT[told.received :]), finalize=True)
        assert done.file is not None
        assert done.file.sha256 == sha256(CONTENT)

    on_desk(shelf, work)


def test_a_silent_client_does_not_keep_others_out() -> None:
    shelf = Shelf()
    upload = shelf.start(len(CONTENT))

    async def work(desk: AsyncFiles) -> None:
        async def never() -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield b""

        silent = asyncio.create_task(desk.take(upload, 0, never()))
        await asyncio.sleep(0)
        done = await desk.take(upload, 0, pieces(CONTENT), finalize=True)
        assert done.phase is Phase.FINAL
        silent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await silent

    on_desk(shelf, work)


def test_a_refused_block_is_told_and_nothing_of_it_stored() -> None:
    shelf = Shelf()
    upload = shelf.start(BLOCK_BYTES)

    async def work(desk: AsyncFiles) -> None:
        with pytest.raises(InvalidRequest, match="More bytes than declared"):
            await desk.take(upload, 0, pieces(CONTENT), finalize=True)
        told = await desk.run(desk.library.uploads.query, upload)
        assert (told.phase, told.received) == (Phase.ACTIVE, BLOCK_BYTES)

    on_desk(shelf, work)


def test_parallel_uploads_do_not_mix() -> None:
    shelf = Shelf()

    async def send(desk: AsyncFiles, number: int) -> None:
        content = bytes([number]) * BLOCK_BYTES * 2
        done = await desk.upload(UploadRequest(ME), pieces(content))
        assert done.file is not None
        assert done.file.sha256 == sha256(content)

    async def work(desk: AsyncFiles) -> None:
        await asyncio.gather(*(send(desk, number) for number in range(8)))

    on_desk(shelf, work)


def test_a_whole_file_that_breaks_off_leaves_nothing() -> None:
    shelf = Shelf()

    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise Cancelled("The client went away.")

    async def work(desk: AsyncFiles) -> None:
        with pytest.raises(Cancelled):
            await desk.upload(UploadRequest(ME), broken())
        with pytest.raises(InvalidRequest):
            await desk.upload(UploadRequest(ME, length=3), pieces(b"some"))

    on_desk(shelf, work)
    assert shelf.stored() == 0
    assert shelf.library.files.page(ME).files == ()


def test_the_library_is_kept_in_order() -> None:
    shelf = Shelf()
    shelf.add()
    shelf.clock.turn(hours=48)
    shelf.storage.blobs.create("orphan")

    async def work(desk: AsyncFiles) -> None:
        instant = timedelta(milliseconds=1)
        keeper = asyncio.create_task(desk.run_janitor(instant, instant))
        async with asyncio.timeout(HANG_SECONDS):
            while list(shelf.storage.blobs.keys()):
                await asyncio.sleep(0.001)
        keeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeper

    on_desk(shelf, work)
