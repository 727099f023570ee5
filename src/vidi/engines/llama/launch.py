"""What a model's process is told at its start, and what it tells back: one line of JSON each way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Launch:
    """How to run a model.

    Attributes:
        text: Path of the language model (GGUF).
        vision: Path of the vision encoder and projector (GGUF).
        context: Longest prompt and answer together, in tokens, of one request.
        slots: How many requests are answered at the same time.
        threads: How many threads may be busy.
        min_image_tokens, max_image_tokens: Bounds on one picture's tokens; -1 leaves them to the file.
        memory: Most address space in bytes; 0 for no limit.
        key: What callers of its listener must show.
    """

    text: str
    vision: str
    context: int
    slots: int
    threads: int
    min_image_tokens: int = -1
    max_image_tokens: int = -1
    memory: int = 0
    key: str = ""

    def pack(self) -> bytes:
        """The message."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def unpack(cls, message: str) -> Launch:
        """Read the message; ValueError or TypeError if it is not one."""
        return cls(**json.loads(message))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running model listens.

    Attributes:
        host, port: Its address, on loopback.
        key: What callers must show.
    """

    host: str
    port: int
    key: str
