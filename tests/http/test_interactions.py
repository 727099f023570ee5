"""The Interactions API, through HTTP."""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.conftest import examples, picture
from tests.http.forked import forked
from tests.http.test_fuzz import bent
from tests.waiting import HANG_SECONDS
from vidi.app import create_app
from vidi.settings import Settings

HERE = "/v1beta/interactions"
MODEL = "gemini-3-flash-preview"
CODES = {
    400: {"invalid_request", "failed_precondition", "parameter_unknown"},
    403: {"permission_denied"},
    404: {"not_found", "model_not_found"},
    503: {"service_unavailable"},
    504: {"deadline_exceeded"},
}
INTERNALS = re.compile(r'Traceback|File "|\.py\b|site-packages|/(usr|home|root|tmp|proc)/')

Body = dict[str, Any]


def image(data: bytes, mime_type: str = "image/png", **more: str) -> Body:
    return {"type": "image", "data": base64.b64encode(data).decode(), "mime_type": mime_type, **more}


def text(words: str) -> Body:
    return {"type": "text", "text": words}


PICTURE = image(picture(640, 480))
QUESTION: Body = {"model": MODEL, "input": [text("Caption this image."), PICTURE]}
ANSWER = "Echo: 1 image (640x480), text: Caption this image."


def create(client: TestClient, **fields: Any) -> Body:
    reply = client.post(HERE, json={**QUESTION, **fields})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    answer: Body = reply.json()
    return answer


def said(interaction: Body) -> str:
    words: str = interaction["steps"][-1]["content"][0]["text"]
    return words


def refusal(reply: httpx2.Response) -> tuple[int, str, str]:
    """Status, code and message of an error, which must be in this API's flat shape."""
    assert reply.headers["content-type"].startswith("application/json")
    body = reply.json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message"}, body
    code, message = body["error"]["code"], body["error"]["message"]
    assert code in CODES[reply.status_code], body
    assert message.strip()
    assert not INTERNALS.search(message), message
    return reply.status_code, code, message


def events(reply: httpx2.Response) -> list[Body]:
    """The events of a stream, which ends as the SDKs wait for it."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.text.endswith("data: [DONE]\r\n\r\n")
    lines = reply.text.removesuffix("\r\n\r\n").split("\r\n\r\n")
    assert all(line.startswith("data: ") and "\n" not in line for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


@pytest.mark.parametrize("version", ["v1", "v1alpha", "v1beta"])
def test_a_question_is_answered(client: TestClient, version: str) -> None:
    answer = client.post(f"/{version}/interactions", json=QUESTION).json()
    assert said(answer) == ANSWER
    assert answer["outputs"] == [text(ANSWER)]
    assert (answer["status"], answer["model"]) == ("completed", "echo")
    assert re.fullmatch(r"[0-9a-f]{32}", answer["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer["created"])
    usage = answer["usage"]
    assert usage["input_tokens_by_modality"] == [
        {"modality": "image", "tokens": 1032},
        {"modality": "text", "tokens": 5},
    ]
    assert usage["total_tokens"] == usage["total_input_tokens"] + usage["total_output_tokens"]


def test_it_costs_what_generate_content_costs(client: TestClient) -> None:
    inline = {"inlineData": {"mimeType": "image/png", "data": PICTURE["data"]}}
    contents = [{"parts": [{"text": "Caption this image."}, inline]}]
    other = client.post(f"/v1beta/models/{MODEL}:generateContent", json={"contents": contents}).json()
    assert create(client)["usage"]["total_input_tokens"] == other["usageMetadata"]["promptTokenCount"]
    assert said(create(client)) == other["candidates"][0]["content"]["parts"][0]["text"]


def test_a_part_may_be_looked_at_closely(client: TestClient) -> None:
    closely = image(picture(960, 540), resolution="ultra_high")
    assert create(client, input=[closely])["usage"]["total_input_tokens"] == 2205


def test_a_cut_answer_is_incomplete(client: TestClient) -> None:
    answer = create(client, generation_config={"max_output_tokens": 2})
    assert answer["status"] == "incomplete"
    assert ANSWER.startswith(said(answer))


def test_a_schema_is_kept_to(client: TestClient) -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"type": "string", "enum": ["drawing", "photograph"]}},
        "required": ["kind"],
    }
    form = {"type": "text", "mime_type": "application/json", "schema": schema}
    assert json.loads(said(create(client, response_format=form)))["kind"] in ("drawing", "photograph")
    older = create(client, response_format=schema, response_mime_type="application/json")
    assert json.loads(said(older))["kind"] in ("drawing", "photograph")


def test_a_stream_tells_the_same_in_events(client: TestClient) -> None:
    told = events(client.post(HERE, json={**QUESTION, "stream": True}))
    kinds = [event["event_type"] for event in told]
    assert kinds[:2] == ["interaction.created", "step.start"]
    assert kinds[-2:] == ["step.stop", "interaction.completed"]
    assert set(kinds[2:-2]) == {"step.delta"}
    assert told[0]["interaction"]["status"] == "in_progress"
    assert told[1]["step"] == {"type": "model_output"}
    assert "".join(event["delta"]["text"] for event in told[2:-2]) == ANSWER
    whole = told[-1]["interaction"]
    assert said(whole) == ANSWER
    assert whole["id"] == told[0]["interaction"]["id"]
    assert client.get(f"{HERE}/{whole['id']}").json() == whole


def test_a_refusal_before_a_stream_is_a_plain_one(client: TestClient) -> None:
    broken = {**QUESTION, "stream": True, "input": [image(b"junk")]}
    status, code, message = refusal(client.post(HERE, json=broken))
    assert (status, code) == (400, "invalid_request")
    assert "input[0]" in message


def test_a_model_that_breaks_in_mid_stream_is_told_as_the_last_event(client: TestClient) -> None:
    body = {**QUESTION, "input": "echo fail=midway", "stream": True}
    told = events(client.post(HERE, json=body))
    assert told[-1] == {
        "event_type": "error",
        "error": {"code": "service_unavailable", "message": "The echo was asked to fail."},
    }
    made = told[0]["interaction"]["id"]
    assert refusal(client.get(f"{HERE}/{made}"))[:2] == (404, "not_found")
    whole = client.post(HERE, json={**body, "stream": False})
    assert refusal(whole)[:2] == (503, "service_unavailable")


def _client(port: int) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS)


@pytest.mark.slow
def test_who_leaves_in_mid_stream_frees_the_engine_and_leaves_nothing(tmp_path: Path) -> None:
    with forked(tmp_path) as (port, _), _client(port) as http:
        for _ in range(80):  # more than the engine has slots
            body = {"model": "echo", "input": "echo words=100000 sleep=0.05", "stream": True}
            with http.stream("POST", HERE, json=body) as reply:
                first = next(reply.iter_lines())
        made = json.loads(first.removeprefix("data: "))["interaction"]["id"]
        assert http.post(HERE, json={"model": "echo", "input": "hi"}).status_code == 200
        assert refusal(http.get(f"{HERE}/{made}"))[:2] == (404, "not_found")


def test_it_is_kept_as_it_was_answered(client: TestClient) -> None:
    reply = client.post(HERE, json=QUESTION)
    kept = client.get(f"{HERE}/{reply.json()['id']}")
    assert kept.content == reply.content
    assert kept.headers["content-type"] == "application/json; charset=UTF-8"


def test_its_input_is_given_back_as_it_came(client: TestClient) -> None:
    answer = create(client)
    whole = client.get(f"{HERE}/{answer['id']}?include_input=true").json()
    assert whole == {**answer, "input": QUESTION["input"]}


def test_what_is_not_to_be_kept_is_not(client: TestClient, settings: Settings) -> None:
    answer = create(client, store=False, input="A secret of mine.")
    assert refusal(client.get(f"{HERE}/{answer['id']}"))[:2] == (404, "not_found")
    stored = b"".join(each.read_bytes() for each in settings.data_dir.rglob("*") if each.is_file())
    assert b"secret of mine" not in stored


def test_a_conversation_goes_on(client: TestClient) -> None:
    first = create(client)
    second = create(client, input="And the ball?", previous_interaction_id=first["id"])
    third = create(
        client, input=[image(picture(30, 20)), text("Or here?")], previous_interaction_id=second["id"]
    )
    assert said(second) == "Echo: 1 image (640x480), text: And the ball?"
    assert said(third) == "Echo: 2 images (640x480, 30x20), text: Or here?"
    assert third["previous_interaction_id"] == second["id"]
    prompts = [each["usage"]["total_input_tokens"] for each in (first, second, third)]
    assert prompts[0] < prompts[1] < prompts[2]


def test_it_costs_what_its_turns_cost_in_one_request(client: TestClient) -> None:
    first = create(client)
    second = create(client, input="And the ball?", previous_interaction_id=first["id"])
    steps = [
        {"type": "user_input", "content": QUESTION["input"]},
        {"type": "model_output", "content": [text(ANSWER)]},
        {"type": "user_input", "content": [text("And the ball?")]},
    ]
    at_once = create(client, input=steps)
    assert second["usage"] == at_once["usage"]
    assert said(second) == said(at_once)


def test_a_file_is_used_and_its_loss_is_named_in_a_later_turn(client: TestClient) -> None:
    uploaded = client.post(
        "/upload/v1beta/files", content=picture(50, 40), headers={"content-type": "image/png"}
    ).json()["file"]
    first = create(client, input=[{"type": "image", "uri": uploaded["uri"]}, text("hi")])
    assert said(first).startswith("Echo: 1 image (50x40)")
    client.delete(f"/v1beta/{uploaded['name']}")
    reply = client.post(HERE, json={"model": MODEL, "input": "And?", "previous_interaction_id": first["id"]})
    status, code, message = refusal(reply)
    assert (status, code) == (403, "permission_denied")
    assert f"{first['id']}.input[0]" in message


@pytest.mark.parametrize("streamed", [False, True])
def test_an_unknown_beginning_is_refused(client: TestClient, streamed: bool) -> None:
    body = {**QUESTION, "previous_interaction_id": "nope", "stream": streamed}
    status, code, message = refusal(client.post(HERE, json=body))
    assert (status, code) == (404, "not_found")
    assert "previous_interaction_id" in message


def test_a_deleted_one_is_gone_and_cannot_be_continued(client: TestClient) -> None:
    first = create(client)
    second = create(client, input="And?", previous_interaction_id=first["id"])
    deleted = client.delete(f"{HERE}/{first['id']}")
    assert (deleted.status_code, deleted.json()) == (200, {})
    for gone in (client.get(f"{HERE}/{first['id']}"), client.delete(f"{HERE}/{first['id']}")):
        assert refusal(gone)[:2] == (404, "not_found")
    assert client.get(f"{HERE}/{second['id']}").json() == second
    reply = client.post(HERE, json={**QUESTION, "previous_interaction_id": second["id"]})
    assert "deleted or has expired" in refusal(reply)[2]


def test_an_unknown_model_has_a_code_of_its_own(client: TestClient) -> None:
    assert refusal(client.post(HERE, json={**QUESTION, "model": "gpt"}))[:2] == (404, "model_not_found")


def test_there_is_nothing_to_cancel_and_nothing_to_stream_again(client: TestClient) -> None:
    made = create(client)["id"]
    assert refusal(client.post(f"{HERE}/{made}/cancel"))[:2] == (400, "failed_precondition")
    assert refusal(client.post(f"{HERE}/nope/cancel"))[:2] == (404, "not_found")
    assert refusal(client.get(f"{HERE}/{made}?stream=true"))[:2] == (400, "invalid_request")


def test_too_many_pictures_over_all_turns_are_refused(settings: Settings) -> None:
    few = settings.model_copy(update={"max_images": 2})
    with TestClient(create_app(few), base_url="http://localhost") as client:
        first = create(client)
        two = {"model": MODEL, "input": [PICTURE, PICTURE], "previous_interaction_id": first["id"]}
        status, _, message = refusal(client.post(HERE, json=two))
        assert (status, message.startswith("previous_interaction_id: 3 images")) == (400, True)


def test_a_conversation_larger_than_a_request_may_be_is_refused(settings: Settings) -> None:
    small = settings.model_copy(update={"max_request_bytes": 10_000})
    with TestClient(create_app(small), base_url="http://localhost") as client:
        previous = create(client, input="a" * 6000)["id"]
        body = {"model": MODEL, "input": "b" * 6000, "previous_interaction_id": previous}
        status, _, message = refusal(client.post(HERE, json=body))
        assert status == 400
        assert "Start a new one" in message


def test_keys_keep_callers_apart(settings: Settings) -> None:
    locked = settings.model_copy(update={"api_keys": ("ada", "bob")})
    with TestClient(create_app(locked), base_url="http://localhost") as client:
        ada, bob = {"x-goog-api-key": "ada"}, {"x-goog-api-key": "bob"}
        made = client.post(HERE, json=QUESTION, headers=ada).json()["id"]
        assert client.get(f"{HERE}/{made}", headers=ada).status_code == 200
        assert refusal(client.get(f"{HERE}/{made}", headers=bob))[:2] == (404, "not_found")
        assert refusal(client.delete(f"{HERE}/{made}", headers=bob))[:2] == (404, "not_found")
        body = {**QUESTION, "previous_interaction_id": made}
        assert refusal(client.post(HERE, json=body, headers=bob))[:2] == (404, "not_found")
        unknown = client.post(HERE, json=QUESTION)
        assert unknown.status_code == 403
        assert unknown.json()["error"]["status"] == "PERMISSION_DENIED"


def test_a_browser_of_another_site_may_send_what_the_sdk_sends(settings: Settings) -> None:
    locked = settings.model_copy(update={"api_keys": ("ada",)})
    with TestClient(create_app(locked), base_url="http://localhost") as client:
        asked = {"origin": "https://example.org", "access-control-request-method": "POST"}
        granted = client.options(HERE, headers=asked).headers["access-control-allow-headers"]
        assert {"api-revision", "x-goog-api-key", "content-type"} <= set(granted.split(", "))


VALID: list[Body] = [
    QUESTION,
    {"model": MODEL, "input": "hi", "store": True, "labels": {"a": "b"}},
    {
        "model": MODEL,
        "input": [
            {"type": "user_input", "content": [image(picture(24, 16)), text("What?")]},
            {"type": "model_output", "content": [text("A ball.")]},
            {"type": "user_input", "content": [text("Where?")]},
        ],
        "system_instruction": "Be brief.",
        "generation_config": {"temperature": 0.5, "seed": 7, "stop_sequences": ["x"]},
        "response_format": {
            "type": "text",
            "mime_type": "application/json",
            "schema": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        },
    },
]


@pytest.mark.slow
def test_bent_requests_are_answered_or_refused_in_shape(client: TestClient) -> None:
    maker = random.Random(20261128)
    refused = 0
    for number in range(300):
        reply = client.post(HERE, content=bent(maker, copy.deepcopy(VALID[number % len(VALID)])))
        if reply.status_code == 200:
            continue
        refused += 1
        refusal(reply)
    assert refused > 50
    assert said(create(client)) == ANSWER


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
_CONTENT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["text", "image", "document", "audio", "user_input", "model_output", "thought"]
        )
    },
    optional={"text": _JSON, "data": _JSON, "uri": _JSON, "mime_type": _JSON, "content": _JSON},
)


@hypothesis_settings(
    max_examples=examples(200),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(given_input=_JSON | _CONTENT | st.lists(_CONTENT | _JSON, max_size=3), form=_JSON)
def test_any_json_is_answered_or_refused_in_shape(client: TestClient, given_input: Any, form: Any) -> None:
    body = {"model": MODEL, "input": given_input, "response_format": form, "store": False}
    reply = client.post(HERE, content=json.dumps(body).encode())
    assert reply.status_code == 200 or refusal(reply)


@pytest.mark.parametrize("name", ["%00", "%ff%fe", "a" * 5000, "..%2f..%2fetc", "%F0%9F%90%88", "a%20b"])
def test_names_of_any_kind_are_not_found(client: TestClient, name: str) -> None:
    for reply in (client.get(f"{HERE}/{name}"), client.delete(f"{HERE}/{name}")):
        assert reply.status_code == 404


@pytest.mark.slow
def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """Killed right after each answer, plain or streamed; every one is there, and the talk goes on."""
    kept: list[Body] = []
    for streamed in (False, True, False):
        with forked(tmp_path) as (port, process), _client(port) as http:
            for each in kept:
                assert http.get(f"{HERE}/{each['id']}").json() == each
            previous = {"previous_interaction_id": kept[-1]["id"]} if kept else {}
            reply = http.post(HERE, json={**QUESTION, **previous, "stream": streamed})
            process.kill()
            kept.append(events(reply)[-1]["interaction"] if streamed else reply.json())
    images = [said(each).partition(" image")[0] for each in kept]
    assert images == ["Echo: 1", "Echo: 2", "Echo: 3"]
