"""From the events of a chat server to pieces of an answer, and from its errors to words for the caller."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import groupby

from vidi.domain.answer import Finish, Piece
from vidi.domain.errors import Internal, InvalidRequest, Unavailable, VidiError
from vidi.domain.schema import JsonValue
from vidi.engines.chat.connection import HttpRefusal, Post

_log = logging.getLogger(__name__)

_PATH = "/v1/chat/completions"
_HEARTBEAT = Piece("")
"""Says nothing, but lets the worker see that somebody still waits."""

_DATA = b"data: "
_DONE = b"[DONE]"
_FINISHES = {"stop": Finish.STOP, "length": Finish.MAX_TOKENS}


class BackendFailure(Unavailable):
    """The backend broke over a request that is right; it may answer the same one a moment later."""


def stream_answer(post: Post, body: bytes) -> Generator[Piece, None, None]:
    """A chat request's answer, token by token; its last piece carries the finish.

    llama.cpp now and then throws over a sound request ("Unexpected empty grammar stack": the sampler took a
    token that the grammar forbids) and answers the next one as if nothing had been. So a request over which
    the backend failed before it said anything is sent once more, and nobody hears of it.

    Raises:
        InvalidRequest: The prompt is too long.
        Unavailable: The backend failed twice, or in the middle of its answer, or is not there.
    """
    said = False
    try:
        with closing(_stream_once(post, body)) as pieces:
            for piece in pieces:
                said = said or piece != _HEARTBEAT
                yield piece
        return
    except BackendFailure as failure:
        if said:
            raise
        _log.warning("Asking once more: %s", failure.message)
    yield from _stream_once(post, body)


def _stream_once(post: Post, body: bytes) -> Generator[Piece, None, None]:
    events, reader = EventStream(), ResponseReader()
    try:
        with closing(post(_PATH, body)) as portions:
            for portion in portions:
                together = (piece for message in events.feed(portion) for piece in reader.take(message))
                yield from merge_pieces(together)
                if not portion:
                    yield _HEARTBEAT
    except HttpRefusal as error:
        raise error_of(error) from None
    yield reader.last()


@dataclass(slots=True)
class EventStream:
    """Server-sent events out of bytes that come in any portions."""

    _rest: bytes = b""

    def feed(self, portion: bytes) -> Iterator[JsonValue]:
        """The messages that are complete with this portion."""
        *lines, self._rest = (self._rest + portion).split(b"\n")
        for line in lines:
            if line.startswith(_DATA) and line[len(_DATA) :].strip() != _DONE:
                yield json.loads(line[len(_DATA) :])
            elif line.startswith(b"error: "):
                yield {"error": json.loads(line[len(b"error: ") :])}


@dataclass(slots=True)
class ResponseReader:
    """Pieces out of the messages of one streamed answer.

    Attributes:
        prompt_tokens: What the engine says that the prompt took; 0 until it has said so.
        cached_tokens: How many of them it had seen before and did not read again.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    _tokens: int = field(default=0)
    _finish: Finish | None = None

    def take(self, message: JsonValue) -> Iterator[Piece]:
        """The pieces of one message.

        Raises:
            VidiError: The message is an error.
        """
        if not isinstance(message, dict):
            return
        if "error" in message:
            raise _in_words(message["error"])
        fresh = self._count(message)
        for choice in _objects(message.get("choices")):
            reason = choice.get("finish_reason")
            self._finish = _FINISHES.get(str(reason), Finish.OTHER) if reason else self._finish
            delta = choice.get("delta")
            for name in ("reasoning_content", "content"):
                text = delta.get(name) if isinstance(delta, dict) else None
                if isinstance(text, str) and text:
                    yield Piece(text, tokens=fresh, thought=name == "reasoning_content")
                    fresh = 0
        if fresh:
            yield Piece("", tokens=fresh)

    def last(self) -> Piece:
        """What ends the answer.

        Raises:
            Unavailable: It had not come to its end.
        """
        if self._finish is None:
            raise Unavailable(
                "The model stopped in the middle of its answer. Please try again.", retry_after=1.0
            )
        return Piece("", finish=self._finish)

    def _count(self, message: dict[str, JsonValue]) -> int:
        """How many tokens are new since the last message."""
        usage, timings = message.get("usage"), message.get("timings")
        if isinstance(usage, dict):
            self.prompt_tokens = _number(usage.get("prompt_tokens"))
        if not isinstance(timings, dict):
            return 0
        self.cached_tokens = _number(timings.get("cache_n"))
        fresh = _number(timings.get("predicted_n")) - self._tokens
        self._tokens += fresh
        return fresh


def merge_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Pieces that came together, in as few as can hold them; a thought and what was said stay apart."""
    for thought, run in groupby(pieces, key=lambda piece: piece.thought):
        parts = list(run)
        yield Piece("".join(part.text for part in parts), sum(part.tokens for part in parts), thought=thought)


def _number(value: JsonValue) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def error_of(answer: HttpRefusal) -> VidiError:
    """What a caller is told of a request that was refused as a whole."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    return _in_words(error if isinstance(error, dict) else {"code": answer.status})


def _in_words(error: JsonValue) -> VidiError:
    """What a caller is told of an error of the backend's."""
    fields = error if isinstance(error, dict) else {}
    kind = fields.get("type")
    message = str(fields.get("message", "it gave no reason"))[:500]
    if kind == "exceed_context_size_error":
        return InvalidRequest(
            f"The prompt takes {fields.get('n_prompt_tokens')} tokens and the model reads at most "
            f"{fields.get('n_ctx')} with its answer. Send fewer or smaller pictures, or less text."
        )
    if kind == "unavailable_error":
        return Unavailable("The model is still loading. Please try again.", retry_after=1.0)
    if kind == "server_error" or fields.get("code") == HTTPStatus.INTERNAL_SERVER_ERROR:
        return BackendFailure(
            f"The model's engine failed over this request: {message}. Please try again.", retry_after=1.0
        )
    return Internal(f"The model's engine refused this request: {message}")
