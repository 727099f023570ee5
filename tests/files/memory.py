"""Both seams of the file store in memory, kept in step with the suites in tests/contract."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from vidi.files.store import FileStorage, OwnerTotals, Phase, Position, Session, StoredFile


def no_fault(call: str) -> None:
    """Called around every change; a test puts a fault here."""


class MemoryBlobs:
    """A BlobStore in a dict."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def create(self, key: str) -> None:
        self._blobs.setdefault(_checked(key), b"")

    def append(self, key: str, offset: int, data: bytes) -> None:
        stored = self._present(key)
        assert offset == len(stored), "a blob grows at its end"
        self._blobs[key] = stored + data

    def sync(self, key: str) -> None:
        self._present(key)

    def finish(self, key: str) -> None:
        self._present(key)

    def size(self, key: str) -> int | None:
        stored = self._blobs.get(_checked(key))
        return None if stored is None else len(stored)

    def open(self, key: str, size: int | None = None) -> BinaryIO:
        return io.BytesIO(self._present(key)[:size])

    def delete(self, key: str) -> None:
        self._blobs.pop(_checked(key), None)

    def keys(self) -> Iterator[str]:
        return iter(list(self._blobs))

    def _present(self, key: str) -> bytes:
        try:
            return self._blobs[_checked(key)]
        except KeyError:
            raise FileNotFoundError(key) from None


class MemoryIndex:
    """A FileIndex in dicts; a fault before or after a change leaves it undone or done, never half."""

    def __init__(self, fault: Callable[[str], None] = no_fault) -> None:
        self.fault = fault
        self._lock = threading.RLock()
        self._files: dict[tuple[str, str], StoredFile] = {}
        self._sessions: dict[str, Session] = {}

    def start(self, session: Session) -> None:
        with self._lock:
            self.fault("start before")
            self._sessions[session.id] = session
            self.fault("start after")

    def session(self, upload_id: str) -> Session | None:
        return self._sessions.get(upload_id)

    def touch(self, upload_id: str, now: datetime) -> None:
        with self._lock:
            self._sessions[upload_id] = replace(self._sessions[upload_id], touched=now)

    def cancel(self, upload_id: str, now: datetime) -> None:
        with self._lock:
            self.fault("cancel before")
            session = self._sessions[upload_id]
            if session.phase is Phase.ACTIVE:
                self._sessions[upload_id] = replace(session, phase=Phase.CANCELLED, touched=now)
            self.fault("cancel after")

    def finish(self, upload_id: str, file: StoredFile) -> bool:
        with self._lock:
            self.fault("finish before")
            active = self._sessions[upload_id].phase is Phase.ACTIVE
            if not active or (file.owner, file.id) in self._files:
                return False
            self._files[file.owner, file.id] = file
            self._sessions[upload_id] = replace(
                self._sessions[upload_id],
                phase=Phase.FINAL,
                file_id=file.id,
                length=file.size_bytes,
                touched=file.created,
            )
            self.fault("finish after")
            return True

    def idle(self, before: datetime) -> Sequence[Session]:
        return [session for session in list(self._sessions.values()) if session.touched < before]

    def forget(self, upload_id: str) -> None:
        with self._lock:
            self.fault("forget before")
            self._sessions.pop(upload_id, None)
            self.fault("forget after")

    def file(self, owner: str, file_id: str) -> StoredFile | None:
        return self._files.get((owner, file_id))

    def holder(self, blob: str) -> StoredFile | None:
        return next((file for file in list(self._files.values()) if file.blob == blob), None)

    def page(self, owner: str, after: Position | None, limit: int, now: datetime) -> Sequence[StoredFile]:
        with self._lock:
            alive = [file for file in self._files.values() if file.owner == owner and file.expires > now]
        alive.sort(key=lambda file: (file.created, file.id), reverse=True)
        if after is not None:
            alive = [file for file in alive if (file.created, file.id) < (after.created, after.id)]
        return alive[:limit]

    def delete(self, owner: str, file_id: str) -> StoredFile | None:
        with self._lock:
            self.fault("delete before")
            removed = self._files.pop((owner, file_id), None)
            self.fault("delete after")
            return removed

    def expire(self, now: datetime, limit: int) -> Sequence[StoredFile]:
        with self._lock:
            over = [file for file in self._files.values() if file.expires <= now]
            chosen = sorted(over, key=lambda file: file.expires)[:limit]
            if chosen:
                self.fault("expire before")
                for file in chosen:
                    del self._files[file.owner, file.id]
                self.fault("expire after")
            return chosen

    def blobs(self) -> frozenset[str]:
        with self._lock:
            active = {session.blob for session in self._sessions.values() if session.phase is Phase.ACTIVE}
            return frozenset(active | {file.blob for file in self._files.values()})

    def reserved(self) -> int:
        with self._lock:
            declared = [
                session.length or 0 for session in self._sessions.values() if session.phase is Phase.ACTIVE
            ]
            return sum(declared) + sum(file.size_bytes for file in self._files.values())

    def totals(self, owner: str) -> OwnerTotals:
        with self._lock:
            active = [each for each in self._sessions.values() if each.phase is Phase.ACTIVE]
            lengths = [each.length or 0 for each in active if each.owner == owner]
            sizes = [file.size_bytes for file in self._files.values() if file.owner == owner]
            return OwnerTotals(sum(lengths) + sum(sizes), len(lengths))


def memory_storage() -> FileStorage:
    return FileStorage(MemoryBlobs(), MemoryIndex())


def _checked(key: str) -> str:
    if not re.fullmatch(r"[a-z0-9]{1,64}", key):
        raise ValueError(key)
    return key
