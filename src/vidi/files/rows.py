"""The rows of files and uploads as databases keep them: one order of columns for SQLite and PostgreSQL."""

from __future__ import annotations

from vidi.domain.prompt import ImageFormat, ImageHeader
from vidi.files.store import FileSource, FileState, Phase, Session, StoredFile
from vidi.storage.clock import from_micros, to_micros

SessionRow = tuple[str, str, str, str, str, str, int | None, int, str]
"""id, owner, blob, file_id, display_name, mime_type, length, touched, phase."""

FileRow = tuple[str, str, str, str, str, int, str, int, int, int, str, str | None, str, str | None]
"""owner, id, blob, display_name, mime_type, size, sha256, created, updated, expires, state, error, source,
header. Moments are microseconds since 1970."""


def session_row(session: Session) -> SessionRow:
    """A session as columns."""
    return (
        session.id,
        session.owner,
        session.blob,
        session.file_id,
        session.display_name,
        session.mime_type,
        session.length,
        to_micros(session.touched),
        session.phase.value,
    )


def session_of(row: SessionRow) -> Session:
    """The session of these columns."""
    upload, owner, blob, file_id, display_name, mime_type, length, touched, phase = row
    return Session(
        upload, owner, blob, file_id, display_name, mime_type, length, from_micros(touched), Phase(phase)
    )


def file_row(file: StoredFile) -> FileRow:
    """A file as columns."""
    return (
        file.owner,
        file.id,
        file.blob,
        file.display_name,
        file.mime_type,
        file.size_bytes,
        file.sha256,
        to_micros(file.created),
        to_micros(file.updated),
        to_micros(file.expires),
        file.state.value,
        file.error,
        file.source.value,
        _header_text(file.header),
    )


def file_of(row: FileRow) -> StoredFile:
    """The file of these columns."""
    owner, file_id, blob, display_name, mime_type, size, sha256, created, updated, expires, *_ = row
    return StoredFile(
        id=file_id,
        owner=owner,
        blob=blob,
        display_name=display_name,
        mime_type=mime_type,
        size_bytes=size,
        sha256=sha256,
        created=from_micros(created),
        updated=from_micros(updated),
        expires=from_micros(expires),
        state=FileState(row[10]),
        error=row[11],
        source=FileSource(row[12]),
        header=_header(row[13]),
    )


def _header_text(header: ImageHeader | None) -> str | None:
    """As `image/jpeg 640 480 1 6`: format, width, height, frames, orientation."""
    if header is None:
        return None
    return f"{header.format.value} {header.width} {header.height} {header.frames} {header.orientation}"


def _header(text: str | None) -> ImageHeader | None:
    if text is None:
        return None
    form, *numbers = text.split()
    width, height, frames, orientation = map(int, numbers)
    return ImageHeader(ImageFormat(form), width, height, frames, orientation=orientation)
