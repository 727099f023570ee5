"""One process at a time, by a lock that the system frees even if its holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from vidi.engines.base import Progress

_LOOK_AGAIN_SECONDS = 0.2


@contextmanager
def alone(lock: Path, progress: Progress | None) -> Generator[None, None, None]:
    """Hold the lock in a file while the block runs.

    Args:
        lock: The file; made if it is not there, and left there: it says nothing by itself.
        progress: Told that another process is waited for; None waits for nobody.

    Raises:
        BlockingIOError: Another process holds it and `progress` is None.
        OSError: The file cannot be made.
    """
    with lock.open("wb") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress is None:
                    raise
                progress("Waiting for another process", 0, 0)
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield
