"""How a picture is refused: one wording for the header reader and the decoder pool."""

from __future__ import annotations

from vidi.domain.errors import InvalidImage

SUPPORTED = "Supported: PNG, JPEG, WEBP, HEIC, HEIF."


def broken(where: str, reason: str) -> InvalidImage:
    """A picture that cannot be read: the API's own words, then which one, why and what to do."""
    return InvalidImage(
        f"Unable to process input image. {subject(where)} cannot be used: {reason}.", where=where
    )


def unsupported(where: str, name: str) -> InvalidImage:
    """A file in a format that is known but not taken."""
    return InvalidImage(f"{subject(where)} is {name}. {SUPPORTED} Convert it to one of them.", where=where)


def too_large(where: str, reason: str) -> InvalidImage:
    """A picture whose header announces more than the server decodes."""
    return InvalidImage(f"{subject(where)} {reason}", where=where)


def subject(where: str) -> str:
    """The picture, as the beginning of a sentence."""
    return f"The picture at {where}" if where else "The picture"
