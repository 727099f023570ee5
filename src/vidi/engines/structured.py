"""Answers that must have a form: nothing that has another is passed off as whole."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

from vidi.domain.answer import Finish, Piece
from vidi.domain.prompt import Output
from vidi.domain.schema import Schema
from vidi.engines.grammar import AnswerMismatch, validate

Attempt = Callable[[], Generator[Piece, None, None]]
"""Begins an answer."""


def checked(attempt: Attempt, output: Output, *, held: bool = False) -> Generator[Piece, None, None]:
    """Pass an answer on, and its last piece only once the text has been found to have its form.

    What a grammar cannot hold, a `pattern`, is found out at the end only; so such an answer is kept back, and
    asked for once more if it fails. Any other streams as it is made. An answer that a limit cut short is
    passed on as it is, with that as its finish.

    Args:
        attempt: Begins the answer; called a second time if the first failed and nothing was passed on.
        output: The form.
        held: Whether the engine has no grammar at all, so that every answer must be kept back.

    Raises:
        AnswerMismatch: The answer does not have its form, the second time too where there was one.
    """
    schema = output.schema
    if schema is None:
        yield from attempt()
    elif not held and not _has_pattern(schema):
        yield from _validated(attempt, output, schema)
    else:
        try:
            yield from _whole(attempt, output, schema)
        except AnswerMismatch:
            yield from _whole(attempt, output, schema)


def _whole(attempt: Attempt, output: Output, schema: Schema) -> Generator[Piece, None, None]:
    """The answer at once, when it is known to be good; empty pieces keep its reader patient."""
    pieces: list[Piece] = []
    with closing(_validated(attempt, output, schema)) as parts:
        for piece in parts:
            pieces.append(piece)
            yield Piece("")
    yield from (piece for piece in pieces if piece.text or piece.tokens or piece.finish)


def _validated(attempt: Attempt, output: Output, schema: Schema) -> Generator[Piece, None, None]:
    said: list[str] = []
    with closing(attempt()) as pieces:
        for piece in pieces:
            if not piece.thought:
                said.append(piece.text)
            if piece.finish is Finish.STOP:
                validate("".join(said), schema, output.format)
            yield piece


def _has_pattern(schema: Schema) -> bool:
    """Whether a pattern stands anywhere in a schema."""
    parts = [member.schema for member in schema.properties]
    parts += [*schema.prefix_items, *schema.any_of]
    parts += [part for part in (schema.items, schema.additional) if part is not None]
    return schema.pattern is not None or any(_has_pattern(part) for part in parts)
