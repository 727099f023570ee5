"""Google's words for what is wrong, and the status of each error."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from vidi.domain.errors import VidiError
from vidi.wire.errors import (
    FieldViolation,
    InvalidFields,
    Scope,
    Status,
    body_too_large,
    excerpt,
    from_validation,
    invalid_key,
    missing_key,
    refuse,
    several_keys,
    status_of,
    unknown_model,
)
from vidi.wire.schema import GenerateContentRequest

V1 = "type.googleapis.com/google.ai.generativelanguage.v1beta"


def _violations(tree: Mapping[str, object]) -> InvalidFields:
    with pytest.raises(ValidationError) as caught:
        GenerateContentRequest.model_validate(tree)
    return from_validation(caught.value)


@pytest.mark.parametrize(
    ("tree", "field", "description"),
    [
        ({"a": 1}, "", 'Invalid JSON payload received. Unknown name "a": Cannot find field.'),
        (
            {"contents": [{}, {"parts": [{"txt": 1}]}]},
            "contents[1].parts[0]",
            "Invalid JSON payload received. "
            "Unknown name \"txt\" at 'contents[1].parts[0]': Cannot find field.",
        ),
        (
            {"generationConfig": [{}]},
            "",
            'Invalid JSON payload received. Unknown name "generation_config": '
            "Proto field is not repeating, cannot start list.",
        ),
        (
            {"contents": [[]]},
            "",
            'Invalid JSON payload received. Unknown name "contents": '
            "Proto field is not repeating, cannot start list.",
        ),
        ({"contents": [7]}, "contents[0]", f"Invalid value at 'contents[0]' ({V1}.Content), 7"),
        (
            {"model": {}},
            "model",
            "Invalid value at 'model' (TYPE_STRING), Starting an object on a scalar field",
        ),
        (
            {"labels": 1},
            "labels",
            "Invalid value at 'labels' (type.googleapis.com/google.protobuf.Struct), 1",
        ),
        (
            {"safetySettings": {"category": "NONE"}},
            "safety_settings[0].category",
            f"Invalid value at 'safety_settings[0].category' ({V1}.HarmCategory), \"NONE\"",
        ),
    ],
)
def test_each_kind_of_fault(tree: dict[str, object], field: str, description: str) -> None:
    assert _violations(tree).violations == (FieldViolation(field, description),)


def test_a_wrong_message_is_named_as_in_the_api() -> None:
    part = {"text": "a", "mediaResolution": 3}
    error = _violations({"contents": [{"parts": [part]}]})
    assert error.message == (
        f"Invalid value at 'contents[0].parts[0].media_resolution' ({V1}.MediaResolution), 3"
    )


def test_several_faults_are_joined_by_lines() -> None:
    error = _violations({"a": 1, "b": 2, "generationConfig": {"c": 3}})
    assert error.message.count("\n") == 2
    assert len(error.violations) == 3
    assert error.where == error.violations[0].field


def test_a_hostile_report_stays_small() -> None:
    many_names = {f"name{at}": at for at in range(50_000)}
    assert len(_violations(many_names).message) < 500
    many_bad_parts = {"contents": [{"parts": [{"x": 1}] * 50_000}] * 2}
    assert len(_violations(many_bad_parts).violations) == 1
    long_name = _violations({"n" * 100_000: 1})
    assert len(long_name.message) < 500


def test_faults_that_make_no_sense_get_a_line_each() -> None:
    scope = Scope("CountTokensRequest", "generate_content_request.")
    with pytest.raises(InvalidFields) as caught:
        refuse([scope.fault("contents", "a"), scope.fault("tools", "b")])
    assert caught.value.message == (
        "* CountTokensRequest.generate_content_request.contents: a\n"
        "* CountTokensRequest.generate_content_request.tools: b\n"
    )
    assert caught.value.where == "generate_content_request.contents"


def test_no_fault_is_no_refusal() -> None:
    refuse([])


@pytest.mark.parametrize(
    ("value", "text"), [("é", '"é"'), (1.5, "1.5"), (None, "null"), ([1], "[...]"), ({"a": 1}, "{...}")]
)
def test_values_are_shown_as_json(value: object, text: str) -> None:
    assert excerpt(value) == text


def test_long_values_are_cut() -> None:
    assert len(excerpt("x" * 1_000_000)) < 150
    assert len(excerpt(10**4_000)) < 150


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (missing_key(), Status(403, "PERMISSION_DENIED"), "Method doesn't allow unregistered callers"),
        (invalid_key(), Status(400, "INVALID_ARGUMENT"), "API key not valid. Please pass a valid API key."),
        (several_keys(), Status(400, "INVALID_ARGUMENT"), "Multiple authentication credentials received."),
        (
            body_too_large(9),
            Status(400, "INVALID_ARGUMENT"),
            "Request payload size exceeds the limit: 9 bytes.",
        ),
        (
            unknown_model("x", "v1beta", "countTokens"),
            Status(404, "NOT_FOUND"),
            "models/x is not found for API version v1beta, or is not supported for countTokens. ",
        ),
    ],
)
def test_refusals_of_a_whole_request_have_googles_status_and_words(
    error: VidiError, status: Status, text: str
) -> None:
    assert status_of(error) == status
    assert error.message.startswith(text)
