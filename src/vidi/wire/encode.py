"""Answers, counts, models and errors as the API's JSON.

Every message is one line of UTF-8 with camelCase names: a whole answer, an element of a streamed array and an
event of a stream are the same bytes in different frames (`frames`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, groupby

from vidi.domain.answer import FunctionCall, Piece, TokenCount
from vidi.domain.errors import InvalidImage, QuotaExceeded, VidiError
from vidi.wire.errors import InvalidFields, status_of

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_LINE_ENDS = (("\u2028", "\\u2028"), ("\u2029", "\\u2029"), ("\x85", "\\u0085"))
"""Line ends to some readers of event streams, though not to JSON."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

_RPC = "type.googleapis.com/google.rpc."
_DOMAIN = "googleapis.com"
_SERVICE = "generativelanguage.googleapis.com"


@dataclass(frozen=True, slots=True)
class ResponseMeta:
    """What all messages of one answer share, and how much has been said so far.

    Attributes:
        model_version: The id of the model that answers, without `models/`.
        response_id: The same in all messages of a stream.
        prompt: What the prompt costs.
        include_thoughts: Whether the caller asked to see the model's thoughts.
        tokens: Tokens of the answer in earlier messages.
        thought_tokens: Tokens of thought in earlier messages.
        calls: How many functions earlier messages called; numbers the ids of those that follow.
    """

    model_version: str
    response_id: str
    prompt: TokenCount
    include_thoughts: bool = False
    tokens: int = 0
    thought_tokens: int = 0
    calls: int = 0

    def after(self, pieces: Sequence[Piece]) -> ResponseMeta:
        """The same answer once these pieces are sent: `meta = meta.after(pieces)` between two messages."""
        spoken = thought = calls = 0
        for piece in pieces:
            if piece.thought:
                thought += piece.tokens
            else:
                spoken += piece.tokens
            calls += piece.call is not None
        return ResponseMeta(
            self.model_version,
            self.response_id,
            self.prompt,
            self.include_thoughts,
            self.tokens + spoken,
            self.thought_tokens + thought,
            self.calls + calls,
        )


def encode_response(pieces: Sequence[Piece], *, meta: ResponseMeta) -> bytes:
    """A GenerateContentResponse of these pieces: a whole answer, or the next message of a stream.

    Candidates are in the order of their index; the counts include the earlier messages that `meta` knows of.
    """
    indices = sorted({piece.candidate for piece in pieces})
    candidates: list[Json] = []
    ahead = meta
    for index in indices:
        own = [piece for piece in pieces if piece.candidate == index]
        candidates.append(_candidate(own, index, ahead))
        ahead = ahead.after(own)
    return dump(
        {
            **({"candidates": candidates} if candidates else {}),
            "usageMetadata": _usage(ahead),
            "modelVersion": meta.model_version,
            "responseId": meta.response_id,
        }
    )


def _candidate(pieces: list[Piece], index: int, meta: ResponseMeta) -> Json:
    candidate: dict[str, Json] = {"content": {"parts": _parts(pieces, meta), "role": "model"}}
    finish = next((piece.finish for piece in pieces if piece.finish), None)
    if finish:
        candidate["finishReason"] = finish.value
    return {**candidate, "index": index}


def _parts(pieces: list[Piece], meta: ResponseMeta) -> list[Json]:
    """Texts that follow each other become one part, a call is one; without any there is an empty text."""
    parts: list[Json] = []
    numbers = count(meta.calls)
    seen = [piece for piece in pieces if meta.include_thoughts or not piece.thought]
    said = [piece for piece in seen if piece.text or piece.call]
    for thought, run in groupby(said, key=lambda piece: None if piece.call else piece.thought):
        together = list(run)
        calls = [piece.call for piece in together if piece.call]
        parts += [_call_part(call, call_id(meta.response_id, next(numbers))) for call in calls]
        if not calls:
            text = "".join(piece.text for piece in together)
            parts.append({"text": text, **({"thought": True} if thought else {})})
    return parts or [{"text": ""}]


def call_id(answer: str, number: int) -> str:
    """The id of an answer's call, by the id of the answer."""
    return f"{answer}-{number}"


def _call_part(call: FunctionCall, own_id: str) -> Json:
    return {"functionCall": {"id": own_id, "name": call.name, "args": json.loads(call.args)}}


def _usage(meta: ResponseMeta) -> Json:
    """What was used; counts of zero are left out, but the total is always there."""
    counts: dict[str, Json] = {
        "promptTokenCount": meta.prompt.total,
        "candidatesTokenCount": meta.tokens,
        "thoughtsTokenCount": meta.thought_tokens,
        "promptTokensDetails": _modalities(meta.prompt),
        "candidatesTokensDetails": _modalities(TokenCount(text=meta.tokens)),
    }
    total = meta.prompt.total + meta.tokens + meta.thought_tokens
    return {**{name: count for name, count in counts.items() if count}, "totalTokenCount": total}


def _modalities(count: TokenCount) -> list[Json]:
    by_modality = (("IMAGE", count.image), ("TEXT", count.text))
    return [{"modality": name, "tokenCount": tokens} for name, tokens in by_modality if tokens]


def encode_count(cost: TokenCount) -> bytes:
    """A CountTokensResponse."""
    details = _modalities(cost)
    return dump({"totalTokens": cost.total, **({"promptTokensDetails": details} if details else {})})


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the API tells about a model.

    Attributes:
        id: Without `models/`.
        methods: What it can do, as `generateContent`.
        samples: Whether temperature, topP and topK mean anything to it.
    """

    id: str
    display_name: str
    description: str
    version: str
    input_token_limit: int
    output_token_limit: int
    thinks: bool = False
    samples: bool = False
    methods: tuple[str, ...] = ("generateContent", "countTokens")


def encode_model(info: ModelInfo) -> bytes:
    """A Model."""
    return dump(_model(info))


def encode_models(infos: Sequence[ModelInfo], next_page_token: str = "") -> bytes:
    """A ListModelsResponse; `models` is there even if empty, since one SDK warns without it."""
    token: dict[str, Json] = {"nextPageToken": next_page_token} if next_page_token else {}
    return dump({"models": [_model(info) for info in infos], **token})


def _model(info: ModelInfo) -> dict[str, Json]:
    sampling: dict[str, Json] = {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}
    return {
        "name": f"models/{info.id}",
        "version": info.version,
        "displayName": info.display_name,
        "description": info.description,
        "inputTokenLimit": info.input_token_limit,
        "outputTokenLimit": info.output_token_limit,
        "supportedGenerationMethods": list(info.methods),
        **(sampling if info.samples else {}),
        "thinking": info.thinks,
    }


def encode_error(error: VidiError) -> bytes:
    """An error in the shape of google.rpc.Status, `error` being the first and only key."""
    status = status_of(error)
    message = message_of(error)
    details = _details(error, message)
    body: dict[str, Json] = {"code": status.code, "message": message, "status": status.name}
    return dump({"error": {**body, **({"details": details} if details else {})}})


def message_of(error: VidiError) -> str:
    """What is told of an error: which picture it is about, too."""
    if isinstance(error, InvalidImage) and error.where and error.where not in error.message:
        return f"{error.message} ({error.where})"
    return error.message


def _details(error: VidiError, message: str) -> list[Json]:
    details: list[Json] = []
    if isinstance(error, InvalidFields):
        violations: list[Json] = [
            {**({"field": each.field} if each.field else {}), "description": each.description}
            for each in error.violations
        ]
        details.append({"@type": f"{_RPC}BadRequest", "fieldViolations": violations})
    elif error.where:
        fault: Json = {"field": error.where, "description": message}
        details.append({"@type": f"{_RPC}BadRequest", "fieldViolations": [fault]})
    if error.reason:
        about: Json = {"service": _SERVICE}
        details.append(
            {"@type": f"{_RPC}ErrorInfo", "reason": error.reason, "domain": _DOMAIN, "metadata": about}
        )
        details.append({"@type": f"{_RPC}LocalizedMessage", "locale": "en-US", "message": message})
    if isinstance(error, QuotaExceeded):
        violation: Json = {
            "quotaMetric": f"{_SERVICE}/{error.quota.metric}",
            "quotaId": error.quota.id,
            "quotaDimensions": dict(error.quota.dimensions),
            "quotaValue": str(error.quota.limit),
        }
        details.append({"@type": f"{_RPC}QuotaFailure", "violations": [violation]})
    if error.retry_after is not None:
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{max(0.0, error.retry_after):.9g}s"})
    return details


def dump(message: dict[str, Json]) -> bytes:
    """One line of JSON; what is no valid Unicode becomes a question mark."""
    text = _ENCODER.encode(message)
    for line_end, escape in _LINE_ENDS:
        text = text.replace(line_end, escape)
    return text.encode("utf-8", "replace")


ARRAY_END = b"]"
"""Closes the array after its last element."""


def sse_event(message: bytes) -> bytes:
    """One message, a single line as `encode_response` writes it, as an event."""
    return b"data: " + message + b"\r\n\r\n"


def sse_error(error: VidiError) -> bytes:
    """An error after the stream has begun; send it in a write of its own and end the stream."""
    return encode_error(error) + b"\r\n\r\n"


def array_element(message: bytes, *, first: bool) -> bytes:
    """One message as the array's next element; the first opens the array."""
    return (b"[" if first else b",\r\n") + message


def array_error(error: VidiError, *, first: bool = True) -> bytes:
    """An error as the array's last element, or as its only one before anything was sent."""
    return array_element(encode_error(error), first=first) + ARRAY_END
