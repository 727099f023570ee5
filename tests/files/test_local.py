from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vidi.domain.errors import Unavailable
from vidi.files.local import LocalBlobs, open_local
from vidi.storage.disk import RESERVED_BYTES, PosixDisk


def test_a_store_is_made_and_found_again(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "store"
    with open_local(directory) as storage:
        storage.blobs.create("k")
        storage.blobs.append("k", 0, b"bytes")
    with open_local(directory) as storage:
        assert storage.blobs.size("k") == 5
        assert storage.index.reserved() == 0
    assert stat.S_IMODE((directory / "index.sqlite3").stat().st_mode) == 0o600


def test_a_store_has_one_server(tmp_path: Path) -> None:
    with open_local(tmp_path), pytest.raises(Unavailable, match="Another server"), open_local(tmp_path):
        pass
    with open_local(tmp_path):
        pass


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(Unavailable, match="cannot be used") as caught,
        open_local(tmp_path / "file" / "store"),
    ):
        pass
    assert str(tmp_path) not in caught.value.message


def test_a_broken_index_is_said_and_the_lock_given_back(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite3").write_bytes(b"this is no database" * 100)
    for _ in range(2):
        with pytest.raises(Unavailable, match="cannot be used"), open_local(tmp_path):
            pass


def test_foreign_names_are_left_alone(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    (tmp_path / "blobs" / ".DS_Store").write_bytes(b"")
    (tmp_path / "parts" / "Notes.txt").write_bytes(b"")
    assert list(blobs.keys()) == []


def test_a_directory_without_its_reserve_is_opened(tmp_path: Path) -> None:
    with open_local(tmp_path) as storage:
        storage.blobs.create("k")
        storage.blobs.append("k", 0, b"x")
    (tmp_path / "reserve").unlink()
    with open_local(tmp_path) as storage:
        storage.blobs.append("k", 1, b"y")
    assert (tmp_path / "reserve").stat().st_size == RESERVED_BYTES


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


def test_the_order_that_survives_a_power_cut(tmp_path: Path) -> None:
    disk = Witness()
    blobs = LocalBlobs(tmp_path, disk)
    blobs.reserve.ensure()
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


def test_the_real_disk_is_really_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
