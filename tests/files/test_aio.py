from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.files.file_server import ME, FileServer, sha256
from tests.waiting import HANG_SECONDS
from vidi.domain.errors import Cancelled, InvalidRequest
from vidi.files.aio import AsyncFiles
from vidi.files.metadata import UploadRequest
from vidi.files.store import BLOCK_BYTES, Phase

CONTENT = bytes(range(256)) * (BLOCK_BYTES // 64) + b"rest"
"""Four blocks and a little."""


async def pieces(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1, 4096, 65_536, BLOCK_BYTES, 10 * BLOCK_BYTES])
def test_receive_chunk_in_pieces_of_any_size(size: int) -> None:
    content = CONTENT if size > 1 else CONTENT[:5000]
    server = FileServer()
    upload = server.start(len(content))

    async def work(files: AsyncFiles) -> None:
        done = await files.receive_chunk(upload, 0, pieces(content, size), len(content), finalize=True)
        assert done.file is not None
        assert done.file.sha256 == sha256(content)

    server.run(work)


def test_receive_chunk_several_times_and_an_empty_finalize() -> None:
    server = FileServer()
    upload = server.start()
    half = len(CONTENT) // 2

    async def work(files: AsyncFiles) -> None:
        assert (await files.receive_chunk(upload, 0, pieces(CONTENT[:half]))).received == half
        assert (await files.receive_chunk(upload, half, pieces(CONTENT[half:]))).received == len(CONTENT)
        done = await files.receive_chunk(upload, len(CONTENT), pieces(b""), 0, finalize=True)
        assert done.phase is Phase.FINAL
        again = await files.receive_chunk(upload, half, pieces(CONTENT[half:]), finalize=True)
        assert again == done

    server.run(work)


def test_receive_chunk_keeps_what_came_before_a_hang_up() -> None:
    server = FileServer()
    upload = server.start(len(CONTENT))

    async def hanging_up() -> AsyncIterator[bytes]:
        async for piece in pieces(CONTENT[: BLOCK_BYTES * 2 + 100]):
            yield piece
        raise Cancelled("The client went away.")

    async def work(files: AsyncFiles) -> None:
        with pytest.raises(Cancelled):
            await files.receive_chunk(upload, 0, hanging_up(), len(CONTENT), finalize=True)
        status = await files.run_in_thread(files.uploads.query, upload)
        assert status.received == BLOCK_BYTES * 2 + 100
        done = await files.receive_chunk(
            upload, status.received, pieces(CONTENT[status.received :]), finalize=True
        )
        assert done.file is not None
        assert done.file.sha256 == sha256(CONTENT)

    server.run(work)


def test_receive_chunk_cancelled_can_be_continued() -> None:
    server = FileServer()
    upload = server.start(len(CONTENT))

    async def work(files: AsyncFiles) -> None:
        silent = asyncio.Event()

        async def falling_silent() -> AsyncIterator[bytes]:
            async for piece in pieces(CONTENT[: BLOCK_BYTES + 1]):
                yield piece
            silent.set()
            await asyncio.Event().wait()

        request = asyncio.create_task(files.receive_chunk(upload, 0, falling_silent()))
        await silent.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        status = await files.run_in_thread(files.uploads.query, upload)
        done = await files.receive_chunk(
            upload, status.received, pieces(CONTENT[status.received :]), finalize=True
        )
        assert done.file is not None
        assert done.file.sha256 == sha256(CONTENT)

    server.run(work)


def test_receive_chunk_of_a_silent_client_holds_no_lock() -> None:
    server = FileServer()
    upload = server.start(len(CONTENT))

    async def work(files: AsyncFiles) -> None:
        async def never() -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield b""

        silent = asyncio.create_task(files.receive_chunk(upload, 0, never()))
        await asyncio.sleep(0)
        done = await files.receive_chunk(upload, 0, pieces(CONTENT), finalize=True)
        assert done.phase is Phase.FINAL
        silent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await silent

    server.run(work)


def test_receive_chunk_with_too_many_bytes_stores_the_declared_ones() -> None:
    server = FileServer()
    upload = server.start(BLOCK_BYTES)

    async def work(files: AsyncFiles) -> None:
        with pytest.raises(InvalidRequest, match="More bytes than declared"):
            await files.receive_chunk(upload, 0, pieces(CONTENT), finalize=True)
        status = await files.run_in_thread(files.uploads.query, upload)
        assert (status.phase, status.received) == (Phase.ACTIVE, BLOCK_BYTES)

    server.run(work)


def test_receive_file_in_parallel() -> None:
    server = FileServer()

    async def send(files: AsyncFiles, number: int) -> None:
        content = bytes([number]) * BLOCK_BYTES * 2
        done = await files.receive_file(UploadRequest(ME), pieces(content))
        assert done.file is not None
        assert done.file.sha256 == sha256(content)

    async def work(files: AsyncFiles) -> None:
        await asyncio.gather(*(send(files, number) for number in range(8)))

    server.run(work)


def test_receive_file_that_breaks_off_leaves_nothing() -> None:
    server = FileServer()

    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise Cancelled("The client went away.")

    async def work(files: AsyncFiles) -> None:
        with pytest.raises(Cancelled):
            await files.receive_file(UploadRequest(ME), broken())
        with pytest.raises(InvalidRequest):
            await files.receive_file(UploadRequest(ME, length=3), pieces(b"some"))

    server.run(work)
    assert server.stored() == 0
    assert server.files.page(ME).files == ()


def test_run_janitor_expires_and_reconciles() -> None:
    server = FileServer()
    server.add()
    server.clock.turn(hours=48)
    server.storage.blobs.create("orphan")

    async def work(files: AsyncFiles) -> None:
        instant = timedelta(milliseconds=1)
        keeper = asyncio.create_task(files.run_janitor(instant, instant))
        async with asyncio.timeout(HANG_SECONDS):
            while list(server.storage.blobs.keys()):
                await asyncio.sleep(0.001)
        keeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeper

    server.run(work)
