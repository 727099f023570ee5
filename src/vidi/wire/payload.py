"""Picture bytes as they travel in JSON: base64 and a MIME type that is allowed but not trusted."""

from __future__ import annotations

import pybase64

from vidi.domain.errors import InvalidRequest
from vidi.wire.violations import FieldViolation, InvalidFields

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
"""What may be sent. The label is checked against this list; the format is told by the bytes."""

_ALIASES = {"image/jpg": "image/jpeg"}
_MAX_SHOWN = 64
_ALPHABETS = ((None, ""), (b"-_", "+/"))
"""Standard, then URL-safe, with the letters of the other that its decoder would let pass."""


def decode_base64(text: str, where: str) -> bytes:
    """Decode base64 as protobuf's JSON does: standard or URL-safe alphabet, padded or not.

    Line breaks are ignored, for callers who forgot `base64 -w0`. Anything else is refused: other
    characters, both alphabets in one text, a wrong length or padding, stray bits in the last character.

    Args:
        text: The base64 text.
        where: Path of the field, as `contents[0].parts[1].inline_data.data`.

    Raises:
        InvalidFields: It is no base64.
    """
    data = _decoded(text)
    if data is None and ("\n" in text or "\r" in text):
        data = _decoded(text.replace("\n", "").replace("\r", ""))
    if data is None:
        raise _junk(text, where)
    return data


def _decoded(text: str) -> bytes | None:
    """The bytes, None if the text is no base64."""
    padding = "" if text.endswith("=") else "=" * (-len(text) % 4)
    for alphabet, foreign in _ALPHABETS:
        if any(letter in text for letter in foreign):
            continue
        try:
            data = pybase64.b64decode(text + padding, alphabet, validate=True)
        except ValueError:
            continue
        tail = len(data) % 3
        last = (text[-4:] + padding)[-4:].encode()
        return data if not tail or pybase64.b64encode(data[-tail:], alphabet) == last else None
    return None


def _junk(text: str, where: str) -> InvalidFields:
    excerpt = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
    said = f"Invalid value at '{where}' (TYPE_BYTES), Base64 decoding failed for \"{excerpt}\""
    return InvalidFields([FieldViolation(where, said)])


def check_mime_type(given: str | None, where: str) -> None:
    """Refuse a label that names anything but a picture of the five formats; none at all is fine.

    Case and parameters (`image/JPEG; charset=binary`) do not matter.

    Raises:
        InvalidRequest: The type is not allowed.
    """
    kind = (given or "").split(";", 1)[0].strip().lower()
    if not kind or _ALIASES.get(kind, kind) in IMAGE_TYPES:
        return
    said = f"Unsupported MIME type: {(given or '')[:_MAX_SHOWN]}"
    if not kind.startswith("image/"):
        said += f" at {where}. Only pictures are served: {', '.join(IMAGE_TYPES)}."
    raise InvalidRequest(said, where=f"{where}.mime_type")
