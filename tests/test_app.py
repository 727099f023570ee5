"""The parts of the server, put together and taken apart."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from vidi.app import storage
from vidi.files.metadata import UploadRequest
from vidi.http.keys import KeyRing, no_keys
from vidi.settings import Settings
from vidi.storage.clock import utc_now
from vidi.storage.threads import StorageThreads


def test_storage_closes_after_the_calls_that_still_run(tmp_path: Path) -> None:
    threads = StorageThreads()
    keys = KeyRing(no_keys, utc_now)
    begun, never = threading.Event(), threading.Event()

    async def leave_a_call_behind() -> None:
        with storage(Settings(data_dir=tmp_path), threads, keys) as (files, _):

            def start_late() -> str:
                begun.set()
                never.wait(0.2)
                return files.uploads.start(UploadRequest("", length=1)).upload_id

            call = asyncio.create_task(threads.run_in_thread(start_late))
            await asyncio.to_thread(begun.wait)
        with storage(Settings(data_dir=tmp_path), StorageThreads(), keys) as (reopened, _):
            assert reopened.uploads.query(await call).received == 0

    asyncio.run(leave_a_call_behind())
