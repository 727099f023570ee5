"""The messages of the Interactions API under its own names: what is served and what is read to be refused.

As everywhere, a field is known by its snake_case and its camelCase name, null means absent, and an unknown
name is refused.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from vidi.wire.errors import WRONG_MESSAGE
from vidi.wire.fields import Base64, Bool, Float, Int32, Listed, Text, enum_of
from vidi.wire.schema import CallingMode, Message, Struct, ThinkingLevel

CONTENTS = ("text", "image", "document")
"""Kinds of content that are served; a document must be a picture, as one notebook of Google's labels them."""

USER_INPUT, MODEL_OUTPUT, THOUGHT, FUNCTION_CALL, FUNCTION_RESULT = STEPS = (
    "user_input",
    "model_output",
    "thought",
    "function_call",
    "function_result",
)
"""Kinds of step that are served."""

_UNSERVED = "(type), {kind} is not served. Send text and pictures only."


class Level(IntEnum):
    """How closely a picture is looked at."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    ULTRA_HIGH = 4


class Summaries(IntEnum):
    """Whether the caller sees the model's thoughts."""

    AUTO = 1
    NONE = 2


def _of_kind(kinds: tuple[str, ...]) -> BeforeValidator:
    """Refuses other kinds before their fields are looked at, so that the complaint is about the kind."""

    def check(raw: object) -> object:
        if isinstance(raw, dict) and raw.get("type") not in kinds:
            kind = str(raw.get("type", "a value without a type"))[:40]
            raise PydanticCustomError(WRONG_MESSAGE, _UNSERVED, {"kind": kind})
        return raw

    return BeforeValidator(check)


class InteractionContent(Message):
    """Text, or a picture by its bytes or its URI."""

    type: Text
    text: Text | None = None
    annotations: Listed[Struct] | None = None
    data: Base64 | None = None
    uri: Text | None = None
    mime_type: Text | None = None
    resolution: Annotated[Level, enum_of(Level, "MediaResolution")] | None = None
    processing: object = None


def _text_content(value: object) -> object:
    return {"type": "text", "text": value} if isinstance(value, str) else value


Contents = Listed[Annotated[InteractionContent, _of_kind(CONTENTS), BeforeValidator(_text_content)]]


class InteractionStep(Message):
    """What the user, or the model, said; a call of a function, or what that gave."""

    type: Text
    content: Contents | None = None
    id: Text | None = None
    name: Text | None = None
    arguments: Struct | None = None
    call_id: Text | None = None
    result: object = None
    is_error: Bool | None = None
    summary: Listed[Struct] | None = None
    signature: Base64 | None = None
    error: Struct | None = None


class ResultContents(Message):
    """What a function gave, as contents."""

    result: Contents


class InteractionTool(Message):
    """A function that the model may call."""

    type: Text
    name: Text | None = None
    description: Text | None = None
    short_description: Text | None = None
    parameters: object = None
    defer_loading: Bool | None = None


class AllowedTools(Message):
    """Which functions may be called, and whether one must be."""

    mode: Annotated[CallingMode, enum_of(CallingMode, "ToolChoiceType")] | None = None
    tools: Listed[Text] | None = None


class ToolChoice(Message):
    """Whether functions are called, where more than a word is said."""

    allowed_tools: AllowedTools | None = None


def _tool_choice(value: object) -> object:
    return {"allowed_tools": {"mode": value}} if isinstance(value, str) else value


class InputContents(Message):
    """An input of contents: all of them are the user's."""

    input: Contents


class InputSteps(Message):
    """An input of steps: a whole conversation."""

    input: Listed[Annotated[InteractionStep, _of_kind(STEPS)]]


class InteractionConfig(Message):
    """How to generate."""

    temperature: Float | None = None
    top_p: Float | None = None
    top_k: Int32 | None = None
    seed: Int32 | None = None
    max_output_tokens: Int32 | None = None
    stop_sequences: Listed[Text] | None = None
    presence_penalty: Float | None = None
    frequency_penalty: Float | None = None
    thinking_level: (
        Annotated[ThinkingLevel, enum_of(ThinkingLevel, "ThinkingConfig.ThinkingLevel")] | None
    ) = None
    thinking_summaries: Annotated[Summaries, enum_of(Summaries, "ThinkingSummaries")] | None = None
    tool_choice: Annotated[ToolChoice, BeforeValidator(_tool_choice)] | None = None
    image_config: Struct | None = None
    speech_config: object = None
    transcription_config: Struct | None = None
    video_config: Struct | None = None


class CreateInteraction(Message):
    """A question to a model; `input` is read on its own, since its form decides how."""

    model: Text | None = None
    input: object = None
    system_instruction: Text | None = None
    generation_config: InteractionConfig | None = None
    response_format: Listed[Struct] | None = None
    response_mime_type: Text | None = None
    response_modalities: Listed[Text] | None = None
    previous_interaction_id: Text | None = None
    store: Bool | None = None
    stream: Bool | None = None
    safety_settings: Listed[Struct] | None = None
    service_tier: Text | None = None
    labels: Struct | None = None

    agent: Text | None = None
    agent_config: Struct | None = None
    background: Bool | None = None
    cached_content: Text | None = None
    continuation_token: Text | None = None
    environment: object = None
    tools: Listed[Struct] | None = None
    webhook_config: Struct | None = None
