from __future__ import annotations

from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from vidi.domain.errors import Unavailable
from vidi.files.s3 import BlobCache, S3Blobs

PIECE = bytes(range(256)) * 1024


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def add(blobs: S3Blobs, key: str, pieces: int = 3) -> bytes:
    """A blob of so many pieces."""
    blobs.create(key)
    for number in range(pieces):
        blobs.append(key, number * len(PIECE), PIECE)
    blobs.finish(key)
    return PIECE * pieces


def names(store: MemoryStore) -> list[str]:
    return sorted(meta["path"] for batch in obstore.list(store) for meta in batch)


def test_pieces_are_named_by_their_place(store: MemoryStore, tmp_path: Path) -> None:
    add(S3Blobs(store, BlobCache(tmp_path, 0)), "k", 2)
    assert names(store) == [f"blobs/k/{0:020d}", f"blobs/k/{len(PIECE):020d}"]


def test_of_two_servers_one_writes_at_a_place(store: MemoryStore, tmp_path: Path) -> None:
    first, second = (S3Blobs(store, BlobCache(tmp_path, 0)) for _ in range(2))
    first.create("k")
    first.append("k", 0, b"ours")
    second.append("k", 0, b"ours")
    with pytest.raises(FileExistsError):
        second.append("k", 0, b"theirs")
    assert (first.size("k"), second.size("k")) == (4, 4)


def test_a_piece_behind_a_gap_is_no_part_of_a_blob(store: MemoryStore, tmp_path: Path) -> None:
    blobs = S3Blobs(store, BlobCache(tmp_path, 0))
    content = add(blobs, "k", 2)
    obstore.put(store, f"blobs/k/{len(content) + 1:020d}", b"late")
    assert blobs.size("k") == len(content)
    with blobs.open("k") as reader:
        assert reader.read() == content


def test_a_reader_seeks_over_pieces(store: MemoryStore, tmp_path: Path) -> None:
    blobs = S3Blobs(store, BlobCache(tmp_path, 0))
    content = add(blobs, "k")
    with blobs.open("k") as reader:
        for place in (len(PIECE) - 3, 0, 2 * len(PIECE) - 1, len(content) - 2, len(content) + 5):
            reader.seek(place)
            assert reader.read(7) == content[place : place + 7]
        assert reader.seek(-4, 2) == len(content) - 4
        assert reader.read() == content[-4:]


def test_a_file_is_read_from_its_copy(store: MemoryStore, tmp_path: Path) -> None:
    blobs = S3Blobs(store, BlobCache(tmp_path, 1 << 24))
    content = add(blobs, "k")
    with blobs.open("k", len(content)) as reader:
        assert reader.read() == content
    obstore.delete(store, names(store))
    for _ in range(2):
        with blobs.open("k", len(content)) as reader:
            assert reader.read() == content
    assert list(tmp_path.iterdir()) == [], "a copy has no name that a crash would leave"
    blobs.delete("k")
    with pytest.raises(FileNotFoundError):
        blobs.open("k", len(content))


def test_copies_keep_to_their_room_and_spare_their_readers(store: MemoryStore, tmp_path: Path) -> None:
    content = PIECE * 3
    cache = BlobCache(tmp_path, 5 * len(content))
    blobs = S3Blobs(store, cache)
    keys = [f"k{number}" for number in range(8)]
    for key in keys:
        add(blobs, key)
    readers = [blobs.open(key, len(content)) for key in keys]
    kept = [key for key in keys if cache.open(key) is not None]
    assert kept == keys[-len(kept) :]
    assert 0 < len(kept) * len(content) <= 5 * len(content)
    for reader in readers:
        with reader:
            assert reader.read() == content


def test_a_large_file_is_read_past_the_cache(store: MemoryStore, tmp_path: Path) -> None:
    cache = BlobCache(tmp_path, 8 * len(PIECE))
    blobs = S3Blobs(store, cache)
    content = add(blobs, "k")
    with blobs.open("k", len(content)) as reader:
        assert reader.read() == content
    assert cache.open("k") is None


def test_a_file_is_read_without_room_for_its_copy(store: MemoryStore, tmp_path: Path) -> None:
    blobs = S3Blobs(store, BlobCache(tmp_path / "missing", 1 << 24))
    content = add(blobs, "k")
    with blobs.open("k", len(content)) as reader:
        assert reader.read() == content


def test_a_file_that_has_lost_bytes_is_not_read(store: MemoryStore, tmp_path: Path) -> None:
    blobs = S3Blobs(store, BlobCache(tmp_path, 1 << 24))
    content = add(blobs, "k")
    obstore.delete(store, names(store)[-1:])
    with pytest.raises(OSError, match="lost bytes"):
        blobs.open("k", len(content))


def test_bucket_is_the_same_for_all(store: MemoryStore, tmp_path: Path) -> None:
    first, second = (S3Blobs(store, BlobCache(tmp_path, 0)) for _ in range(2))
    assert first.bucket() == second.bucket() != ""


def test_a_store_that_overwrites_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = obstore.put
    monkeypatch.setattr(obstore, "put", lambda store, path, file, mode=None: put(store, path, file))
    with pytest.raises(Unavailable, match="If-None-Match"):
        S3Blobs(MemoryStore(), BlobCache(tmp_path, 0)).bucket()
