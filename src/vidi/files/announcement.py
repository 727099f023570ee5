"""What a client says about a file before it sends it, and what may be said."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vidi.domain.errors import InvalidRequest
from vidi.files.names import wanted_id

MAX_DISPLAY_NAME = 512
"""Longest display name in characters."""

_MIME_TYPE = re.compile(
    r"(?:application|audio|font|image|message|model|multipart|text|video)/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
)


@dataclass(frozen=True, slots=True)
class Announcement:
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


def checked(announcement: Announcement) -> Announcement:
    """The announcement in the form in which it is stored: `name` a bare id, `mime_type` in lower case.

    Raises:
        InvalidRequest: Something in it breaks the rules.
    """
    if announcement.length is not None and announcement.length < 0:
        raise InvalidRequest("The length of a file is 0 or more bytes.", where="file.size_bytes")
    return Announcement(
        owner=announcement.owner,
        name=wanted_id(announcement.name),
        display_name=_display_name(announcement.display_name),
        mime_type=_mime_type(announcement.mime_type),
        length=announcement.length,
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
