"""generationConfig: what it comes to, and what is wrong with it."""

from __future__ import annotations

import pytest

from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import MediaResolution, Output, TextFormat, Thinking
from vidi.domain.schema import Kind, Schema
from vidi.wire import configuration
from vidi.wire.errors import Scope
from vidi.wire.schema import GenerationConfig, ThinkingConfig

JSON = "application/json"


def _config(**fields: object) -> GenerationConfig:
    return GenerationConfig.model_validate(fields)


def _faults(**fields: object) -> list[str]:
    return [
        each.field.removeprefix("generation_config.")
        for each in configuration.faults(_config(**fields), Scope())
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0, "topP": 0, "topK": 1, "candidateCount": 1, "maxOutputTokens": 1},
        {"temperature": 2, "topP": 1, "candidateCount": 8, "presencePenalty": -2, "frequencyPenalty": 1.99},
        {"stopSequences": list("abcde"), "seed": -(2**31)},
        {"responseMimeType": "", "responseModalities": [], "responseLogprobs": False, "logprobs": 0},
        {"responseModalities": "text", "speechConfig": {}, "enableEnhancedCivicAnswers": True},
        {"thinkingConfig": {"thinkingBudget": -1}},
    ],
)
def test_the_edges_of_what_is_allowed(fields: dict[str, object]) -> None:
    assert _faults(**fields) == []


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.01}, "temperature"),
        ({"topP": 1.01}, "top_p"),
        ({"topK": 0}, "top_k"),
        ({"candidateCount": 0}, "candidate_count"),
        ({"candidateCount": 9}, "candidate_count"),
        ({"maxOutputTokens": -1}, "max_output_tokens"),
        ({"presencePenalty": 2.5}, "presence_penalty"),
        ({"stopSequences": list("abcdef")}, "stop_sequences"),
        ({"stopSequences": ["a", ""]}, "stop_sequences[1]"),
        ({"thinkingConfig": {"thinkingBudget": -2}}, "thinking_config.thinking_budget"),
        ({"responseLogprobs": True}, "response_logprobs"),
        ({"logprobs": 1}, "logprobs"),
        ({"responseModalities": ["TEXT", "AUDIO"]}, "response_modalities[1]"),
        ({"audioTranscriptionConfig": {"a": 1}}, "audio_transcription_config"),
        ({"responseFormat": {"image": {}}}, "response_format[0]"),
        ({"responseFormat": [{"text": {}}, {"text": {}}]}, "response_format"),
        ({"responseFormat": {"text": {"mimeType": "image/png"}}}, "response_format[0].text.mime_type"),
        ({"responseFormat": {"text": {}}, "responseMimeType": JSON}, "response_format"),
        ({"responseMimeType": "json"}, "response_mime_type"),
        ({"responseMimeType": "application/yaml"}, "response_mime_type"),
        ({"responseMimeType": "text/x.enum"}, "response_mime_type"),
        ({"responseJsonSchema": {}}, "response_json_schema"),
        ({"responseSchema": {}, "responseMimeType": "text/plain"}, "response_schema"),
        ({"responseSchema": {}, "responseJsonSchema": {}, "responseMimeType": JSON}, "response_json_schema"),
    ],
)
def test_each_fault_is_found_once(fields: dict[str, object], at: str) -> None:
    assert _faults(**fields) == [at]


def test_sampling_is_copied() -> None:
    read = configuration.sampling(
        _config(temperature=0.5, topK=3, seed=7, stopSequences=["x"], maxOutputTokens=9)
    )
    assert (read.temperature, read.top_k, read.seed) == (0.5, 3, 7)
    assert (read.stop_sequences, read.max_output_tokens, read.top_p) == (("x",), 9, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"responseMimeType": JSON, "responseSchema": {"type": "STRING"}},
        {"responseMimeType": JSON, "responseJsonSchema": {"type": "string"}},
        {"responseMimeType": JSON, "_responseJsonSchema": {"type": "string"}},
        {"responseFormat": [{"text": {"mimeType": JSON, "schema": {"type": "string"}}}]},
        {"response_format": {"text": {"mime_type": "APPLICATION_JSON", "json_schema": {"type": "string"}}}},
    ],
)
def test_a_schema_in_every_field(fields: dict[str, object]) -> None:
    assert _faults(**fields) == []
    expected = Output(TextFormat.JSON, Schema(kinds=frozenset({Kind.STRING})))
    assert configuration.output(_config(**fields), Scope()) == expected


def test_enum_answers_need_an_enum() -> None:
    good = _config(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["a", "b"]})
    assert configuration.output(good, Scope()).format is TextFormat.ENUM
    for schema in ({"type": "STRING"}, {"type": "ARRAY", "items": {"type": "STRING", "enum": ["a"]}}):
        bad = _config(responseMimeType="text/x.enum", responseSchema=schema)
        with pytest.raises(InvalidRequest, match="STRING with an enum"):
            configuration.output(bad, Scope())


def test_json_without_a_schema() -> None:
    assert configuration.output(_config(response_mime_type=JSON), Scope()) == Output(TextFormat.JSON)


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, Thinking()),
        ({"thinkingBudget": 0}, Thinking(budget=0)),
        ({"thinking_budget": -1, "includeThoughts": True}, Thinking(include=True)),
        ({"thinkingLevel": "minimal"}, Thinking(level="MINIMAL")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED", "thinkingBudget": 5}, Thinking(budget=5)),
    ],
)
def test_thinking(fields: dict[str, object], thinking: Thinking) -> None:
    assert configuration.thinking(ThinkingConfig.model_validate(fields)) == thinking


def test_thinking_budget_and_level_exclude_each_other() -> None:
    both = ThinkingConfig.model_validate({"thinkingLevel": "LOW", "thinkingBudget": 0})
    with pytest.raises(InvalidRequest, match="only one of thinking budget and thinking level"):
        configuration.thinking(both)


@pytest.mark.parametrize(
    ("given", "resolution"),
    [
        (None, MediaResolution.UNSPECIFIED),
        ("media_resolution_low", MediaResolution.LOW),
        (2, MediaResolution.MEDIUM),
        ("MEDIA_RESOLUTION_HIGH", MediaResolution.HIGH),
    ],
)
def test_resolution(given: object, resolution: MediaResolution) -> None:
    assert configuration.resolution(_config(mediaResolution=given)) is resolution
