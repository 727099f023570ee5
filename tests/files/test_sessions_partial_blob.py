from __future__ import annotations

from typing import BinaryIO

import pytest

from tests.files.file_server import sha256
from tests.files.memory import MemoryBlobs
from vidi.domain.errors import InvalidRequest
from vidi.files.sessions import REHASHED_AT_ONCE, PartialBlob


class CountingBlobs(MemoryBlobs):
    def __init__(self) -> None:
        super().__init__()
        self.syncs = 0
        self.opened = 0

    def sync(self, key: str) -> None:
        super().sync(key)
        self.syncs += 1

    def open(self, key: str, size: int | None = None) -> BinaryIO:
        self.opened += 1
        return super().open(key, size)


def test_digest_is_computed_while_bytes_come() -> None:
    blobs = CountingBlobs()
    received = PartialBlob(blobs, "k")
    for position in range(0, 100, 10):
        assert position == received.size()
        received.append(b"0123456789")
    assert received.digest() == sha256(b"0123456789" * 10)
    assert blobs.opened == 0


@pytest.mark.parametrize("size", [0, 1, REHASHED_AT_ONCE, REHASHED_AT_ONCE + 1])
def test_digest_is_recomputed_from_stored_bytes(size: int) -> None:
    blobs = MemoryBlobs()
    PartialBlob(blobs, "k").append(b"x" * size)
    again = PartialBlob(blobs, "k")
    assert again.digest() == sha256(b"x" * size)
    again.append(b"y")
    assert again.digest() == sha256(b"x" * size + b"y")


def test_sync_again_costs_nothing() -> None:
    blobs = CountingBlobs()
    received = PartialBlob(blobs, "k")
    received.sync()
    assert blobs.syncs == 0
    received.append(b"abc")
    received.sync()
    received.append(b"")
    received.sync()
    assert blobs.syncs == 1
    received.append(b"d")
    received.sync()
    assert blobs.syncs == 2
    PartialBlob(blobs, "k").sync()
    assert blobs.syncs == 3


def test_fresh_compares_repeated_bytes_and_returns_new_ones() -> None:
    received = PartialBlob(MemoryBlobs(), "k")
    received.append(b"abcdef")
    assert received.fresh(6, b"gh") == b"gh"
    assert received.fresh(2, b"cdefgh") == b"gh"
    assert received.fresh(2, b"cd") == b""
    assert received.fresh(0, b"") == b""
    for position, data in ((2, b"cdXfgh"), (0, b"X")):
        with pytest.raises(InvalidRequest):
            received.fresh(position, data)
    assert received.size() == 6


def test_finish_without_bytes_makes_an_empty_blob() -> None:
    blobs = MemoryBlobs()
    received = PartialBlob(blobs, "k")
    assert received.size() == 0
    assert list(blobs.keys()) == []
    received.finish()
    with received.open() as reader:
        assert reader.read() == b""
    assert blobs.size("k") == 0
