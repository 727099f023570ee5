"""Files as the API's JSON: what an uploader announces, and the File resource."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from vidi.files.store import StoredFile
from vidi.wire.encode import Json, dump
from vidi.wire.errors import from_validation
from vidi.wire.fields import Int64, Text
from vidi.wire.json_body import read_object
from vidi.wire.schema import Message, Struct

INVALID_ARGUMENT = 3
"""google.rpc.Code of a file that can never be used."""


class _File(Message):
    """File; what only the server fills in is read and ignored, since clients send whole resources back."""

    name: Text | None = None
    display_name: Text | None = None
    mime_type: Text | None = None
    size_bytes: Int64 | None = None
    create_time: Text | None = None
    update_time: Text | None = None
    expiration_time: Text | None = None
    sha256_hash: Text | None = None
    uri: Text | None = None
    download_uri: Text | None = None
    state: Text | None = None
    source: Text | None = None
    error: Struct | None = None
    video_metadata: Struct | None = None


class _CreateFile(Message):
    """CreateFileRequest."""

    file: _File | None = None


@dataclass(frozen=True, slots=True)
class FileFields:
    """What an uploader says about a file; empty where it says nothing."""

    name: str = ""
    display_name: str = ""
    mime_type: str = ""
    size_bytes: int | None = None


def decode_file(body: bytes | bytearray) -> FileFields:
    """Read a CreateFileRequest; an empty body says nothing.

    Raises:
        InvalidRequest: The body is no JSON, even read leniently, or not of the API's form.
    """
    try:
        request = _CreateFile.model_validate(read_object(body))
    except ValidationError as error:
        raise from_validation(error) from None
    file = request.file or _File()
    return FileFields(file.name or "", file.display_name or "", file.mime_type or "", file.size_bytes)


def encode_file(file: StoredFile, base: str) -> bytes:
    """A File.

    Args:
        file: The file.
        base: Scheme, host and path prefix under which the client knows this server; no slash at the end.
    """
    return dump(_file(file, base))


def encode_uploaded(file: StoredFile, base: str) -> bytes:
    """The answer to a finalized upload: a CreateFileResponse."""
    return dump({"file": _file(file, base)})


def encode_files(files: Sequence[StoredFile], next_page_token: str, base: str) -> bytes:
    """A ListFilesResponse; an empty one is `{}`."""
    listed: dict[str, Json] = {"files": [_file(file, base) for file in files]} if files else {}
    token: dict[str, Json] = {"nextPageToken": next_page_token} if next_page_token else {}
    return dump({**listed, **token})


def _file(file: StoredFile, base: str) -> dict[str, Json]:
    # As at Google, the hash is base64 of the digest's hex text, not of its bytes.
    hashed = base64.b64encode(file.sha256.encode()).decode()
    label: dict[str, Json] = {"displayName": file.display_name} if file.display_name else {}
    error: dict[str, Json] = (
        {"error": {"code": INVALID_ARGUMENT, "message": file.error}} if file.error is not None else {}
    )
    return {
        "name": file.name,
        **label,
        "mimeType": file.mime_type,
        "sizeBytes": str(file.size_bytes),
        "createTime": _time(file.created),
        "updateTime": _time(file.updated),
        "expirationTime": _time(file.expires),
        "sha256Hash": hashed,
        "uri": f"{base}/v1beta/{file.name}",
        "state": file.state.value,
        "source": file.source.value,
        **error,
    }


def _time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
