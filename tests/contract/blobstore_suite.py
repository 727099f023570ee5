"""What every BlobStore must do. Derive from the suite and give it a `blobs` fixture."""

from __future__ import annotations

import threading

import pytest

from vidi.files.store import BlobStore

BAD_KEYS = ["", ".", "..", "../x", "a/b", "/etc/passwd", "A", "a.b", "a-b", "a\0", "ä", "a" * 65, "a\n"]


class BlobStoreSuite:
    def test_append_and_read(self, blobs: BlobStore) -> None:
        blobs.create("k")
        blobs.append("k", 0, b"one ")
        blobs.append("k", 4, b"two")
        blobs.finish("k")
        with blobs.open("k") as reader:
            assert reader.read() == b"one two"
        assert blobs.size("k") == 7

    def test_open_reads_an_unfinished_blob(self, blobs: BlobStore) -> None:
        blobs.create("k")
        blobs.append("k", 0, b"half")
        with blobs.open("k") as reader:
            reader.seek(2)
            assert reader.read(100) == b"lf"

    def test_an_empty_blob(self, blobs: BlobStore) -> None:
        blobs.create("k")
        assert blobs.size("k") == 0
        blobs.finish("k")
        with blobs.open("k") as reader:
            assert reader.read() == b""

    def test_create_again_keeps_the_bytes(self, blobs: BlobStore) -> None:
        blobs.create("k")
        blobs.append("k", 0, b"kept")
        blobs.create("k")
        assert blobs.size("k") == 4
        blobs.finish("k")
        blobs.create("k")
        assert blobs.size("k") == 4

    def test_finish_again_changes_nothing(self, blobs: BlobStore) -> None:
        blobs.create("k")
        blobs.append("k", 0, b"whole")
        blobs.finish("k")
        blobs.finish("k")
        assert blobs.size("k") == 5

    def test_append_to_a_finished_blob_whose_row_was_never_written(self, blobs: BlobStore) -> None:
        blobs.create("k")
        blobs.append("k", 0, b"one")
        blobs.finish("k")
        blobs.append("k", 3, b" more")
        blobs.sync("k")
        blobs.finish("k")
        with blobs.open("k") as reader:
            assert reader.read() == b"one more"

    def test_a_missing_blob(self, blobs: BlobStore) -> None:
        assert blobs.size("k") is None
        blobs.delete("k")
        with pytest.raises(FileNotFoundError):
            blobs.open("k")
        with pytest.raises(FileNotFoundError):
            blobs.append("k", 0, b"x")
        with pytest.raises(FileNotFoundError):
            blobs.sync("k")
        with pytest.raises(FileNotFoundError):
            blobs.finish("k")

    @pytest.mark.parametrize("finished", [False, True])
    def test_delete_spares_open_readers(self, blobs: BlobStore, finished: bool) -> None:
        blobs.create("k")
        blobs.append("k", 0, b"x" * 100_000)
        if finished:
            blobs.finish("k")
        with blobs.open("k") as reader:
            assert reader.read(10) == b"x" * 10
            blobs.delete("k")
            assert blobs.size("k") is None
            assert list(blobs.keys()) == []
            assert len(reader.read()) == 99_990

    def test_keys_lists_finished_and_unfinished_blobs(self, blobs: BlobStore) -> None:
        for key in ("a", "b", "c" * 64):
            blobs.create(key)
        blobs.finish("b")
        assert sorted(blobs.keys()) == ["a", "b", "c" * 64]

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_invalid_keys_are_refused(self, blobs: BlobStore, key: str) -> None:
        for call in (blobs.create, blobs.sync, blobs.finish, blobs.size, blobs.open, blobs.delete):
            with pytest.raises(ValueError):
                call(key)
        with pytest.raises(ValueError):
            blobs.append(key, 0, b"x")

    def test_parallel_appends_to_different_blobs(self, blobs: BlobStore) -> None:
        def fill(key: str) -> None:
            blobs.create(key)
            for block in range(50):
                blobs.append(key, block * 100, key.encode() * 100)
            blobs.finish(key)

        threads = [threading.Thread(target=fill, args=(key,)) for key in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for key in "abcdefgh":
            with blobs.open(key) as reader:
                assert reader.read() == key.encode() * 5000
