"""The API's request messages under the API's own names: what is served and what is read to be refused.

Every field is known by its camelCase and its snake_case name, null means absent, unknown names are refused.
Ranges and combinations are checked in `decode` and `configuration`, since Google words them otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, ClassVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from vidi.wire.errors import WRONG_MESSAGE
from vidi.wire.fields import Base64, Bool, Float, Int32, Listed, Text, enum_of

_MAX_NAMES = 64
"""No message has more fields; bounds the report on a hostile one."""

MAX_PARTS = 20_000
"""Contents and parts together; more than 3,600 pictures with texts between them need."""

Struct = dict[str, object]
"""A free JSON object."""


class Message(BaseModel):
    """A protobuf message as JSON."""

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        loc_by_alias=False,
        frozen=True,
        protected_namespaces=(),
        # Most requests need none of them: pydantic builds what is first read by, under a lock.
        defer_build=True,
    )

    _aliases: ClassVar[Mapping[str, str]] = {}
    """Names of fields that have another one in the API, and that."""

    @model_validator(mode="before")
    @classmethod
    def _few_names(cls, raw: object) -> object:
        if isinstance(raw, dict) and len(raw) > _MAX_NAMES:
            raise PydanticCustomError(
                WRONG_MESSAGE, "(message), it has more names than the message has fields"
            )
        if isinstance(raw, dict) and not cls._aliases.keys().isdisjoint(raw):
            for name in raw.keys() & cls._aliases.keys():
                alias = cls._aliases[name]
                if alias in raw:
                    text = "(oneof), oneof field '_{name}' is already set. Cannot set '{alias}'"
                    raise PydanticCustomError(WRONG_MESSAGE, text, {"name": name, "alias": alias})
        return raw

    @classmethod
    def __pydantic_init_subclass__(cls, **_kwargs: object) -> None:
        aliases = {name: field.alias or name for name, field in cls.model_fields.items()}
        cls._aliases = {name: alias for name, alias in aliases.items() if alias != name}


class Resolution(IntEnum):
    """MediaResolution of a request, with the API's numbers."""

    MEDIA_RESOLUTION_UNSPECIFIED = 0
    MEDIA_RESOLUTION_LOW = 1
    MEDIA_RESOLUTION_MEDIUM = 2
    MEDIA_RESOLUTION_HIGH = 3


class PartResolution(IntEnum):
    """MediaResolution of a part: knows one level more."""

    MEDIA_RESOLUTION_UNSPECIFIED = 0
    MEDIA_RESOLUTION_LOW = 1
    MEDIA_RESOLUTION_MEDIUM = 2
    MEDIA_RESOLUTION_HIGH = 3
    MEDIA_RESOLUTION_ULTRA_HIGH = 4


class ThinkingLevel(IntEnum):
    """How much a model thinks."""

    THINKING_LEVEL_UNSPECIFIED = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    MINIMAL = 4
    XHIGH = 5


class Modality(IntEnum):
    """What an answer may consist of."""

    MODALITY_UNSPECIFIED = 0
    TEXT = 1
    IMAGE = 2
    AUDIO = 3
    VIDEO = 4


class HarmCategory(IntEnum):
    """What a safety setting is about."""

    HARM_CATEGORY_UNSPECIFIED = 0
    HARM_CATEGORY_DEROGATORY = 1
    HARM_CATEGORY_TOXICITY = 2
    HARM_CATEGORY_VIOLENCE = 3
    HARM_CATEGORY_SEXUAL = 4
    HARM_CATEGORY_MEDICAL = 5
    HARM_CATEGORY_DANGEROUS = 6
    HARM_CATEGORY_HARASSMENT = 7
    HARM_CATEGORY_HATE_SPEECH = 8
    HARM_CATEGORY_SEXUALLY_EXPLICIT = 9
    HARM_CATEGORY_DANGEROUS_CONTENT = 10
    HARM_CATEGORY_CIVIC_INTEGRITY = 11


class HarmBlockThreshold(IntEnum):
    """From which probability on a safety setting blocks."""

    HARM_BLOCK_THRESHOLD_UNSPECIFIED = 0
    BLOCK_LOW_AND_ABOVE = 1
    BLOCK_MEDIUM_AND_ABOVE = 2
    BLOCK_ONLY_HIGH = 3
    BLOCK_NONE = 4
    OFF = 5


class Blob(Message):
    """Bytes in the request itself."""

    mime_type: Text | None = None
    data: Base64 | None = None
    display_name: Text | None = None


class FileData(Message):
    """A file by its URI."""

    mime_type: Text | None = None
    file_uri: Text | None = None
    display_name: Text | None = None


class MediaResolutionMessage(Message):
    """MediaResolution of one part; `errors` leaves the suffix out where it names a message."""

    level: Annotated[PartResolution, enum_of(PartResolution, "MediaResolution.Level")] | None = None
    num_tokens: Int32 | None = None


class FunctionCallMessage(Message):
    """A call that the model made."""

    id: Text | None = None
    name: Text | None = None
    args: Struct | None = None
    partial_args: Listed[Struct] | None = None
    will_continue: Bool | None = None


class FunctionResponsePart(Message):
    """A picture that a function gave."""

    inline_data: Blob | None = None
    file_data: FileData | None = None


class FunctionResponseMessage(Message):
    """What a function gave."""

    id: Text | None = None
    name: Text | None = None
    response: Struct | None = None
    parts: Listed[FunctionResponsePart] | None = None
    will_continue: Bool | None = None
    scheduling: object = None


class Part(Message):
    """One piece of a content; exactly one of its data fields must be set."""

    text: Text | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCallMessage | None = None
    function_response: FunctionResponseMessage | None = None
    executable_code: Struct | None = None
    code_execution_result: Struct | None = None
    tool_call: Struct | None = None
    tool_response: Struct | None = None

    thought: Bool | None = None
    thought_signature: Base64 | None = None
    media_resolution: MediaResolutionMessage | None = None
    part_metadata: Struct | None = None
    video_metadata: Struct | None = None
    audio_metadata: Struct | None = None
    audio_transcription: Struct | None = None
    document_metadata: Struct | None = None
    media_processing: Struct | None = None
    speech_metadata: Struct | None = None
    spreadsheet_metadata: Struct | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_of(cls, raw: object) -> object:
        if isinstance(raw, dict):
            given = [name for name in raw if _DATA.get(name) and raw[name] is not None]
            if len(given) > 1:
                text = "(oneof), oneof field 'data' is already set. Cannot set '{name}'"
                raise PydanticCustomError(WRONG_MESSAGE, text, {"name": _DATA[given[1]]})
        return raw


UNSERVED_PARTS = ("executable_code", "code_execution_result", "tool_call", "tool_response")
SERVED_PARTS = ("text", "inline_data", "file_data", "function_call", "function_response")
_DATA_FIELDS = (*SERVED_PARTS, *UNSERVED_PARTS)
_DATA = {spelling: to_camel(name) for name in _DATA_FIELDS for spelling in (name, to_camel(name))}


class Content(Message):
    """One turn of the conversation."""

    role: Text | None = None
    parts: Listed[Part] | None = None


def _instruction(value: object) -> object:
    """A bare string is taken for a content of one text part, as the SDKs' own callers write it."""
    return {"parts": [{"text": value}]} if isinstance(value, str) else value


class FunctionDeclarationMessage(Message):
    """A function that the model may call; what it gives back is not checked, so its shape is not read."""

    name: Text | None = None
    description: Text | None = None
    parameters: Struct | None = None
    parameters_json_schema: object = None
    response: Struct | None = None
    response_json_schema: object = None
    behavior: object = None


class Tool(Message):
    """What the model may use; all but functions would run at Google."""

    function_declarations: Listed[FunctionDeclarationMessage] | None = None
    google_search: Struct | None = None
    google_search_retrieval: Struct | None = None
    code_execution: Struct | None = None
    url_context: Struct | None = None
    file_search: Struct | None = None
    google_maps: Struct | None = None
    computer_use: Struct | None = None
    enterprise_web_search: Struct | None = None
    parallel_ai_search: Struct | None = None
    retrieval: Struct | None = None
    mcp_servers: Listed[Struct] | None = None


class CallingMode(IntEnum):
    """Whether the model calls functions."""

    MODE_UNSPECIFIED = 0
    AUTO = 1
    ANY = 2
    NONE = 3
    VALIDATED = 4


class FunctionCallingConfig(Message):
    """Whether the model calls functions, and which."""

    mode: Annotated[CallingMode, enum_of(CallingMode, "FunctionCallingConfig.Mode")] | None = None
    allowed_function_names: Listed[Text] | None = None
    stream_function_call_arguments: Bool | None = None


class ToolConfig(Message):
    """How tools are used."""

    function_calling_config: FunctionCallingConfig | None = None
    retrieval_config: Struct | None = None
    include_server_side_tool_invocations: Bool | None = None


class SafetySetting(Message):
    """A threshold for one category."""

    category: Annotated[HarmCategory, enum_of(HarmCategory, "HarmCategory")] | None = None
    method: Text | None = None
    threshold: (
        Annotated[HarmBlockThreshold, enum_of(HarmBlockThreshold, "SafetySetting.HarmBlockThreshold")] | None
    ) = None


class ThinkingConfig(Message):
    """Whether and how much the model thinks first."""

    include_thoughts: Bool | None = None
    thinking_budget: Int32 | None = None
    thinking_level: (
        Annotated[ThinkingLevel, enum_of(ThinkingLevel, "ThinkingConfig.ThinkingLevel")] | None
    ) = None


class TextResponseFormat(Message):
    """The newer spelling of responseMimeType and responseJsonSchema."""

    mime_type: Text | None = None
    json_schema: Annotated[
        object, Field(validation_alias=AliasChoices("jsonSchema", "json_schema", "schema"))
    ] = None


class ResponseFormat(Message):
    """One form that the answer may take; only text is served."""

    text: TextResponseFormat | None = None
    image: Struct | None = None
    audio: Struct | None = None
    video: Struct | None = None


_JSON_SCHEMA_NAMES = AliasChoices(
    "responseJsonSchema", "response_json_schema", "_responseJsonSchema", "_response_json_schema"
)


class GenerationConfig(Message):
    """How to generate."""

    candidate_count: Int32 | None = None
    stop_sequences: Listed[Text] | None = None
    max_output_tokens: Int32 | None = None
    temperature: Float | None = None
    top_p: Float | None = None
    top_k: Int32 | None = None
    seed: Int32 | None = None
    presence_penalty: Float | None = None
    frequency_penalty: Float | None = None
    response_mime_type: Text | None = None
    response_schema: Struct | None = None
    response_json_schema: Annotated[object, Field(validation_alias=_JSON_SCHEMA_NAMES)] = None
    response_format: Listed[ResponseFormat] | None = None
    response_modalities: (
        Listed[Annotated[Modality, enum_of(Modality, "GenerationConfig.Modality")]] | None
    ) = None
    media_resolution: (
        Annotated[Resolution, enum_of(Resolution, "GenerationConfig.MediaResolution")] | None
    ) = None
    thinking_config: ThinkingConfig | None = None
    response_logprobs: Bool | None = None
    logprobs: Int32 | None = None
    enable_enhanced_civic_answers: Bool | None = None
    speech_config: Struct | None = None
    image_config: Struct | None = None
    translation_config: Struct | None = None
    audio_transcription_config: Struct | None = None
    continuation_token: Text | None = None
    # Known to Vertex clients; without effect here.
    audio_timestamp: Bool | None = None
    model_selection_config: Struct | None = None
    routing_config: Struct | None = None


class _WithContents(Message):
    """What holds a conversation."""

    model: Text | None = None
    contents: Listed[Content] | None = None

    @model_validator(mode="before")
    @classmethod
    def _few_parts(cls, raw: object) -> object:
        if isinstance(raw, dict) and _parts_in(raw.get("contents")) > MAX_PARTS:
            raise PydanticCustomError(WRONG_MESSAGE, f"(contents), it has more than {MAX_PARTS} parts")
        return raw


def _parts_in(contents: object) -> int:
    if not isinstance(contents, list):
        return 0
    parts = (each.get("parts") for each in contents if isinstance(each, dict))
    return len(contents) + sum(len(each) for each in parts if isinstance(each, list))


class GenerateContentRequest(_WithContents):
    """A question to a model."""

    system_instruction: Annotated[Content, BeforeValidator(_instruction)] | None = None
    generation_config: GenerationConfig | None = None
    safety_settings: Listed[SafetySetting] | None = None
    tools: Listed[Tool] | None = None
    tool_config: ToolConfig | None = None
    cached_content: Text | None = None
    service_tier: Text | None = None
    labels: Struct | None = None
    store: Bool | None = None
    continuation_token: Text | None = None
    automatic_continuation: Bool | None = None
    generation_output_config: Struct | None = None
    model_armor_config: Struct | None = None


class CountTokensRequest(GenerateContentRequest):
    """A question of what a prompt would cost: contents, as Vertex clients with all else, or a request."""

    generate_content_request: GenerateContentRequest | None = None
