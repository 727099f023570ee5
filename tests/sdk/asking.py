"""What the tests of the SDK ask, and how they read the answers."""

from __future__ import annotations

from google.genai import types

from tests.conftest import picture

MODEL = "gemini-3-flash-preview"
CAPTION = "Caption this image."


def part(width: int, height: int, kind: str = "PNG") -> types.Part:
    """A drawn picture inline."""
    return types.Part.from_bytes(data=picture(width, height, kind), mime_type=f"image/{kind.lower()}")


def contents_of(*parts: types.PartUnionDict) -> list[types.PartUnionDict]:
    """The parts as a list of the type that the SDK's signatures want."""
    return list(parts)


def usage(response: types.GenerateContentResponse) -> types.GenerateContentResponseUsageMetadata:
    """What an answer was billed."""
    assert response.usage_metadata is not None
    return response.usage_metadata


def finish(response: types.GenerateContentResponse) -> str | None:
    """Why the first candidate ended; None in mid-stream."""
    assert response.candidates
    reason = response.candidates[0].finish_reason
    return None if reason is None else reason.value
