"""From the events of a chat server to pieces of an answer, and from its errors to words for the caller."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain, groupby

from vidi.domain.answer import Finish, FunctionCall, Piece
from vidi.domain.errors import Internal, InvalidRequest, Unavailable, VidiError
from vidi.domain.schema import JsonValue
from vidi.engines.calls import ending
from vidi.engines.chat.connection import HttpRefusal, Post

_log = logging.getLogger(__name__)

_PATH = "/v1/chat/completions"
_RENDER_PATH = "/apply-template"
_UNREADABLE = "does not match the expected"
_PROBE = "is_there_a_place_for_functions"
_HEARTBEAT = Piece("")
"""Says nothing, but lets the worker see that somebody still waits."""

_DATA = b"data:"
_DONE = b"[DONE]"
_FINISHES = {"stop": Finish.STOP, "tool_calls": Finish.STOP, "length": Finish.MAX_TOKENS}
_BROKEN_OFF = frozenset({"abort", "error"})
"""Finishes by which vLLM and SGLang tell that they gave a request up."""

_THOUGHTS = ("reasoning_content", "reasoning")
"""Where a delta's thoughts stand: llama.cpp and SGLang write the first, vLLM and Ollama the second."""

_LONGEST_LINE = 1 << 20
"""Bytes of one event."""


class ServerRefusal(Internal):
    """The backend will not take the request."""


class BackendFailure(Unavailable):
    """The backend broke over a request that is right; it may answer the same one a moment later."""


class UnreadableAnswer(BackendFailure):
    """The backend reads calls out of an answer by its template, and could not make sense of this one."""


Explain = Callable[[JsonValue], VidiError]
"""What a caller is told of the fields of a server's error; a refusal's have its `status`."""

ReadLine = Callable[[bytes], Iterable[JsonValue]]
"""The messages in one line of a streamed answer; ValueError or RecursionError for garbage."""


def stream_answer(post: Post, body: bytes, style: ChatStyle | None = None) -> Generator[Piece, None, None]:
    """A chat request's answer, token by token; its last piece carries the finish.

    Args:
        post: Sends the server a request.
        body: The request.
        style: How the server speaks; None for llama.cpp.

    llama.cpp now and then throws over a sound request ("Unexpected empty grammar stack": the sampler took a
    token that the grammar forbids) and answers the next one as if nothing had been. So a request over which
    the backend failed before it said anything is sent once more, and nobody hears of it.

    Raises:
        InvalidRequest: The prompt is too long.
        Unavailable: The backend failed twice, or in the middle of its answer, or is not there.
    """
    style = style or ChatStyle()
    said = False
    try:
        with closing(_stream_once(post, body, style)) as pieces:
            for piece in pieces:
                said = said or piece != _HEARTBEAT
                yield piece
        return
    except BackendFailure as failure:
        if said or isinstance(failure, UnreadableAnswer):
            raise
        _log.warning("Asking once more: %s", failure.message)
    yield from _stream_once(post, body, style)


def _stream_once(post: Post, body: bytes, style: ChatStyle) -> Generator[Piece, None, None]:
    events, reader = EventStream(style.read_line), ResponseReader(style.explain, style.calls)
    try:
        with closing(post(style.path, body)) as portions:
            for portion in portions:
                together = (piece for message in events.feed(portion) for piece in reader.take(message))
                # Said in any case: pings without end must not keep a cancel from being seen.
                yield from chain(merge_pieces(together), (_HEARTBEAT,))
                if events.done and not portion:
                    break  # Nothing more is to come, although the server keeps the connection open.
    except HttpRefusal as error:
        raise error_of(error, style.explain) from None
    except BackendFailure:
        if not events.done:
            raise
    except (ValueError, RecursionError):
        raise BackendFailure(
            "The model's server sent what is no answer. Please try again.", retry_after=1.0
        ) from None
    yield from reader.ending()


def shows_functions(post: Post) -> bool:
    """Whether a llama.cpp server's chat template has a place for functions: one is put in, and looked for.

    Raises:
        Unavailable: The process is not there.
    """
    tool: JsonValue = {"type": "function", "function": {"name": _PROBE, "parameters": {"type": "object"}}}
    asked: JsonValue = {"messages": [{"role": "user", "content": "x"}], "tools": [tool]}
    try:
        with closing(post(_RENDER_PATH, json.dumps(asked).encode())) as portions:
            return _PROBE.encode() in b"".join(portions)
    except HttpRefusal:
        return False


def read_event(line: bytes) -> Iterator[JsonValue]:
    """The message in a line of server-sent events; comments and other fields hold none."""
    if line.startswith(_DATA):
        data = line[len(_DATA) :].strip()
        yield None if data == _DONE else json.loads(data)
    elif line.startswith(b"error: "):
        yield {"error": json.loads(line[len(b"error: ") :])}


@dataclass(slots=True)
class EventStream:
    """Messages out of the lines of a streamed answer, whose bytes come in any portions.

    Attributes:
        read_line: Reads a line; None ends the answer.
        done: Whether the end has been announced.
    """

    read_line: ReadLine = read_event
    done: bool = False
    _rest: bytes = b""

    def feed(self, portion: bytes) -> Iterator[JsonValue]:
        """The messages that are complete with this portion; ValueError or RecursionError for garbage."""
        *lines, self._rest = (self._rest + portion).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise ValueError("a line has no end")
        for line in lines:
            for message in self.read_line(line):
                self.done = self.done or message is None
                if message is not None:
                    yield message


@dataclass(slots=True)
class ResponseReader:
    """Pieces out of the messages of one streamed answer.

    Attributes:
        explain, calls: As in `ChatStyle`.
        prompt_tokens: What the engine says that the prompt took; 0 until it has said so.
        cached_tokens: How many of them it had seen before and did not read again.
    """

    explain: Explain | None = None
    calls: bool = False
    prompt_tokens: int = 0
    cached_tokens: int = 0
    _tokens: int = field(default=0)
    _finish: Finish | None = None
    _calls: dict[int, FunctionCall] = field(default_factory=dict)
    _letters: int = 0

    def take(self, message: JsonValue) -> Iterator[Piece]:
        """The pieces of one message.

        Raises:
            VidiError: The message is an error.
        """
        if not isinstance(message, dict):
            return
        if "error" in message:
            raise (self.explain or _in_words)(message["error"])
        fresh = self._count(message)
        for choice in _objects(message.get("choices")):
            self._end(choice.get("finish_reason"))
            delta = choice.get("delta")
            if self.calls and isinstance(delta, dict):
                self._gather(delta.get("tool_calls"))
            for name in (*_THOUGHTS, "content"):
                text = delta.get(name) if isinstance(delta, dict) else None
                if isinstance(text, str) and text:
                    yield Piece(text, tokens=fresh, thought=name in _THOUGHTS)
                    fresh = 0
        if fresh:
            yield Piece("", tokens=fresh)

    def ending(self) -> tuple[Piece, ...]:
        """What ends the answer: its calls, whose arguments nobody has checked, and the finish.

        Raises:
            Unavailable: It had not come to its end.
        """
        if self._finish is None:
            raise BackendFailure(
                "The model stopped in the middle of its answer. Please try again.", retry_after=1.0
            )
        calls = list(self._calls.values()) if self._finish is Finish.STOP else []
        return ending(Piece("", finish=self._finish), calls)

    def _gather(self, fragments: JsonValue) -> None:
        """A call comes in fragments, of which the first has the name and all have some of the arguments."""
        for each in _objects(fragments):
            function = each.get("function")
            told = function if isinstance(function, dict) else {}
            at = _number(each.get("index"))
            call = self._calls.get(at, FunctionCall("", ""))
            name, args = told.get("name"), told.get("arguments")
            more = FunctionCall(name if isinstance(name, str) else "", args if isinstance(args, str) else "")
            self._letters += len(more.name) + len(more.args) + 1
            if self._letters > _LONGEST_LINE:
                raise ValueError("a call has no end")
            self._calls[at] = FunctionCall(call.name + more.name, call.args + more.args)

    def _end(self, reason: JsonValue) -> None:
        """Note why the answer ends; raises BackendFailure if the server gave it up."""
        if reason in _BROKEN_OFF:
            raise BackendFailure(
                "The model's server gave this request up. Please try again.", retry_after=1.0
            )
        if reason:
            self._finish = _FINISHES.get(str(reason), Finish.OTHER)

    def _count(self, message: dict[str, JsonValue]) -> int:
        """How many tokens are new since the last message.

        llama.cpp tells it with each, vLLM too if it is asked. Of others a message with text counts as one,
        and the usage at the end sets that right.
        """
        usage, timings = message.get("usage"), message.get("timings")
        if isinstance(usage, dict):
            self.prompt_tokens = _number(usage.get("prompt_tokens"))
            details = usage.get("prompt_tokens_details")
            if isinstance(details, dict):
                self.cached_tokens = _number(details.get("cached_tokens"))
        if isinstance(timings, dict):
            self.cached_tokens = _number(timings.get("cache_n"))
            seen = _number(timings.get("predicted_n"))
        elif isinstance(usage, dict):
            seen = _number(usage.get("completion_tokens"))
        else:
            seen = self._tokens + any(_has_text(choice) for choice in _objects(message.get("choices")))
        fresh = max(0, seen - self._tokens)
        self._tokens += fresh
        return fresh


def _has_text(choice: dict[str, JsonValue]) -> bool:
    delta = choice.get("delta")
    return isinstance(delta, dict) and any(delta.get(name) for name in (*_THOUGHTS, "content"))


@dataclass(frozen=True, slots=True)
class ChatStyle:
    """How a chat server speaks; as it stands, llama.cpp.

    Attributes:
        path: Where answers are asked for.
        read_line: Reads a line of a streamed answer.
        explain: Puts its errors into words.
        calls: Whether it is asked for calls of functions, and reads them itself; else what it gives as calls
            is nothing that anybody asked for.
    """

    path: str = _PATH
    read_line: ReadLine = read_event
    explain: Explain | None = None
    calls: bool = False


def merge_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Pieces that came together, in as few as can hold them; a thought and what was said stay apart."""
    for thought, run in groupby(pieces, key=lambda piece: piece.thought):
        parts = list(run)
        yield Piece("".join(part.text for part in parts), sum(part.tokens for part in parts), thought=thought)


def _number(value: JsonValue) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def error_of(answer: HttpRefusal, explain: Explain | None = None) -> VidiError:
    """What a caller is told of a request that was refused as a whole.

    The error is an object in `error`, a text in it, or spread over the body itself.
    """
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if explain is None:
        return _in_words(error if isinstance(error, dict) else {"code": answer.status})
    fields = {"message": error} if isinstance(error, str) else error or body
    return explain({**(fields if isinstance(fields, dict) else {}), "status": answer.status})


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
        kind_of_failure = UnreadableAnswer if _UNREADABLE in message else BackendFailure
        return kind_of_failure(
            f"The model's engine failed over this request: {message}. Please try again.", retry_after=1.0
        )
    return ServerRefusal(f"The model's engine refused this request: {message}")
