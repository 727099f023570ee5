"""Interactions as the API's JSON: the resource, the events of a stream, and errors in this API's flat shape.

The last step is always the model's output, and its text is never missing, since callers read
`steps[-1].content[0].text`. `outputs` repeats that step's contents for callers of the API's first version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from vidi.domain import errors
from vidi.domain.answer import Answer, Finish, Piece, TokenCount, fold
from vidi.wire.encode import Json, dump
from vidi.wire.fields import UnknownFields, UnknownModel
from vidi.wire.interaction_schema import MODEL_OUTPUT, THOUGHT

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


def encode_interaction(heading: InteractionMeta, pieces: Iterable[Piece]) -> bytes:
    """The whole resource."""
    return dump(_resource(heading, _answer(pieces)))


def with_input(interaction: bytes, asked: bytes) -> bytes:
    """An encoded interaction with the input that it answers, as it came."""
    return interaction[:-1] + b',"input":' + asked + b"}"


def _answer(pieces: Iterable[Piece]) -> Answer:
    return next(iter(fold(pieces)), Answer())


def _resource(heading: InteractionMeta, answer: Answer) -> dict[str, Json]:
    content: list[Json] = [{"type": "text", "text": answer.text}]
    steps: list[Json] = [{"type": MODEL_OUTPUT, "content": content}]
    if answer.thoughts and heading.include_thoughts:
        steps.insert(0, {"type": THOUGHT, "summary": [{"type": "text", "text": answer.thoughts}]})
    status = _STATUSES.get(answer.finish, "failed") if answer.finish else "incomplete"
    return {
        **_opening(heading, status),
        "steps": steps,
        "outputs": content,
        "usage": _usage(heading.prompt, answer),
    }


def _opening(heading: InteractionMeta, status: str) -> dict[str, Json]:
    moment = heading.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    previous: dict[str, Json] = {"previous_interaction_id": heading.previous} if heading.previous else {}
    return {
        "id": heading.id,
        "status": status,
        "model": heading.model,
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
    """Tells one interaction in events; every message is one line, in the order of the API.

    yield telling.begin()
    for piece in pieces:
        yield from telling.go_on(piece)
    yield from telling.end()
    # ... keep `telling.interaction`, if it is to be kept, and then:
    yield telling.complete()
    """

    def __init__(self, heading: InteractionMeta) -> None:
        """Begin to tell; nothing is said yet."""
        self._heading = heading
        self._pieces: list[Piece] = []
        self._index = -1
        self._open = ""

    @property
    def interaction(self) -> bytes:
        """The whole resource of what was told so far."""
        return encode_interaction(self._heading, self._pieces)

    def begin(self) -> bytes:
        """That there is an interaction."""
        opening = _opening(self._heading, "in_progress")
        return _event("interaction.created", interaction=opening)

    def go_on(self, piece: Piece) -> Iterator[bytes]:
        """A stretch of the answer; thoughts that nobody asked for are only counted."""
        self._pieces.append(piece)
        if not piece.text or (piece.thought and not self._heading.include_thoughts):
            return
        yield from self._turn_to(THOUGHT if piece.thought else MODEL_OUTPUT)
        text: Json = {"type": "text", "text": piece.text}
        delta: Json = {"type": "thought_summary", "content": text} if piece.thought else text
        yield _event("step.delta", index=self._index, delta=delta)

    def end(self) -> Iterator[bytes]:
        """The end of the last step, which is the model's output even if it is empty."""
        yield from self._turn_to(MODEL_OUTPUT)
        yield _event("step.stop", index=self._index)

    def complete(self) -> bytes:
        """The whole interaction."""
        return _event("interaction.completed", interaction=_resource(self._heading, _answer(self._pieces)))

    def _turn_to(self, kind: str) -> Iterator[bytes]:
        if self._open == kind:
            return
        if self._open:
            yield _event("step.stop", index=self._index)
        self._open = kind
        self._index += 1
        yield _event("step.start", index=self._index, step={"type": kind})


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
