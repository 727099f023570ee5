"""Interactions as the API's JSON: the resource, the events of a stream, and errors in this API's flat shape.

The last step is the model's output, and its text is never missing, since callers read
`steps[-1].content[0].text`; but after it come the functions that the model calls. `outputs` repeats the
contents of that step, and the calls, for callers of the API's first version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from vidi.domain import errors
from vidi.domain.answer import Answer, Finish, FunctionCall, Piece, PieceBuffer, TokenCount, fold
from vidi.wire.encode import Json, call_id, dump
from vidi.wire.errors import UnknownFields, UnknownModel
from vidi.wire.interaction_schema import FUNCTION_CALL, MODEL_OUTPUT, THOUGHT

LAST_EVENT = b"data: [DONE]\r\n\r\n"
"""Ends a stream of events; the SDKs wait for it."""

_STATUSES = {Finish.STOP: "completed", Finish.MAX_TOKENS: "incomplete"}

_CODES: tuple[tuple[type[errors.VidiError], str], ...] = (
    (UnknownFields, "parameter_unknown"),
    (errors.InvalidRequest, "invalid_request"),
    (errors.FailedPrecondition, "failed_precondition"),
    (errors.Unauthenticated, "authentication"),
    (errors.PermissionDenied, "permission_denied"),
    (UnknownModel, "model_not_found"),
    (errors.NotFound, "not_found"),
    (errors.ResourceExhausted, "quota_exceeded"),
    (errors.Cancelled, "cancelled"),
    (errors.Unavailable, "service_unavailable"),
    (errors.DeadlineExceeded, "deadline_exceeded"),
    (errors.SlowRequest, "deadline_exceeded"),
)


@dataclass(frozen=True, slots=True)
class InteractionMeta:
    """What is known of an interaction before its answer.

    Attributes:
        id: Under which it can be asked for, if it is kept.
        model: The id of the model that answers.
        created: When it was asked (aware).
        prompt: What all its turns cost.
        previous: Id of the interaction that it continues; "" if none.
        include_thoughts: Whether the caller asked to see the model's thoughts.
    """

    id: str
    model: str
    created: datetime
    prompt: TokenCount
    previous: str = ""
    include_thoughts: bool = False


def encode_interaction(meta: InteractionMeta, pieces: Iterable[Piece]) -> bytes:
    """The whole resource."""
    return dump(_resource(meta, _answer(pieces)))


def with_input(interaction: bytes, input_json: bytes) -> bytes:
    """An encoded interaction with the input that it answers, as it came."""
    return interaction[:-1] + b',"input":' + input_json + b"}"


def _answer(pieces: Iterable[Piece]) -> Answer:
    return next(iter(fold(pieces)), Answer())


def _resource(meta: InteractionMeta, answer: Answer) -> dict[str, Json]:
    content: list[Json] = [{"type": "text", "text": answer.text}]
    calls: list[Json] = [_call_step(meta, call, at) for at, call in enumerate(answer.calls)]
    said: list[Json] = [] if calls and not answer.text else content
    output: Json = {"type": MODEL_OUTPUT, "content": said}
    steps: list[Json] = [*([output] if said else []), *calls]
    if answer.thoughts and meta.include_thoughts:
        steps.insert(0, {"type": THOUGHT, "summary": [{"type": "text", "text": answer.thoughts}]})
    status = _STATUSES.get(answer.finish, "failed") if answer.finish else "incomplete"
    if calls and answer.finish is Finish.STOP:
        status = "requires_action"
    return {
        **_resource_head(meta, status),
        "steps": steps,
        "outputs": [*said, *calls],
        "usage": _usage(meta.prompt, answer),
    }


def _call_step(meta: InteractionMeta, call: FunctionCall, number: int) -> dict[str, Json]:
    return {
        "type": FUNCTION_CALL,
        "id": call_id(meta.id, number),
        "name": call.name,
        "arguments": json.loads(call.args),
    }


def _resource_head(meta: InteractionMeta, status: str) -> dict[str, Json]:
    moment = meta.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    previous: dict[str, Json] = {"previous_interaction_id": meta.previous} if meta.previous else {}
    return {
        "id": meta.id,
        "status": status,
        "model": meta.model,
        "created": moment,
        "updated": moment,
        **previous,
    }


def _usage(prompt: TokenCount, answer: Answer) -> Json:
    return {
        "total_input_tokens": prompt.total,
        "input_tokens_by_modality": _modalities(prompt),
        "total_output_tokens": answer.tokens,
        "output_tokens_by_modality": _modalities(TokenCount(text=answer.tokens)),
        "total_thought_tokens": answer.thought_tokens,
        "total_cached_tokens": 0,
        "total_tool_use_tokens": 0,
        "total_tokens": prompt.total + answer.tokens + answer.thought_tokens,
    }


def _modalities(count: TokenCount) -> list[Json]:
    by_modality = (("image", count.image), ("text", count.text))
    return [{"modality": name, "tokens": tokens} for name, tokens in by_modality if tokens]


class InteractionStream:
    """One interaction as events; every message is one line, in the order of the API.

    yield stream.start()
    for piece in pieces:
        yield from stream.add(piece)
    yield from stream.stop()
    # ... keep `stream.interaction`, if it is to be kept, and then:
    yield stream.complete()
    """

    def __init__(self, meta: InteractionMeta) -> None:
        self._meta = meta
        self._pieces = PieceBuffer()
        self._calls = 0
        self._index = -1
        self._open = ""

    @property
    def interaction(self) -> bytes:
        """The whole resource, of what was added so far."""
        return encode_interaction(self._meta, self._pieces)

    def start(self) -> bytes:
        """That there is an interaction."""
        return _event("interaction.created", interaction=_resource_head(self._meta, "in_progress"))

    def add(self, piece: Piece) -> Iterator[bytes]:
        """A stretch of the answer; thoughts that nobody asked for are only counted."""
        self._pieces.add(piece)
        if piece.call:
            yield from self._add_call(piece.call)
        if not piece.text or (piece.thought and not self._meta.include_thoughts):
            return
        yield from self._open_step(THOUGHT if piece.thought else MODEL_OUTPUT)
        text: Json = {"type": "text", "text": piece.text}
        delta: Json = {"type": "thought_summary", "content": text} if piece.thought else text
        yield _event("step.delta", index=self._index, delta=delta)

    def stop(self) -> Iterator[bytes]:
        """The end of the last step: the model's output even if that is empty, unless it is a call."""
        if self._open != FUNCTION_CALL:
            yield from self._open_step(MODEL_OUTPUT)
        yield _event("step.stop", index=self._index)

    def complete(self) -> bytes:
        """The whole interaction."""
        return _event("interaction.completed", interaction=_resource(self._meta, _answer(self._pieces)))

    def _add_call(self, call: FunctionCall) -> Iterator[bytes]:
        """A step that begins without its arguments; they follow as one text."""
        step = _call_step(self._meta, replace(call, args="{}"), self._calls)
        self._calls += 1
        yield from self._open_step(FUNCTION_CALL, step)
        yield _event(
            "step.delta", index=self._index, delta={"type": "arguments_delta", "arguments": call.args}
        )

    def _open_step(self, kind: str, step: dict[str, Json] | None = None) -> Iterator[bytes]:
        if self._open == kind and step is None:
            return
        if self._open:
            yield _event("step.stop", index=self._index)
        self._open = kind
        self._index += 1
        yield _event("step.start", index=self._index, step=step or {"type": kind})


def _event(kind: str, **fields: Json) -> bytes:
    return dump({"event_type": kind, **fields})


def encode_interaction_error(error: errors.VidiError) -> bytes:
    """An error in this API's flat shape; the message names the field, since nothing else can."""
    return dump({"error": _error(error)})


def interaction_error_event(error: errors.VidiError) -> bytes:
    """An error after the stream has begun, as its last event."""
    return b"data: " + _event("error", error=_error(error)) + b"\r\n\r\n" + LAST_EVENT


def _error(error: errors.VidiError) -> Json:
    code = next((name for kind, name in _CODES if isinstance(error, kind)), "api_error")
    message = error.message.strip()
    if error.where and error.where not in message:
        message = f"{message} ({error.where})"
    return {"code": code, "message": message}
