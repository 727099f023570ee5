"""What an engine says: pieces of text, calls of functions, a finish, and what it cost.

Streaming is the only path; a whole answer is `fold(pieces)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum


class Finish(Enum):
    """Why an answer ended, under the API's own names."""

    STOP = "STOP"
    MAX_TOKENS = "MAX_TOKENS"
    SAFETY = "SAFETY"
    MALFORMED_FUNCTION_CALL = "MALFORMED_FUNCTION_CALL"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that the model wants to be called.

    Attributes:
        args: The arguments: an object, as JSON.
        id: What its response refers to; "" where none was given.
    """

    name: str
    args: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer.

    Attributes:
        text: New text; pieces concatenate to the answer.
        tokens: How many tokens this piece took.
        thought: Whether the text is the model's thinking and not its answer.
        finish: Set on the last piece, and only there.
        candidate: Which candidate this piece belongs to, from 0.
        call: A function to be called, whose arguments have the shape that was declared; beside it no text.
    """

    text: str
    tokens: int = 0
    thought: bool = False
    finish: Finish | None = None
    candidate: int = 0
    call: FunctionCall | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of one candidate."""

    text: str = ""
    thoughts: str = ""
    tokens: int = 0
    thought_tokens: int = 0
    finish: Finish | None = None
    calls: tuple[FunctionCall, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenCount:
    """What a prompt costs, by modality, in tokens."""

    text: int = 0
    image: int = 0

    @property
    def total(self) -> int:
        """All of the prompt."""
        return self.text + self.image


_JOINED = 256


class PieceBuffer:
    """An answer that is gathered: pieces of one kind that follow each other become one.

    So a long answer that comes in single words takes the memory of its text, and not of its pieces.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._done: list[Piece] = []
        self._first: Piece | None = None
        self._texts: list[str] = []
        self._recent: list[str] = []
        self._tokens = 0
        self._finish: Finish | None = None

    def add(self, piece: Piece) -> None:
        """The answer goes on with this piece."""
        first = self._first
        if (
            first is None
            or (first.candidate, first.thought) != (piece.candidate, piece.thought)
            or first.call
            or piece.call
            or self._finish
        ):
            self._done.extend(self._open())
            self._first, self._texts, self._recent, self._tokens = piece, [], [], 0
        self._recent.append(piece.text)
        if len(self._recent) == _JOINED:
            # A string of one word takes ten times the word.
            self._texts.append("".join(self._recent))
            self._recent = []
        self._tokens += piece.tokens
        self._finish = piece.finish

    def __iter__(self) -> Iterator[Piece]:
        """The pieces of what was added so far."""
        yield from self._done
        yield from self._open()

    def _open(self) -> Iterator[Piece]:
        if self._first is not None:
            text = "".join([*self._texts, *self._recent])
            first = self._first
            yield Piece(text, self._tokens, first.thought, self._finish, first.candidate, first.call)


def gathered(pieces: Iterable[Piece]) -> PieceBuffer:
    """A whole answer, its pieces of one kind joined."""
    buffer = PieceBuffer()
    for piece in pieces:
        buffer.add(piece)
    return buffer


def fold(pieces: Iterable[Piece]) -> tuple[Answer, ...]:
    """Gather pieces into whole answers, one a candidate, in the order of the candidates."""
    gathered: dict[int, list[Piece]] = {}
    for piece in pieces:
        gathered.setdefault(piece.candidate, []).append(piece)
    return tuple(_whole(gathered[candidate]) for candidate in sorted(gathered))


def _whole(pieces: list[Piece]) -> Answer:
    spoken = [piece for piece in pieces if not piece.thought]
    thought = [piece for piece in pieces if piece.thought]
    return Answer(
        text="".join(piece.text for piece in spoken),
        thoughts="".join(piece.text for piece in thought),
        tokens=sum(piece.tokens for piece in spoken),
        thought_tokens=sum(piece.tokens for piece in thought),
        finish=next((piece.finish for piece in reversed(pieces) if piece.finish), None),
        calls=tuple(piece.call for piece in pieces if piece.call),
    )
