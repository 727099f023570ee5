"""Every way to ask wrongly that a caller has: refused in Google's shape; the next request works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import inline, picture
from tests.http.live import Live, live
from tests.http.refusal import refusal
from tests.images import hostile
from tests.waiting import HANG_SECONDS

LIMIT = 20_000_000
MODEL = "/v1beta/models/gemini-3-flash-preview"
GENERATE = f"{MODEL}:generateContent"
PART = "contents[0].parts[1].inline_data"
TYPES = "type.googleapis.com/google.ai.generativelanguage.v1beta."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    flags = ("--max-request-bytes", str(LIMIT))
    with live(tmp_path_factory.mktemp("bad"), *flags, VIDI_DECODERS="2") as started:
        yield started


@pytest.fixture(scope="module")
def wire(server: Live) -> Iterator[httpx2.Client]:
    """One connection, kept alive: an error that breaks it is noticed."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=HANG_SECONDS) as client:
        yield client


@pytest.fixture(autouse=True)
def next_request_works(wire: httpx2.Client) -> Iterator[None]:
    """After each test, whatever it asked."""
    yield
    _assert_good(wire)


def _assert_good(wire: httpx2.Client) -> None:
    reply = wire.post(GENERATE, json=_ask({"text": "Still there?"}, inline(picture(32, 24))))
    assert reply.status_code == 200
    assert "Echo: 1 image (32x24), text: Still there?" in reply.text


def _ask(*parts: object, **more: object) -> dict[str, object]:
    return {"contents": [{"parts": list(parts)}], **more}


def _configured(**config: object) -> dict[str, object]:
    return _ask({"text": "hi"}, generationConfig=config)


GOOD = inline(picture(16, 16))
HI = {"text": "hi"}

REFUSED: dict[str, tuple[object, str]] = {
    "no contents": ({}, "* GenerateContentRequest.contents: contents is not specified\n"),
    "contents without any": (
        {"contents": []},
        "* GenerateContentRequest.contents: contents is not specified\n",
    ),
    "content without parts": ({"contents": [{"role": "user"}]}, "GenerateContentRequest.contents[0].parts:"),
    "empty part": (
        _ask({}),
        "* GenerateContentRequest.contents[0].parts[0].data: required oneof field 'data' must have one "
        "initialized field\n",
    ),
    "empty text": (
        _ask(GOOD, {"text": ""}),
        "* GenerateContentRequest.contents[0].parts[1].data: required oneof field 'data' must have one "
        "initialized field\n",
    ),
    "unknown field": (
        _configured(thinkingBudge=1),
        "Invalid JSON payload received. Unknown name \"thinkingBudge\" at 'generation_config': "
        "Cannot find field.",
    ),
    "unknown field of the request": (
        _ask(HI, model_name="x"),
        'Invalid JSON payload received. Unknown name "model_name": Cannot find field.',
    ),
    "unknown field of a part": (
        _ask(HI, {"image": "x"}),
        "Invalid JSON payload received. Unknown name \"image\" at 'contents[0].parts[1]': Cannot find field.",
    ),
    "wrong type": (
        _configured(temperature="hot"),
        "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\"",
    ),
    "fraction for a whole number": (
        _configured(topK=1.5),
        "Invalid value at 'generation_config.top_k' (TYPE_INT32), 1.5",
    ),
    "wrong enum": (
        _configured(thinkingConfig={"thinkingLevel": "ULTRA"}),
        f"Invalid value at 'generation_config.thinking_config.thinking_level' "
        f'({TYPES}ThinkingConfig.ThinkingLevel), "ULTRA"',
    ),
    "list for a value": (
        _ask({"text": ["hi"]}),
        "Invalid JSON payload received. Unknown name \"text\" at 'contents[0].parts[0]': "
        "Proto field is not repeating, cannot start list.",
    ),
    "object for a value": (
        _ask({"text": {"hi": 1}}),
        "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), Starting an object on a scalar field",
    ),
    "number for a message": (_ask(5), "contents[0].parts[0]"),
    "two data members": (
        _ask({**HI, **GOOD}),
        "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. "
        "Cannot set 'inlineData'",
    ),
    "bad base64": (
        _ask(HI, {"inlineData": {"mimeType": "image/png", "data": "iVBOR!"}}),
        f"Invalid value at '{PART}.data' (TYPE_BYTES), Base64 decoding failed for \"iVBOR!\"",
    ),
    "type that is no picture's": (
        _ask(HI, inline(b"GIF89a", "image/gif")),
        "Unsupported MIME type: image/gif",
    ),
    "bare type": (_ask(HI, inline(picture(9, 9), "png")), "Unsupported MIME type: png"),
    "sound": (_ask(HI, inline(b"ID3", "audio/mp3")), "Unsupported MIME type: audio/mp3"),
    "film": (_ask(HI, inline(b"....", "video/mp4")), "Unsupported MIME type: video/mp4"),
    "no bytes": (_ask(HI, inline(b"")), f"Unable to process input image. The picture at {PART} "),
    "no data": (_ask(HI, {"inlineData": {"mimeType": "image/png"}}), PART),
    "truncated": (
        _ask(HI, inline(picture(64, 48, "JPEG")[:400], "image/jpeg")),
        f"Unable to process input image. The picture at {PART} ",
    ),
    "wrong role": (
        {"contents": [{"role": "system", "parts": [HI]}]},
        "Please use a valid role: user, model.",
    ),
    "answer of no tokens": (
        _configured(maxOutputTokens=0),
        "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.\n",
    ),
    "unknown form of answer": (
        _configured(responseMimeType="text/html"),
        "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, "
        "`application/json`, `application/xml`, `application/yaml` and `text/x.enum`.\n",
    ),
    "schema without JSON": (
        _configured(responseSchema={"type": "STRING"}),
        "generation_config.response_schema",
    ),
    "two budgets of thought": (
        _configured(thinkingConfig={"thinkingBudget": 1, "thinkingLevel": "LOW"}),
        "You can only set only one of thinking budget and thinking level.",
    ),
    "tools": (_ask(HI, tools=[{"googleSearch": {}}]), "* GenerateContentRequest.tools[0].google_search: "),
    "cached content": (
        _ask(HI, cachedContent="cachedContents/x"),
        "* GenerateContentRequest.cached_content: ",
    ),
    "call of a function": (
        _ask({"functionCall": {"name": "f"}}),
        "* GenerateContentRequest.contents[0].parts[0].function_call: ",
    ),
    "picture as an instruction": (
        _ask(HI, systemInstruction={"parts": [GOOD]}),
        "* GenerateContentRequest.system_instruction.parts[0]: ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_request_is_refused_in_googles_words(wire: httpx2.Client, case: str) -> None:
    body, says = REFUSED[case]
    refused = refusal(wire.post(GENERATE, json=body))
    assert refused.code == 400
    assert says in refused.message


def test_every_fault_has_its_line(wire: httpx2.Client) -> None:
    body = {"contents": [], "generationConfig": {"maxOutputTokens": -1, "candidateCount": 99}}
    lines = refusal(wire.post(GENERATE, json=body)).message.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("* GenerateContentRequest.") for line in lines)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"contents": [{"parts": [{"text": "hi"}]}]', "Expected , or } after key:value pair."),
        (b'{"contents": [{"parts": [{"text": "hi"}}]}', "Expected , or ] after array value."),
        (b'{"contents" [}', "Expected : between key:value pair."),
        (b'{"contents": /* all */ []}', "Invalid JSON payload received."),
        (b'{"contents": NaN}', "Unexpected token."),
        (b'{"contents": "', "Closing quote expected in string."),
        (b"{} {}", "Parsing terminated before end of input."),
        (b"--boundary\r\ncontent-disposition: form-data", "Invalid JSON payload received."),
        (b"\xff\xfe{\0}\0", "Invalid JSON payload received."),
        (b'{"contents": "\xff"}', "Invalid JSON payload received."),
        (b"[1]", 'Invalid JSON payload received. Unknown name "": Root element must be a message.'),
        (b'"hi"', 'Invalid JSON payload received. Unknown name "": Root element must be a message.'),
        (b"", "contents is not specified"),
    ],
)
def test_broken_json_is_refused_with_the_place(wire: httpx2.Client, body: bytes, says: str) -> None:
    refused = refusal(wire.post(GENERATE, content=body))
    assert refused.code == 400
    assert says in refused.message


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "/v1beta/models/gpt-4:generateContent",
            "models/gpt-4 is not found for API version v1beta, or is not supported for generateContent. "
            "Call ModelService.ListModels to see the list of available models and their supported methods.",
        ),
        (
            "/v1/models/gpt-4:countTokens",
            "models/gpt-4 is not found for API version v1, or is not supported for countTokens.",
        ),
        (
            "/v1alpha/models/gpt-4:streamGenerateContent?alt=sse",
            "models/gpt-4 is not found for API version v1alpha, or is not supported for "
            "streamGenerateContent.",
        ),
        (f"{MODEL}:embedContent", "embedContent is not served by Vidi"),
        (MODEL, "gemini-3-flash-preview"),
        ("/v1beta/models/gemini-%00:generateContent", "is not found"),
        ("/v1beta/models/..%2f..%2fetc%2fpasswd:generateContent", "is not found"),
        (f"/v1beta/models/{'x' * 5000}:generateContent", "is not found"),
        ("/v1beta/nothing:here", "There is no POST"),
    ],
)
def test_what_is_not_there_is_not_found(wire: httpx2.Client, path: str, says: str) -> None:
    refused = refusal(wire.post(path, json=_ask(HI)))
    assert (refused.code, refused.status) == (404, "NOT_FOUND")
    assert says in refused.message
    assert len(refused.message) < 1000


@pytest.mark.parametrize("case", [*hostile.broken_headers(), *hostile.over_limits()])
def test_a_hostile_header_is_refused_before_decoding(wire: httpx2.Client, case: str) -> None:
    data = {**hostile.broken_headers(), **hostile.over_limits()}[case]
    for method in ("generateContent", "countTokens"):
        _assert_part_refused(wire, method, data)


@pytest.mark.parametrize("case", hostile.broken_data())
def test_hostile_data_are_refused_by_the_decoder(wire: httpx2.Client, case: str) -> None:
    _assert_part_refused(wire, "generateContent", hostile.broken_data()[case])
    counted = wire.post(f"{MODEL}:countTokens", json=_ask(HI, inline(hostile.broken_data()[case])))
    assert counted.status_code == 200


@pytest.mark.parametrize("name", hostile.foreign())
@pytest.mark.parametrize("label", ["image/png", "image/jpeg"])
def test_a_foreign_file_is_known_for_what_it_is(wire: httpx2.Client, name: str, label: str) -> None:
    message = _assert_part_refused(wire, "generateContent", hostile.foreign()[name], label)
    assert name in message
    assert "PNG, JPEG, WEBP, HEIC, HEIF" in message


def _assert_part_refused(wire: httpx2.Client, method: str, data: bytes, label: str = "image/jpeg") -> str:
    refused = refusal(wire.post(f"{MODEL}:{method}", json=_ask(HI, inline(data, label))))
    assert refused.code == 400
    assert PART in refused.message
    return refused.message


def test_the_broken_one_among_good_ones_is_named(wire: httpx2.Client) -> None:
    broken = inline(hostile.broken_data()["jpeg: half"], "image/jpeg")
    body = {
        "contents": [
            {"role": "user", "parts": [GOOD, HI]},
            {"role": "model", "parts": [HI]},
            {"role": "user", "parts": [HI, GOOD, GOOD, broken, GOOD]},
        ]
    }
    assert "contents[2].parts[3].inline_data" in refusal(wire.post(GENERATE, json=body)).message


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("label", ["image/png", "image/jpeg", "image/heic", "image/jpg", "IMAGE/PNG; q=1"])
def test_a_wrong_label_on_a_good_picture_does_no_harm(wire: httpx2.Client, kind: str, label: str) -> None:
    reply = wire.post(GENERATE, json=_ask(inline(picture(20, 10, kind), label)))
    assert "20x10" in reply.text


def test_pictures_up_to_the_limit_are_taken_and_one_more_is_not(wire: httpx2.Client) -> None:
    tiny = inline(picture(4, 4))
    full = _ask(*[tiny] * 3600, HI)
    counted = wire.post(f"{MODEL}:countTokens", json=full)
    assert counted.json()["totalTokens"] == 3600 * 258 + 1
    assert "Echo: 3600 images (3600 of 4x4), text: hi" in wire.post(GENERATE, json=full).text
    for method in ("generateContent", "countTokens"):
        refused = refusal(wire.post(f"{MODEL}:{method}", json=_ask(*[tiny] * 3601, HI)))
        assert refused.code == 400
        assert refused.message == (
            "Please use fewer than 3600 images in your request to models/gemini-3-flash-preview"
        )


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused(wire: httpx2.Client, declared: bool) -> None:
    body = json.dumps(_ask({"text": "x" * LIMIT})).encode()
    content: Any = body if declared else (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    refused = refusal(wire.post(GENERATE, content=content))
    assert (refused.code, refused.status) == (400, "INVALID_ARGUMENT")
    assert refused.message == f"Request payload size exceeds the limit: {LIMIT} bytes."


@pytest.mark.parametrize(
    ("encoding", "body"), [("gzip", b"not gzip"), ("gzip", b"\x1f\x8b\x08"), ("br", b"{}"), ("zstd", b"{}")]
)
def test_a_compression_that_is_not_read_is_refused(wire: httpx2.Client, encoding: str, body: bytes) -> None:
    refused = refusal(wire.post(GENERATE, content=body, headers={"content-encoding": encoding}))
    assert refused.code == 400


@dataclass(frozen=True, slots=True)
class Npm:
    """How a machine cannot fetch weights."""

    script: str
    advice: str


@pytest.mark.parametrize(
    "npm",
    [Npm("", "Install Node.js with npm"), Npm("#!/bin/sh\nexit 1\n", "Check the network")],
    ids=["no npm", "no network"],
)
@pytest.mark.slow
def test_without_weights_a_model_is_unavailable_and_others_answer(tmp_path: Path, npm: Npm) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    if npm.script:
        (tools / "npm").write_text(npm.script)
        (tools / "npm").chmod(0o755)
    with (
        live(tmp_path, PATH=str(tools)) as server,
        httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=HANG_SECONDS) as wire,
    ):
        for _ in range(2):
            refused = refusal(wire.post("/v1beta/models/vidi-lite:generateContent", json=_ask(HI)))
            assert (refused.code, refused.status) == (503, "UNAVAILABLE")
            assert npm.advice in refused.message
            assert "vidi pull vidi-lite --from" in refused.message
            _assert_good(wire)
