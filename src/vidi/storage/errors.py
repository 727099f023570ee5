"""What a caller reads when the storage fails."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidi.domain.errors import ResourceExhausted, Unavailable, VidiError

log = logging.getLogger(__name__)

RETRY_AFTER_S = 60.0
"""When a full store is worth another try: expired files are removed about as often."""

AWAY_RETRY_S = 5.0
"""When a database or an object store that could not be reached is worth another try."""

_FULL = (errno.ENOSPC, errno.EDQUOT)

_ADVICE = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some space",
    errno.EIO: "Restore a backup of it or move it away",
    errno.EINVAL: "Start that version",
    errno.EEXIST: "It is a file, or a link that leads nowhere: move it away",
    errno.ENOTDIR: "A folder of its path is a file: move that away",
    errno.ELOOP: "It is a link that leads to itself: move it away",
    errno.ENAMETOOLONG: "Give it a shorter name",
}
"""What to do about a data directory at the start; for what is not here, it is made writable."""


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turn an OSError of the block into an error for the caller, which keeps paths and numbers to itself.

    Raises:
        ResourceExhausted: The disk is full.
        Unavailable: The storage failed in another way.
    """
    try:
        yield
    except OSError as error:
        log.warning("file storage: %s", error)
        raise _for_caller(error) from error


@contextmanager
def opening(directory: Path) -> Iterator[None]:
    """Say which data directory a server cannot start on, why, and what to do.

    Raises:
        Unavailable: The block raised an OSError, or an error that was made of one.
    """
    try:
        yield
    except (OSError, VidiError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError):
            raise
        about = f"{cause.filename}: " if cause.filename not in (None, str(directory)) else ""
        advice = _ADVICE.get(cause.errno or 0, "Make it writable for this user")
        raise Unavailable(
            f"The data directory {directory} cannot be used: {about}{cause.strerror or 'unknown error'}. "
            f"{advice}, or choose another with --data-dir or VIDI_DATA_DIR."
        ) from error


def _for_caller(error: OSError) -> VidiError:
    if error.errno in _FULL:
        return ResourceExhausted(
            "The server's disk is full. Delete files or free space on the server, then try again.",
            reason="DISK_FULL",
            retry_after=RETRY_AFTER_S,
        )
    if isinstance(error, ConnectionError):
        return Unavailable(
            "The server's file storage cannot be reached. Try again in a few seconds.",
            retry_after=AWAY_RETRY_S,
        )
    return Unavailable("The server's file storage failed. Try again later.", retry_after=RETRY_AFTER_S)
