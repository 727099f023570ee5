from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.simulated_disk import Fuse, SimulatedDisk
from vidi.files.local import LocalBlobs
from vidi.storage.disk import SPARE_BYTES, PosixDisk, SpareSpace


def full(call: str) -> None:
    if call.startswith("write"):
        raise OSError(28, "No space left on device")


def test_spare_space_is_allocated_once_and_released(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    spare = SpareSpace(path, PosixDisk())
    spare.ensure()
    first = path.stat()
    assert first.st_size == SPARE_BYTES
    assert first.st_blocks * 512 >= SPARE_BYTES
    spare.ensure()
    SpareSpace(path, PosixDisk()).ensure()
    assert path.stat().st_mtime_ns == first.st_mtime_ns
    spare.release()
    spare.release()
    assert not path.exists()
    spare.ensure()
    assert path.exists()


def test_torn_spare_space_is_made_again() -> None:
    disk, path = SimulatedDisk(), Path("store/reserve")
    disk.create(path)
    disk.write(path, 0, b"torn")
    SpareSpace(path, disk, 100).ensure()
    assert disk.size(path) == 100


def test_ensure_without_room_leaves_nothing() -> None:
    disk, path = SimulatedDisk(Fuse(3, OSError(28, "full"), lasting=False)), Path("store/reserve")
    spare = SpareSpace(path, disk, 100)
    with pytest.raises(OSError):
        spare.ensure()
    assert disk.size(path) is None
    spare.ensure()
    assert disk.size(path) == 100


def test_append_needs_the_spare_space_back() -> None:
    disk = SimulatedDisk()
    blobs = LocalBlobs(Path("store"), disk, spare_bytes=100)
    blobs.create("k")
    blobs.append("k", 0, b"x")
    blobs.spare.release()
    disk.fault = full
    with pytest.raises(OSError):
        blobs.append("k", 1, b"y")
    assert blobs.size("k") == 1
    disk.fault = lambda call: None
    blobs.append("k", 1, b"y")
    assert disk.size(Path("store/reserve")) == 100
