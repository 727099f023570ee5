"""Pages of a listing and the tokens between them.

A token is the place after which the next page begins, so pages neither repeat nor skip a file while
others come and go. It is bound to its owner; that is a check against mix-ups, not a secret: whoever
forges one only moves about in their own listing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vidi.domain.errors import InvalidRequest
from vidi.files.store import Position, StoredFile

DEFAULT_PAGE = 10
MAX_PAGE = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEAL_BYTES = 8
_MAX_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing; a non-empty token leads to the next part."""

    files: tuple[StoredFile, ...]
    next_token: str = ""


def page_size(asked: int) -> int:
    """How many files a page has: 10 for 0, never more than 100.

    Raises:
        InvalidRequest: A negative size.
    """
    if asked < 0:
        raise InvalidRequest("page_size must not be negative.", where="page_size")
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def token_after(owner: str, file: StoredFile) -> str:
    """The token of the page that follows `file`."""
    place = f"{(file.created - _EPOCH) // timedelta(microseconds=1)}.{file.id}".encode()
    return base64.urlsafe_b64encode(_seal(owner, place) + place).rstrip(b"=").decode()


def position(owner: str, token: str) -> Position | None:
    """Where the page of `token` begins; None for an empty token.

    Raises:
        InvalidRequest: The token was not made for this listing.
    """
    if not token:
        return None
    try:
        if len(token) > _MAX_TOKEN:
            raise ValueError
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        seal, place = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if seal != _seal(owner, place):
            raise ValueError
        micros, _, file_id = place.decode().partition(".")
        return Position(_EPOCH + timedelta(microseconds=int(micros)), file_id)
    except (ValueError, binascii.Error, OverflowError):
        raise InvalidRequest(
            "Invalid page token. Use the nextPageToken of the same listing, or none to start over.",
            where="page_token",
        ) from None


def _seal(owner: str, place: bytes) -> bytes:
    return hashlib.sha256(b"files\0" + owner.encode() + b"\0" + place).digest()[:_SEAL_BYTES]
