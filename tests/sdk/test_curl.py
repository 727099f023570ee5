"""The guide's shell samples, run by a real shell and a real curl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import inline, picture
from tests.http.live import Live, live
from tests.waiting import HANG_SECONDS

TOOLS = ("bash", "curl", "base64", "gzip")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

URL = '"$BASE/v1beta/models/gemini-3-flash-preview:generateContent"'
HEAD = """-H "x-goog-api-key: $GEMINI_API_KEY" -H 'Content-Type: application/json'"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a picture in it."""
    (tmp_path / "image.jpg").write_bytes(picture(320, 240, "JPEG"))
    return tmp_path


def _shell(script: str, folder: Path, server: Live) -> str:
    """What a script prints; it must end well."""
    variables = os.environ | {"BASE": f"http://127.0.0.1:{server.port}", "GEMINI_API_KEY": "any"}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _text(answer: str) -> str:
    """What an answer says; it must be a good one."""
    message = json.loads(answer)
    assert "error" not in message, message
    return _said(message)


def _said(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["candidates"][0]["content"].get("parts", []))


def test_a_local_file_goes_inline(echo_server: Live, folder: Path) -> None:
    """The request of the guide's first sample: a comma too many, snake_case, one line of base64."""
    script = f"""
    IMG_PATH=image.jpg
    if [[ "$(base64 --version 2>&1)" = *"FreeBSD"* ]]; then FLAGS="--input"; else FLAGS="-w0"; fi
    curl {URL} {HEAD} -X POST -d '{{
        "contents": [{{
        "parts":[
            {{
                "inline_data": {{
                "mime_type":"image/jpeg",
                "data": "'"$(base64 $FLAGS $IMG_PATH)"'"
                }}
            }},
            {{"text": "Caption this image."}},
        ]
        }}]
    }}' 2> /dev/null
    """
    assert _text(_shell(script, folder, echo_server)) == "Echo: 1 image (320x240), text: Caption this image."


def test_a_downloaded_picture_goes_inline_under_whatever_label(echo_server: Live, folder: Path) -> None:
    """The second sample: the label comes from a header that may be missing, and then is a guess."""
    (folder / "image.png").write_bytes(picture(64, 48))
    script = f"""
    IMG_URL="file://$PWD/image.png"
    MIME=$(curl -sIL "$IMG_URL" | grep -i '^content-type:' | cut -d' ' -f2 | tr -d '\\r' || true)
    if [[ -z "$MIME" || ! "$MIME" == image/* ]]; then MIME="image/jpeg"; fi
    IMAGE_B64=$(curl -sL "$IMG_URL" | base64 -w0)
    curl {URL} {HEAD} -X POST -d '{{
        "contents": [{{"parts":[
            {{"inline_data": {{"mime_type":"'"$MIME"'", "data": "'"$IMAGE_B64"'"}}}},
            {{"text": "Caption this image."}}
        ]}}]
    }}' 2> /dev/null
    """
    assert _text(_shell(script, folder, echo_server)) == "Echo: 1 image (64x48), text: Caption this image."


def test_several_pictures_and_texts_keep_their_order(echo_server: Live, folder: Path) -> None:
    (folder / "second.png").write_bytes(picture(50, 40))
    script = f"""
    curl -s {URL} {HEAD} -d '{{"contents": [{{"parts":[
        {{"text": "What is different?"}},
        {{"inline_data": {{"mime_type":"image/jpeg", "data": "'"$(base64 -w0 image.jpg)"'"}}}},
        {{"inline_data": {{"mime_type":"image/png", "data": "'"$(base64 -w0 second.png)"'"}}}}
    ]}}]}}'
    """
    expected = "Echo: 2 images (320x240, 50x40), text: What is different?"
    assert _text(_shell(script, folder, echo_server)) == expected


SLOPPY = {
    "one object for a list": """{"system_instruction": {"parts": {"text": "You are Neko."}},
        "contents": {"role": "user", "parts": {"text": "hi"}}}""",
    "bare keys, numbers for enums": """{safetySettings: [{category: 7, threshold: 4}],
        contents: [{parts: [{text: "hi"}]}]}""",
    "commas too many": """{"contents": [{"parts": [{"text": "hi"},],},],
        "generationConfig": {"response_mime_type": "text/plain",}, }""",
    "text for numbers, lower-case enums": """{"contents": [{"parts": [{"text": "hi"}]}],
        "generation_config": {"topK": "40", "media_resolution": "media_resolution_low"}}""",
}


@pytest.mark.parametrize("sloppy", SLOPPY)
def test_sloppy_json_of_the_samples_is_read(echo_server: Live, folder: Path, sloppy: str) -> None:
    (folder / "body.json").write_text(SLOPPY[sloppy])
    script = f"curl -s {URL} {HEAD} -d @body.json"
    assert _text(_shell(script, folder, echo_server)) == "Echo: 0 images, text: hi"


def test_single_quotes_are_read(echo_server: Live, folder: Path) -> None:
    script = f"""curl -s {URL} {HEAD} -d "{{'contents': [{{'parts': [{{'text': 'hi'}}]}}]}}" """
    assert _text(_shell(script, folder, echo_server)) == "Echo: 0 images, text: hi"


def test_a_body_without_a_content_type_is_read_as_json(echo_server: Live, folder: Path) -> None:
    script = f"""curl -s {URL} -d '{{"contents": [{{"parts": [{{"text": "hi"}}]}}]}}' """
    assert _text(_shell(script, folder, echo_server)) == "Echo: 0 images, text: hi"


def test_a_large_body_waits_for_the_servers_word(echo_server: Live, folder: Path) -> None:
    """Above a megabyte curl announces the body first (Expect: 100-continue)."""
    data = picture(600, 500, "PNG", compress_level=0) + bytes(1_000_000)
    (folder / "body.json").write_text(json.dumps({"contents": [{"parts": [inline(data)]}]}))
    script = f"curl -s --max-time 20 {URL} {HEAD} --data-binary @body.json"
    assert "600x500" in _text(_shell(script, folder, echo_server))


def test_a_compressed_body_is_read(echo_server: Live, folder: Path) -> None:
    script = f"""
    echo '{{"contents": [{{"parts": [{{"text": "hi"}}]}}]}}' | gzip -c |
        curl -s {URL} {HEAD} -H 'Content-Encoding: gzip' --data-binary @-
    """
    assert _text(_shell(script, folder, echo_server)) == "Echo: 0 images, text: hi"


def test_a_stream_without_sse_is_a_json_array(echo_server: Live, folder: Path) -> None:
    script = f"""
    curl -sN {URL.replace("generate", "streamGenerate")} {HEAD} -d '{{"contents": [{{"parts": [
        {{"inline_data": {{"mime_type":"image/jpeg", "data": "'"$(base64 -w0 image.jpg)"'"}}}},
        {{"text": "one two"}}
    ]}}]}}'
    """
    messages = json.loads(_shell(script, folder, echo_server))
    assert len(messages) > 3
    assert "".join(map(_said, messages)) == "Echo: 1 image (320x240), text: one two"
    assert messages[-1]["candidates"][0]["finishReason"] == "STOP"
    assert messages[-1]["usageMetadata"]["promptTokenCount"] == 258 + 2


@pytest.mark.parametrize("query", ["", "?alt=sse"])
def test_a_stream_comes_while_it_is_made(echo_server: Live, folder: Path, query: str) -> None:
    """The answer would take hours: its beginning only comes if nothing waits for its end."""
    script = f"""
    set +o pipefail
    curl -sN --max-time 20 "$BASE/v1beta/models/echo:streamGenerateContent{query}" {HEAD} \\
        -d '{{"contents": [{{"parts": [{{"text": "echo words=100000 sleep=0.1"}}]}}]}}' | head -c 300
    """
    assert "word1 " in _shell(script, folder, echo_server)


def test_models_are_listed(echo_server: Live, folder: Path) -> None:
    models = json.loads(_shell('curl -sf "$BASE/v1beta/models?pageSize=50"', folder, echo_server))["models"]
    assert "models/echo" in [model["name"] for model in models]


def test_a_key_may_stand_in_the_address(folder: Path, tmp_path: Path) -> None:
    body = """-d '{"contents": [{"parts": [{"text": "hi"}]}]}'"""
    url = '"$BASE/v1beta/models/echo:generateContent'
    with live(tmp_path, key="any", VIDI_API_KEYS="any") as locked:
        assert "hi" in _text(_shell(f'curl -s {url}?key=$GEMINI_API_KEY" {body}', folder, locked))
        refused = _shell(f'curl -s -w "%{{http_code}}" {url}?key=wrong" {body}', folder, locked)
        assert refused.endswith("400")
        assert "API key not valid" in refused
        assert _shell(f'curl -s -o /dev/null -w "%{{http_code}}" {url}" {body}', folder, locked) == "403"
