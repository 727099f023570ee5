"""From a prompt to the chat request that an OpenAI-compatible server takes."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import PIL.Image

from vidi.domain.answer import FunctionCall
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import (
    FunctionPart,
    FunctionResponse,
    Image,
    Picture,
    Request,
    Role,
    Sampling,
    Thinking,
    Turn,
)
from vidi.domain.schema import JsonValue
from vidi.engines.calls import declaration, instruction, marked
from vidi.engines.profile import Template, Thinks

JPEG_QUALITY = 92
"""Of the pictures that are handed over, which keep all their colour samples. llama.cpp takes 40 to 60 ms for
each megabyte of base64, so that a PNG would cost more than it keeps."""

LITTLE_THOUGHT = frozenset({"minimal", "none"})
"""Thinking levels that turn thinking off."""

Message = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A picture as a chat server takes it.

    Attributes:
        uri: A data URI, never an address.
        uuid, content_hash: A name by which vLLM, or SGLang, may find what it made of the picture before.
    """

    uri: str
    uuid: str = ""
    content_hash: str = ""


def encode_picture(picture: Picture) -> EncodedImage:
    """A picture as a JPEG; the same pixels give the same text, which llama.cpp's cache lives on."""
    image = PIL.Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return EncodedImage("data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii"))


def black_picture(width: int, height: int) -> EncodedImage:
    """A black picture of a size in pixels, for counting."""
    file = io.BytesIO()
    PIL.Image.new("L", (width, height)).save(file, "PNG")
    return EncodedImage("data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii"))


def messages(request: Request[EncodedImage], *, tools: bool = False) -> list[JsonValue]:
    """The conversation as chat messages, in the caller's order.

    Args:
        request: The conversation.
        tools: Whether the model's template writes functions, calls and responses; else they are texts.

    Raises:
        InvalidRequest: There is a picture in a turn of the model's.
    """
    system = request.system if tools else system_text(request)
    first: list[JsonValue] = [{"role": "system", "content": system}] if system else []
    return [*first, *(each for turn in request.turns for each in _messages(turn, tools=tools))]


def system_text(request: Request[Image]) -> str:
    """The system instruction, and what the model is told of functions; "" for neither."""
    return "\n\n".join(filter(None, (request.system, instruction(request))))


def text_of(part: str | FunctionPart) -> str:
    """A part in words, for a model whose template knows of no functions."""
    match part:
        case FunctionResponse():
            return f"The function {part.name} gave: {part.response}"
        case FunctionCall():
            return marked(part)
    return part


def function_tools(request: Request[Image]) -> list[JsonValue]:
    """The functions of a request as a chat server takes them."""
    return [{"type": "function", "function": declaration(each)} for each in request.functions]


def _messages(turn: Turn[EncodedImage], *, tools: bool) -> Iterator[Message]:
    if turn.role is Role.MODEL:
        yield _said(turn, tools=tools)
        return
    responses = [part for part in turn.parts if tools and isinstance(part, FunctionResponse)]
    for each in responses:
        yield {"role": "tool", "tool_call_id": _call_id(each), "name": each.name, "content": each.response}
    parts: list[JsonValue] = [
        _part(part) for part in turn.parts if part and not (tools and isinstance(part, FunctionResponse))
    ]
    if parts:
        yield {"role": "user", "content": parts}


def _said(turn: Turn[EncodedImage], *, tools: bool) -> Message:
    """What the model said, and called."""
    if next(turn.images(), None) is not None:
        raise InvalidRequest(
            "A turn of the role model holds a picture. This model takes pictures in turns of the role user."
        )
    calls: list[JsonValue] = [
        {"id": _call_id(part), "type": "function", "function": {"name": part.name, "arguments": part.args}}
        for part in turn.parts
        if tools and isinstance(part, FunctionCall)
    ]
    texts = (
        text_of(part)
        for part in turn.parts
        if isinstance(part, str) or (isinstance(part, FunctionCall) and not tools)
    )
    return {"role": "assistant", "content": "".join(texts), **({"tool_calls": calls} if calls else {})}


def _call_id(part: FunctionPart) -> str:
    """Some templates want one, and of letters and digits alone."""
    return re.sub("[^A-Za-z0-9]", "", part.id)[-9:].rjust(9, "0")


def _part(part: str | EncodedImage | FunctionPart) -> Message:
    if isinstance(part, EncodedImage):
        inside: Message = {"content_hash": part.content_hash} if part.content_hash else {}
        beside: Message = {"uuid": part.uuid} if part.uuid else {}
        return {"type": "image_url", "image_url": {"url": part.uri, **inside}, **beside}
    return {"type": "text", "text": text_of(part)}


def should_think(thinking: Thinking, template: Template) -> bool:
    """Whether the model is to think first: only where it can, and is asked to."""
    if template.thinks is not Thinks.SWITCHED:
        return template.thinks is Thinks.ALWAYS
    if thinking.level is not None:
        return thinking.level.lower() not in LITTLE_THOUGHT
    if thinking.budget is not None:
        return thinking.budget != 0
    return thinking.include


def template_options(template: Template, *, thinks: bool) -> Message:
    """Arguments of the chat template."""
    switch: Message = {template.switch: thinks} if template.thinks is Thinks.SWITCHED else {}
    return {**template.options, **switch}


def sampling_options(sampling: Sampling, limit: int) -> Message:
    """How tokens are chosen and where the answer ends, in llama.cpp's names.

    Args:
        sampling: What the caller chose; the rest is left to the model's file.
        limit: Most tokens of an answer.
    """
    asked = sampling.max_output_tokens
    options: dict[str, JsonValue] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "seed": None if sampling.seed is None else sampling.seed & 0xFFFFFFFF,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "max_tokens": limit if asked is None else min(asked, limit),
        "stop": [stop for stop in sampling.stop_sequences if stop] or None,
    }
    return {name: value for name, value in options.items() if value is not None}
