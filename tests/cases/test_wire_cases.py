"""What people reported of servers like this one, case by case: requests that have to be read and answered.

Each is rebuilt with an input of our own. The numbers go on in `test_answer_cases.py`, where the answers of
`vidi-lite` are looked at.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.conftest import inline, picture
from tests.images.drawn import DATA as HEICS
from vidi.app import create_app
from vidi.settings import Settings

MODELS = "/v1beta/models"
CALL = f"{MODELS}/gemini-2.5-flash:generateContent"
UPLOAD = "/upload/v1beta/files"


def _ask(client: TestClient, *parts: Any, path: str = CALL, **fields: Any) -> Any:
    return client.post(path, json={"contents": [{"role": "user", "parts": list(parts)}], **fields})


def _text(reply: Any) -> str:
    assert reply.status_code == 200, reply.text
    return "".join(part["text"] for part in reply.json()["candidates"][0]["content"]["parts"])


def _refusal(reply: Any) -> str:
    assert reply.status_code == 400, reply.text
    return str(reply.json()["error"]["message"])


def test_01_clients_in_their_vertex_mode(client: TestClient) -> None:
    for version in ("v1", "v1beta1"):
        path = f"/{version}/publishers/google/models/gemini-2.5-flash:generateContent"
        assert "64x48" in _text(_ask(client, inline(picture(64, 48)), path=path))


def test_04_web_pages_of_the_same_machine(client: TestClient) -> None:
    asked = {
        "origin": "http://localhost:5173",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-goog-api-key",
    }
    preflight = client.options(CALL, headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, asked["origin"])


def _one_request(client: TestClient) -> Any:
    data = picture(64, 48, "JPEG")
    headers = {
        "x-goog-upload-command": "start, upload, finalize",
        "x-goog-upload-header-content-length": str(len(data)),
        "x-goog-upload-header-content-type": "image/jpeg",
        "content-type": "application/json",
    }
    return client.post(f"{UPLOAD}?key=any", content=data, headers=headers)


def test_10_an_upload_in_one_request(client: TestClient) -> None:
    reply = _one_request(client)
    assert reply.status_code == 200
    assert reply.headers["x-goog-upload-status"] == "final"
    file = reply.json()["file"]
    assert (file["mimeType"], file["state"]) == ("image/jpeg", "ACTIVE")
    assert "64x48" in _text(_ask(client, {"fileData": {"fileUri": file["uri"]}}))


def test_11_finalize_with_bytes(client: TestClient) -> None:
    data = picture(64, 48, "JPEG")
    begun = client.post(UPLOAD, headers={"x-goog-upload-command": "start"})
    url = begun.headers["x-goog-upload-url"]
    lost = client.post(url, content=data, headers={"x-goog-upload-command": "finalize"})
    assert "upload, finalize" in _refusal(lost)
    assert lost.headers["x-goog-upload-status"] == "active"
    again = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    assert client.post(url, content=data, headers=again).json()["file"]["sizeBytes"] == str(len(data))


def test_12_the_version_twice_or_not_at_all(client: TestClient) -> None:
    for path in (f"/v1beta{CALL}", CALL.removeprefix("/v1beta")):
        assert _text(_ask(client, {"text": "hi"}, path=path))


def test_13_a_data_url_before_the_base64(client: TestClient) -> None:
    data = "data:image/png;base64," + base64.b64encode(picture(64, 48)).decode()
    assert "64x48" in _text(_ask(client, {"inlineData": {"mimeType": "image/png", "data": data}}))


def test_14_a_picture_that_is_too_large_names_the_setting(tmp_path: Path) -> None:
    settings = Settings(model="echo", data_dir=tmp_path, cache_dir=tmp_path, max_image_pixels=1000)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        assert "VIDI_MAX_IMAGE_PIXELS" in _refusal(_ask(client, inline(picture(64, 48))))


@pytest.mark.slow
def test_14_a_panorama_is_scaled_while_it_is_read(client: TestClient) -> None:
    """A JPEG is decoded at an eighth of its size; one in several scans would be in memory whole."""
    sheet = Image.new("L", (20_992, 10_496), 128)
    for options, asked in (({}, _text), ({"progressive": True}, _refusal)):
        file = io.BytesIO()
        sheet.save(file, "JPEG", **options)
        said = asked(_ask(client, inline(file.getvalue(), "image/jpeg")))
        assert ("20992x10496" if asked is _text else "Save it as a baseline JPEG") in said


def test_15_the_hosts_name_in_a_container(client: TestClient, tmp_path: Path) -> None:
    name = {"host": "host.docker.internal:8484"}
    refused = client.get(MODELS, headers=name)
    assert refused.status_code == 403
    assert "VIDI_ALLOWED_HOSTS" in refused.json()["error"]["message"]
    settings = Settings(
        model="echo", data_dir=tmp_path, cache_dir=tmp_path, allowed_hosts=("host.docker.internal",)
    )
    with TestClient(create_app(settings), base_url="http://localhost") as allowing:
        assert allowing.get(MODELS, headers=name).status_code == 200


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_16_which_picture_has_the_wrong_type(client: TestClient, kind: str) -> None:
    data = picture(64, 48, kind)
    for label in (f"image/{kind.lower()}", "image/png"):
        said = _refusal(_ask(client, inline(picture(8, 8)), inline(data, label)))
        assert "contents[0].parts[1].inline_data" in said
        assert "Convert" in said and "webp" in said.lower()


def test_17_a_field_in_both_spellings(client: TestClient) -> None:
    turn = {"parts": [{"text": "Be brief."}]}
    both: dict[str, Any] = {"systemInstruction": turn, "system_instruction": turn}
    said = _refusal(_ask(client, {"text": "hi"}, **both))
    assert "oneof field '_system_instruction' is already set" in said
    for name in both:
        assert _text(_ask(client, {"text": "hi"}, **dict[str, Any]({name: turn})))


def test_19_no_event_is_longer_than_16_kilobytes(client: TestClient) -> None:
    body = {"contents": [{"parts": [{"text": "é\u2028\u0001" * 40_000}]}]}
    whole = _text(client.post(CALL, json=body))
    path = CALL.replace(":generate", ":streamGenerate") + "?alt=sse"
    events = client.post(path, json=body).content.split(b"\r\n\r\n")
    assert max(map(len, events)) < 16_000
    messages = [json.loads(event.removeprefix(b"data: ")) for event in events if event]
    parts = [message["candidates"][0]["content"]["parts"] for message in messages]
    assert "".join(part[0]["text"] for part in parts if part) == whole
    assert [message["candidates"][0].get("finishReason") for message in messages][-2:] == [None, "STOP"]
    assert parts[-1][0]["text"], "the last text comes with the finish"


def test_20_a_slash_at_the_end_and_gemmas_names(client: TestClient) -> None:
    assert _text(_ask(client, {"text": "hi"}, path=f"{CALL}/"))
    assert client.get(f"{MODELS}/gemma-3-27b-it").status_code == 200
    assert client.get(f"{MODELS}/gemini-2.5-flash-image").status_code == 404


def test_21_a_picture_by_its_https_address_is_fetched_or_told_why_not(client: TestClient) -> None:
    said = _refusal(_ask(client, {"fileData": {"fileUri": "https://127.0.0.1/cat.png"}}))
    assert (
        "contents[0].parts[0].file_data cannot be fetched" in said
    )  # what is fetched: tests/images/test_fetch.py


def test_22_a_picture_as_a_tools_answer_and_tools_at_all(client: TestClient) -> None:
    shape = {"type": "OBJECT", "properties": {"at": {"type": "INTEGER"}}, "required": ["at"]}
    tools = [{"functionDeclarations": [{"name": "look", "parameters": shape}]}]
    asked = {"role": "user", "parts": [{"text": 'call=look {"at": 7}'}]}
    reply = client.post(CALL, json={"contents": [asked], "tools": tools}).json()
    called = reply["candidates"][0]["content"]
    call = called["parts"][0]["functionCall"]
    assert (call["name"], call["args"]) == ("look", {"at": 7})
    gave = {"id": call["id"], "name": "look", "response": {"seen": 7}, "parts": [inline(picture(64, 48))]}
    turns = [asked, called, {"role": "user", "parts": [{"functionResponse": gave}]}]
    said = _text(client.post(CALL, json={"contents": turns, "tools": tools}))
    assert "1 image (64x48)" in said and 'gave {"seen":' in said
    none = {"functionCallingConfig": {"mode": "NONE"}}
    assert _text(client.post(CALL, json={"contents": [asked], "tools": tools, "toolConfig": none}))
    must = {"functionCallingConfig": {"mode": "ANY"}}
    body = {"contents": [{"parts": [{"text": "hi"}]}], "tools": tools, "toolConfig": must}
    forced = client.post(CALL, json=body).json()["candidates"][0]["content"]["parts"]
    assert [part["functionCall"]["name"] for part in forced] == ["look"]
    never = {"parts": [{"functionResponse": {**gave, "id": "other"}}]}
    assert "never made" in _refusal(client.post(CALL, json={"contents": [asked, never], "tools": tools}))


def test_23_a_heic_with_another_label(client: TestClient) -> None:
    assert "96x64" in _text(_ask(client, inline((HEICS / "plain.heic").read_bytes(), "image/png")))


def test_24_base64_of_base64(client: TestClient) -> None:
    twice = base64.b64encode(base64.b64encode(picture(64, 48, "JPEG"))).decode()
    said = _refusal(_ask(client, {"inlineData": {"mimeType": "image/jpeg", "data": twice}}))
    assert "base64 twice" in said


def test_27_names_beyond_ascii(client: TestClient) -> None:
    begun = client.post(
        UPLOAD, json={"file": {"displayName": "Фото 写真.png"}}, headers={"x-goog-upload-command": "start"}
    )
    sent = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    done = client.post(begun.headers["x-goog-upload-url"], content=picture(8, 8), headers=sent)
    assert done.json()["file"]["displayName"] == "Фото 写真.png"


def test_28_specks_and_slivers(client: TestClient) -> None:
    for size in ((1, 1), (26, 28), (332, 27)):
        sheet = io.BytesIO()
        Image.new("RGB", size, "teal").save(sheet, "PNG")
        assert f"{size[0]}x{size[1]}" in _text(_ask(client, inline(sheet.getvalue())))


def test_29_a_form_with_the_file_alone_is_told_which_form_is_wanted(client: TestClient) -> None:
    reply = client.post(
        f"{UPLOAD}?uploadType=multipart", files={"file": ("a.png", picture(8, 8), "image/png")}
    )
    assert "multipart/related" in _refusal(reply)


def test_30_a_system_prompt_as_a_turn(client: TestClient) -> None:
    body = {"contents": [{"role": "system", "parts": [{"text": "Be brief."}]}]}
    assert _refusal(client.post(CALL, json=body)) == "Please use a valid role: user, model."
