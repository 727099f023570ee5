"""Random histories of the upload protocol against a model: every answer is known beforehand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.conftest import examples
from tests.files.file_server import ME, YOU, FileServer, sha256
from tests.files.memory import MemoryIndex
from tests.storage.simulated_disk import Cut, SimulatedDisk
from vidi.domain.errors import (
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RequestTooLarge,
    ResourceExhausted,
)
from vidi.files.local import LocalBlobs
from vidi.files.metadata import UploadRequest
from vidi.files.store import FileLimits, FileStorage, Phase, StoredFile

LIMITS = FileLimits(file_bytes=60, total_bytes=200)
OWNERS = st.sampled_from([ME, YOU])
NAMES = st.sampled_from(["", "", "", "a", "b"])


@dataclass
class Model:
    """One upload as it must be."""

    owner: str
    name: str
    length: int | None
    stored: bytes = b""
    phase: Phase = Phase.ACTIVE
    file: StoredFile | None = None

    @property
    def reserved(self) -> int:
        if self.phase is Phase.ACTIVE:
            return self.length or len(self.stored)
        return 0


class Protocol(RuleBasedStateMachine):
    """Clients that keep no rule, and a server that may end at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk()
        self.index = MemoryIndex()
        self.server = FileServer(
            LIMITS, FileStorage(LocalBlobs(Path("store"), self.disk, spare_bytes=8), self.index)
        )
        self.uploads: dict[str, Model] = {}
        self.cancelled = False

    @initialize(owner=OWNERS)
    def begin(self, owner: str) -> None:
        self.start(owner, "", 10)

    @rule(owner=OWNERS, name=NAMES, length=st.none() | st.integers(0, 70))
    def start(self, owner: str, name: str, length: int | None) -> None:
        request = UploadRequest(owner, name, length=length)
        if name and self._named(owner, name):
            with pytest.raises(InvalidRequest, match="taken"):
                self.server.uploads.start(request)
        elif (length or 0) > LIMITS.file_bytes:
            with pytest.raises(RequestTooLarge):
                self.server.uploads.start(request)
        elif self._taken() + (length or 0) > LIMITS.total_bytes:
            with pytest.raises(ResourceExhausted):
                self.server.uploads.start(request)
        else:
            upload = self.server.uploads.start(request).upload_id
            self.uploads[upload] = Model(owner, name, length)

    @precondition(lambda self: self.uploads)
    @rule(
        data=st.data(),
        back=st.integers(-2, 10),
        size=st.integers(0, 30),
        other=st.booleans(),
    )
    def chunk(self, data: st.DataObject, back: int, size: int, other: bool) -> None:
        upload, model = self._any(data)
        offset = len(model.stored) - back
        new = bytes((offset + place) % 251 for place in range(size))
        repeated = model.stored[offset : offset + size] if offset >= 0 else b""
        changed = other and bool(repeated)
        if changed:
            new = bytes([new[0] ^ 1]) + new[1:]
        error = self._refusal(model, offset, size, changed)
        if error is not None:
            with pytest.raises(error):
                self.server.append(upload, offset, new)
            return
        status = self.server.append(upload, offset, new)
        if model.phase is Phase.ACTIVE:
            model.stored += new[len(repeated) :]
        assert (status.phase, status.received, status.file) == (model.phase, len(model.stored), model.file)

    def _refusal(self, model: Model, offset: int, size: int, changed: bool) -> type[Exception] | None:
        end = offset + size
        if model.phase is Phase.CANCELLED:
            return FailedPrecondition
        if not 0 <= offset <= len(model.stored):
            return InvalidRequest
        if model.phase is Phase.FINAL:
            if end > len(model.stored):
                return FailedPrecondition
            # What a deleted file held is not known any more.
            return InvalidRequest if changed and model.file is not None else None
        if changed or (model.length is not None and end > model.length):
            return InvalidRequest
        if model.length is None and not self._has_room(model, end):
            model.phase, model.stored = Phase.CANCELLED, b""
            return RequestTooLarge if end > LIMITS.file_bytes else ResourceExhausted
        return None

    def _has_room(self, model: Model, end: int) -> bool:
        more = max(0, end - len(model.stored))
        return more == 0 or (end <= LIMITS.file_bytes and self._taken() + more <= LIMITS.total_bytes)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), off=st.sampled_from([None, 0, 0, 0, -1, 1]))
    def finalize(self, data: st.DataObject, off: int | None) -> None:
        upload, model = self._any(data)
        size = None if off is None else len(model.stored) + off
        wrong = off not in (None, 0)
        uploads = self.server.uploads
        if model.phase is Phase.CANCELLED or (
            model.phase is Phase.FINAL and model.file is None and not wrong
        ):
            with pytest.raises(FailedPrecondition):
                uploads.finalize(upload, size)
        elif wrong or (model.phase is Phase.ACTIVE and not self._complete(model)):
            with pytest.raises(InvalidRequest):
                uploads.finalize(upload, size)
        elif model.phase is Phase.ACTIVE:
            self._becomes_a_file(upload, model)
        else:
            assert uploads.finalize(upload, size).file == model.file

    def _becomes_a_file(self, upload: str, model: Model) -> None:
        file = self.server.uploads.finalize(upload).file
        assert file is not None
        assert (file.owner, file.size_bytes) == (model.owner, len(model.stored))
        assert file.sha256 == sha256(model.stored)
        assert model.name in ("", file.id)
        model.phase, model.file = Phase.FINAL, file

    def _complete(self, model: Model) -> bool:
        whole = model.length is None or len(model.stored) == model.length
        return whole and not (model.name and self._named(model.owner, model.name))

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def query(self, data: st.DataObject) -> None:
        upload, model = self._any(data)
        status = self.server.uploads.query(upload)
        assert (status.phase, status.received, status.file) == (model.phase, len(model.stored), model.file)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        upload, model = self._any(data)
        if model.phase is Phase.FINAL:
            with pytest.raises(FailedPrecondition):
                self.server.uploads.cancel(upload)
        else:
            assert self.server.uploads.cancel(upload).phase is Phase.CANCELLED
            model.phase, model.stored = Phase.CANCELLED, b""

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), owner=OWNERS)
    def read(self, data: st.DataObject, owner: str) -> None:
        _, model = self._any(data)
        if model.file is None:
            return
        files = self.server.files
        if self._named(owner, model.file.id) is not model:
            if self._named(owner, model.file.id) is None:
                with pytest.raises(PermissionDenied):
                    files.lease(owner, model.file.name)
            return
        with files.lease(owner, model.file.name) as lease:
            assert lease.file == model.file
            assert lease.read() == model.stored

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        _, model = self._any(data)
        if model.file is None:
            with pytest.raises(PermissionDenied):
                self.server.files.delete(model.owner, "never-there")
        else:
            self.server.files.delete(model.owner, model.file.id)
            model.file = None

    @rule(hours=st.sampled_from([1, 10, 30, 47]))
    def time_goes_by(self, hours: int) -> None:
        self.server.clock.turn(hours=hours)
        for model in self.uploads.values():
            if model.file is not None and model.file.expires <= self.server.clock():
                model.file = None

    @rule()
    def janitor(self) -> None:
        self.server.aio.expire()
        self.server.aio.reconcile()
        for upload, model in list(self.uploads.items()):
            session = self.index.session(upload)
            if session is None:
                assert model.file is None
                with pytest.raises(NotFound):
                    self.server.uploads.query(upload)
                del self.uploads[upload]
        known = {file.blob for file in self._files()}
        open_ones = sum(model.phase is Phase.ACTIVE for model in self.uploads.values())
        assert len(set(self.server.storage.blobs.keys()) - known) <= open_ones

    @rule(cut=st.sampled_from(list(Cut)), seed=st.integers(0, 99))
    def server_ends(self, cut: Cut, seed: int) -> None:
        self.disk.end(cut, random.Random(seed))
        self.server.storage = FileStorage(LocalBlobs(Path("store"), self.disk, spare_bytes=8), self.index)
        self.server.restart()

    @invariant()
    def listings_show_just_what_is_there(self) -> None:
        for owner in (ME, YOU):
            expected = {file.id for file in self._files() if file.owner == owner}
            assert {file.id for file in self._listed(owner)} == expected

    def _listed(self, owner: str) -> list[StoredFile]:
        listed: list[StoredFile] = []
        token = ""
        while True:
            page = self.server.files.page(owner, 2, token)
            listed += page.files
            token = page.next_token
            if not token:
                return listed

    def _files(self) -> list[StoredFile]:
        return [model.file for model in self.uploads.values() if model.file is not None]

    def _named(self, owner: str, name: str) -> Model | None:
        alive = (model for model in self.uploads.values() if model.file is not None)
        return next((m for m in alive if m.file and (m.owner, m.file.id) == (owner, name)), None)

    def _taken(self) -> int:
        files = sum(file.size_bytes for file in self._files())
        return files + sum(model.reserved for model in self.uploads.values())

    def _any(self, data: st.DataObject) -> tuple[str, Model]:
        upload = data.draw(st.sampled_from(sorted(self.uploads)))
        return upload, self.uploads[upload]


Protocol.TestCase.settings = settings(max_examples=examples(100), stateful_step_count=40)
TestProtocol = Protocol.TestCase
