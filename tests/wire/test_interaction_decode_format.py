"""response_format in each of its spellings."""

from __future__ import annotations

import pytest

from vidi.domain.prompt import Output, TextFormat
from vidi.domain.schema import Kind, Schema
from vidi.wire.errors import InvalidFields, Scope
from vidi.wire.interaction_decode import response_output
from vidi.wire.interaction_schema import CreateInteraction

SCOPE = Scope("CreateInteractionRequest")
SCHEMA = {"type": "integer", "minimum": 2}
JSON = Output(TextFormat.JSON, Schema(kinds=frozenset({Kind.INTEGER}), minimum=2))


def output(**fields: object) -> Output:
    return response_output(CreateInteraction.model_validate(fields), SCOPE)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Output()),
        ({"response_format": {"type": "text"}}, Output()),
        ({"response_format": {"type": "text", "mime_type": "text/plain"}}, Output()),
        ({"response_format": {"type": "text", "mimeType": "application/json"}}, Output(TextFormat.JSON)),
        ({"response_mime_type": "application/json"}, Output(TextFormat.JSON)),
        ({"response_format": {"type": "text", "mime_type": "application/json", "schema": SCHEMA}}, JSON),
        ({"response_format": [{"type": "text", "schema": SCHEMA}]}, JSON),
        ({"response_format": SCHEMA}, JSON),
        ({"response_format": SCHEMA, "response_mime_type": "application/json"}, JSON),
        ({"response_format": []}, Output()),
        ({"response_format": {}}, Output()),
    ],
)
def test_every_spelling_is_read(fields: dict[str, object], expected: Output) -> None:
    assert output(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"response_format": {"type": "audio"}}, "response_format.type"),
        ({"response_format": [{"type": "text"}, {"type": "text"}]}, "response_format"),
        ({"response_format": {"type": "text", "mime_type": 7}}, "response_format.mime_type"),
        ({"response_format": {"type": "text", "mime_type": ["a"]}}, "response_format.mime_type"),
        ({"response_format": {"type": "text", "a" * 99: 1}}, f"response_format.{'a' * 40}"),
        (
            {"response_format": {"type": "text", "mime_type": "text/plain", "schema": {}}},
            "response_format.schema",
        ),
        ({"response_format": {"type": "text", "schema": {"type": "?"}}}, "response_format.schema.type"),
        ({"response_format": {"type": "?"}}, "response_format.type"),
        ({"response_mime_type": "text/html"}, "response_mime_type"),
    ],
)
def test_a_wrong_one_is_named(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        output(**fields)
    assert refused.value.violations[0].field == field
