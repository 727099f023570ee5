"""A disk in memory that forgets what was not synced, and faults that strike at any chosen call.

The model is harsher than a journaling file system: after a power cut any part of the unsynced bytes of a
file, and any choice of the unsynced changes of directories, may be there or not. Only a rename is atomic.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from tests.files.memory import no_fault


class Crash(BaseException):
    """The process is dead. Not an Exception, so that nothing handles it."""


class Fuse:
    """Raises at the n-th call and, if it is a crash, at every later one: a dead process does nothing."""

    def __init__(self, calls: int, error: BaseException, *, lasting: bool = True) -> None:
        self._left = calls
        self._error = error
        self._lasting = lasting
        self.blown = False

    def __call__(self, call: str) -> None:
        if self.blown and self._lasting:
            raise self._error
        if not self.blown and self._left == 0:
            self.blown = True
            raise self._error
        self._left -= 1


class Cut(Enum):
    """How a server ends."""

    PROCESS = "killed: all that was written is there"
    POWER = "power cut: only what was synced is there"
    MIXED = "power cut: of what was not synced, some is there"


@dataclass(eq=False)
class _Inode:
    data: bytearray = field(default_factory=bytearray)
    synced: int = 0


@dataclass(frozen=True)
class _Change:
    """One atomic change of directories: entries that come and entries that go."""

    comes: tuple[tuple[Path, _Inode], ...] = ()
    goes: tuple[Path, ...] = ()

    def apply(self, entries: dict[Path, _Inode]) -> None:
        for path in self.goes:
            entries.pop(path, None)
        entries.update(self.comes)

    def touches(self, directory: Path) -> bool:
        return any(path.parent == directory for path in (*self.goes, *(path for path, _ in self.comes)))


class SimulatedDisk:
    """A Disk. `fault` is called before, in the middle of and after every change."""

    def __init__(self, fault: Callable[[str], None] = no_fault) -> None:
        self.fault = fault
        self._entries: dict[Path, _Inode] = {}
        self._durable: dict[Path, _Inode] = {}
        self._pending: list[_Change] = []

    def make_directory(self, path: Path) -> None:
        """Directories are always there."""

    def create(self, path: Path) -> None:
        if path not in self._entries:
            self._change("create", _Change(comes=((path, _Inode()),)))

    def write(self, path: Path, offset: int, data: bytes) -> None:
        inode = self._inode(path)
        assert offset == len(inode.data), "no gaps, nothing written twice"
        self.fault("write before")
        inode.data += data[: len(data) // 2]
        self.fault("write torn")
        inode.data += data[len(data) // 2 :]
        self.fault("write after")

    def sync(self, path: Path) -> None:
        self.fault("sync before")
        if path in self._entries:
            inode = self._entries[path]
            inode.synced = len(inode.data)
        else:
            for change in [change for change in self._pending if change.touches(path)]:
                change.apply(self._durable)
                self._pending.remove(change)
        self.fault("sync after")

    def rename(self, source: Path, target: Path) -> None:
        self._change("rename", _Change(comes=((target, self._inode(source)),), goes=(source,)))

    def remove(self, path: Path) -> None:
        if path in self._entries:
            self._change("remove", _Change(goes=(path,)))

    def size(self, path: Path) -> int | None:
        inode = self._entries.get(path)
        return None if inode is None else len(inode.data)

    def open(self, path: Path) -> BinaryIO:
        return io.BytesIO(bytes(self._inode(path).data))

    def names(self, directory: Path) -> list[str]:
        return [path.name for path in self._entries if path.parent == directory]

    def end(self, cut: Cut, rng: random.Random) -> None:
        """End the server's life in the given way; what is left is what the next one finds."""
        if cut is Cut.PROCESS:
            return
        mixed = cut is Cut.MIXED
        for change in self._pending:
            if mixed and rng.random() < 0.5:
                change.apply(self._durable)
        self._pending = []
        self._entries = dict(self._durable)
        for inode in self._entries.values():
            kept = rng.randint(inode.synced, len(inode.data)) if mixed else inode.synced
            del inode.data[kept:]

    def _change(self, name: str, change: _Change) -> None:
        self.fault(f"{name} before")
        change.apply(self._entries)
        self._pending.append(change)
        self.fault(f"{name} after")

    def _inode(self, path: Path) -> _Inode:
        if path not in self._entries:
            raise FileNotFoundError(path)
        return self._entries[path]
