"""Resumable upload as a state machine that knows no HTTP.

    start -> ACTIVE -- begin_chunk, write_block ..., query -- finalize -> FINAL
                  `-- cancel, a failed sync, a full quota ------------> CANCELLED

The server alone knows the offset, which is how many bytes are stored. The rules:

* A chunk is acknowledged after its bytes are synced, a file after its bytes, its directory entry and its
  row are. What was acknowledged outlives a killed process and a power cut.
* A chunk may begin before the offset: what is stored already is compared and not stored again. So
  repeating a chunk is harmless, and of two clients with different bytes only one can go on. A chunk that
  begins after the offset is refused with the size received.
* Each block of bytes holds the session's lock while it is stored; no client holds it while it is silent.
* Bytes that came before a client hung up stay.
* A wanted name goes to whoever finalizes first.
* Finalizing again gives the same file. An ended session answers until `upload_ttl` is over.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from vidi.domain.errors import FailedPrecondition, InvalidImage, InvalidRequest
from vidi.domain.prompt import ImageHeader
from vidi.files.metadata import UploadRequest, validate
from vidi.files.service import FileService
from vidi.files.sessions import PartialBlob, Sessions
from vidi.files.store import WRONG_OFFSET, WRONG_SIZE, FileState, Phase, Session, StoredFile
from vidi.storage.clock import IdMaker
from vidi.storage.errors import storage_faults

Inspect = Callable[[BinaryIO, str], tuple[str, ImageHeader | None]]
"""Looks at all bytes before they become a file: `(reader, declared MIME type or "")` -> MIME type and, of a
picture, the header, which is kept with the file.

Raises InvalidImage for what can never be used: it becomes a FAILED file with that message as its error.
Any other error leaves the upload open."""

ANY_TYPE = "application/octet-stream"
"""MIME type of a file of which nobody said or found one."""

TOUCHES_PER_TTL = 48
"""How often in an `upload_ttl` a busy session's row is touched at most: once an hour of two days."""


def trust_label(_: BinaryIO, declared: str) -> tuple[str, None]:
    """An `Inspect` that looks at nothing."""
    return declared or ANY_TYPE, None


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """How far an upload is.

    Attributes:
        upload_id: Which.
        phase: Whether it takes bytes.
        received: Bytes stored, durably; 0 for a cancelled upload.
        file: The file of a FINAL upload; None otherwise, and after it was deleted or has expired.
    """

    upload_id: str
    phase: Phase
    received: int = 0
    file: StoredFile | None = None


class Uploads:
    """All uploads of a server. Every method may be called from any thread, and may wait for the disk."""

    def __init__(self, files: FileService, ids: IdMaker, inspect: Inspect = trust_label) -> None:
        """Take up what an earlier run left."""
        self._files = files
        self._ids = ids
        self._inspect = inspect
        self._index = files.storage.index
        self._limits = files.limits
        self._clock = files.clock
        self._sessions = Sessions(files)

    def start(self, request: UploadRequest) -> UploadStatus:
        """Begin an upload; its id is a secret that lets whoever knows it send bytes.

        Raises:
            InvalidRequest: A bad name, display name, MIME type or length, or a name that is taken.
            RequestTooLarge: No file may be so large.
            ResourceExhausted: The store or the disk is full, or too many uploads are open.
        """
        request = validate(request)
        session = Session(
            id=self._ids() + self._ids() + self._ids(),
            owner=request.owner,
            blob=self._ids() + self._ids(),
            file_id=request.name,
            display_name=request.display_name,
            mime_type=request.mime_type,
            length=request.length,
            touched=self._clock(),
        )
        with storage_faults():
            self._check_name(session)
            self._sessions.start(session)
        return UploadStatus(session.id, Phase.ACTIVE)

    def owner(self, upload_id: str) -> str:
        """Who began an upload, whatever its phase.

        Raises:
            NotFound: No such upload.
        """
        with storage_faults():
            return self._sessions.owner(upload_id)

    def begin_chunk(self, upload_id: str, offset: int, size: int | None = None) -> None:
        """Check that bytes may come from `offset` on, before the first is read.

        Args:
            upload_id: Which upload.
            offset: Where the first byte belongs; at most the size received.
            size: How many bytes will come, if known: too many are refused before the first.

        Raises:
            NotFound: No such upload.
            FailedPrecondition: It was cancelled.
            InvalidRequest: A wrong offset or too many bytes; nothing is changed.
        """
        with self._sessions.lock(upload_id) as (session, partial):
            stored = _stored(session, partial)
            if not 0 <= offset <= stored:
                raise InvalidRequest(
                    f"Wrong upload offset {offset}: {stored} bytes are received; continue at {stored}.",
                    where=WRONG_OFFSET,
                )
            _check_end(session, offset + (size or 0))
            # Each touch is a synced commit, so a busy upload gets one an hour and not one a chunk.
            if self._clock() - session.touched > self._limits.upload_ttl / TOUCHES_PER_TTL:
                self._index.touch(upload_id, self._clock())

    def write_block(self, upload_id: str, position: int, data: bytes) -> None:
        """Store some of a chunk's bytes. They are not acknowledged yet: `query` or `finalize` does that.

        Args:
            upload_id: Which upload, after `begin_chunk`.
            position: Where the first of `data` belongs; at most the size received.
            data: Any bytes.

        Raises:
            InvalidRequest: Too many bytes, or others than were received before.
            FailedPrecondition: The upload has ended meanwhile.
            ResourceExhausted: No room on the disk: the upload can go on later.
            RequestTooLarge, ResourceExhausted: Too much for the quota, by an upload of unknown length: it is
                cancelled.
        """
        with self._sessions.lock(upload_id, look_again=False) as (session, partial):
            _check_end(session, position + len(data))
            if session.phase is Phase.FINAL:
                # A client that never saw the answer to its last chunk sends it again. The same bytes are
                # welcome; whether they are the same can be said only while the file is there.
                if self._final(session).file is not None:
                    partial.compare(position, data)
                return
            # Another request of the same upload may have stored these bytes since `begin_chunk`, or others.
            # If it came by way of another server, that may happen even now; then each round finds more there.
            stored = False
            while not stored:
                fresh = partial.fresh(position, data)
                if session.length is None:
                    self._sessions.grow(session, partial, partial.size() + len(fresh))
                with suppress(FileExistsError):
                    partial.append(fresh)
                    stored = True

    def query(self, upload_id: str) -> UploadStatus:
        """How far an upload is; acknowledges what it says is received, by making it durable first.

        Raises:
            NotFound: No such upload.
            Unavailable, ResourceExhausted: The bytes cannot be made durable; the upload is cancelled.
        """
        with self._sessions.lock(upload_id, allow_cancelled=True) as (session, partial):
            if session.phase is Phase.CANCELLED:
                return UploadStatus(upload_id, Phase.CANCELLED)
            if session.phase is Phase.FINAL:
                return self._final(session)
            with self._sessions.cancel_on_error(session, partial):
                partial.sync()
            return UploadStatus(upload_id, Phase.ACTIVE, partial.size())

    def finalize(self, upload_id: str, size: int | None = None) -> UploadStatus:
        """Make the bytes a file, or say again which file they became.

        Args:
            upload_id: Which upload.
            size: What the client takes for the size of the file, if it says.

        Raises:
            NotFound: No such upload.
            InvalidRequest: Bytes are missing, or the wanted name is taken; the upload stays open.
            FailedPrecondition: The upload was cancelled, or its file is gone.
            Unavailable, ResourceExhausted: The bytes cannot be made durable; the upload is cancelled.
        """
        with self._sessions.lock(upload_id) as (session, partial):
            _check_size(session, _stored(session, partial), size)
            if session.phase is Phase.FINAL:
                done = self._final(session)
                if done.file is None:
                    raise FailedPrecondition("This upload is final, and its file is gone. Start a new one.")
                return done
            # Refused first, so that the upload stays open until the name is free.
            self._check_name(session)
            file = self._file(session, partial)
            with self._sessions.cancel_on_error(session, partial):
                partial.finish()
            # The row comes last. After a crash before it the upload can be finalized again; after a crash
            # behind it the upload answers with its file. The index has the last word on the name: another
            # upload may have taken it since the check.
            with self._sessions.ending(session):
                added = self._index.finish(upload_id, file)
            if not added:
                return self._overtaken(session, file)
        return UploadStatus(upload_id, Phase.FINAL, file.size_bytes, file)

    def cancel(self, upload_id: str) -> UploadStatus:
        """Give an upload up and its bytes back; a second time changes nothing.

        Raises:
            NotFound: No such upload.
            FailedPrecondition: It is final.
        """
        with self._sessions.lock(upload_id, allow_cancelled=True) as (session, partial):
            if session.phase is Phase.FINAL:
                raise FailedPrecondition("This upload is final. Delete its file instead.")
            if session.phase is Phase.ACTIVE:
                self._sessions.cancel(session, partial)
        return UploadStatus(upload_id, Phase.CANCELLED)

    def expire_uploads(self) -> int:
        """Forget the uploads that nobody touched for `FileLimits.upload_ttl`; returns how many."""
        return self._sessions.expire_uploads()

    def _file(self, session: Session, partial: PartialBlob) -> StoredFile:
        """The row of the file that the bytes become now."""
        error = header = None
        mime_type = session.mime_type or ANY_TYPE
        try:
            with partial.open() as reader:
                mime_type, header = self._inspect(reader, session.mime_type)
        except InvalidImage as found:
            error = found.message
        now = self._clock()
        return StoredFile(
            id=session.file_id or self._ids(),
            owner=session.owner,
            blob=session.blob,
            display_name=session.display_name,
            mime_type=mime_type,
            size_bytes=partial.size(),
            sha256=partial.digest(),
            created=now,
            updated=now,
            expires=now + self._limits.lifetime,
            state=FileState.ACTIVE if error is None else FileState.FAILED,
            error=error,
            header=header,
        )

    def _overtaken(self, session: Session, file: StoredFile) -> UploadStatus:
        """The end of a session whose file could not be added: another one has its name, or ended it."""
        now = self._index.session(session.id)
        if now is not None and now.phase is Phase.ACTIVE:
            raise _name_taken(file.id)
        if now is not None and now.phase is Phase.FINAL:
            return self._final(now)
        raise FailedPrecondition("This upload was cancelled. Start a new one.")

    def _final(self, session: Session) -> UploadStatus:
        """What a final session says; its file's name may belong to another file by now."""
        file = self._index.holder(session.blob)
        alive = file is not None and file.expires > self._clock()
        return UploadStatus(session.id, Phase.FINAL, session.length or 0, file if alive else None)

    def _check_name(self, session: Session) -> None:
        """Refuse a wanted name that is in use; a file whose time is over makes room for it."""
        present = self._index.file(session.owner, session.file_id) if session.file_id else None
        if present is None:
            return
        if present.expires > self._clock():
            raise _name_taken(present.id)
        self._files.expire()


def _stored(session: Session, partial: PartialBlob) -> int:
    """Bytes received; a final session's may be deleted already."""
    return partial.size() if session.phase is Phase.ACTIVE else session.length or 0


def _check_end(session: Session, end: int) -> None:
    if session.length is None or end <= session.length:
        return
    if session.phase is Phase.FINAL:
        raise FailedPrecondition(f"This upload is final with {session.length} bytes. Start a new one.")
    raise InvalidRequest(
        f"More bytes than declared: the upload has {session.length} bytes and these would end at {end}. "
        "Send the rest that is missing, or cancel.",
        where=WRONG_OFFSET,
    )


def _check_size(session: Session, stored: int, size: int | None) -> None:
    for wanted in (session.length, size):
        if wanted not in (None, stored):
            raise InvalidRequest(
                f"The upload is not complete: {stored} of {wanted} bytes are received; continue at {stored}.",
                where=WRONG_SIZE,
            )


def _name_taken(file_id: str) -> InvalidRequest:
    return InvalidRequest(
        f"The name files/{file_id} is taken. Delete that file, or choose another name or none.",
        where="file.name",
        reason="ALREADY_EXISTS",
    )
