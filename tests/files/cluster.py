"""The storage that several servers share, for tests: started once, and new for each of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench import backing
from bench.backing import Program
from vidi.files.s3 import BlobCache, S3Blobs, open_bucket

if TYPE_CHECKING:
    from obstore.store import S3Config


@contextmanager
def postgres() -> Iterator[Program]:
    """A PostgreSQL; skips the test where none is installed."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(backing.postgres())
        except FileNotFoundError as missing:
            pytest.skip(str(missing))
        yield server


def s3_config(port: int) -> S3Config:
    """How `open_bucket` reaches an S3 server; any credentials will do."""
    return {
        "endpoint": f"http://127.0.0.1:{port}",
        "access_key_id": "test",
        "secret_access_key": "test",
        "region": "us-east-1",
    }


def new_bucket(server: Program, cache: Path, cache_bytes: int = 1 << 24) -> S3Blobs:
    """An empty store, in a prefix of its own."""
    cache.mkdir(parents=True, exist_ok=True)
    store = open_bucket(f"s3://vidi/{secrets.token_hex(8)}", **s3_config(server.port))
    return S3Blobs(store, BlobCache(cache, cache_bytes))
