"""The two frames of a stream: server-sent events, and one JSON array written bit by bit.

Clients are strict about events: one `data: ` line and one blank line each, the last included; no comments, no
names, no end mark. An error in mid-stream is a bare JSON line, the only form that all SDKs raise on.
"""

from __future__ import annotations

from vidi.domain.errors import VidiError
from vidi.wire.encode import encode_error

ARRAY_END = b"]"
"""Closes the array after its last element."""


def sse_event(message: bytes) -> bytes:
    """One message, a single line as `encode_response` writes it, as an event."""
    return b"data: " + message + b"\r\n\r\n"


def sse_error(error: VidiError) -> bytes:
    """An error after the stream has begun; send it in a write of its own and end the stream."""
    return encode_error(error) + b"\r\n\r\n"


def array_element(message: bytes, *, first: bool) -> bytes:
    """One message as the array's next element; the first opens the array."""
    return (b"[" if first else b",\r\n") + message


def array_error(error: VidiError, *, first: bool = True) -> bytes:
    """An error as the array's last element, or as its only one before anything was sent."""
    return array_element(encode_error(error), first=first) + ARRAY_END
