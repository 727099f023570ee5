"""generationConfig as the domain's Sampling, Output and Thinking, and all that can be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import ImageDetail, MediaResolution, Output, Sampling, TextFormat, Thinking
from vidi.domain.schema import Kind, Schema
from vidi.wire.errors import FieldViolation, Scope, refuse
from vidi.wire.response_schema import compile_schema
from vidi.wire.schema import GenerationConfig, MediaResolutionMessage, Modality, ThinkingConfig

MAX_CANDIDATES = 8
MAX_STOP_SEQUENCES = 5

_AT = "generation_config."
_ALLOWED_TYPES = (
    "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, "
    "`application/yaml` and `text/x.enum`."
)
_UNSERVED_TYPES = ("application/xml", "application/yaml")
_FORMATS = {each.value: each for each in TextFormat}
_FORMAT_NAMES = {"TEXT_PLAIN": "text/plain", "APPLICATION_JSON": "application/json"}
_UNSERVED = (
    ("response_logprobs", "log probability"),
    ("logprobs", "log probability"),
    ("speech_config", "speech"),
    ("image_config", "image generation"),
    ("translation_config", "translation of speech"),
    ("audio_transcription_config", "audio"),
)


def faults(config: GenerationConfig, scope: Scope) -> Iterator[FieldViolation]:
    """Everything that is out of range, contradictory or not served, field by field."""
    for check in (_out_of_range, _stops, _unserved, _formats):
        for name, text in check(config):
            yield scope.fault(_AT + name, text)


def _out_of_range(config: GenerationConfig) -> Iterator[tuple[str, str]]:
    for name, given in (("max_output_tokens", config.max_output_tokens), ("top_k", config.top_k)):
        if given is not None and given <= 0:
            yield name, f"{name} must be positive."
    ranges = (
        ("candidate_count", config.candidate_count, 1, MAX_CANDIDATES),
        ("temperature", config.temperature, 0.0, 2.0),
        ("top_p", config.top_p, 0.0, 1.0),
        ("presence_penalty", config.presence_penalty, -2.0, 2.0),
        ("frequency_penalty", config.frequency_penalty, -2.0, 2.0),
    )
    for name, value, low, high in ranges:
        if value is not None and not low <= value <= high:
            yield name, f"{name} must be in the range [{low}, {high}]."
    thinking = config.thinking_config or ThinkingConfig()
    if thinking.thinking_budget is not None and thinking.thinking_budget < -1:
        yield "thinking_config.thinking_budget", "must be -1 (automatic), 0 (off) or positive."


def _stops(config: GenerationConfig) -> Iterator[tuple[str, str]]:
    stops = config.stop_sequences or []
    if len(stops) > MAX_STOP_SEQUENCES:
        yield "stop_sequences", f"at most {MAX_STOP_SEQUENCES} stop sequences are allowed."
    for at, stop in enumerate(stops[:MAX_STOP_SEQUENCES]):
        if not stop:
            yield f"stop_sequences[{at}]", "a stop sequence must not be empty."


def _unserved(config: GenerationConfig) -> Iterator[tuple[str, str]]:
    for name, what in _UNSERVED:
        if getattr(config, name):
            yield name, f"{what} is not served. Leave the field out."
    for at, modality in enumerate(config.response_modalities or []):
        if modality not in (Modality.TEXT, Modality.MODALITY_UNSPECIFIED):
            yield f"response_modalities[{at}]", f"{modality.name} is not served, answers are TEXT."
    for at, each in enumerate(config.response_format or []):
        if each.image is not None or each.audio is not None or each.video is not None:
            yield f"response_format[{at}]", "only text is served."


def _formats(config: GenerationConfig) -> Iterator[tuple[str, str]]:
    older = (config.response_mime_type, config.response_schema, config.response_json_schema)
    if config.response_schema is not None and config.response_json_schema is not None:
        yield "response_json_schema", "response_schema and response_json_schema must not both be set."
    if config.response_format and any(older):
        yield "response_format", "must not be set beside response_mime_type or a response schema."
    if len(config.response_format or []) > 1:
        yield "response_format", "only one response format is served."
    form = _output_format(config)
    if form.kind in _UNSERVED_TYPES:
        yield form.kind_at, f"{form.kind} is not served, use application/json, text/x.enum or text/plain."
    elif form.kind not in _FORMATS:
        yield form.kind_at, _ALLOWED_TYPES
    elif form.schema is not None and form.kind == "text/plain":
        yield form.schema_at, "only allowed with the mimetypes `application/json` and `text/x.enum`."
    elif form.schema is None and form.kind == "text/x.enum":
        yield form.kind_at, "text/x.enum needs a schema of type STRING with an enum."


@dataclass(frozen=True, slots=True)
class _OutputFormat:
    """The form asked for, whichever fields say so, and those fields."""

    kind: str
    kind_at: str
    schema: object
    schema_at: str


def _output_format(config: GenerationConfig) -> _OutputFormat:
    if config.response_format and config.response_format[0].text:
        text = config.response_format[0].text
        kind = _FORMAT_NAMES.get(text.mime_type or "", text.mime_type)
        at = "response_format[0].text."
        return _OutputFormat(kind or "text/plain", f"{at}mime_type", text.json_schema, f"{at}json_schema")
    name = "response_json_schema" if config.response_schema is None else "response_schema"
    schema = config.response_json_schema if config.response_schema is None else config.response_schema
    return _OutputFormat(config.response_mime_type or "text/plain", "response_mime_type", schema, name)


def sampling(config: GenerationConfig) -> Sampling:
    """How to choose tokens."""
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        seed=config.seed,
        max_output_tokens=config.max_output_tokens,
        stop_sequences=tuple(config.stop_sequences or ()),
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
    )


def output(config: GenerationConfig, scope: Scope) -> Output:
    """The form of the answer.

    Raises:
        InvalidFields: The schema is wrong, or does not go with the MIME type.
    """
    form = _output_format(config)
    kind = _FORMATS[form.kind]
    if form.schema is None:
        return Output(kind)
    closed = form.schema_at == "response_schema"
    schema = compile_schema(form.schema, _AT + form.schema_at, scope, closed=closed)
    if kind is TextFormat.ENUM and not _is_enum(schema):
        text = "text/x.enum needs a schema of type STRING with an enum."
        refuse([scope.fault(_AT + form.schema_at, text)])
    return Output(kind, schema)


def _is_enum(schema: Schema) -> bool:
    return schema.kinds == {Kind.STRING} and schema.enum is not None


def thinking(config: ThinkingConfig) -> Thinking:
    """How much to think; a budget of -1 (automatic) is none.

    Raises:
        InvalidRequest: Both a budget and a level are given.
    """
    level, budget = config.thinking_level, config.thinking_budget
    if level and budget is not None:
        text = "You can only set only one of thinking budget and thinking level."
        raise InvalidRequest(text, where=f"{_AT}thinking_config")
    return Thinking(
        budget=None if budget == -1 else budget,
        level=level.name if level else None,
        include=bool(config.include_thoughts),
    )


MOST_IMAGE_TOKENS = 16_384
"""Largest budget of one picture; models take far less."""


def detail_faults(message: MediaResolutionMessage | None) -> Iterator[tuple[str, str]]:
    """What is wrong with a part's own media resolution: its field, and why."""
    given = message.num_tokens if message else None
    if given is not None and not 1 <= given <= MOST_IMAGE_TOKENS:
        yield "num_tokens", f"num_tokens must be in the range [1, {MOST_IMAGE_TOKENS}]."
    if given is not None and message and message.level:
        yield "num_tokens", "only one of level and num_tokens may be set."


def detail(message: MediaResolutionMessage | None) -> ImageDetail:
    """How closely to look at one picture."""
    if message and message.num_tokens:
        return message.num_tokens
    return MediaResolution(message.level.name) if message and message.level else MediaResolution.UNSPECIFIED


def resolution(config: GenerationConfig) -> MediaResolution:
    """How closely to look at pictures that do not say so themselves."""
    return (
        MediaResolution(config.media_resolution.name)
        if config.media_resolution
        else MediaResolution.UNSPECIFIED
    )
