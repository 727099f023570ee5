"""Names of files: how they are made, what they may be, and every spelling that a client may echo."""

from __future__ import annotations

import re
import secrets
import string

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
            f"Unsupported file URI type: {shown}. Upload the file first and use the `uri` of the answer."
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
