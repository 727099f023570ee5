from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vidi.domain.errors import Unavailable
from vidi.files.local import LocalBlobs, open_local
from vidi.storage.disk import SPARE_BYTES, PosixDisk


def test_open_local_creates_and_reopens_a_store(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "store"
    with open_local(directory) as storage:
        storage.blobs.create("k")
        storage.blobs.append("k", 0, b"bytes")
    with open_local(directory) as storage:
        assert storage.blobs.size("k") == 5
        assert storage.index.reserved() == 0
    assert stat.S_IMODE((directory / "index.sqlite3").stat().st_mode) == 0o600


def test_open_local_refuses_a_second_server(tmp_path: Path) -> None:
    with open_local(tmp_path), pytest.raises(Unavailable, match="Another server"), open_local(tmp_path):
        pass
    with open_local(tmp_path):
        pass


def test_open_local_in_an_unusable_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(Unavailable, match="cannot be used") as caught,
        open_local(tmp_path / "file" / "store"),
    ):
        pass
    assert str(tmp_path / "file" / "store") in caught.value.message


def test_open_local_with_a_broken_index_releases_the_lock(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite3").write_bytes(b"this is no database" * 100)
    for _ in range(2):
        with pytest.raises(Unavailable, match="cannot be used"), open_local(tmp_path):
            pass


def test_keys_skips_foreign_file_names(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    (tmp_path / "blobs" / ".DS_Store").write_bytes(b"")
    (tmp_path / "parts" / "Notes.txt").write_bytes(b"")
    assert list(blobs.keys()) == []


def test_open_local_without_spare_space_makes_it_again(tmp_path: Path) -> None:
    with open_local(tmp_path) as storage:
        storage.blobs.create("k")
        storage.blobs.append("k", 0, b"x")
    (tmp_path / "reserve").unlink()
    with open_local(tmp_path) as storage:
        storage.blobs.append("k", 1, b"y")
    assert (tmp_path / "reserve").stat().st_size == SPARE_BYTES


class Witness(PosixDisk):
    """Writes down what is called, by the last part of each path."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def write(self, path: Path, offset: int, data: bytes) -> None:
        self.calls.append(f"write {path.parent.name}")
        super().write(path, offset, data)

    def sync(self, path: Path) -> None:
        self.calls.append(f"sync {path.name if path.is_dir() else path.parent.name + '/*'}")
        super().sync(path)

    def rename(self, source: Path, target: Path) -> None:
        self.calls.append(f"rename {source.parent.name} {target.parent.name}")
        super().rename(source, target)


def test_finish_syncs_renames_and_syncs_the_directory(tmp_path: Path) -> None:
    disk = Witness()
    blobs = LocalBlobs(tmp_path, disk)
    blobs.spare.ensure()
    disk.calls.clear()
    blobs.create("k")
    blobs.append("k", 0, b"x")
    blobs.sync("k")
    assert disk.calls == ["write parts", "sync parts/*", "sync parts"]
    disk.calls.clear()
    blobs.finish("k")
    assert disk.calls == ["sync parts/*", "rename parts blobs", "sync blobs"]
    disk.calls.clear()
    blobs.finish("k")
    assert disk.calls == ["sync blobs/*", "sync blobs"]


def test_finish_calls_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        fsync(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("tells the name behind a descriptor")
    blobs = LocalBlobs(tmp_path)
    blobs.create("k")
    blobs.append("k", 0, b"x")
    monkeypatch.setattr(os, "fsync", noted)
    blobs.finish("k")
    assert synced == ["k", "blobs"]
