"""What a caller reads when the storage fails."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from vidi.domain.errors import ResourceExhausted, Unavailable, VidiError

log = logging.getLogger(__name__)

RETRY_AFTER_S = 60.0
"""When a full store is worth another try: expired files are removed about as often."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


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


def _for_caller(error: OSError) -> VidiError:
    if error.errno in _FULL:
        return ResourceExhausted(
            "The server's disk is full. Delete files or free space on the server, then try again.",
            reason="DISK_FULL",
            retry_after=RETRY_AFTER_S,
        )
    return Unavailable("The server's file storage failed. Try again later.", retry_after=RETRY_AFTER_S)
