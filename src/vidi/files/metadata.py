"""What an upload may ask for, and every spelling of a file's name that a client may echo."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass

from vidi.domain.errors import InvalidRequest

ALPHABET = string.ascii_lowercase + string.digits

ID_LENGTH = 12
"""Length of a made id, as at Google; 36^12 is 62 bits."""

MAX_SPELLING = 2048
"""Longest text that is looked at: a bound on the work, far above any URL."""

_ID = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_WANTED = re.compile(rf"(?:files/)?({_ID})")
_SPELLING = re.compile(
    r"/?(?:files/)*"
    r"(?:https?:/{1,2}[^/?#\s]+(?:/[^?#\s]*)?/v[0-9][a-z0-9]*/(?:files/)+)?"
    rf"({_ID})(?:[?#]\S*)?"
)


def new_id() -> str:
    """An `IdMaker` on the system's secure random source."""
    return "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


def find_id(text: str) -> str | None:
    """The file id in any spelling of a file's name or uri; None if the text is neither.

    Read are `<id>`, `files/<id>`, `files/files/<id>`, `<scheme>://<host>[/prefix]/<version>/files/<id>` and
    such a URL behind `files/`; a query or a fragment is ignored. Any host and version will do: a client
    may know this server under another name, or echo Google's.
    """
    match = _SPELLING.fullmatch(text.strip()) if len(text) <= MAX_SPELLING else None
    return match.group(1) if match else None


def parse_name(text: str) -> str:
    """The file id in any spelling, as `find_id`.

    Raises:
        InvalidRequest: The text names no file.
    """
    found = find_id(text)
    if found is None:
        shown = text.partition("?")[0][:200]
        raise InvalidRequest(
            f"Unsupported file URI type: {shown}. Upload the file first and use the `uri` of the answer, "
            "or give the https address of a picture."
        )
    return found


def wanted_id(name: str) -> str:
    """The id that an uploader asks for with `files/<id>` or `<id>`; "" for an empty name.

    Raises:
        InvalidRequest: The name breaks the rules.
    """
    if not name:
        return ""
    match = _WANTED.fullmatch(name)
    if match is None:
        raise InvalidRequest(
            "Invalid file name: it must be `files/` and 1 to 40 lower-case letters, digits or dashes, "
            "not beginning or ending with a dash. Leave the name out to get one.",
            where="file.name",
        )
    return match.group(1)


MAX_DISPLAY_NAME = 512
"""Longest display name in characters."""

_MIME_TYPE = re.compile(
    r"(?:application|audio|font|image|message|model|multipart|text|video)/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A file that is about to come; every field is as the client wrote it.

    Attributes:
        owner: Id of the key it comes with; "" on an open server.
        name: Wanted name, `files/<id>` or `<id>`; "" takes any.
        display_name: At most 512 characters.
        mime_type: Parameters are dropped; "" leaves it to the bytes.
        length: In bytes; None if the client does not know.
    """

    owner: str
    name: str = ""
    display_name: str = ""
    mime_type: str = ""
    length: int | None = None


def validate(request: UploadRequest) -> UploadRequest:
    """The request as it is stored: `name` a bare id, `mime_type` in lower case.

    Raises:
        InvalidRequest: Something in it breaks the rules.
    """
    if request.length is not None and request.length < 0:
        raise InvalidRequest("The length of a file is 0 or more bytes.", where="file.size_bytes")
    return UploadRequest(
        owner=request.owner,
        name=wanted_id(request.name),
        display_name=_display_name(request.display_name),
        mime_type=_mime_type(request.mime_type),
        length=request.length,
    )


def _display_name(text: str) -> str:
    if len(text) > MAX_DISPLAY_NAME:
        raise InvalidRequest(
            f"The display name is too long: {len(text)} of at most {MAX_DISPLAY_NAME} characters.",
            where="file.display_name",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(
            "The display name holds half a character (a lone surrogate).", where="file.display_name"
        ) from None
    return text


def _mime_type(text: str) -> str:
    bare = text.partition(";")[0].strip().lower()
    if bare and not _MIME_TYPE.fullmatch(bare):
        raise InvalidRequest(f"Unsupported MIME type: {bare[:100]}", where="file.mime_type")
    return bare
