"""Replies: the right counts, one line each, and one status for every error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain import errors
from vidi.domain.answer import Finish, FunctionCall, Piece, TokenCount
from vidi.wire.encode import (
    ModelInfo,
    ResponseMeta,
    encode_count,
    encode_error,
    encode_model,
    encode_models,
    encode_response,
)
from vidi.wire.errors import FieldViolation, InvalidFields, Status, status_of

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

META = ResponseMeta(model_version="vidi-lite", response_id="abc", prompt=TokenCount(text=5, image=258))
TYPE = "type.googleapis.com/google.rpc."


def test_a_whole_answer() -> None:
    pieces = [Piece("A ", 1), Piece("cat.", 2), Piece("", finish=Finish.STOP)]
    assert json.loads(encode_response(pieces, meta=META)) == {
        "candidates": [
            {"content": {"parts": [{"text": "A cat."}], "role": "model"}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {
            "promptTokenCount": 263,
            "candidatesTokenCount": 3,
            "promptTokensDetails": [
                {"modality": "IMAGE", "tokenCount": 258},
                {"modality": "TEXT", "tokenCount": 5},
            ],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
            "totalTokenCount": 266,
        },
        "modelVersion": "vidi-lite",
        "responseId": "abc",
    }


def test_a_stream_keeps_running_totals() -> None:
    pieces = [Piece("a", 1), Piece("b", 2), Piece("", finish=Finish.MAX_TOKENS)]
    meta, messages = META, []
    for piece in pieces:
        messages.append(json.loads(encode_response([piece], meta=meta)))
        meta = meta.after([piece])
    assert [each["usageMetadata"]["candidatesTokenCount"] for each in messages] == [1, 3, 3]
    assert [each["candidates"][0].get("finishReason") for each in messages] == [None, None, "MAX_TOKENS"]
    assert [each["candidates"][0]["content"]["parts"] for each in messages] == [
        [{"text": "a"}],
        [{"text": "b"}],
        [{"text": ""}],
    ]
    whole = json.loads(encode_response(pieces, meta=META))
    assert messages[-1]["usageMetadata"] == whole["usageMetadata"]


def test_calls_are_parts_with_ids_that_a_stream_goes_on_numbering() -> None:
    look, wait = FunctionCall("look", '{"n": 1}'), FunctionCall("wait", "{}")
    pieces = [
        Piece("So: ", 1),
        Piece("", call=look),
        Piece("", call=wait, finish=Finish.STOP),
        Piece("", call=wait, candidate=1, finish=Finish.STOP),
    ]
    whole = json.loads(encode_response(pieces, meta=META))["candidates"]
    parts = [
        {"text": "So: "},
        {"functionCall": {"id": "abc-0", "name": "look", "args": {"n": 1}}},
        {"functionCall": {"id": "abc-1", "name": "wait", "args": {}}},
    ]
    other = {"functionCall": {"id": "abc-2", "name": "wait", "args": {}}}
    assert [each["content"]["parts"] for each in whole] == [parts, [other]]
    meta, streamed = META, []
    for piece in pieces:
        (candidate,) = json.loads(encode_response([piece], meta=meta))["candidates"]
        streamed += candidate["content"]["parts"]
        meta = meta.after([piece])
    assert streamed == [*parts, other]


def test_candidates_are_apart_and_in_order() -> None:
    pieces = [
        Piece("one", 1, candidate=1),
        Piece("zero", 2),
        Piece("", finish=Finish.STOP, candidate=1),
        Piece("", finish=Finish.SAFETY),
    ]
    message = json.loads(encode_response(pieces, meta=META))
    assert [
        (each["index"], each["content"]["parts"], each["finishReason"]) for each in message["candidates"]
    ] == [(0, [{"text": "zero"}], "SAFETY"), (1, [{"text": "one"}], "STOP")]
    assert message["usageMetadata"]["candidatesTokenCount"] == 3


@pytest.mark.parametrize("shown", [True, False])
def test_thoughts_are_billed_and_shown_only_if_asked_for(shown: bool) -> None:
    pieces = [Piece("hm", 4, thought=True), Piece("so", 3, thought=True), Piece("Yes.", 2)]
    meta = ResponseMeta("m", "r", TokenCount(text=1), include_thoughts=shown)
    message = json.loads(encode_response(pieces, meta=meta))
    thoughts = [{"text": "hmso", "thought": True}] if shown else []
    assert message["candidates"][0]["content"]["parts"] == [*thoughts, {"text": "Yes."}]
    usage = message["usageMetadata"]
    assert (usage["thoughtsTokenCount"], usage["candidatesTokenCount"], usage["totalTokenCount"]) == (
        7,
        2,
        10,
    )


def test_counts_of_zero_are_left_out() -> None:
    empty = json.loads(encode_response([], meta=ResponseMeta("m", "r", TokenCount())))
    assert empty == {"usageMetadata": {"totalTokenCount": 0}, "modelVersion": "m", "responseId": "r"}
    assert json.loads(encode_count(TokenCount())) == {"totalTokens": 0}


def test_a_count() -> None:
    assert json.loads(encode_count(TokenCount(text=2, image=3))) == {
        "totalTokens": 5,
        "promptTokensDetails": [
            {"modality": "IMAGE", "tokenCount": 3},
            {"modality": "TEXT", "tokenCount": 2},
        ],
    }


@given(st.text(st.characters()))
def test_any_text_is_one_line_of_utf8(text: str) -> None:
    message = encode_response([Piece(text)], meta=META)
    assert len(message.decode().splitlines()) == 1
    sent = json.loads(message)["candidates"][0]["content"]["parts"][0]["text"]
    assert sent == text.encode("utf-8", "replace").decode()


def test_models() -> None:
    info = ModelInfo("vidi-lite", "Vidi Lite", "Sees.", "1", 1_000, 100)
    model = json.loads(encode_model(info))
    assert model == {
        "name": "models/vidi-lite",
        "version": "1",
        "displayName": "Vidi Lite",
        "description": "Sees.",
        "inputTokenLimit": 1_000,
        "outputTokenLimit": 100,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": False,
    }
    assert json.loads(encode_models([info], "next")) == {"models": [model], "nextPageToken": "next"}
    assert json.loads(encode_models([])) == {"models": []}
    sampling = json.loads(encode_model(ModelInfo("m", "", "", "1", 1, 1, samples=True)))
    assert (sampling["temperature"], sampling["topP"], sampling["maxTemperature"]) == (1, 0.95, 2)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.InvalidRequest, Status(400, "INVALID_ARGUMENT")),
        (errors.MalformedJson, Status(400, "INVALID_ARGUMENT")),
        (errors.InvalidImage, Status(400, "INVALID_ARGUMENT")),
        (errors.RequestTooLarge, Status(400, "INVALID_ARGUMENT")),
        (errors.FailedPrecondition, Status(400, "FAILED_PRECONDITION")),
        (errors.Unauthenticated, Status(401, "UNAUTHENTICATED")),
        (errors.PermissionDenied, Status(403, "PERMISSION_DENIED")),
        (errors.NotFound, Status(404, "NOT_FOUND")),
        (errors.ResourceExhausted, Status(429, "RESOURCE_EXHAUSTED")),
        (errors.Cancelled, Status(499, "CANCELLED")),
        (errors.Internal, Status(500, "INTERNAL")),
        (errors.Unavailable, Status(503, "UNAVAILABLE")),
        (errors.DeadlineExceeded, Status(504, "DEADLINE_EXCEEDED")),
    ],
)
def test_the_status_of_every_error(kind: type[errors.VidiError], status: Status) -> None:
    assert status_of(kind("Why.")) == status
    body = json.loads(encode_error(kind("Why.")))
    assert body == {"error": {"code": status.code, "message": "Why.", "status": status.name}}


def test_no_error_lacks_a_status() -> None:
    kinds = [
        each for each in vars(errors).values() if isinstance(each, type) and each is not errors.VidiError
    ]
    known = [kind for kind in kinds if issubclass(kind, errors.VidiError)]
    assert len(known) >= 13
    assert [kind for kind in known if status_of(kind.__new__(kind)).code == 500] == [errors.Internal]


def _details(error: errors.VidiError) -> list[dict[str, Json]]:
    details = json.loads(encode_error(error))["error"]["details"]
    assert isinstance(details, list)
    return details


def test_details_name_the_field() -> None:
    where = "contents[0].parts[1].inline_data"
    assert _details(errors.InvalidRequest("Bad.", where=where)) == [
        {"@type": f"{TYPE}BadRequest", "fieldViolations": [{"field": where, "description": "Bad."}]}
    ]
    several = InvalidFields([FieldViolation("", "a"), FieldViolation("b.c", "d")])
    assert _details(several)[0]["fieldViolations"] == [
        {"description": "a"},
        {"field": "b.c", "description": "d"},
    ]


def test_the_message_about_a_picture_names_its_part() -> None:
    where = "contents[0].parts[1].inline_data"
    body = json.loads(encode_error(errors.InvalidImage("Unable to process input image.", where=where)))
    assert body["error"]["message"] == f"Unable to process input image. ({where})"
    said = json.loads(encode_error(errors.InvalidImage(f"{where} is broken.", where=where)))
    assert said["error"]["message"] == f"{where} is broken."


def test_details_tell_when_to_come_back() -> None:
    assert _details(errors.Unavailable("Busy.", retry_after=19)) == [
        {"@type": f"{TYPE}RetryInfo", "retryDelay": "19s"}
    ]
    assert _details(errors.Unavailable("Busy.", retry_after=0.25))[0]["retryDelay"] == "0.25s"


def test_details_give_a_reason_for_machines() -> None:
    assert _details(errors.InvalidRequest("API key not valid.", reason="API_KEY_INVALID")) == [
        {
            "@type": f"{TYPE}ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        },
        {"@type": f"{TYPE}LocalizedMessage", "locale": "en-US", "message": "API key not valid."},
    ]


def test_a_quota_is_told_in_googles_shape() -> None:
    quota = errors.QuotaViolation("tokens_per_day", "TokensPerDay", 5, {"key": "lab"})
    error = json.loads(encode_error(errors.QuotaExceeded(quota, "Ask for less.", retry_after=19.5)))["error"]
    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["message"] == (
        "You exceeded your current quota.\n"
        "* Quota exceeded for metric: tokens_per_day, limit: 5, key: lab\n"
        "Ask for less. Please retry in 19.5s."
    )
    failure, retry = error["details"]
    assert failure["@type"] == "type.googleapis.com/google.rpc.QuotaFailure"
    assert failure["violations"] == [
        {
            "quotaMetric": "generativelanguage.googleapis.com/tokens_per_day",
            "quotaId": "TokensPerDay",
            "quotaDimensions": {"key": "lab"},
            "quotaValue": "5",
        }
    ]
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "19.5s"}
