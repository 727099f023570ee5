from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from vidi.domain.errors import Unavailable
from vidi.storage.threads import StorageThreads

INSTANT = timedelta(milliseconds=1)


@pytest.fixture
def threads() -> Iterator[StorageThreads]:
    pool = StorageThreads(2)
    yield pool
    pool.close()


def test_run_in_thread_leaves_the_loop_and_gives_the_result(threads: StorageThreads) -> None:
    def add(first: int, *, second: int) -> tuple[int, str]:
        return first + second, threading.current_thread().name

    total, name = asyncio.run(threads.run_in_thread(add, 1, second=2))
    assert total == 3
    assert name.startswith("storage")


def test_run_every_goes_on_after_an_error_and_stops_when_cancelled(
    threads: StorageThreads, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def fail_first() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise Unavailable("The disk is full.")

    async def work() -> None:
        task = asyncio.create_task(threads.run_every(INSTANT, fail_first, "nothing was removed"))
        async with asyncio.timeout(10):
            while len(calls) < 3:
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert [record.getMessage() for record in caplog.records] == ["nothing was removed: The disk is full."]
