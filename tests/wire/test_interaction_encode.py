"""Writing interactions: the resource byte for byte, the order of events, and errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from vidi.domain import errors
from vidi.domain.answer import Finish, FunctionCall, Piece, TokenCount
from vidi.wire.errors import FieldViolation, InvalidFields, UnknownFields, status_of, unknown_model
from vidi.wire.interaction_encode import (
    InteractionMeta,
    InteractionStream,
    encode_interaction,
    encode_interaction_error,
    interaction_error_event,
    with_input,
)

MOMENT = datetime(2026, 11, 28, 14, 5, 6, 789, tzinfo=timezone(timedelta(hours=2)))
HEADING = InteractionMeta("i1", "vidi-lite", MOMENT, TokenCount(text=3, image=258), previous="i0")
PIECES = [Piece("A ", 1), Piece("cat.", 2), Piece("", 0, finish=Finish.STOP)]
THINKING = [Piece("Hm.", 4, thought=True), Piece("So.", 5, thought=True), *PIECES]


def told(meta: InteractionMeta, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    stream = InteractionStream(meta)
    messages = [stream.start()]
    for piece in pieces:
        messages += stream.add(piece)
    messages += stream.stop()
    assert stream.interaction == encode_interaction(meta, pieces)
    messages.append(stream.complete())
    return [json.loads(message) for message in messages]


def test_the_resource_byte_for_byte() -> None:
    assert encode_interaction(HEADING, PIECES) == (
        b'{"id":"i1","status":"completed","model":"vidi-lite","created":"2026-11-28T12:05:06Z",'
        b'"updated":"2026-11-28T12:05:06Z","previous_interaction_id":"i0",'
        b'"steps":[{"type":"model_output","content":[{"type":"text","text":"A cat."}]}],'
        b'"outputs":[{"type":"text","text":"A cat."}],'
        b'"usage":{"total_input_tokens":261,'
        b'"input_tokens_by_modality":[{"modality":"image","tokens":258},{"modality":"text","tokens":3}],'
        b'"total_output_tokens":3,"output_tokens_by_modality":[{"modality":"text","tokens":3}],'
        b'"total_thought_tokens":0,"total_cached_tokens":0,"total_tool_use_tokens":0,"total_tokens":264}}'
    )


CALL = FunctionCall("look", '{"n": 1}')
CALLED = {"type": "function_call", "id": "i1-0", "name": "look", "arguments": {"n": 1}}


@pytest.mark.parametrize("text", ["", "So:"])
def test_a_call_is_the_last_step_and_asks_for_action(text: str) -> None:
    pieces = [*([Piece(text, 1)] if text else []), Piece("", 2, call=CALL, finish=Finish.STOP)]
    whole = json.loads(encode_interaction(HEADING, pieces))
    said = [{"type": "text", "text": text}] if text else []
    before = [{"type": "model_output", "content": said}] if said else []
    assert whole["steps"] == [*before, CALLED]
    assert whole["outputs"] == [*said, CALLED]
    assert whole["status"] == "requires_action"


def test_a_call_in_a_stream_is_a_step_whose_arguments_follow() -> None:
    pieces = [Piece("So:", 1), Piece("", 2, call=CALL), Piece("", call=CALL, finish=Finish.STOP)]
    events = told(HEADING, pieces)[4:-1]
    starts = [{**CALLED, "id": f"i1-{at}", "arguments": {}} for at in range(2)]
    assert [event.get("step") or event.get("delta") or event["event_type"] for event in events] == [
        starts[0],
        {"type": "arguments_delta", "arguments": '{"n": 1}'},
        "step.stop",
        starts[1],
        {"type": "arguments_delta", "arguments": '{"n": 1}'},
        "step.stop",
    ]
    assert [event["index"] for event in events] == [1, 1, 1, 2, 2, 2]


def test_its_input_stands_in_it_as_it_came() -> None:
    whole = with_input(encode_interaction(HEADING, PIECES), b'[{"type":"text","text":"What?"}]')
    assert json.loads(whole)["input"] == [{"type": "text", "text": "What?"}]
    assert json.loads(whole)["id"] == "i1"


def test_an_answer_without_words_has_an_empty_text() -> None:
    whole = json.loads(encode_interaction(HEADING, []))
    assert whole["steps"][-1]["content"] == [{"type": "text", "text": ""}]


@pytest.mark.parametrize(
    ("finish", "status"),
    [(Finish.STOP, "completed"), (Finish.MAX_TOKENS, "incomplete"), (Finish.SAFETY, "failed")],
)
def test_how_it_ended_is_its_status(finish: Finish, status: str) -> None:
    assert json.loads(encode_interaction(HEADING, [Piece("a", 1, finish=finish)]))["status"] == status


def test_thoughts_are_a_step_of_their_own_for_who_asked() -> None:
    shown = InteractionMeta("i1", "m", MOMENT.astimezone(UTC), TokenCount(text=3), include_thoughts=True)
    steps = json.loads(encode_interaction(shown, THINKING))["steps"]
    assert steps[0] == {"type": "thought", "summary": [{"type": "text", "text": "Hm.So."}]}
    assert steps[-1]["content"][0]["text"] == "A cat."
    hidden = json.loads(encode_interaction(HEADING, THINKING))
    assert [step["type"] for step in hidden["steps"]] == ["model_output"]
    assert hidden["usage"]["total_thought_tokens"] == 9


def test_events_are_in_the_order_of_the_api() -> None:
    first, *middle, last = told(HEADING, PIECES)
    assert (first["event_type"], first["interaction"]["status"]) == ("interaction.created", "in_progress")
    assert middle == [
        {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "A "}},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "cat."}},
        {"event_type": "step.stop", "index": 0},
    ]
    assert last["event_type"] == "interaction.completed"
    assert last["interaction"] == json.loads(encode_interaction(HEADING, PIECES))


def test_thoughts_are_told_before_the_answer_or_not_at_all() -> None:
    shown = InteractionMeta("i1", "m", MOMENT, TokenCount(text=3), include_thoughts=True)
    middle = told(shown, THINKING)[1:-1]
    assert [(each["event_type"], each["index"]) for each in middle] == [
        ("step.start", 0), ("step.delta", 0), ("step.delta", 0), ("step.stop", 0),
        ("step.start", 1), ("step.delta", 1), ("step.delta", 1), ("step.stop", 1),
    ]  # fmt: skip
    assert middle[1]["delta"] == {"type": "thought_summary", "content": {"type": "text", "text": "Hm."}}
    assert told(HEADING, THINKING)[1:-1] == told(HEADING, PIECES)[1:-1]


def test_an_answer_without_words_has_its_step_all_the_same() -> None:
    assert [each["event_type"] for each in told(HEADING, [])] == [
        "interaction.created", "step.start", "step.stop", "interaction.completed",
    ]  # fmt: skip


ERRORS = [
    (errors.InvalidRequest("Bad.", where="input[0]"), 400, "invalid_request", "Bad. (input[0])"),
    (errors.InvalidImage("At input[0]: bad.", where="input[0]"), 400, "invalid_request", "At input[0]: bad."),
    (InvalidFields([FieldViolation("a", "* R.a: no\n")]), 400, "invalid_request", "* R.a: no"),
    (UnknownFields([FieldViolation("", 'Unknown name "a"')]), 400, "parameter_unknown", 'Unknown name "a"'),
    (errors.FailedPrecondition("Wait."), 400, "failed_precondition", "Wait."),
    (errors.Unauthenticated("Who?"), 401, "authentication", "Who?"),
    (errors.PermissionDenied("No."), 403, "permission_denied", "No."),
    (errors.NotFound("Gone."), 404, "not_found", "Gone."),
    (errors.ResourceExhausted("Full."), 429, "quota_exceeded", "Full."),
    (errors.Cancelled("Left."), 499, "cancelled", "Left."),
    (errors.Unavailable("Later."), 503, "service_unavailable", "Later."),
    (errors.DeadlineExceeded("Slow."), 504, "deadline_exceeded", "Slow."),
    (errors.SlowRequest("Drip."), 408, "deadline_exceeded", "Drip."),
    (errors.Internal("Oh."), 500, "api_error", "Oh."),
]


@pytest.mark.parametrize(("error", "status", "code", "message"), ERRORS, ids=lambda value: str(value)[:20])
def test_errors_are_flat_and_name_the_field(
    error: errors.VidiError, status: int, code: str, message: str
) -> None:
    assert json.loads(encode_interaction_error(error)) == {"error": {"code": code, "message": message}}
    assert status_of(error).code == status


def test_an_unknown_model_has_a_code_of_its_own() -> None:
    found = json.loads(encode_interaction_error(unknown_model("gpt", "v1", "interactions")))
    assert found["error"]["code"] == "model_not_found"


def test_an_error_in_mid_stream_is_an_event_and_the_end() -> None:
    event, end, rest = interaction_error_event(errors.Internal("Oh.")).split(b"\r\n\r\n")
    assert json.loads(event.removeprefix(b"data: ")) == {
        "event_type": "error",
        "error": {"code": "api_error", "message": "Oh."},
    }
    assert (end, rest) == (b"data: [DONE]", b"")
