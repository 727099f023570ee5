"""The guide's upload by shell: its REST sample as printed, run by a real bash, curl and jq."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import picture
from tests.http.live import Live
from tests.waiting import HANG_SECONDS

TOOLS = ("bash", "curl", "file", "grep", "cut", "tr", "wc")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

FIELD = """jq -r ".file.uri" """ if shutil.which("jq") else """sed -n 's/.*"uri": *"\\([^"]*\\)".*/\\1/p' """
"""How the uri is read from the answer; without jq, by its key."""

UPLOAD = """
MIME_TYPE=$(file -b --mime-type "${IMAGE_PATH}")
NUM_BYTES=$(wc -c < "${IMAGE_PATH}")
DISPLAY_NAME=IMAGE
tmp_header_file=upload-header.tmp
curl "$BASE/upload/v1beta/files" \\
  -H "x-goog-api-key: $GEMINI_API_KEY" \\
  -D upload-header.tmp \\
  -H "X-Goog-Upload-Protocol: resumable" \\
  -H "X-Goog-Upload-Command: start" \\
  -H "X-Goog-Upload-Header-Content-Length: ${NUM_BYTES}" \\
  -H "X-Goog-Upload-Header-Content-Type: ${MIME_TYPE}" \\
  -H "Content-Type: application/json" \\
  -d "{'file': {'display_name': '${DISPLAY_NAME}'}}" 2> /dev/null
upload_url=$(grep -i "x-goog-upload-url: " "${tmp_header_file}" | cut -d" " -f2 | tr -d "\\r")
rm "${tmp_header_file}"
curl "${upload_url}" \\
  -H "x-goog-api-key: $GEMINI_API_KEY" \\
  -H "Content-Length: ${NUM_BYTES}" \\
  -H "X-Goog-Upload-Offset: 0" \\
  -H "X-Goog-Upload-Command: upload, finalize" \\
  --data-binary "@${IMAGE_PATH}" 2> /dev/null > file_info.json
"""


def _shell(script: str, folder: Path, server: Live, **variables: str) -> str:
    """What a script prints; it must end well."""
    known = os.environ | {"BASE": f"http://127.0.0.1:{server.port}", "GEMINI_API_KEY": "any", **variables}
    command = ["bash", "-euo", "pipefail", "-c", script]
    ran = subprocess.run(
        command, cwd=folder, env=known, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with pictures in it."""
    (tmp_path / "image.jpg").write_bytes(picture(320, 240, "JPEG"))
    (tmp_path / "second.png").write_bytes(picture(30, 20))
    return tmp_path


def test_upload_and_ask(echo_server: Live, folder: Path) -> None:
    script = f"""
    {UPLOAD}
    file_uri=$({FIELD} file_info.json)
    curl "$BASE/v1beta/models/gemini-3-flash-preview:generateContent" \\
      -H "x-goog-api-key: $GEMINI_API_KEY" \\
      -H 'Content-Type: application/json' \\
      -X POST \\
      -d '{{
        "contents": [{{
          "parts":[
            {{"file_data":{{"mime_type": "'"${{MIME_TYPE}}"'", "file_uri": "'"${{file_uri}}"'"}}}},
            {{"text": "Caption this image."}}]
          }}]
        }}' 2> /dev/null > response.json
    """
    assert _shell(script, folder, echo_server, IMAGE_PATH="image.jpg") == ""
    file = json.loads((folder / "file_info.json").read_text())["file"]
    assert (file["displayName"], file["mimeType"], file["state"]) == ("IMAGE", "image/jpeg", "ACTIVE")
    answer = json.loads((folder / "response.json").read_text())
    text = "".join(part["text"] for part in answer["candidates"][0]["content"]["parts"])
    assert text == "Echo: 1 image (320x240), text: Caption this image."


def test_one_uploaded_and_one_inline_picture(echo_server: Live, folder: Path) -> None:
    script = f"""
    {UPLOAD}
    file_uri=$({FIELD} file_info.json)
    curl -s "$BASE/v1beta/models/gemini-3-flash-preview:generateContent" \\
      -H "x-goog-api-key: $GEMINI_API_KEY" \\
      -H 'Content-Type: application/json' \\
      -X POST \\
      -d '{{
        "contents": [{{
          "parts":[
            {{"text": "What is different between these two images?"}},
            {{"file_data":{{"mime_type": "image/jpeg", "file_uri": "'"$file_uri"'"}}}},
            {{
              "inline_data": {{
                "mime_type":"image/png",
                "data": "'"$(base64 -w0 second.png)"'"
              }}
            }}
          ]
        }}]
      }}'
    """
    assert "2 images (320x240, 30x20)" in _shell(script, folder, echo_server, IMAGE_PATH="image.jpg")


def test_files_are_shown_listed_and_deleted(echo_server: Live, folder: Path) -> None:
    """The reference's samples for get, list and delete, its doubled `files/` included."""
    script = f"""
    {UPLOAD}
    name=$(sed -n 's/.*"name": *"\\([^"]*\\)".*/\\1/p' file_info.json | head -1)
    curl -sf "$BASE/v1beta/files/$name?key=$GEMINI_API_KEY"; echo
    curl -sf "$BASE/v1beta/files?key=$GEMINI_API_KEY&pageSize=100"; echo
    curl -sf --request DELETE "$BASE/v1beta/$name?key=$GEMINI_API_KEY"; echo
    curl -s -o /dev/null -w '%{{http_code}}' "$BASE/v1beta/$name?key=$GEMINI_API_KEY"
    """
    shown, listed, deleted, gone = _shell(script, folder, echo_server, IMAGE_PATH="image.jpg").splitlines()
    file = json.loads((folder / "file_info.json").read_text())["file"]
    assert json.loads(shown) == file
    assert file in json.loads(listed)["files"]
    assert (deleted, gone) == ("{}", "403")


def test_a_large_file_goes_in_chunks_and_continues_after_a_pause(echo_server: Live, folder: Path) -> None:
    (folder / "large.jpg").write_bytes(picture(320, 240, "JPEG") + bytes(3_000_000))
    script = """
    head -c 2000000 large.jpg > first; tail -c +2000001 large.jpg > rest
    url=$(curl -s -D - "$BASE/upload/v1beta/files" -H "X-Goog-Upload-Protocol: resumable" \\
        -H "X-Goog-Upload-Command: start" -d '' | grep -i "x-goog-upload-url: " | cut -d" " -f2 | tr -d "\\r")
    curl -sf "$url" -H "X-Goog-Upload-Offset: 0" -H "X-Goog-Upload-Command: upload" --data-binary @first
    received=$(curl -sf -D - "$url" -H "X-Goog-Upload-Command: query" -d '' |
        grep -i "x-goog-upload-size-received: " | cut -d" " -f2 | tr -d "\\r")
    curl -sf "$url" -H "X-Goog-Upload-Offset: $received" -H "X-Goog-Upload-Command: upload, finalize" \\
        --data-binary @rest
    """
    file = json.loads(_shell(script, folder, echo_server))["file"]
    assert (file["mimeType"], file["sizeBytes"]) == (
        "image/jpeg",
        str((folder / "large.jpg").stat().st_size),
    )
