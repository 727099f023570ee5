"""Answers that were given before: the same model, asked the same, says the same, so it need not be asked."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from vidi.domain.answer import Piece, TokenCount
from vidi.domain.prompt import ImageDetail, Request, Sampling
from vidi.engines.base import ModelCard
from vidi.lru import LruCache

_LARGEST_PART = 16
"""An answer over this part of the room is not kept: it would put out too many others."""

_OVERHEAD = 1000
"""About what a key and its pieces take beside their texts, in bytes."""

_PER_VALUE = 100
"""About what a name or a value of a function's schema takes, in bytes."""


@dataclass(frozen=True, slots=True)
class PictureKey:
    """A picture as far as it matters to an answer.

    Attributes:
        digest: SHA-256 of the encoded file, in hex.
        resolution: The media resolution in force for it.
    """

    digest: str
    resolution: ImageDetail


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Everything that an answer depends on."""

    model: str
    version: str
    request: Request[PictureKey]

    def size(self) -> int:
        """About how many bytes it takes."""
        texts = sum(map(sys.getsizeof, self.request.texts()))
        texts += sum(_PER_VALUE * function.size for function in self.request.functions)
        return texts + sum(200 for _ in self.request.images()) + _OVERHEAD


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer that was given before.

    Attributes:
        cost: What the model's own tokens were in the prompt.
        pieces: The answer.
    """

    cost: TokenCount
    pieces: tuple[Piece, ...]

    async def replay(self) -> AsyncIterator[Piece]:
        """The pieces again, for a caller that waits for an engine's."""
        for piece in self.pieces:
            yield piece

    def size(self) -> int:
        """About how many bytes it takes."""
        return sum(map(_piece_bytes, self.pieces))


def is_deterministic(card: ModelCard, sampling: Sampling) -> bool:
    """Whether a model gives the same answer each time: it draws no lots, or the lots are the same.

    An engine that never draws is quick and has its own memory, so its answers are not kept here.
    """
    return card.samples and (sampling.temperature == 0 or sampling.seed is not None)


class AnswerCache(LruCache[CacheKey, CachedAnswer]):
    """Answers by what they depend on, the least recently used put out first. For one thread."""

    def __init__(self, room: int) -> None:
        """Keep about `room` bytes; 0 keeps nothing."""
        super().__init__(room, lambda key, answer: key.size() + answer.size(), largest_part=_LARGEST_PART)

    async def keep(
        self, key: CacheKey, cost: TokenCount, pieces: AsyncIterator[Piece]
    ) -> AsyncIterator[Piece]:
        """Pass an answer on piece by piece, and keep it if it comes to its end."""
        passed: list[Piece] = []
        room = self.largest
        async for piece in pieces:
            if room > 0:
                passed.append(piece)
                room -= _piece_bytes(piece)
            yield piece
        # One that would be too large is not even gathered.
        if room > 0:
            self.put(key, CachedAnswer(cost, tuple(passed)))


def _piece_bytes(piece: Piece) -> int:
    return sys.getsizeof(piece.text) + (sys.getsizeof(piece.call.args) if piece.call else 0) + 100
