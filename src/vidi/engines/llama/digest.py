"""Digests of files that take seconds to read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vidi.engines.base import Progress

_CHUNK = 1 << 20


def sha256_of(path: Path, progress: Progress, step: str) -> str:
    """A file's SHA-256 in hex; `progress` is told of the bytes that were read as of `step`.

    Raises:
        OSError: It cannot be read.
    """
    digest, done, size = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(step, done, size)
    return digest.hexdigest()
