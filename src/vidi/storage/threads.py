"""Threads for calls that wait for a disk, so that nothing on the event loop waits with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import ParamSpec, TypeVar

from vidi.domain.errors import VidiError

log = logging.getLogger(__name__)

P = ParamSpec("P")
Result = TypeVar("Result")

THREADS = 16
"""How many calls may wait for the disk at the same time."""


class StorageThreads:
    """Threads of their own for the storage: no other work of the server queues behind a slow disk."""

    def __init__(self, count: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="storage")

    def close(self) -> None:
        """Wait for the calls that run; no more may be made."""
        self._pool.shutdown()

    async def run_in_thread(self, call: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """The result of a call, made on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **kwargs))

    async def run_every(self, interval: timedelta, call: Callable[[], object], failure: str) -> None:
        """Make a call again and again until cancelled; an error is logged as `failure`.

        A failed storage is often a full disk, which these very calls empty: they must not end with the first.
        """
        while True:
            await asyncio.sleep(interval.total_seconds())
            try:
                await self.run_in_thread(call)
            except VidiError as error:
                log.warning("%s: %s", failure, error.message)
