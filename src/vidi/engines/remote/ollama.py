"""Ollama's own chat: its requests, and its answers as the messages of the common protocol.

Over `/v1` Ollama cuts a long prompt without a word, knows no `top_k` and takes the window that it likes.
Pictures hang on a turn here, not between its texts: a turn's pictures come before its words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from vidi.domain.prompt import Request, Role, Turn
from vidi.domain.schema import JsonValue
from vidi.engines.chat.messages import EncodedImage, Message, system_text, text_of

PATH = "/api/chat"

_OTHER_NAMES = {"max_tokens": "num_predict"}


def chat_request(
    model: str, request: Request[EncodedImage], sampling: Message, *, context: int, form: JsonValue
) -> Message:
    """A streamed chat.

    Args:
        model: The model's name.
        request: The prompt.
        sampling: How tokens are chosen, in OpenAI's names.
        context: The window, in tokens.
        form: A JSON Schema, or "json"; None for plain text.
    """
    told = system_text(request)
    system: list[JsonValue] = [{"role": "system", "content": told}] if told else []
    options: Message = {_OTHER_NAMES.get(name, name): value for name, value in sampling.items()}
    return {
        "model": model,
        "messages": [*system, *(_turn(turn) for turn in request.turns)],
        "options": {**options, "num_ctx": context},
        **({} if form is None else {"format": form}),
        "stream": True,
        "truncate": False,
        "shift": False,
    }


def _turn(turn: Turn[EncodedImage]) -> Message:
    texts = [text_of(part) for part in turn.parts if not isinstance(part, EncodedImage)]
    images: list[JsonValue] = [image.uri.partition(",")[2] for image in turn.images()]
    role = "user" if turn.role is Role.USER else "assistant"
    return {"role": role, "content": "\n".join(texts), **({"images": images} if images else {})}


def read_line(line: bytes) -> Iterator[JsonValue]:
    """A line of its answer as a message of a chat completion; None after the last."""
    if not line.strip():
        return
    told: JsonValue = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("a line is no object")
    error = told.get("error")
    if error is not None:
        yield {"error": error if isinstance(error, dict) else {"message": error}}
        return
    said = told.get("message")
    parts = said if isinstance(said, dict) else {}
    done = bool(told.get("done"))
    choice: Message = {
        "delta": {"content": parts.get("content"), "reasoning": parts.get("thinking")},
        "finish_reason": (told.get("done_reason") or "stop") if done else None,
    }
    message: Message = {"choices": [choice]}
    if done and "eval_count" in told:
        message["usage"] = {
            "prompt_tokens": told.get("prompt_eval_count"),
            "completion_tokens": told["eval_count"],
        }
    yield message
    if done:
        yield None
