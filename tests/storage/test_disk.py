from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vidi.storage.disk import PosixDisk


def test_write_at_an_offset(tmp_path: Path) -> None:
    disk, path = PosixDisk(), tmp_path / "file"
    disk.create(path)
    disk.write(path, 0, b"one ")
    disk.write(path, 4, b"two")
    disk.sync(path)
    disk.create(path)
    assert path.read_bytes() == b"one two"
    assert disk.size(path) == 7


def test_files_and_directories_are_private(tmp_path: Path) -> None:
    disk = PosixDisk()
    disk.make_directory(tmp_path / "a" / "b")
    disk.make_directory(tmp_path / "a" / "b")
    disk.create(tmp_path / "a" / "b" / "file")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b" / "file").stat().st_mode) == 0o600


def test_rename_and_remove(tmp_path: Path) -> None:
    disk = PosixDisk()
    disk.create(tmp_path / "a")
    disk.write(tmp_path / "a", 0, b"bytes")
    disk.rename(tmp_path / "a", tmp_path / "b")
    disk.sync(tmp_path)
    assert disk.names(tmp_path) == ["b"]
    with disk.open(tmp_path / "b") as reader:
        disk.remove(tmp_path / "b")
        disk.remove(tmp_path / "b")
        assert reader.read() == b"bytes"
    assert disk.size(tmp_path / "b") is None


def test_write_to_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PosixDisk().write(tmp_path / "none", 0, b"x")
    assert list(tmp_path.iterdir()) == []


def test_write_continues_after_a_short_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: whole(fd, data[:3], offset))
    disk = PosixDisk()
    disk.create(tmp_path / "file")
    disk.write(tmp_path / "file", 0, b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"
