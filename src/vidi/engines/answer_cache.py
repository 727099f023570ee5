"""Answers that were given before: the same model, asked the same, says the same, so it need not be asked."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass

from vidi.domain.answer import Piece, TokenCount
from vidi.domain.prompt import MediaResolution, Request, Sampling
from vidi.engines.base import ModelCard

_LARGEST_PART = 16
"""An answer over this part of the room is not kept: it would put out too many others."""

_OVERHEAD = 1000
"""About what a key and its pieces take beside their texts, in bytes."""


@dataclass(frozen=True, slots=True)
class PictureKey:
    """A picture as far as it matters to an answer.

    Attributes:
        digest: SHA-256 of the encoded file, in hex.
        resolution: The media resolution in force for it.
    """

    digest: str
    resolution: MediaResolution


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Everything that an answer depends on."""

    model: str
    version: str
    ask: Request[PictureKey]

    def size(self) -> int:
        """About how many bytes it takes."""
        return sum(map(sys.getsizeof, self.ask.texts())) + sum(200 for _ in self.ask.images()) + _OVERHEAD


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer that was given before.

    Attributes:
        cost: What the model's own tokens were in the prompt.
        pieces: The answer.
    """

    cost: TokenCount
    pieces: tuple[Piece, ...]

    def size(self) -> int:
        """About how many bytes it takes."""
        return sum(sys.getsizeof(piece.text) + 100 for piece in self.pieces)


def is_deterministic(card: ModelCard, sampling: Sampling) -> bool:
    """Whether a model gives the same answer each time: it draws no lots, or the lots are the same.

    An engine that never draws is quick and has its own memory, so its answers are not kept here.
    """
    return card.samples and (sampling.temperature == 0 or sampling.seed is not None)


class AnswerCache:
    """Answers by question, the least recently used put out first. For one thread."""

    def __init__(self, room: int) -> None:
        """Keep about `room` bytes; 0 keeps nothing."""
        self._room = room
        self._used = 0
        self._answers: OrderedDict[CacheKey, tuple[CachedAnswer, int]] = OrderedDict()

    @property
    def used(self) -> int:
        """About how many bytes are kept now."""
        return self._used

    def get(self, question: CacheKey) -> CachedAnswer | None:
        """The answer that was kept, if it still is."""
        kept = self._answers.get(question)
        if kept is None:
            return None
        self._answers.move_to_end(question)
        return kept[0]

    def put(self, question: CacheKey, answer: CachedAnswer) -> None:
        """Keep a whole answer, unless it is too large."""
        size = question.size() + answer.size()
        if size * _LARGEST_PART > self._room:
            return
        self._forget(question)
        self._answers[question] = (answer, size)
        self._used += size
        while self._used > self._room:
            self._forget(next(iter(self._answers)))

    def _forget(self, question: CacheKey) -> None:
        kept = self._answers.pop(question, None)
        if kept is not None:
            self._used -= kept[1]
