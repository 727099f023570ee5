"""All of the Files API behind HTTP, put together and kept in order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vidi.files.catalogue import Files
from vidi.files.local import open_local
from vidi.files.names import new_id
from vidi.files.store import Clock, IdMaker, Limits, Storage
from vidi.files.uploads import Inspect, Uploads, trust_label

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """A `Clock` on the system's time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Library:
    """The files that are there, and those that come."""

    files: Files
    uploads: Uploads

    def expire(self) -> None:
        """Remove files and uploads whose time is over. Cheap; meant for twice a minute.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        files, uploads = self.files.expire(), self.uploads.give_up()
        if files or uploads:
            log.info("%d files expired, %d uploads given up", files, uploads)

    def tidy(self) -> None:
        """Remove what a crash or a failed removal left. Lists everything; meant for the start and each hour.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        found = self.files.tidy()
        if found.orphans or found.lost:
            log.info("tidied: %d blobs without a row, %d files without bytes", found.orphans, found.lost)


def make_library(
    storage: Storage,
    limits: Limits,
    *,
    clock: Clock = utc_now,
    ids: IdMaker = new_id,
    inspect: Inspect = trust_label,
) -> Library:
    """Put a library over any storage."""
    files = Files(storage, limits, clock)
    return Library(files, Uploads(files, ids, inspect))


@contextmanager
def open_library(directory: Path, limits: Limits, *, inspect: Inspect) -> Iterator[Library]:
    """The library in a directory, swept; made if it is not there.

    Raises:
        Unavailable: Another server uses the directory, or it cannot be used.
    """
    with open_local(directory) as storage:
        library = make_library(storage, limits, inspect=inspect)
        library.expire()
        library.tidy()
        yield library
