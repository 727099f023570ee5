"""The endpoints of models, through HTTP."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import inline, picture

MODEL = "/v1beta/models/gemini-3-flash-preview"


def _ask(*parts: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [{"parts": list(parts)}], **more}


def _events(text: str) -> list[dict[str, Any]]:
    assert text.endswith(("\n\n", "\r\n\r\n"))
    events = text.replace("\r\n", "\n").removesuffix("\n\n").split("\n\n")
    assert all(event.startswith("data: ") and "\n" not in event for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def _text(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["candidates"][0]["content"].get("parts", []))


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_getting_an_unknown_model_says_what_google_says(client: TestClient, version: str) -> None:
    reply = client.get(f"/{version}/models/gpt-4")
    assert reply.status_code == 404
    assert reply.json()["error"]["message"] == (
        "models/gpt-4 is not found for API version v1beta, or is not supported for generateContent. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )


@pytest.mark.parametrize("version", ["v1", "v1alpha", "v1beta"])
def test_every_version_answers_alike(client: TestClient, version: str) -> None:
    reply = client.post(
        f"/{version}/models/gemini-3-flash-preview:generateContent",
        json=_ask(inline(picture(640, 480)), {"text": "Caption this image."}),
    )
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    message = reply.json()
    assert "640x480" in _text(message)
    assert message["candidates"][0]["finishReason"] == "STOP"
    assert message["candidates"][0]["content"]["role"] == "model"
    assert message["modelVersion"] == "echo"
    assert message["responseId"]
    usage = message["usageMetadata"]
    assert {item["modality"]: item["tokenCount"] for item in usage["promptTokensDetails"]} == {
        "IMAGE": 1032,
        "TEXT": 5,
    }
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]


@pytest.mark.parametrize(("width", "height", "tokens"), [(960, 540, 1548), (300, 300, 258), (384, 384, 258)])
def test_counted_tokens_are_the_guides_and_the_bills(
    client: TestClient, width: int, height: int, tokens: int
) -> None:
    body = _ask(inline(picture(width, height)), {"text": "What is it?"})
    counted = client.post(f"{MODEL}:countTokens", json=body).json()
    billed = client.post(f"{MODEL}:generateContent", json=body).json()["usageMetadata"]
    assert counted["totalTokens"] == billed["promptTokenCount"] == tokens + 3
    assert counted["promptTokensDetails"] == billed["promptTokensDetails"]


def test_a_media_resolution_costs_gemini_threes_budget(client: TestClient) -> None:
    image = inline(picture(960, 540))
    body = _ask(image, generationConfig={"mediaResolution": "MEDIA_RESOLUTION_LOW"})
    assert (
        client.post(f"{MODEL}:generateContent", json=body).json()["usageMetadata"]["promptTokenCount"] == 264
    )
    part = {**image, "media_resolution": {"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}}
    assert client.post(f"{MODEL}:countTokens", json=_ask(part)).json()["totalTokens"] == 2205
    part = {**image, "media_resolution": {"num_tokens": 333}}
    assert client.post(f"{MODEL}:countTokens", json=_ask(part)).json()["totalTokens"] == 333


def test_a_thinking_level_is_taken_under_each_of_its_names(client: TestClient) -> None:
    for level in ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH", "xhigh"):
        config = {"thinkingConfig": {"thinkingLevel": level}}
        reply = client.post(f"{MODEL}:generateContent", json=_ask({"text": "hi"}, generationConfig=config))
        assert reply.status_code == 200, reply.text
    asked = {"model": "echo", "input": "hi", "generation_config": {"thinking_level": "xhigh"}}
    assert client.post("/v1beta/interactions", json=asked).status_code == 200


def test_a_stream_is_bare_server_sent_events(client: TestClient) -> None:
    body = _ask(inline(picture(50, 40)), {"text": "one two\u2028three\u0085four"})
    whole = client.post(f"{MODEL}:generateContent", json=body).json()
    reply = client.post(f"{MODEL}:streamGenerateContent?alt=sse", json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert not {"\u2028", "\u2029", "\u0085"} & set(reply.text)
    events = _events(reply.text)
    assert len(events) > 2
    assert "".join(_text(event) for event in events) == _text(whole)
    assert [event["candidates"][0].get("finishReason") for event in events[:-1]] == [None] * (len(events) - 1)
    assert events[-1]["candidates"][0]["finishReason"] == "STOP"
    assert events[-1]["usageMetadata"] == whole["usageMetadata"]
    assert len({event["responseId"] for event in events}) == 1


def test_without_sse_a_stream_is_one_json_array(client: TestClient) -> None:
    reply = client.post(f"{MODEL}:streamGenerateContent", json=_ask({"text": "one two three"}))
    assert reply.headers["content-type"].startswith("application/json")
    messages = reply.json()
    assert len(messages) > 2
    assert messages[-1]["modelVersion"] == "echo"
    assert messages[-1]["usageMetadata"]["totalTokenCount"]


def test_errors_of_a_stream_have_the_streams_form(client: TestClient) -> None:
    url = "/v1beta/models/no-such-model:streamGenerateContent"
    array = client.post(url, json=_ask({"text": "hi"}))
    plain = client.post(f"{url}?alt=sse", json=_ask({"text": "hi"}))
    assert (array.status_code, plain.status_code) == (404, 404)
    assert array.json()[0]["error"] == plain.json()["error"]


def test_candidates_are_told_apart(client: TestClient) -> None:
    body = _ask({"text": "hi"}, generationConfig={"candidateCount": 3})
    whole = client.post(f"{MODEL}:generateContent", json=body).json()
    assert [candidate["index"] for candidate in whole["candidates"]] == [0, 1, 2]
    assert all(candidate["finishReason"] == "STOP" for candidate in whole["candidates"])


@pytest.mark.slow
def test_a_compressed_body_is_read_and_a_bomb_is_not(client: TestClient) -> None:
    body = gzip.compress(json.dumps(_ask({"text": "hi"})).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    assert client.post(f"{MODEL}:generateContent", content=body, headers=headers).status_code == 200
    bomb = gzip.compress(bytes(200_000_000), 9)
    refused = client.post(f"{MODEL}:generateContent", content=bomb, headers=headers)
    assert refused.status_code == 400
    assert "20 times its size" in refused.json()["error"]["message"]


def test_models_are_listed_with_the_default_first(client: TestClient) -> None:
    models = client.get("/v1beta/models").json()["models"]
    assert models[0]["name"] == "models/echo"
    assert {"models/echo", "models/vidi-lite"} <= {model["name"] for model in models}
    first = client.get("/v1beta/models?pageSize=1").json()
    assert len(first["models"]) == 1
    second = client.get(f"/v1beta/models?pageSize=1&pageToken={first['nextPageToken']}").json()
    assert second["models"][0] == models[1]
    assert client.get("/v1beta/models?pageToken=junk").status_code == 400
    assert client.get("/v1beta/models?pageSize=-1").status_code == 400


def test_a_model_is_described_under_the_name_that_was_asked(client: TestClient) -> None:
    model = client.get(MODEL).json()
    assert model["name"] == "models/gemini-3-flash-preview"
    assert set(model["supportedGenerationMethods"]) == {
        "generateContent",
        "streamGenerateContent",
        "countTokens",
    }
    assert isinstance(model["inputTokenLimit"], int)
    assert client.get("/v1beta/models/absent").json()["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{MODEL}:embedContent"),
        ("POST", MODEL),
        ("GET", f"{MODEL}:generateContent"),
        ("GET", "/nothing"),
        ("GET", "/v1beta/nothing"),
        ("DELETE", "/v1beta/models"),
        ("POST", "/v2/models/echo:generateContent"),
        ("POST", "/v1beta/tunedModels/x:generateContent"),
    ],
)
def test_what_is_not_there_is_a_404_in_googles_shape(client: TestClient, method: str, path: str) -> None:
    reply = client.request(method, path)
    assert reply.status_code == 404
    assert reply.json()["error"]["status"] == "NOT_FOUND"


@pytest.mark.slow
def test_a_deadline_of_the_client_is_kept(client: TestClient) -> None:
    body = _ask({"text": "echo words=100000 sleep=0.05"})
    reply = client.post(f"{MODEL}:generateContent", json=body, headers={"x-server-timeout": "1"})
    assert reply.status_code == 504
    assert reply.json()["error"]["status"] == "DEADLINE_EXCEEDED"


@pytest.mark.slow
def test_a_deadline_in_mid_stream_is_a_bare_error_line(client: TestClient) -> None:
    body = _ask({"text": "echo words=100000 sleep=0.05"})
    # A busy machine may not have begun when the time is over; then it gets more.
    for seconds in ("1", "8", "64"):
        reply = client.post(
            f"{MODEL}:streamGenerateContent?alt=sse", json=body, headers={"x-server-timeout": seconds}
        )
        if reply.status_code == 200:
            break
    assert reply.status_code == 200
    last = reply.text.replace("\r\n", "\n").rstrip("\n").split("\n\n")[-1]
    assert last.startswith('{"error":')
    assert json.loads(last)["error"]["code"] == 504


NUMBER = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "minimum": 2}}, "required": ["n"]}
TOOLS: dict[str, Any] = {
    "tools": [{"functionDeclarations": [{"name": "look", "parameters": NUMBER}, {"name": "wait"}]}]
}


def _calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    parts = message["candidates"][0]["content"]["parts"]
    return [part["functionCall"] for part in parts if "functionCall" in part]


def _mode(mode: str, *allowed: str) -> dict[str, Any]:
    names = {"allowedFunctionNames": list(allowed)} if allowed else {}
    return {**TOOLS, "toolConfig": {"functionCallingConfig": {"mode": mode, **names}}}


@pytest.mark.parametrize(
    ("text", "more", "called"),
    [
        ('call=look {"n": 5} call=wait', TOOLS, [("look", {"n": 5}), ("wait", {})]),
        ("hi", TOOLS, []),
        ("hi", _mode("ANY"), [("look", {"n": 2})]),
        ("hi", _mode("ANY", "wait"), [("wait", {})]),
        ("call=look", _mode("VALIDATED", "wait"), []),
        ("call=look", _mode("NONE"), []),
    ],
)
def test_functions_are_called_whole_and_streamed_alike(
    client: TestClient, text: str, more: dict[str, Any], called: list[tuple[str, object]]
) -> None:
    body = _ask({"text": text}, **more)
    whole = client.post(f"{MODEL}:generateContent", json=body).json()
    events = _events(client.post(f"{MODEL}:streamGenerateContent?alt=sse", json=body).text)
    for calls in (_calls(whole), [call for event in events for call in _calls(event)]):
        assert [(call["name"], call["args"]) for call in calls] == called
        assert len({call["id"] for call in calls}) == len(called)
    for last in (whole, events[-1]):
        assert last["candidates"][0]["finishReason"] == "STOP"
        assert last["usageMetadata"] == whole["usageMetadata"]
    assert bool(_text_parts(whole)) is not bool(called)
    counted = client.post(f"{MODEL}:countTokens", json={"generateContentRequest": {"model": "x", **body}})
    assert counted.json()["totalTokens"] == whole["usageMetadata"]["promptTokenCount"]


def _text_parts(message: dict[str, Any]) -> list[str]:
    return [part["text"] for part in message["candidates"][0]["content"]["parts"] if part.get("text")]


def test_what_a_function_gave_goes_back_with_its_pictures(client: TestClient) -> None:
    first = client.post(f"{MODEL}:generateContent", json=_ask({"text": "call=wait"}, **TOOLS)).json()
    (call,) = _calls(first)
    response = {
        "id": call["id"],
        "name": "wait",
        "response": {"ok": True},
        "parts": [inline(picture(64, 48))],
    }
    turns = [
        {"parts": [{"text": "call=wait"}]},
        first["candidates"][0]["content"],
        {"role": "user", "parts": [{"functionResponse": response}]},
    ]
    second = client.post(f"{MODEL}:generateContent", json={"contents": turns, **TOOLS}).json()
    assert _text(second) == 'Echo: 1 image (64x48), text: wait gave {"ok": true}'
    details = second["usageMetadata"]["promptTokensDetails"]
    assert {"modality": "IMAGE", "tokenCount": 258} in details


def test_each_candidate_calls_with_an_id_of_its_own(client: TestClient) -> None:
    body = _ask({"text": "hi"}, generationConfig={"candidateCount": 2}, **_mode("ANY"))
    candidates = client.post(f"{MODEL}:generateContent", json=body).json()["candidates"]
    calls = [each["content"]["parts"][0]["functionCall"] for each in candidates]
    assert [call["name"] for call in calls] == ["look", "look"]
    assert calls[0]["id"] != calls[1]["id"]


def test_a_function_whose_arguments_cannot_be_made_is_refused_by_name(client: TestClient) -> None:
    never = {"type": "OBJECT", "properties": {"n": {"type": "STRING", "pattern": "^[^a]$", "minLength": 9}}}
    never["required"] = ["n"]
    tools = [{"functionDeclarations": [{"name": "f", "parameters": never}]}]
    config = {"functionCallingConfig": {"mode": "ANY"}}
    body = {**_ask({"text": "hi"}, toolConfig=config), "tools": tools}
    refused = client.post(f"{MODEL}:generateContent", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["fieldViolations"][0]["field"] == "tools"
