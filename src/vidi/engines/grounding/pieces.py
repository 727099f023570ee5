"""A family's pieces as the caller's: every candidate is read by a reader of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vidi.domain.answer import Finish, Piece
from vidi.domain.prompt import Image, Picture
from vidi.engines.grammar import validate
from vidi.engines.grounding.plan import Plan
from vidi.engines.grounding.reader import Reader


class PieceReader:
    """Reads the pieces of one answer in their order."""

    def __init__(self, plan: Plan[Image], pictures: Sequence[Picture]) -> None:
        """Take the plan by which it was asked, and the pictures as the engine gets them."""
        self._schema = plan.wish.schema
        self._begin = plan.reader
        self._pictures = pictures
        self._readers: dict[int, Reader] = {}
        self._said: dict[int, list[str]] = {}

    def take(self, piece: Piece) -> Piece:
        """The same piece with the caller's text; thoughts are passed on as they are.

        Raises:
            AnswerMismatch: The answer is over, and is not what the caller's schema asks for.
        """
        if piece.thought:
            return piece
        reader = self._readers.get(piece.candidate)
        if reader is None:
            reader = self._readers[piece.candidate] = self._begin(self._pictures)
        said = self._said.setdefault(piece.candidate, [])
        said.append(reader.push(piece.text) + (reader.end() if piece.finish else ""))
        if self._schema is not None and piece.finish is Finish.STOP:
            validate("".join(said), self._schema)
        return replace(piece, text=said[-1])
